/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mallocs of glibc's in a session's target, and which of them is shown. Private to the session.
 *
 * One is enough for nearly every process. More there are where dlmopen(3) loaded another libc,
 * which has an arena ring, mp_ and TLS variables of its own and never uses brk; and with
 * MALLOC_CHECK_ from glibc 2.34 on, whose libc_malloc_debug has a whole second malloc, without
 * tcache. A struct heap has one ring, one mp_ and one tcache a thread, and so has all that is made
 * of it (mallinfo, bins, threads): it shows one of them, by default the one that serves the
 * program, and --libc another. To put them all in one would make each of those ambiguous for the
 * sake of rare processes. Only mmapped chunks are those of all: they do not show whose they are.
 */
#ifndef SESSION_GLIBCS_H
#define SESSION_GLIBCS_H

#include "glibc/read.h"
#include "session.h"

/*
 * Lists them in session->glibcs, the program's first, and makes session->roots and layout those of
 * the one that is to be shown. session->roots, layout and malloc are the program's before. Fails if
 * the options ask for one that is not there or whose roots cannot be had, and if another malloc
 * serves the program and this one was never used.
 */
struct memtool_error *session_choose_glibc(struct session *session);

void session_forget_glibcs(struct session *session);

DEFINE_ARRAY(other_books_array, struct other_books)

/* The books of all that are not shown, as far as they are known. */
struct memtool_error *session_other_books(const struct session *session,
					  struct other_books_array *ret);

#endif
