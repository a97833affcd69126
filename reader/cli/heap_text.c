/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_text.h"

#include "cli/audit_text.h"
#include "cli/malloc_text.h"
#include "cli/table.h"
#include "cli/tally.h"
#include "cli/units.h"
#include "cli/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ARENAS_SHOWN   16
#define THREADS_SHOWN  2
#define FINDINGS_SHOWN 10
#define BAR_MAX        60

static void print_heading(struct output *output, const char *text)
{
	bool colors = output_has_colors(output);

	output_printf(output, "\n%s%s%s\n", colors ? "\033[1m" : "", text, colors ? "\033[m" : "");
}

static void print_process(const struct reading *reading, struct output *output)
{
	const struct heap *heap = reading->heap;

	utf8_write_printable(output, reading->command);
	output_printf(output, " (%d): glibc %s, %s thread%s, %s arena%s, ",
		      (int)reading->session->process->pid,
		      *reading->session->libc.version ? reading->session->libc.version : "?",
		      units_count(heap->thread_count).text, heap->thread_count == 1 ? "" : "s",
		      units_count(heap->arena_count).text, heap->arena_count == 1 ? "" : "s");
	if (reading->stopped_ns)
		output_printf(output, "stopped for %.1f ms\n", (double)reading->stopped_ns / 1e6);
	else
		output_text(output, "not stopped\n");
}

/* What arenas have beyond their items, and the mappings of mmapped chunks beyond these. */
static uint64_t gap_bytes(const struct heap *heap)
{
	struct tally outside[CHUNK_STATES];

	tally_outside_arenas(heap, outside);
	uint64_t chunks = tally_sum(outside, 0, CHUNK_STATES - 1).bytes;
	uint64_t gaps = heap->mmapped_bytes > chunks ? heap->mmapped_bytes - chunks : 0;
	for (size_t i = 0; i < heap->arena_count; i++)
		gaps += heap->arenas[i].gap_bytes;
	return gaps;
}

static void total_row(struct table *table, const char *name, struct tally tally, uint64_t whole)
{
	table_row(table);
	table_cell(table, name);
	table_count(table, tally.count);
	table_bytes(table, tally.bytes);
	table_cell(table, units_share(tally.bytes, whole).text);
}

/* A group of states, and below it each that occurs. */
static void total_group(struct table *table, const struct heap *heap, const char *name,
			enum chunk_state first, enum chunk_state last, uint64_t whole)
{
	total_row(table, name, tally_sum(heap->tally, first, last), whole);
	for (unsigned int state = first; state <= last; state++) {
		if (heap->tally[state].count == 0)
			continue;
		char label[32];
		snprintf(label, sizeof(label), "  %s", chunk_state_name(state));
		total_row(table, label, heap->tally[state], whole);
	}
}

static struct memtool_error *print_totals(const struct heap *heap, struct output *output)
{
	struct tally all = tally_sum(heap->tally, 0, CHUNK_STATES - 1);
	uint64_t gaps = gap_bytes(heap);
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);
	if (error)
		return error;

	all.bytes += gaps;
	table_column(table, "STATE", TABLE_LEFT);
	table_column(table, "CHUNKS", TABLE_RIGHT);
	table_column(table, "BYTES", TABLE_RIGHT);
	table_column(table, "SHARE", TABLE_RIGHT);
	total_group(table, heap, "allocated", CHUNK_IN_USE, CHUNK_MMAPPED, all.bytes);
	total_group(table, heap, "free", CHUNK_TCACHE, CHUNK_UNLISTED, all.bytes);
	total_row(table, "top", heap->tally[CHUNK_TOP], all.bytes);
	total_group(table, heap, "bookkeeping", CHUNK_FENCEPOST, CHUNK_TCACHE_STRUCT, all.bytes);
	if (gaps > 0) {
		table_row(table);
		table_cell(table, "gaps");
		table_cell(table, "");
		table_bytes(table, gaps);
		table_cell(table, units_share(gaps, all.bytes).text);
	}
	total_row(table, "total", all, all.bytes);
	print_heading(output, "Memory by state");
	return table_print(table, output);
}

/* By system memory, largest first; then by number. */
static int compare_arenas(const void *a, const void *b, void *arenas_)
{
	const struct heap_arena *arenas = arenas_;
	size_t left = *(const size_t *)a;
	size_t right = *(const size_t *)b;

	if (arenas[left].system_mem != arenas[right].system_mem)
		return arenas[left].system_mem < arenas[right].system_mem ? 1 : -1;
	return (left > right) - (left < right);
}

