/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One reading of a session's target, in its parts: what reading a target that is held or runs, and
 * reading a snapshot, have in common. Private to the session.
 */
#ifndef SESSION_COPY_H
#define SESSION_COPY_H

#include "glibc/read.h"
#include "session_orphans.h"
#include "session_pause.h"
#include "target/read_ahead.h"

/*
 * Reads the heap in process, which is the target or a copy of it, live if that runs; by way of
 * ahead, if that is not NULL.
 */
struct memtool_error *session_copy_heap(struct session *session, struct process *process,
					struct read_ahead *ahead,
					const struct root_threads *threads, bool live,
					const struct fs_base_array *orphans,
					struct heap_copy **ret);

/* The heap of the target itself, that is held by stop or, if that is NULL, runs. */
struct memtool_error *session_copy_target(struct session *session, const struct stop *stop,
					  struct read_ahead *ahead,
					  const struct fs_base_array *orphans,
					  struct heap_copy **ret);

/*
 * Before the target is held. NULL where it does not pay, or cannot be had: it can be done without.
 */
struct read_ahead *session_create_read_ahead(struct session *session);

/*
 * One reading of a snapshot; the parameters are those of a reading while it is stopped. Where there
 * can be none, session->snapshot_refused says why, and the target is stopped and read: here, if it
 * is stopped already, or else *ret_done is false, and that is still to be done by the plan.
 */
struct memtool_error *session_read_snapshot(struct session *session, struct pause_plan *plan,
					    const struct fs_base_array *orphans, struct heap **ret,
					    uint64_t *stopped_ns, bool *ret_done);

#endif
