/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mmapped chunks: found by their headers, since glibc keeps no list of them, only their number and
 * bytes in mp_.
 *
 * Such a chunk starts its mapping: IS_MMAPPED alone is set, and prev_size, size and the page size
 * agree. memalign moves the header up to where the alignment wants it and leaves the old one at the
 * start behind, whose size is wrong once mremap has been at work (mremap_chunk). The kernel merges
 * neighbouring mappings, so every page of anonymous memory that is no heap may be a start.
 *
 * The search ends when what mp_ counts has been found, or when it has read SEARCH_LIMIT: what is
 * missing then, the audit tells. Starts of mappings and what lies right behind a chunk come first,
 * then all other pages that are there; stacks, the least likely place, come last each time.
 */
#include "glibc/chunk.h"
#include "glibc/copy.h"
#include "glibc/regions.h"
#include "glibc/window.h"

#include <stdlib.h>
#include <string.h>

struct finder {
	struct heap_copy *copy;
	struct window window; /* slides over the pages; its budget is the whole search's */
	uint64_t found_bytes;
	uint64_t *fs_bases; /* of all threads and orphans, sorted */
	size_t fs_base_count;
	/*
	 * A chunk that memalign made and mremap moved may be at any page, since the alignment was
	 * the old mapping's: whether to look at each, not so in the first search.
	 */
	bool every_page;
};

/* The mapping of the chunk whose header is offset bytes behind its start; 0 if it is none. */
static uint64_t mapping_size(const struct glibc_layout *layout, const uint64_t header[2],
			     uint64_t offset)
{
	/* MMAP_HP, bit 0 of prev_size, says that it is of huge pages. */
	uint64_t prev_size = header[0] & ~(uint64_t)layout->mmapped_header_apart;
	uint64_t size = raw_size(header[1]);
	uint64_t total = offset + size + (layout->mmapped_header_apart ? GLIBC_CHUNK_HDR_SZ : 0);

	if ((header[1] & GLIBC_SIZE_BITS) != GLIBC_IS_MMAPPED || prev_size != offset ||
	    !size_is_possible(size, total) || total % PAGE)
		return 0;
	return total;
}

/* Two words at address, 0 where nothing is; the window stays where it is. */
static struct memtool_error *peek_header(struct finder *finder, uint64_t address, uint64_t ret[2])
{
	struct window *window = &finder->window;
	struct range there;
	size_t count;

	ret[0] = ret[1] = 0;
	if (range_covers(window->range, address, GLIBC_CHUNK_HDR_SZ)) {
		memcpy(ret, window->buffer + (address - window->range.start), GLIBC_CHUNK_HDR_SZ);
		return NULL;
	}
	if (!window->budget)
		return NULL;
	window->budget -= MMAPPED_READ_COST < window->budget ? MMAPPED_READ_COST : window->budget;
	struct memtool_error *error = memory_find_present(
		window->memory, (struct range){ address, address + GLIBC_CHUNK_HDR_SZ }, &there);
	if (error || there.start != address)
		return error;
	return memory_read_some(window->memory, address, ret, GLIBC_CHUNK_HDR_SZ, &count);
}

/* Takes the chunk whose header is at start + offset if it is one and fits; *ret says so. */
static struct memtool_error *try_offset(struct finder *finder, struct range room, uint64_t offset,
					struct mmapped_chunk *ret_chunk, bool *ret)
{
	uint64_t header[2], total;

	*ret = false;
	if (!range_covers(room, room.start + offset, sizeof(header)))
		return NULL;
	struct memtool_error *error = peek_header(finder, room.start + offset, header);
	if (error)
		return error;
	total = mapping_size(finder->copy->layout, header, offset);
	if (total == 0 || total > range_size(room))
		return NULL;
	*ret = true;
	*ret_chunk = (struct mmapped_chunk){
		.range = { room.start, room.start + total },
		.address = room.start + offset,
		.size = raw_size(header[1]),
	};
	return NULL;
}

/*
 * The chunk in a mapping that starts at room.start, whose first header looks like one. An aligned
 * one behind it is the real one: its user pointer is the first multiple of the alignment in the
 * mapping, behind a header (from 2.43) or a chunk (before) at the start. stale_size is what that
 * first header says, which bounds where the real one is.
 */
