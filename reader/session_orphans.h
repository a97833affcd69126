/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the TLS of threads may be that a fork did not take along. Private to the session.
 *
 * Needs no stop: a process gets none of these later, and one whose stack a new thread takes is seen
 * to be that thread's. Only a child of fork that has not called exec can have any.
 */
#ifndef SESSION_ORPHANS_H
#define SESSION_ORPHANS_H

#include "session.h"
#include "support/array.h"

DEFINE_ARRAY(fs_base_array, uint64_t)

/*
 * Appends their fs_bases. That glibc's list of cached stacks cannot be had is no failure:
 * session->orphans_unknown says why.
 */
struct memtool_error *session_list_orphans(struct session *session, struct fs_base_array *ret);

#endif
