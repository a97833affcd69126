/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notes on standard error about --snapshot.
 */
#ifndef CLI_SNAPSHOT_NOTE_H
#define CLI_SNAPSHOT_NOTE_H

#include "session.h"

/*
 * Before the heap is read, of a session that is located: that there is --snapshot, if the process
 * may stand still for more than 200 ms without it, which a person notices, and no limit was given.
 */
void snapshot_note_before(const struct session *session);

/* After it was read: there was no snapshot though it was asked for, or something remains of it. */
void snapshot_note(const struct session *session);

#endif
