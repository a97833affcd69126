/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of a heap, one after the other.
 */
#ifndef CLI_THREAD_ROWS_H
#define CLI_THREAD_ROWS_H

#include "cli/json.h"
#include "cli/output.h"
#include "cli/reading.h"

/* A thread's name, as it is now: it is no part of the heap, and not read while it was stopped. */
struct thread_name {
	char text[COMMAND_NAME_MAX];
};

struct thread_name thread_name(const struct reading *reading, const struct heap_thread *thread);

/* A table of count threads from the first on, which belongs to reading->heap->threads. */
struct memtool_error *thread_rows_print(const struct reading *reading,
					const struct heap_thread *first, size_t count,
					struct output *output);

/* An object; name as in json.h. */
void thread_json(const struct reading *reading, const struct heap_thread *thread, const char *name,
		 struct json *json);

#endif
