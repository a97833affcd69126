/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool arenas: each arena with its segments, its threads and its totals.
 */
#include "cli/answer.h"
#include "cli/arena_view.h"
#include "cli/csv.h"
#include "cli/table.h"
#include "cli/tally.h"
#include "cli/units.h"

#include <inttypes.h>

#define THREADS_SHOWN 12

static struct memtool_error *print_states(const struct heap_arena *arena, struct output *output)
{
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);
	if (error)
		return error;

	table_column(table, "  STATE", TABLE_LEFT);
	table_column(table, "CHUNKS", TABLE_RIGHT);
	table_column(table, "BYTES", TABLE_RIGHT);
	for (unsigned int state = 0; state < CHUNK_STATES; state++) {
		if (arena->tally[state].count == 0)
			continue;
		table_row(table);
		table_printf(table, "  %s", chunk_state_name(state));
		table_count(table, arena->tally[state].count);
		table_bytes(table, arena->tally[state].bytes);
	}
	if (arena->gap_bytes > 0) {
		table_row(table);
		table_cell(table, "  gaps");
		table_cell(table, "");
		table_bytes(table, arena->gap_bytes);
	}
	return table_print(table, output);
}

static struct memtool_error *print_segments(const struct arena_view *view, size_t index,
					    struct output *output)
{
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);
	if (error)
		return error;

	table_column(table, "  SEGMENT", TABLE_LEFT);
	table_column(table, "END", TABLE_LEFT);
	table_column(table, "SIZE", TABLE_RIGHT);
	table_column(table, "ITEMS", TABLE_RIGHT);
	for (size_t i = 0; i < groups_size(&view->segments, index); i++) {
		const struct heap_segment *segment =
			&view->heap->segments[groups_member(&view->segments, index, i)];
		table_row(table);
		table_printf(table, "  0x%" PRIx64, segment->range.start);
		table_hex(table, segment->range.end);
		table_bytes(table, range_size(segment->range));
		table_count(table, segment->end_chunk - segment->first_chunk);
	}
	return table_print(table, output);
}

static struct memtool_error *print_arena(const struct arena_view *view, size_t index,
					 struct output *output)
{
	const struct heap_arena *arena = &view->heap->arenas[index];
	_cleanup_free_ char *threads = arena_view_threads_text(view, index, THREADS_SHOWN);
	if (!threads)
		return memtool_error_no_memory;

	output_printf(output, "Arena %zu at 0x%" PRIx64 "%s%s%s\n", index, arena->address,
		      index == 0 ? ", main_arena" : "",
		      arena->noncontiguous ? ", not contiguous" : "",
		      arena->locked ? ", locked: a thread is in malloc" : "");
	output_printf(output, "  system memory %s, at most %s so far\n",
		      units_bytes(arena->system_mem).text, units_bytes(arena->max_system_mem).text);
	output_printf(output, "  %" PRIu64 " attached thread%s%s%s\n", arena->attached_threads,
		      arena->attached_threads == 1 ? "" : "s", *threads ? ": " : "", threads);

	struct memtool_error *error = print_states(arena, output);
	if (error)
		return error;
	if (groups_size(&view->segments, index) == 0)
		return NULL;
	return print_segments(view, index, output);
}

static struct memtool_error *write_text(const struct reading *reading,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	_cleanup_arena_view_ struct arena_view view = { 0 };
	struct memtool_error *error = arena_view_make(reading->heap, &view);

	for (size_t i = 0; !error && i < reading->heap->arena_count; i++) {
		if (i > 0)
			output_char(output, '\n');
		error = print_arena(&view, i, output);
	}
	return error;
}

static struct memtool_error *write_json(const struct reading *reading,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	_cleanup_arena_view_ struct arena_view view = { 0 };
	struct memtool_error *error = arena_view_make(reading->heap, &view);
	if (error)
		return error;

	struct json json = json_start(output, 2);
	json_object(&json, NULL);
	json_int(&json, "pid", reading->session->process->pid);
	json_array(&json, "arenas");
	for (size_t i = 0; i < reading->heap->arena_count; i++)
		arena_view_json(&view, i, &json);
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct reading *reading,
					 const void *settings __attribute__((__unused__)),
					 struct output *output)
{
	_cleanup_arena_view_ struct arena_view view = { 0 };
	struct memtool_error *error = arena_view_make(reading->heap, &view);
	if (error)
		return error;

	for (size_t i = 0; i < reading->heap->arena_count; i++) {
		struct json json = json_start(output, 0);
		arena_view_json(&view, i, &json);
	}
	return NULL;
}

#define CSV_COLUMNS                                                          \
	"arena,address,segments,threads,attached_threads,locked,system_mem," \
	"max_system_mem,in_use_count,in_use_bytes,free_count,free_bytes,top_bytes,gap_bytes"

static void csv_tally(struct csv *csv, struct tally tally)
{
	csv_uint(csv, tally.count);
	csv_uint(csv, tally.bytes);
}

static void csv_arena(struct csv *csv, const struct arena_view *view, size_t index)
{
	const struct heap_arena *arena = &view->heap->arenas[index];

	csv_uint(csv, index);
	csv_hex(csv, arena->address);
	csv_uint(csv, arena->segment_count);
	csv_uint(csv, groups_size(&view->threads, index));
	csv_uint(csv, arena->attached_threads);
	csv_bool(csv, arena->locked);
	csv_uint(csv, arena->system_mem);
	csv_uint(csv, arena->max_system_mem);
	csv_tally(csv, tally_live(arena->tally));
	csv_tally(csv, tally_free(arena->tally));
	csv_uint(csv, arena->tally[CHUNK_TOP].bytes);
	csv_uint(csv, arena->gap_bytes);
	csv_end_row(csv);
}

static struct memtool_error *write_csv(const struct reading *reading,
				       const void *settings __attribute__((__unused__)),
				       struct output *output)
{
	_cleanup_arena_view_ struct arena_view view = { 0 };
	struct memtool_error *error = arena_view_make(reading->heap, &view);
	if (error)
		return error;

	struct csv csv = csv_start(output, CSV_COLUMNS);
	for (size_t i = 0; i < reading->heap->arena_count; i++)
		csv_arena(&csv, &view, i);
	return NULL;
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp =
		COMMON_ARGP("Shows each arena with its segments (the heaps of glibc's arena.c, or "
			    "the parts of the main arena), its threads, and its chunks by state.\v"
			    "jsonl and csv have a line for each arena.");
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

const struct command command_arenas = { "arenas", "arenas with their segments and totals", run };
