/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/answer.h"

#include "cli/malloc_text.h"
#include "cli/message.h"
#include "cli/snapshot_note.h"

static void note_audit(const struct audit *audit)
{
	const struct audit_findings *findings = &audit->findings;
	uint64_t doubts = audit_doubts(audit);
	size_t first = 0;

	if (audit->ok)
		return;
	while (first < findings->count && !findings->data[first].doubt)
		first++;
	message_note("audit: %s", first < findings->count ? findings->data[first].message
							  : "some findings could not be kept");
	message_note("audit: %s", audit_reason(audit));
	if (doubts > 1)
		message_note("audit: %llu findings in all; memtool info lists them",
			     (unsigned long long)doubts);
}

static struct memtool_error *give(const struct answer *answer,
				  const struct common_options *settings)
{
	_cleanup_reading_ struct reading *reading = NULL;
	struct memtool_error *error = reading_take(settings, &reading);
	if (!error && answer->check)
		error = answer->check(reading, settings);
	if (error)
		return error;
	/* Only now, so that a file stays as it was when there is nothing to write to it. */
	_cleanup_output_ struct output *output = NULL;
	error = output_open(settings->output, &output);
	if (error)
		return error;
	error = answer->writers[settings->format](reading, settings, output);
	if (!error)
		error = output_finish(output);
	if (error)
		return error;
	/* Behind the answer: where that fails, the failure is all there is to say. */
	if (!settings->quiet)
		snapshot_note(reading->session);
	if (!settings->quiet && !(answer->tells_audit & 1u << settings->format)) {
		malloc_note(reading->session);
		note_audit(&reading->heap->audit);
	}
	return NULL;
}

enum exit_status answer_give(const struct answer *answer, const struct common_options *settings)
{
	_cleanup_error_ struct memtool_error *error = give(answer, settings);
	if (!error)
		return STATUS_ANSWERED;
	message_error(error);
	return STATUS_FAILED;
}