static size_t *sort_arenas(const struct heap *heap)
{
	size_t *order = calloc(heap->arena_count + 1, sizeof(*order));

	for (size_t i = 0; order && i < heap->arena_count; i++)
		order[i] = i;
	if (order)
		qsort_r(order, heap->arena_count, sizeof(*order), compare_arenas, heap->arenas);
	return order;
}

static void arena_row(const struct arena_view *view, size_t index, struct table *table)
{
	const struct heap_arena *arena = &view->heap->arenas[index];
	_cleanup_free_ char *threads = arena_view_threads_text(view, index, THREADS_SHOWN);

	table_row(table);
	table_printf(table, "%zu", index);
	table_hex(table, arena->address);
	table_count(table, arena->segment_count);
	table_bytes(table, arena->system_mem);
	table_bytes(table, tally_live(arena->tally).bytes);
	table_bytes(table, tally_free(arena->tally).bytes);
	table_bytes(table, arena->tally[CHUNK_TOP].bytes);
	table_cell(table, threads ? threads : "?");
}

static struct memtool_error *print_arenas(const struct arena_view *view, const size_t *order,
					  size_t shown, struct output *output)
{
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);
	if (error)
		return error;

	table_column(table, "ARENA", TABLE_RIGHT);
	table_column(table, "ADDRESS", TABLE_LEFT);
	table_column(table, "SEGS", TABLE_RIGHT);
	table_column(table, "SYSTEM", TABLE_RIGHT);
	table_column(table, "IN USE", TABLE_RIGHT);
	table_column(table, "FREE", TABLE_RIGHT);
	table_column(table, "TOP", TABLE_RIGHT);
	table_column(table, "THREADS", TABLE_LEFT);
	for (size_t i = 0; i < shown; i++)
		arena_row(view, order[i], table);
	print_heading(output, "Arenas");
	error = table_print(table, output);
	if (!error && shown < view->heap->arena_count)
		output_printf(output, "and %zu smaller ones; memtool arenas has all\n",
			      view->heap->arena_count - shown);
	return error;
}

/* '#' for what is in use, '-' for what is free; width stands for the largest class. */
static void draw_bar(char *bar, const struct size_class *class, uint64_t largest,
		     unsigned int width)
{
	double scale = (double)width / (double)largest;
	unsigned int live = (unsigned int)((double)class->live.bytes * scale + 0.5);
	unsigned int total =
		(unsigned int)((double)(class->live.bytes + class->free.bytes) * scale + 0.5);

	if (total > width)
		total = width;
	if (live > total)
		live = total;
	memset(bar, '#', live);
	memset(bar + live, '-', total - live);
	bar[total] = '\0';
}

static uint64_t largest_class(const struct heap_stats *stats)
{
	uint64_t largest = 1;

	for (unsigned int i = 0; i < SIZE_CLASSES; i++) {
		uint64_t bytes = stats->classes[i].live.bytes + stats->classes[i].free.bytes;
		if (bytes > largest)
			largest = bytes;
	}
	return largest;
}

/* The columns left of the bar are about this wide. */
#define HISTOGRAM_WIDTH 54

static unsigned int bar_width(const struct output *output)
{
	unsigned int width = output_width(output);

	if (width < HISTOGRAM_WIDTH + 10)
		return 10;
	return width - HISTOGRAM_WIDTH < BAR_MAX ? width - HISTOGRAM_WIDTH : BAR_MAX;
}

static struct memtool_error *print_histogram(const struct heap_stats *stats, struct output *output)
{
	uint64_t largest = largest_class(stats);
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);
	if (error)
		return error;

	table_column(table, "UP TO", TABLE_RIGHT);
	table_column(table, "IN USE", TABLE_RIGHT);
	table_column(table, "BYTES", TABLE_RIGHT);
	table_column(table, "FREE", TABLE_RIGHT);
	table_column(table, "BYTES", TABLE_RIGHT);
	table_column(table, "# in use, - free", TABLE_LEFT);
	for (unsigned int i = 0; i < SIZE_CLASSES; i++) {
		const struct size_class *class = &stats->classes[i];
		char bar[BAR_MAX + 1];
		if (class->live.count == 0 && class->free.count == 0)
			continue;
		draw_bar(bar, class, largest, bar_width(output));
		table_row(table);
		table_bytes(table, UINT64_C(1) << i);
		table_count(table, class->live.count);
		table_bytes(table, class->live.bytes);
		table_count(table, class->free.count);
		table_bytes(table, class->free.bytes);
		table_cell(table, bar);
	}
	print_heading(output, "Chunk sizes");
	return table_print(table, output);
}

