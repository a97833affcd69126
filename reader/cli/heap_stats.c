/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_stats.h"

#include "support/array.h"

#include <stdlib.h>

DEFINE_ARRAY(size_array, uint64_t)

/* How often each size occurs. Few chunks are large, and many small ones are alike. */
#define SMALL_MAX (UINT64_C(1) << 20)
struct size_counts {
	uint64_t *small; /* [size / 8] below SMALL_MAX */
	struct size_array large; /* each chunk's size */
};

static void size_counts_deinit(struct size_counts *counts)
{
	free(counts->small);
	size_array_deinit(&counts->large);
}

static bool count_size(struct size_counts *counts, uint64_t size)
{
	if (size < SMALL_MAX) {
		counts->small[size / 8]++;
		return true;
	}
	return size_array_append(&counts->large, &size);
}

static unsigned int class_of(uint64_t size)
{
	unsigned int class = size > 1 ? 64 - (unsigned int)__builtin_clzll(size - 1) : 0;

	return class < SIZE_CLASSES ? class : SIZE_CLASSES - 1;
}

static void tally_add(struct tally *tally, uint64_t bytes)
{
	tally->count++;
	tally->bytes += bytes;
}

/* *last is the end of the last page counted; chunks come in ascending order. */
static uint64_t new_pages(const struct chunk *chunk, uint64_t page_size, uint64_t *last)
{
	uint64_t start = align_down(chunk_address(chunk), page_size);
	uint64_t end = align_up(chunk_end(chunk), page_size);

	if (start < *last)
		start = *last;
	if (start >= end)
		return 0;
	*last = end;
	return end - start;
}

/* What malloc_consolidate() makes one chunk of. A tcache's chunks count as in use there. */
static bool merges(const struct chunk *chunk)
{
	return chunk->state >= CHUNK_FASTBIN && chunk->state <= CHUNK_LARGEBIN;
}

/* As mtrim(): of a free chunk, its header and links (struct malloc_chunk) stay. */
static uint64_t trimmed_pages(struct range run, uint64_t page_size)
{
	const uint64_t malloc_chunk_size = 48;
	uint64_t start = align_up(run.start + malloc_chunk_size, page_size);
	uint64_t end = align_down(run.end, page_size);

	return end > start ? end - start : 0;
}

/* As systrim(): run is top and what merges with it, and top_start where top begins now. */
static void trim_top(struct heap_stats *stats, struct range run, uint64_t top_start,
		     uint64_t page_size)
{
	if (range_size(run) <= GLIBC_MINSIZE + 1)
		return;
	uint64_t given = align_down(range_size(run) - GLIBC_MINSIZE - 1, page_size);
	uint64_t start = run.end - given;
	uint64_t of_free = top_start > start ? top_start - start : 0;
	stats->trimmable_free_bytes += of_free;
	stats->trimmable_top_bytes += given - of_free;
}

/* *run is the free memory right below chunk, or ends elsewhere. */
static void trim(const struct heap *heap, const struct chunk *chunk, uint64_t page_size,
		 struct range *run, struct heap_stats *stats)
{
	struct range own = { chunk_address(chunk), chunk_end(chunk) };
	struct range joined = { run->end == own.start ? run->start : own.start, own.end };

	if (chunk->state == CHUNK_TOP) {
		/* Other arenas give back nothing of top then, nor of what has merged with it. */
		if (chunk->arena == 0 && !heap->arenas[0].noncontiguous)
			trim_top(stats, joined, own.start, page_size);
		*run = (struct range){ 0 };
	} else if (merges(chunk)) {
		if (joined.start == own.start)
			stats->trimmable_free_bytes += trimmed_pages(*run, page_size);
		*run = joined;
	} else {
		stats->trimmable_free_bytes += trimmed_pages(*run, page_size);
		*run = (struct range){ 0 };
	}
}

/* Puts total where it belongs among the largest, or drops it. */
static void rank(struct heap_stats *stats, struct size_total total)
{
	size_t place = stats->largest_count;

	while (place > 0 && stats->largest[place - 1].size * stats->largest[place - 1].count <
				    total.size * total.count)
		place--;
	if (place == LARGEST_SIZES_MAX)
		return;
	if (stats->largest_count < LARGEST_SIZES_MAX)
		stats->largest_count++;
	for (size_t i = stats->largest_count - 1; i > place; i--)
		stats->largest[i] = stats->largest[i - 1];
	stats->largest[place] = total;
}

static int compare_sizes(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void rank_sizes(struct size_counts *counts, struct heap_stats *stats)
{
	const struct size_array *large = &counts->large;

	for (uint64_t i = 0; i < SMALL_MAX / 8; i++)
		if (counts->small[i])
			rank(stats, (struct size_total){ i * 8, counts->small[i] });
	if (large->count == 0)
		return;
	qsort(large->data, large->count, sizeof(*large->data), compare_sizes);
	for (size_t i = 0, next; i < large->count; i = next) {
		for (next = i + 1; next < large->count && large->data[next] == large->data[i];)
			next++;
		rank(stats, (struct size_total){ large->data[i], next - i });
	}
}

struct memtool_error *heap_stats_make(const struct heap *heap, uint64_t page_size,
				      struct heap_stats *ret)
{
	_cleanup_(size_counts_deinit) struct size_counts counts = { 0 };
	struct heap_stats stats = { 0 };
	struct range free_run = { 0 };
	uint64_t last_page = 0;

	counts.small = calloc(SMALL_MAX / 8, sizeof(*counts.small));
	if (!counts.small)
		return memtool_error_no_memory;
	for (size_t i = 0; i < heap->chunk_count; i++) {
		const struct chunk *chunk = &heap->chunks[i];
		uint64_t size = chunk_size(chunk);
		struct size_class *class = &stats.classes[class_of(size)];

		if (chunk_is_live(chunk)) {
			tally_add(&class->live, size);
			stats.usable_bytes += heap_usable_size(heap, chunk);
			if (!count_size(&counts, size))
				return memtool_error_no_memory;
		} else if (chunk_is_free(chunk)) {
			tally_add(&class->free, size);
		}
		if (chunk->state == CHUNK_IN_USE)
			stats.live_page_bytes += new_pages(chunk, page_size, &last_page);
		trim(heap, chunk, page_size, &free_run, &stats);
	}
	stats.trimmable_free_bytes += trimmed_pages(free_run, page_size);
	rank_sizes(&counts, &stats);
	*ret = stats;
	return NULL;
}
