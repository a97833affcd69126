/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot: a copy of a process, made by the kernel as for fork(2) while it is stopped, and read
 * at leisure while it runs on.
 *
 * The main thread is made to call clone() without any flag and without an exit signal
 * (target/inject.h, which also says when that is not done). The copy never runs; it has no threads
 * but one, is killed when it has been read, and dies with the thread that made it, should this
 * program end. The process gets no signal of it, and its wait calls do not see it, unless they ask
 * for children of all kinds (__WALL, __WCLONE). When the copy has been killed, the main thread is
 * held once more, for a moment, to collect it.
 *
 * What the process can notice besides the pause: memory that it writes to while the copy is there
 * is copied page by page, and what the copy shares with it stays open (pipes, sockets, file locks).
 * ru_maxrss of its children may rise. What it keeps from its children is not in it (target/kept.h).
 *
 * What remains if this program is killed (SIGKILL):
 * - while the system call is made: see target/inject.h. A copy that was made ends by itself or is
 *   killed, and the process collects it;
 * - later: the copy is killed, and stays a zombie of the process (no memory, a number) until that
 *   ends, or waits for children of all kinds.
 */
#ifndef TARGET_SNAPSHOT_H
#define TARGET_SNAPSHOT_H

#include "support/error.h"
#include "target/maps.h"
#include "target/process.h"
#include "target/stop.h"

#include <stdbool.h>
#include <stdint.h>

struct snapshot;

/*
 * What can be made ready before the stop. MEMTOOL_ERROR_UNSUPPORTED if there can be no snapshot.
 * process and maps must outlive it; maps may be of any time since the program began.
 */
struct memtool_error *snapshot_create(struct process *process, const struct maps *maps,
				      struct snapshot **ret);

/* Frees it, after snapshot_end(). NULL is fine. */
void snapshot_destroy(struct snapshot *snapshot);

#define _cleanup_snapshot_ _cleanup_(cleanup_snapshot)
static inline void cleanup_snapshot(struct snapshot **snapshot)
{
	snapshot_destroy(*snapshot);
}

/*
 * Copies the process that stop holds, and lets it go; *ret_ns is how long it stood still. stop
 * stays until snapshot_end() and is resumed after that. On MEMTOOL_ERROR_UNSUPPORTED the process is
 * held as before, with threads as stop_list() has them then; after any other error it is to be
 * resumed.
 */
struct memtool_error *snapshot_take(struct snapshot *snapshot, struct stop *stop, uint64_t *ret_ns);

/*
 * Whether this program has been told to end (SIGINT, SIGTERM, SIGHUP, SIGQUIT). Such signals wait
 * from snapshot_take() to snapshot_end(), in the thread that called, so that nothing of the copy
 * stays.
 */
bool snapshot_shall_end(const struct snapshot *snapshot);

/* The copy, for as long as snapshot_end() was not called; fails if it was killed by now. */
struct memtool_error *snapshot_open(struct snapshot *snapshot, struct process **ret);

/*
 * Ends the copy, of which nothing may be open any more. *ret_ns is how long the main thread stood
 * still for that. An error says that the copy could not be collected, and no more.
 */
struct memtool_error *snapshot_end(struct snapshot *snapshot, struct stop *stop, uint64_t *ret_ns);

#endif
