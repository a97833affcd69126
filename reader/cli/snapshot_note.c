/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/snapshot_note.h"

#include "cli/message.h"

#define NOTABLE_NS UINT64_C(200000000)

void snapshot_note_before(const struct session *session)
{
	const struct session_options *options = &session->options;
	struct pause_estimate expected;

	if (options->snapshot || options->no_stop || options->held || options->max_pause_ns)
		return;
	struct memtool_error *error = session_estimate_pause(session, &expected);
	if (!error && expected.stop_ns > NOTABLE_NS && expected.snapshot_ns < expected.stop_ns)
		message_note("to stop and read process %d may take %llu ms; with --snapshot it "
			     "stands still for less",
			     session->process->pid, (unsigned long long)expected.stop_ns / 1000000);
	/* The reading will tell. */
	memtool_error_destroy(error);
}

void snapshot_note(const struct session *session)
{
	const struct memtool_error *refused = session->snapshot_refused;
	int pid = session->process->pid;

	if (!refused)
		return;
	if (session->method == READ_SNAPSHOT)
		message_note("the copy of process %d that was read stays its zombie: %s", pid,
			     refused->message);
	else
		message_note("process %d was stopped and read, as there can be no snapshot: %s",
			     pid, refused->message);
}
