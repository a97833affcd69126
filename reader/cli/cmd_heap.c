/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool heap: the summary. Its text is in heap_text.c.
 */
#include "cli/answer.h"
#include "cli/arena_view.h"
#include "cli/audit_text.h"
#include "cli/csv.h"
#include "cli/heap_stats.h"
#include "cli/heap_text.h"
#include "cli/json.h"
#include "cli/malloc_text.h"
#include "cli/tally.h"

#include <unistd.h>

static void totals_json(const struct heap *heap, const struct heap_stats *stats, struct json *json)
{
	struct tally live = tally_live(heap->tally);

	tally_states_json(json, "totals", heap->tally);
	json_object(json, "in_use");
	json_uint(json, "count", live.count);
	json_uint(json, "bytes", live.bytes);
	json_uint(json, "usable", stats->usable_bytes);
	json_uint(json, "page_bytes", stats->live_page_bytes);
	json_end(json);
	tally_json(json, "free", tally_free(heap->tally));
	json_object(json, "malloc_trim");
	json_uint(json, "free_bytes", stats->trimmable_free_bytes);
	json_uint(json, "top_bytes", stats->trimmable_top_bytes);
	json_end(json);
}

static void histogram_json(const struct heap_stats *stats, struct json *json)
{
	json_array(json, "histogram");
	for (unsigned int i = 0; i < SIZE_CLASSES; i++) {
		const struct size_class *class = &stats->classes[i];
		if (class->live.count == 0 && class->free.count == 0)
			continue;
		json_object(json, NULL);
		json_uint(json, "min", i ? (UINT64_C(1) << (i - 1)) + 1 : 1);
		json_uint(json, "max", UINT64_C(1) << i);
		tally_json(json, "in_use", class->live);
		tally_json(json, "free", class->free);
		json_end(json);
	}
	json_end(json);
}

static void largest_json(const struct heap_stats *stats, struct json *json)
{
	json_array(json, "largest");
	for (size_t i = 0; i < stats->largest_count; i++) {
		const struct size_total *total = &stats->largest[i];
		json_object(json, NULL);
		json_uint(json, "size", total->size);
		json_uint(json, "count", total->count);
		json_uint(json, "bytes", total->size * total->count);
		json_end(json);
	}
	json_end(json);
}

static void mmapped_json(const struct heap *heap, struct json *json)
{
	struct tally outside[CHUNK_STATES];

	tally_outside_arenas(heap, outside);
	json_object(json, "mmapped");
	json_uint(json, "count", heap->mmapped_count);
	json_uint(json, "bytes", tally_sum(outside, 0, CHUNK_STATES - 1).bytes);
	json_uint(json, "mapped_bytes", heap->mmapped_bytes);
	json_uint(json, "n_mmaps", heap->params.n_mmaps);
	json_uint(json, "mmapped_mem", heap->params.mmapped_mem);
	json_end(json);
}

static void mallinfo_json(const struct heap *heap, struct json *json)
{
	struct heap_mallinfo info = heap_mallinfo(heap);

	json_object(json, "mallinfo");
	json_uint(json, "arena", info.arena);
	json_uint(json, "ordblks", info.ordblks);
	json_uint(json, "smblks", info.smblks);
	json_uint(json, "hblks", info.hblks);
	json_uint(json, "hblkhd", info.hblkhd);
	json_uint(json, "fsmblks", info.fsmblks);
	json_uint(json, "usmblks", 0);
	json_uint(json, "uordblks", info.uordblks);
	json_uint(json, "fordblks", info.fordblks);
	json_uint(json, "keepcost", info.keepcost);
	json_end(json);
}

