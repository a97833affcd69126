/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a session's addresses come from: the agent's page, symbols for what it lacks, and the
 * structure of malloc for what those lack. Private to the session.
 */
#ifndef SESSION_ROOTS_H
#define SESSION_ROOTS_H

#include "session.h"

/* Fills in session->roots, inventory or inventory_error, and of libc what goes with them. */
struct memtool_error *session_find_roots(struct session *session);

void session_forget_inventory(struct session *session);

/* Finds the libc among the modules, which the page alone does without. */
struct memtool_error *session_load_libc(struct session *session);

/* The page as it is now; MEMTOOL_ERROR_NO_SYMBOLS if there is none. */
struct memtool_error *session_read_inventory(struct session *session, struct inventory *ret);

/* Whether it is an error, and one that costs no more than what it was about. */
static inline bool session_is_tolerable(const struct memtool_error *error)
{
	return error && error->code != MEMTOOL_ERROR_NO_MEMORY &&
	       error->code != MEMTOOL_ERROR_NO_PROCESS;
}

#endif