static struct memtool_error *print_largest(const struct heap *heap, const struct heap_stats *stats,
					   struct output *output)
{
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);
	if (error)
		return error;

	table_column(table, "SIZE", TABLE_RIGHT);
	table_column(table, "IN USE", TABLE_RIGHT);
	table_column(table, "BYTES", TABLE_RIGHT);
	table_column(table, "SHARE", TABLE_RIGHT);
	for (size_t i = 0; i < stats->largest_count; i++) {
		const struct size_total *total = &stats->largest[i];
		table_row(table);
		table_count(table, total->size);
		table_count(table, total->count);
		table_bytes(table, total->size * total->count);
		table_cell(table,
			   units_share(total->size * total->count, tally_live(heap->tally).bytes)
				   .text);
	}
	print_heading(output, "Sizes that take most, of what is in use");
	return table_print(table, output);
}

static void print_part(struct output *output, uint64_t bytes, const char *text)
{
	if (bytes > 0)
		output_printf(output, "  %10s %s\n", units_bytes(bytes).text, text);
}

/* Where free bytes are, by what would bring them back to the kernel. */
static void print_free_parts(const struct heap *heap, const struct heap_stats *stats,
			     struct output *output)
{
	uint64_t free = tally_free(heap->tally).bytes;
	uint64_t cached = heap->tally[CHUNK_TCACHE].bytes;

	output_printf(output, "%s are free%s\n", units_bytes(free).text, free ? ", of these" : "");
	print_part(output, stats->trimmable_free_bytes,
		   "whole pages, which malloc_trim(3) gives back");
	print_part(output, free - cached - stats->trimmable_free_bytes,
		   "on pages with other chunks");
	print_part(output, cached,
		   "in tcaches, which only their threads reuse, or free when they end");
	if (stats->trimmable_top_bytes)
		output_printf(output, "Of the main arena's top, malloc_trim(3) gives back %s\n",
			      units_bytes(stats->trimmable_top_bytes).text);
	output_printf(output, "In-use chunks of the arenas, %s, lie on %s of pages\n",
		      units_bytes(heap->tally[CHUNK_IN_USE].bytes).text,
		      units_bytes(stats->live_page_bytes).text);
}

static void pin_row(const struct arena_view *view, size_t index, struct table *table)
{
	const struct heap_arena *arena = &view->heap->arenas[index];
	const struct chunk *last = arena_view_last_item(view, index);
	const struct chunk *hole = last ? arena_view_hole_below(view, last) : NULL;

	table_row(table);
	table_printf(table, "%zu", index);
	table_bytes(table, arena->tally[CHUNK_TOP].bytes);
	if (last) {
		table_hex(table, chunk_address(last));
		table_cell(table, chunk_state_name(last->state));
		table_bytes(table, chunk_size(last));
	} else {
		table_cell(table, "-");
		table_cell(table, "");
		table_cell(table, "");
	}
	table_bytes(table, hole ? chunk_size(hole) : 0);
	table_bytes(table, tally_free(arena->tally).bytes);
}

static struct memtool_error *print_pins(const struct arena_view *view,
					const struct heap_stats *stats, const size_t *order,
					size_t shown, struct output *output)
{
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);
	if (error)
		return error;

	table_column(table, "ARENA", TABLE_RIGHT);
	table_column(table, "TOP", TABLE_RIGHT);
	table_column(table, "CHUNK BELOW", TABLE_LEFT);
	table_column(table, "STATE", TABLE_LEFT);
	table_column(table, "SIZE", TABLE_RIGHT);
	table_column(table, "HOLE BELOW IT", TABLE_RIGHT);
	table_column(table, "FREE IN ARENA", TABLE_RIGHT);
	for (size_t i = 0; i < shown; i++)
		pin_row(view, order[i], table);
	print_heading(output, "What pins memory");
	print_free_parts(view->heap, stats, output);
	output_text(output, "An arena shrinks only from its top, down to the chunk below that:\n");
	return table_print(table, output);
}

struct memtool_error *heap_text(const struct reading *reading, const struct arena_view *view,
				const struct heap_stats *stats, struct output *output)
{
	const struct heap *heap = reading->heap;
	size_t shown = heap->arena_count < ARENAS_SHOWN ? heap->arena_count : ARENAS_SHOWN;
	_cleanup_free_ size_t *order = sort_arenas(heap);
	if (!order)
		return memtool_error_no_memory;

	print_process(reading, output);
	malloc_text(output, "malloc: ", reading->session);
	glibcs_text(output, reading->session);
	struct memtool_error *error = print_totals(heap, output);
	if (!error)
		error = print_arenas(view, order, shown, output);
	if (!error)
		error = print_histogram(stats, output);
	if (!error && stats->largest_count > 0)
		error = print_largest(heap, stats, output);
	if (!error)
		error = print_pins(view, stats, order, shown, output);
	if (error)
		return error;
	output_char(output, '\n');
	audit_text(output, &heap->audit, FINDINGS_SHOWN);
	return NULL;
}
