/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/snapshot_note.h"

#include "cli/message.h"

/* Bytes that are read a millisecond while the process is stopped: 5 GB/s (doc/benchmarks.md). */
#define RATE       UINT64_C(5000000)
#define NOTABLE_MS 200

void snapshot_note_before(const struct session *session)
{
	const struct session_options *options = &session->options;
	uint64_t expected_ms = process_resident_bytes(session->process) / RATE;

	if (expected_ms > NOTABLE_MS && !options->snapshot && !options->no_stop && !options->held)
		message_note("process %d may stand still for %llu ms; with --snapshot it is less",
			     session->process->pid, (unsigned long long)expected_ms);
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
