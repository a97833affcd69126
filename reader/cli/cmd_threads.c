/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool threads: each thread with its thread pointer, tcache and arena.
 */
#include "cli/answer.h"
#include "cli/csv.h"
#include "cli/json.h"
#include "cli/table.h"

/* A thread's name, as it is now: it is no part of the heap, and not read while it was stopped. */
struct thread_name {
	char text[COMMAND_NAME_MAX];
};

static struct thread_name name_of(const struct reading *reading, const struct heap_thread *thread)
{
	struct thread_name name = { "" };

	process_thread_name(reading->session->process, thread->tid, name.text);
	return name;
}

static void hex_or_dash(struct table *table, uint64_t value)
{
	if (value)
		table_hex(table, value);
	else
		table_cell(table, "-");
}

static void print_thread(const struct reading *reading, const struct heap_thread *thread,
			 struct table *table)
{
	table_row(table);
	table_printf(table, "%d", (int)thread->tid);
	table_cell(table, name_of(reading, thread).text);
	hex_or_dash(table, thread->fs_base);
	hex_or_dash(table, thread->tcache);
	table_count(table, thread->tcached.count);
	table_bytes(table, thread->tcached.bytes);
	if (thread->arena == CHUNK_NO_ARENA)
		table_cell(table, "-");
	else
		table_printf(table, "%u%s", thread->arena, thread->shares_tls ? " (shared)" : "");
}

static struct memtool_error *write_text(const struct reading *reading,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);
	if (error)
		return error;

	table_column(table, "THREAD", TABLE_RIGHT);
	table_column(table, "NAME", TABLE_LEFT);
	table_column(table, "FS_BASE", TABLE_LEFT);
	table_column(table, "TCACHE", TABLE_LEFT);
	table_column(table, "CACHED", TABLE_RIGHT);
	table_column(table, "BYTES", TABLE_RIGHT);
	table_column(table, "ARENA", TABLE_RIGHT);
	for (size_t i = 0; i < reading->heap->thread_count; i++)
		print_thread(reading, &reading->heap->threads[i], table);
	return table_print(table, output);
}

static void hex_or_null(struct json *json, const char *name, uint64_t value)
{
	if (value)
		json_hex(json, name, value);
	else
		json_null(json, name);
}

static void thread_json(const struct reading *reading, const struct heap_thread *thread,
			struct json *json)
{
	json_object(json, NULL);
	json_int(json, "tid", thread->tid);
	json_string(json, "name", name_of(reading, thread).text);
	hex_or_null(json, "fs_base", thread->fs_base);
	hex_or_null(json, "tcache", thread->tcache);
	json_object(json, "tcached");
	json_uint(json, "count", thread->tcached.count);
	json_uint(json, "bytes", thread->tcached.bytes);
	json_end(json);
	if (thread->arena == CHUNK_NO_ARENA)
		json_null(json, "arena");
	else
		json_uint(json, "arena", thread->arena);
	json_bool(json, "shares_tls", thread->shares_tls);
	json_end(json);
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
		thread_json(reading, &reading->heap->threads[i], &json);
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
		thread_json(reading, &reading->heap->threads[i], &json);
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
		csv_string(&csv, name_of(reading, thread).text);
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
