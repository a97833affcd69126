/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose malloc a session's target uses, and what follows from that. Private to the session.
 */
#ifndef SESSION_MALLOC_H
#define SESSION_MALLOC_H

#include "session.h"

/*
 * Fills in session->malloc. Of a target whose page says that malloc is glibc's, only the names of
 * mappings are looked at. What cannot be told is as if it were glibc's.
 */
struct memtool_error *session_find_malloc(struct session *session);

/*
 * That the target is not served by glibc, with who serves it and a remedy; why ends what it says.
 */
struct memtool_error *session_refuse_malloc(const struct session *session, const char *why);

#endif
