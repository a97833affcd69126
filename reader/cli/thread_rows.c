/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/thread_rows.h"

#include "cli/table.h"

struct thread_name thread_name(const struct reading *reading, const struct heap_thread *thread)
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
	table_cell(table, thread_name(reading, thread).text);
	hex_or_dash(table, thread->fs_base);
	hex_or_dash(table, thread->tcache);
	table_count(table, thread->tcached.count);
	table_bytes(table, thread->tcached.bytes);
	if (thread->arena == CHUNK_NO_ARENA)
		table_cell(table, "-");
	else
		table_printf(table, "%u%s", thread->arena, thread->shares_tls ? " (shared)" : "");
}

struct memtool_error *thread_rows_print(const struct reading *reading,
					const struct heap_thread *first, size_t count,
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
	for (size_t i = 0; i < count; i++)
		print_thread(reading, &first[i], table);
	return table_print(table, output);
}

static void hex_or_null(struct json *json, const char *name, uint64_t value)
{
	if (value)
		json_hex(json, name, value);
	else
		json_null(json, name);
}

void thread_json(const struct reading *reading, const struct heap_thread *thread, const char *name,
		 struct json *json)
{
	json_object(json, name);
	json_int(json, "tid", thread->tid);
	json_string(json, "name", thread_name(reading, thread).text);
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
