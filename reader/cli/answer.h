/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands on one process do alike: take a reading, let the process run on, and write what
 * the command makes of it in the format asked for.
 */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/reading.h"

/* settings are the command's own, which begin with struct common_options. */
typedef struct memtool_error *answer_writer(const struct reading *reading, const void *settings,
					    struct output *output);

struct answer {
	/* Whether the settings fit the process; NULL where any do. */
	struct memtool_error *(*check)(const struct reading *reading, const void *settings);
	answer_writer *writers[FORMATS];
	/*
	 * Bit 1 << format: the answer itself tells of the audit, and of a malloc that is not
	 * glibc's; otherwise a note on stderr does.
	 */
	unsigned int tells_audit;
};

enum exit_status answer_give(const struct answer *answer, const struct common_options *settings);

#endif