static struct memtool_error *write_json(const struct reading *reading,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	const struct heap *heap = reading->heap;
	_cleanup_arena_view_ struct arena_view view = { 0 };
	struct heap_stats stats;

	struct memtool_error *error = arena_view_make(heap, &view);
	if (error)
		return error;
	error = heap_stats_make(heap, (uint64_t)sysconf(_SC_PAGESIZE), &stats);
	if (error)
		return error;

	struct json json = json_start(output, 2);
	json_object(&json, NULL);
	json_int(&json, "pid", reading->session->process->pid);
	json_string(&json, "command", reading->command);
	json_string(&json, "glibc", reading->session->libc.version);
	malloc_json(&json, "malloc", reading->session);
	glibcs_json(&json, "glibcs", reading->session);
	json_milliseconds(&json, "stopped_ms", reading->stopped_ns);
	totals_json(heap, &stats, &json);
	json_array(&json, "arenas");
	for (size_t i = 0; i < heap->arena_count; i++)
		arena_view_json(&view, i, &json);
	json_end(&json);
	histogram_json(&stats, &json);
	largest_json(&stats, &json);
	mmapped_json(heap, &json);
	mallinfo_json(heap, &json);
	audit_json(&json, "audit", &heap->audit);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_text(const struct reading *reading,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	_cleanup_arena_view_ struct arena_view view = { 0 };
	struct heap_stats stats;

	struct memtool_error *error = arena_view_make(reading->heap, &view);
	if (error)
		return error;
	error = heap_stats_make(reading->heap, (uint64_t)sysconf(_SC_PAGESIZE), &stats);
	if (error)
		return error;
	return heap_text(reading, &view, &stats, output);
}

typedef void row_writer(void *context, const size_t *arena, enum chunk_state state,
			struct tally tally);

/* One row for each state that occurs in tally. */
static void each_state(const struct tally *tally, const size_t *arena, row_writer *row,
		       void *context)
{
	for (unsigned int state = 0; state < CHUNK_STATES; state++)
		if (tally[state].count > 0)
			row(context, arena, state, tally[state]);
}

/* For each arena, and, with arena NULL, for what is in none: mmapped chunks. */
static void each_total(const struct heap *heap, row_writer *row, void *context)
{
	struct tally outside[CHUNK_STATES];

	for (size_t i = 0; i < heap->arena_count; i++)
		each_state(heap->arenas[i].tally, &i, row, context);
	tally_outside_arenas(heap, outside);
	each_state(outside, NULL, row, context);
}

static void jsonl_row(void *output, const size_t *arena, enum chunk_state state, struct tally tally)
{
	struct json json = json_start(output, 0);

	json_object(&json, NULL);
	if (arena)
		json_uint(&json, "arena", *arena);
	else
		json_null(&json, "arena");
	json_string(&json, "state", chunk_state_name(state));
	json_uint(&json, "count", tally.count);
	json_uint(&json, "bytes", tally.bytes);
	json_end(&json);
}

static struct memtool_error *write_jsonl(const struct reading *reading,
					 const void *settings __attribute__((__unused__)),
					 struct output *output)
{
	each_total(reading->heap, jsonl_row, output);
	return NULL;
}

static void csv_row(void *csv, const size_t *arena, enum chunk_state state, struct tally tally)
{
	if (arena)
		csv_uint(csv, *arena);
	else
		csv_empty(csv);
	csv_string(csv, chunk_state_name(state));
	csv_uint(csv, tally.count);
	csv_uint(csv, tally.bytes);
	csv_end_row(csv);
}

static struct memtool_error *write_csv(const struct reading *reading,
				       const void *settings __attribute__((__unused__)),
				       struct output *output)
{
	struct csv csv = csv_start(output, "arena,state,count,bytes");

	each_total(reading->heap, csv_row, &csv);
	return NULL;
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp =
		COMMON_ARGP("Sums up the heap of a process: what is in use and what is free, in "
			    "all and by arena, the sizes, and what keeps free memory from going "
			    "back to the kernel.\vSizes are those of chunks, with their headers. "
			    "json has it all, in exact bytes; jsonl and csv have a line for each "
			    "arena and state, and one without arena for the mmapped chunks.");
	static const struct answer answer = {
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
		.tells_audit = 1u << FORMAT_TEXT | 1u << FORMAT_JSON,
	};
	struct common_options settings = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	return answer_give(&answer, &settings);
}

const struct command command_heap = { "heap", "a summary: what is in use, what is free, and why",
				      run };
