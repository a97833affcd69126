/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_list_threads(): the threads of a target whose heap is not asked for, or cannot be had.
 */
#include "session_pause.h"
#include "session_threads.h"
#include "target/stop.h"

struct memtool_error *session_list_threads(struct session *session, struct root_threads *ret,
					   uint64_t *ret_stopped_ns)
{
	_cleanup_(root_threads_deinit) struct root_threads threads = { 0 };
	struct memtool_error *error;
	uint64_t stopped_ns = 0;
	struct stop *stop;

	if (session->options.held) {
		error = session_held_threads(session, session->options.held, &threads);
	} else if (session->options.no_stop) {
		error = session_running_threads(session, &threads);
	} else {
		error = session_stop_threads(session, &stop);
		if (error)
			return error;
		error = session_held_threads(session, stop, &threads);
		stop_resume(stop, &stopped_ns);
	}
	if (error)
		return error;
	*ret = threads;
	*ret_stopped_ns = stopped_ns;
	threads = (struct root_threads){ 0 };
	return NULL;
}