static struct memtool_error *find_in_mapping(struct finder *finder, struct range room,
					     uint64_t stale_size, struct mmapped_chunk *ret_chunk,
					     bool *ret)
{
	uint64_t lead =
		finder->copy->layout->mmapped_header_apart ? GLIBC_CHUNK_HDR_SZ : GLIBC_MINSIZE;
	uint64_t tried = 0;

	if (stale_size > range_size(room))
		stale_size = range_size(room);
	for (unsigned int shift = 5; shift < 47; shift++) {
		uint64_t alignment = UINT64_C(1) << shift;
		uint64_t user = align_up(room.start + GLIBC_CHUNK_HDR_SZ + lead, alignment);
		uint64_t offset = user - GLIBC_CHUNK_HDR_SZ - room.start;
		if (offset == tried)
			continue;
		if (offset >= stale_size)
			break;
		tried = offset;
		struct memtool_error *error = try_offset(finder, room, offset, ret_chunk, ret);
		if (error || *ret)
			return error;
	}
	for (uint64_t user = PAGE; finder->every_page && finder->window.budget && user < stale_size;
	     user += PAGE) {
		struct memtool_error *error =
			try_offset(finder, room, user - GLIBC_CHUNK_HDR_SZ, ret_chunk, ret);
		if (error || *ret)
			return error;
	}
	return try_offset(finder, room, 0, ret_chunk, ret);
}

/* Whether the numbers of mp_ are reached. */
static bool found_all(const struct finder *finder)
{
	const struct heap_params *params = &finder->copy->heap->params;

	if (finder->copy->mmapped.count != params->n_mmaps)
		return false;
	/*
	 * mremap_chunk of 2.43 adds 16 bytes too many to mmapped_mem each time. Less than a page of
	 * that is no chunk that is still to be found; if it is more, look everywhere.
	 */
	if (finder->copy->layout->mmapped_header_apart)
		return finder->found_bytes <= params->mmapped_mem &&
		       params->mmapped_mem - finder->found_bytes < PAGE;
	return finder->found_bytes == params->mmapped_mem;
}

/*
 * The chunk in a mapping that would start at page, which is there, in part; appended if there is
 * one. *ret_end is the end of its mapping, 0 if it is none.
 */
static struct memtool_error *try_page(struct finder *finder, struct range part, uint64_t page,
				      uint64_t *ret_end)
{
	uint64_t budget = finder->window.budget;
	struct mmapped_chunk chunk;
	const uint8_t *bytes;
	bool found = false;

	*ret_end = 0;
	finder->window.limit = part.end;
	struct memtool_error *error = window_at(&finder->window, page, GLIBC_CHUNK_HDR_SZ, &bytes);
	/* The first header's prev_size is 0, or MMAP_HP. */
	if (!error && bytes && load_u64(bytes) <= 1 &&
	    (load_u64(bytes + GLIBC_SIZE_SZ) & GLIBC_SIZE_BITS) == GLIBC_IS_MMAPPED)
		error = find_in_mapping(finder, (struct range){ page, part.end },
					raw_size(load_u64(bytes + GLIBC_SIZE_SZ)), &chunk, &found);
	if (error || !found)
		return error;
	if (!mmapped_array_append(&finder->copy->mmapped, &chunk))
		return memtool_error_no_memory;
	finder->found_bytes += range_size(chunk.range);
	/* What is found costs nothing: that is bounded by the memory there is. */
	finder->window.budget = budget;
	*ret_end = chunk.range.end;
	return NULL;
}

/* The first page in [page, part->end) that is there; the end if none is. */
static struct memtool_error *first_page(struct finder *finder, const struct range *part,
					uint64_t page, struct range *ret)
{
	if (page >= part->end) {
		*ret = (struct range){ part->end, part->end };
		return NULL;
	}
	return memory_find_present(finder->copy->memory, (struct range){ page, part->end }, ret);
}

/* Chunks one behind the other from the start of part on, which is moved behind them. */
static struct memtool_error *search_start(struct finder *finder, struct range *part)
{
	struct memtool_error *error = NULL;
	uint64_t end;

	part->start = align_up(part->start, PAGE);
	finder->window.piece = PAGE;
	while (part->start < part->end && !found_all(finder)) {
		struct range run;
		error = first_page(finder, part, part->start, &run);
		if (error || run.start != part->start)
			break;
		error = try_page(finder, *part, part->start, &end);
		if (error || end == 0)
			break;
		part->start = end;
	}
	return error;
}

