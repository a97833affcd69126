/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a session knows the layout of glibc's structs. Private to the session.
 *
 * The table, where one of its rows is of that version and fits what the binary shows. A version
 * that the table does not have, or that the binary contradicts: debug information, where there is
 * some, else the row that fits, if memory does not contradict it. The version alone decides
 * nothing.
 */
#ifndef SESSION_LAYOUT_H
#define SESSION_LAYOUT_H

#include "session.h"

/* Fills in session->layout and what goes with it. */
struct memtool_error *session_find_layout(struct session *session);

/*
 * Memory contradicted all rows of the table: takes the debug information instead, if that is
 * allowed and there is some. Else returns error as it is.
 */
struct memtool_error *session_replace_layout(struct session *session, struct memtool_error *error);

/* Says in session->layout_note how heap's layout was told. */
void session_note_layout(struct session *session, const struct heap *heap);

#endif
