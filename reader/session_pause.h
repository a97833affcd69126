/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For how long the target may stand still (max_pause_ns of struct session_options), and by which
 * way it is read therefore. Private to the session; session_estimate_pause() is in session.h.
 *
 * The limit is for all that one session_read_heap() stops, and is kept in two ways: nothing is
 * stopped for longer than is expected to fit in what is left of it; and where that was expected
 * wrongly, a reading is broken off when the time has come. What is the kernel's, a fork that takes
 * longer than others, or a page that is read from a disk, is waited for all the same.
 */
#ifndef SESSION_PAUSE_H
#define SESSION_PAUSE_H

#include "session.h"
#include "target/pause.h"
#include "target/stop.h"

/* One reading. */
struct pause_plan {
	enum pause_method method; /* not PAUSE_NEITHER */
	uint64_t limit_ns; /* for how long it may hold the target; UINT64_MAX: no limit */
	struct pause_estimate expected; /* all 0 without a limit */
};

/*
 * Given that the target stood still for stopped_ns already. MEMTOOL_ERROR_TOO_LONG if no way keeps
 * within the limit.
 */
struct memtool_error *session_plan_pause(const struct session *session, uint64_t stopped_ns,
					 struct pause_plan *ret);

/*
 * What becomes of a plan for a snapshot that there can be none of, as session->snapshot_refused
 * says: a stop, if that fits too, where stop holds the target already, or is NULL.
 */
struct memtool_error *session_plan_without_snapshot(const struct session *session,
						    const struct stop *stop,
						    struct pause_plan *plan);

/* Stops the threads for a look at their registers alone; MEMTOOL_ERROR_TOO_LONG as above. */
struct memtool_error *session_stop_threads(const struct session *session, struct stop **ret);

/* How long threads that are inside malloc may take to come out of it. */
uint64_t pause_spare_ns(const struct pause_plan *plan);

/*
 * Takes the place of the session's progress function while the target is held, and ends the reading
 * when its time is over. Nothing is changed where there is no limit.
 */
struct pause_watch {
	uint64_t deadline_ns; /* CLOCK_MONOTONIC */
	bool late; /* the deadline has come */
	memtool_progress_fn next;
	void *context;
};

void pause_watch_begin(struct pause_watch *watch, const struct pause_plan *plan,
		       const struct stop *stop, struct session *session);

/*
 * Puts back what was before. error is how the reading ended; returned is what to say of that, the
 * target having stood still for ns.
 */
void pause_watch_end(const struct pause_watch *watch, struct session *session);
struct memtool_error *pause_watch_explain(const struct pause_watch *watch,
					  const struct session *session, uint64_t ns,
					  struct memtool_error *error);

#endif