/* Chunks at any page of part. */
static struct memtool_error *search_pages(struct finder *finder, struct range *part)
{
	uint64_t page = part->start, end;
	struct range run = { 0 };

	finder->window.piece = WINDOW_SIZE;
	while (page < part->end && finder->window.budget && !found_all(finder)) {
		struct memtool_error *error = NULL;
		if (page >= run.end)
			error = first_page(finder, part, page, &run);
		if (error)
			return error;
		if (page < run.start) {
			page = run.start;
			continue;
		}
		error = try_page(finder, *part, page, &end);
		if (error)
			return error;
		page = end ? end : page + PAGE;
	}
	return NULL;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool sort_fs_bases(struct finder *finder)
{
	const struct heap *heap = finder->copy->heap;

	finder->fs_base_count = heap->thread_count + heap->orphan_count;
	finder->fs_bases = malloc((finder->fs_base_count + 1) * sizeof(*finder->fs_bases));
	if (!finder->fs_bases)
		return false;
	for (size_t i = 0; i < finder->fs_base_count; i++)
		finder->fs_bases[i] = heap->threads[i].fs_base;
	qsort(finder->fs_bases, finder->fs_base_count, sizeof(*finder->fs_bases), compare_u64);
	return true;
}

/* Whether a thread's TCB lies in the range: then it is, in part at least, a stack. */
static bool holds_stack(const struct finder *finder, const struct range *range)
{
	size_t low = 0, high = finder->fs_base_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (finder->fs_bases[middle] < range->start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < finder->fs_base_count && finder->fs_bases[low] < range->end;
}

typedef struct memtool_error *(*search_fn)(struct finder *finder, struct range *part);

/* All parts, stacks last. */
static struct memtool_error *search_parts(struct finder *finder, const struct range_array *parts,
					  search_fn search)
{
	struct memtool_error *error = NULL;

	for (int stacks = 0; stacks <= 1; stacks++) {
		for (size_t i = 0; i < parts->count && !found_all(finder) && !error; i++) {
			if (holds_stack(finder, &parts->data[i]) == stacks)
				error = search(finder, &parts->data[i]);
		}
	}
	return error;
}

/* From scratch. */
static struct memtool_error *search_all(struct finder *finder)
{
	_cleanup_(range_array_deinit) struct range_array parts = { 0 };
	struct heap_copy *copy = finder->copy;

	for (size_t i = 0; i < copy->anonymous_count; i++) {
		if (!range_without_segments(copy, &copy->anonymous[i], &parts))
			return memtool_error_no_memory;
	}
	copy->mmapped.count = 0;
	finder->found_bytes = 0;
	struct memtool_error *error = search_parts(finder, &parts, search_start);
	if (!error)
		error = search_parts(finder, &parts, search_pages);
	return error;
}

/* Looks closer, if there is budget for that. What was found first stays unless more is. */
static struct memtool_error *search_again(struct finder *finder)
{
	_cleanup_(mmapped_array_deinit) struct mmapped_array first = finder->copy->mmapped;

	finder->copy->mmapped = (struct mmapped_array){ 0 };
	finder->every_page = true;
	struct memtool_error *error = search_all(finder);
	if (!error && finder->copy->mmapped.count < first.count) {
		struct mmapped_array second = finder->copy->mmapped;
		finder->copy->mmapped = first;
		first = second;
	}
	return error;
}

static int compare_mmapped(const void *a, const void *b)
{
	const struct mmapped_chunk *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static void finder_deinit(struct finder *finder)
{
	window_deinit(&finder->window);
	free(finder->fs_bases);
}

struct memtool_error *copy_mmapped(struct heap_copy *copy)
{
	_cleanup_(finder_deinit) struct finder finder = { .copy = copy };

	if (!sort_fs_bases(&finder))
		return memtool_error_no_memory;
	window_init(&finder.window, copy->memory);
	finder.window.budget = SEARCH_LIMIT;
	struct memtool_error *error = search_all(&finder);
	if (!error && !found_all(&finder))
		error = search_again(&finder);
	if (copy->mmapped.count)
		qsort(copy->mmapped.data, copy->mmapped.count, sizeof(*copy->mmapped.data),
		      compare_mmapped);
	return error;
}
