/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reading: the heap of one process as a command answers from it, and what goes with it.
 *
 * When reading_take() returns the process runs on; nothing is printed before that.
 */
#ifndef CLI_READING_H
#define CLI_READING_H

#include "cli/options.h"
#include "cli/progress_bar.h"
#include "session.h"
#include "support/error.h"

#define COMMAND_NAME_MAX 16 /* TASK_COMM_LEN */

struct reading {
	struct session *session;
	struct heap *heap;
	uint64_t stopped_ns; /* how long the process stood still, in all */
	struct progress_bar bar; /* while the heap is read */
	char command[COMMAND_NAME_MAX]; /* bytes, as the process named itself */
};

struct memtool_error *reading_take(const struct common_options *common, struct reading **ret);

/* NULL is fine. */
void reading_destroy(struct reading *reading);

#define _cleanup_reading_ _cleanup_(cleanup_reading)
static inline void cleanup_reading(struct reading **reading)
{
	reading_destroy(*reading);
}

#endif
