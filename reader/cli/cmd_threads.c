/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool threads: each thread with its thread pointer, tcache and arena.
 */
#include "cli/answer.h"
#include "cli/csv.h"
#include "cli/thread_rows.h"

static struct memtool_error *write_text(const struct reading *reading,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	return thread_rows_print(reading, reading->heap->threads, reading->heap->thread_count,
				 output);
}

static struct memtool_error *write_json(const struct reading *reading,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	struct json json = json_start(output, 2);

	json_object(&json, NULL);
	json_int(&json, "pid", reading->session->process->pid);
	json_array(&json, "threads");
	for (size_t i = 0; i < reading->heap->thread_count; i++)
		thread_json(reading, &reading->heap->threads[i], NULL, &json);
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct reading *reading,
					 const void *settings __attribute__((__unused__)),
					 struct output *output)
{
	for (size_t i = 0; i < reading->heap->thread_count; i++) {
		struct json json = json_start(output, 0);
		thread_json(reading, &reading->heap->threads[i], NULL, &json);
	}
	return NULL;
}

static void hex_or_empty(struct csv *csv, uint64_t value)
{
	if (value)
		csv_hex(csv, value);
	else
		csv_empty(csv);
}

static struct memtool_error *write_csv(const struct reading *reading,
				       const void *settings __attribute__((__unused__)),
				       struct output *output)
{
	struct csv csv = csv_start(
		output, "tid,name,fs_base,tcache,tcached_count,tcached_bytes,arena,shares_tls");

	for (size_t i = 0; i < reading->heap->thread_count; i++) {
		const struct heap_thread *thread = &reading->heap->threads[i];
		csv_uint(&csv, (uint64_t)thread->tid);
		csv_string(&csv, thread_name(reading, thread).text);
		hex_or_empty(&csv, thread->fs_base);
		hex_or_empty(&csv, thread->tcache);
		csv_uint(&csv, thread->tcached.count);
		csv_uint(&csv, thread->tcached.bytes);
		if (thread->arena == CHUNK_NO_ARENA)
			csv_empty(&csv);
		else
			csv_uint(&csv, thread->arena);
		csv_bool(&csv, thread->shares_tls);
		csv_end_row(&csv);
	}
	return NULL;
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp =
		COMMON_ARGP("Shows each thread with its thread pointer (FS_BASE), the address of "
			    "its tcache, the free chunks in that, and the arena it allocates from."
			    "\vA thread that shares the TLS of another one is marked: its tcache "
			    "and arena are that thread's. jsonl and csv have a line for each "
			    "thread.");
	static const struct answer answer = {
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	struct common_options settings = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	return answer_give(&answer, &settings);
}

const struct command command_threads = { "threads", "threads with their tcaches and arenas", run };
