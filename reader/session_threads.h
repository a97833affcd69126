/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of a session's target, and where the TLS of each is: from their registers if the
 * target is held, else from what the process itself has written down. Private to the session.
 */
#ifndef SESSION_THREADS_H
#define SESSION_THREADS_H

#include "common/malloc_roots.h"
#include "glibc/inventory.h"
#include "glibc/read.h"
#include "session.h"

/* The threads that are held; their registers are the truth, and the page may confirm it. */
struct memtool_error *session_held_threads(const struct session *session, const struct stop *stop,
					   struct root_threads *ret);

/* The threads there are just now; fs_base is 0 and not known of those that nothing tells of. */
struct memtool_error *session_running_threads(struct session *session, struct root_threads *ret);

/*
 * Threads that came to be since session_running_threads() told of threads: what they have cached is
 * not known, so the audit of copy is to say so. One that has gone again already leaves no trace.
 */
struct memtool_error *session_report_born(struct session *session,
					  const struct root_threads *threads,
					  struct heap_copy *copy);

/*
 * Puts the entries of session->inventory into the order that session_held_threads() looks them up
 * in.
 */
void session_sort_published(struct inventory_threads *threads);

#endif
