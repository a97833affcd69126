/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process as the commands on addresses and symbols look at it: its memory, its modules, and, if
 * they want it and it can be had, its heap. Unlike a reading (cli/reading.h) it answers for
 * processes without glibc too.
 *
 * The process runs when inspection_open() returns. Only INSPECT_HEAP stops it, once.
 */
#ifndef CLI_INSPECTION_H
#define CLI_INSPECTION_H

#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress_bar.h"
#include "session.h"
#include "thread_memory.h"

enum inspect_level {
	INSPECT_MEMORY,
	INSPECT_MODULES, /* and the libc among them */
	INSPECT_HEAP, /* and the threads */
};

struct inspection {
	struct session *session;
	struct process *process; /* the session's, as the next one */
	struct modules *modules; /* NULL until they are loaded */
	const struct libc *libc; /* likewise; NULL too if there is none that can be told */
	struct maps maps; /* as they were after all else was read */
	/* Of INSPECT_HEAP; where the heap could not be had, heap is NULL and missing says why. */
	struct heap *heap;
	struct memtool_error *missing;
	struct root_threads threads;
	struct thread_memory thread_memory;
	uint64_t stopped_ns;

	struct progress_bar bar; /* while the heap is read */
	struct libc own_libc; /* of a session that knows none */
};

struct memtool_error *inspection_open(const struct common_options *common, enum inspect_level level,
				      struct inspection **ret);

/* NULL is fine. */
void inspection_close(struct inspection *inspection);

/* Loads what INSPECT_MODULES has and INSPECT_MEMORY has not. */
struct memtool_error *inspection_load_modules(struct inspection *inspection);

typedef struct memtool_error *inspect_writer(const struct inspection *inspection,
					     const void *settings, struct output *output);

struct inspect_answer {
	enum inspect_level level;
	/* Finds what is to be told, before any output is opened; NULL where there is nothing to. */
	struct memtool_error *(*find)(struct inspection *inspection, void *settings);
	inspect_writer *writers[FORMATS];
};

/* settings are the command's own, which begin with struct common_options. */
enum exit_status inspect_give(const struct inspect_answer *answer, struct common_options *settings);

#endif
