/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reading.h"

#include "cli/snapshot_note.h"

#include <unistd.h>

struct memtool_error *reading_take(const struct common_options *common, struct reading **ret)
{
	_cleanup_reading_ struct reading *reading = calloc(1, sizeof(*reading));
	if (!reading)
		return memtool_error_no_memory;

	reading->bar.fd = -1;
	struct session_options options = common->session;
	if (!common->quiet)
		progress_bar_init(&reading->bar, STDERR_FILENO, &options);
	struct memtool_error *error = session_open(common->pid, &options, &reading->session);
	if (!error && !common->quiet)
		snapshot_note_before(reading->session);
	if (!error)
		error = session_read_heap(reading->session, &reading->heap, &reading->stopped_ns);
	progress_bar_deinit(&reading->bar);
	if (error)
		return error;

	const struct process *process = reading->session->process;
	process_thread_name(process, process->pid, reading->command);
	*ret = no_cleanup_ptr(reading);
	return NULL;
}

void reading_destroy(struct reading *reading)
{
	if (!reading)
		return;
	heap_destroy(reading->heap);
	session_close(reading->session);
	free(reading);
}
