/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc/regions.h"

#include "glibc/chunk.h"

#include <inttypes.h>
#include <stdlib.h>

/* What a header says about the chain it may belong to. */
enum link { LINK_BROKEN, LINK_GOES_ON, LINK_ENDS, LINK_OPEN };

/*
 * Judges the header at address; *size is the size of the chunk before, 0 for none, and becomes this
 * one's.
 */
static enum link judge_header(const struct chain *chain, uint64_t address,
			      const struct raw_chunk *header, uint64_t *size, bool *fencepost)
{
	uint64_t before = *size;
	bool after_fencepost = *fencepost;

	*size = raw_size(header->size);
	*fencepost = false;
	if (address == chain->top && header->size == 0)
		return LINK_OPEN;
	if (header->size & GLIBC_IS_MMAPPED)
		return LINK_BROKEN;
	if (chain->main_arena && header->size & GLIBC_NON_MAIN_ARENA)
		return LINK_BROKEN;
	if (!(header->size & GLIBC_PREV_INUSE)) {
		if (before ? header->prev_size != before : chain->first_inuse)
			return LINK_BROKEN;
	}
	if (address == chain->top)
		return size_is_possible(*size, chain->limit - address) ? LINK_ENDS : LINK_BROKEN;
	/* The old top, of which malloc cuts a chunk just now (walk_special.c). */
	if (address < chain->top && chain->top - address < *size &&
	    header->size % GLIBC_MALLOC_ALIGNMENT == GLIBC_PREV_INUSE)
		return size_is_possible(*size, chain->limit - address) ? LINK_ENDS : LINK_BROKEN;
	/* sysmalloc: two headers of size 16 end a part of the main arena, at a page's end. */
	if (chain->main_arena && before && *size == GLIBC_CHUNK_HDR_SZ) {
		*fencepost = true;
		return after_fencepost && (address + *size) % PAGE == 0 ? LINK_ENDS : LINK_GOES_ON;
	}
	/* A fencepost is followed by another one. */
	if (after_fencepost || !size_is_possible(*size, chain->limit - address))
		return LINK_BROKEN;
	return LINK_GOES_ON;
}

/*
 * Whether the fenceposts of a heap that is not its arena's newest start at address: one of size 16
 * and one of size 0, or the latter alone (walk_special.c).
 */
static bool ends_heap(const struct chain *chain, uint64_t address, const struct raw_chunk *header)
{
	uint64_t left = chain->limit - address;

	return (left == 16 && raw_size(header->size) == 0) ||
	       (left == 32 && raw_size(header->size) == 16);
}

struct memtool_error *chain_follow(const struct chain *chain, struct window *window, uint64_t start,
				   uint64_t *ret_end)
{
	uint64_t address = start, size = 0, count = 0;
	bool fencepost = false;

	*ret_end = 0;
	while (count++ < chain->enough) {
		struct raw_chunk header = { 0 };
		const uint8_t *bytes;

		struct memtool_error *error =
			window_at(window, address, GLIBC_CHUNK_HDR_SZ, &bytes);
		if (error)
			return error;
		if (!bytes || chain->limit - address < GLIBC_CHUNK_HDR_SZ)
			return NULL;
		memcpy(&header, bytes, GLIBC_CHUNK_HDR_SZ);

		if (!chain->main_arena && count > 1 && ends_heap(chain, address, &header)) {
			address = chain->limit;
			break;
		}
		switch (judge_header(chain, address, &header, &size, &fencepost)) {
		case LINK_BROKEN:
			return NULL;
		case LINK_ENDS:
			*ret_end = address + size;
			return NULL;
		case LINK_OPEN:
			*ret_end = CHAIN_OPEN;
			return NULL;
		case LINK_GOES_ON:
			address += size;
		}
	}
	*ret_end = address;
	return NULL;
}

struct memtool_error *chain_search(const struct chain *chain, struct window *window, uint64_t from,
				   uint64_t *ret)
{
	*ret = 0;
	for (uint64_t address = align_up(from, 16);
	     address < chain->limit && chain->limit - address >= GLIBC_MINSIZE; address += 16) {
		const uint8_t *bytes;
		uint64_t end;

		struct memtool_error *error =
			window_at(window, address, GLIBC_CHUNK_HDR_SZ, &bytes);
		if (error)
			return error;
		if (!bytes) {
			/* A hole: go on at the next page. */
			address = align_up(address + 1, PAGE) - 16;
			continue;
		}
		if (!size_is_possible(raw_size(load_u64(bytes + GLIBC_SIZE_SZ)),
				      chain->limit - address))
			continue;
		error = chain_follow(chain, window, address, &end);
		if (error)
			return error;
		if (end) {
			*ret = address;
			return NULL;
		}
	}
	return NULL;
}

static int compare_segments(const void *a, const void *b)
{
	const struct heap_segment *x = a, *y = b;

	return x->range.start < y->range.start ? -1 : x->range.start > y->range.start;
}

void sort_segments(struct segment_array *segments)
{
	if (segments->count)
		qsort(segments->data, segments->count, sizeof(*segments->data), compare_segments);
}

bool range_without_segments(const struct heap_copy *copy, const struct range *range,
			    struct range_array *ret)
{
	uint64_t start = range->start;

	for (size_t i = 0; i < copy->segments.count && start < range->end; i++) {
		const struct heap_segment *segment = &copy->segments.data[i];
		uint64_t taken = segment->range.end;
		if (segment->arena != 0)
			taken = segment->range.start + copy->heap->params.heap_max;

		if (taken <= start || segment->range.start >= range->end)
			continue;
		struct range part = { start, segment->range.start };
		if (part.start < part.end && !range_array_append(ret, &part))
			return false;
		start = taken;
	}
	struct range part = { start, range->end };
	return part.start >= part.end || range_array_append(ret, &part);
}

/* What is being collected: parts of the main arena, until their bytes make up system_mem. */
struct search {
	struct heap_copy *copy;
	struct window *window;
	uint64_t missing; /* bytes of system_mem not found yet */
	struct range open; /* a part whose end its top does not tell, and what it may reach to */
};

/* Of one that is open, the end is known when all others are found. */
static struct memtool_error *add_region(struct search *search, uint64_t start, uint64_t end,
					uint64_t limit)
{
	if (end == CHAIN_OPEN) {
		search->open = (struct range){ start, limit };
		return NULL;
	}
	struct heap_segment segment = { .range = { start, end }, .mapped_end = end };

	search->missing -= end - start < search->missing ? end - start : search->missing;
	return segment_array_append(&search->copy->segments, &segment) ? NULL
								       : memtool_error_no_memory;
}

/* The parts in range that start at a page, as those from mmap do. */
static struct memtool_error *search_pages(struct search *search, const struct range *range)
{
	struct chain chain = {
		.limit = range->end,
		.top = search->copy->arenas.data[0].top,
		.main_arena = true,
		.first_inuse = true,
		.enough = UINT64_MAX,
	};
	uint64_t address = align_up(range->start, PAGE);
	struct range run = { 0 };

	while (search->missing && address < range->end) {
		struct memtool_error *error = NULL;
		uint64_t end;

		/* Where a page is not there, no part starts. */
		if (address >= run.end)
			error = memory_find_present(search->copy->memory,
						    (struct range){ address, range->end }, &run);
		if (error)
			return error;
		if (address < run.start) {
			address = run.start;
			continue;
		}
		error = chain_follow(&chain, search->window, address, &end);
		if (!error && end)
			error = add_region(search, address, end, range->end);
		if (error)
			return error;
		if (end == CHAIN_OPEN)
			end = chain.top + 1;
		address = end ? align_up(end, PAGE) : address + PAGE;
	}
	return NULL;
}

/*
 * The parts behind the first one, up to *end, that brk made before it failed. In between lies what
 * others had by sbrk(2): that malloc counts as its own, as long as the arena was contiguous.
 */
static struct memtool_error *search_behind(struct search *search, const struct chain *chain,
					   uint64_t end)
{
	while (search->missing && end != CHAIN_OPEN && end < chain->limit) {
		uint64_t start, gap;

		struct memtool_error *error = chain_search(chain, search->window, end, &start);
		if (error || start == 0)
			return error;
		gap = start - end;
		if (gap > search->missing)
			return NULL;
		search->missing -= gap;
		search->copy->arenas.data[0].gap_bytes += gap;
		error = chain_follow(chain, search->window, start, &end);
		if (!error && end)
			error = add_region(search, start, end, chain->limit);
		if (error || end == 0)
			return error;
	}
	return NULL;
}

/* The part at mp_.sbrk_base, and those that brk made in the same mapping later. */
static struct memtool_error *search_from_base(struct search *search)
{
	struct heap_copy *copy = search->copy;
	uint64_t base = copy->heap->params.sbrk_base;
	const struct range *range = copy_anonymous(copy, base);
	uint64_t start = align_up(base, GLIBC_MALLOC_ALIGNMENT), end = 0;

	if (!range)
		return NULL;
	struct chain chain = {
		.limit = range->end,
		.top = copy->arenas.data[0].top,
		.main_arena = true,
		.first_inuse = true,
		.enough = UINT64_MAX,
	};
	struct memtool_error *error = chain_follow(&chain, search->window, start, &end);
	if (error)
		return error;
	if (end) {
		error = add_region(search, base, end, range->end);
		return error ? error : search_behind(search, &chain, end);
	}

	audit_add(&copy->heap->audit, AUDIT_BAD_ARENA, base, 0, 0,
		  "main_arena: its chunks from 0x%" PRIx64 " on are damaged", base);
	return add_region(search, base, range->end, range->end);
}

/* The open part has what system_mem counts besides all others. */
static struct memtool_error *close_open(struct search *search)
{
	uint64_t top_end = search->copy->arenas.data[0].top + GLIBC_CHUNK_HDR_SZ;
	uint64_t end = search->open.end, counted_end = search->open.start + search->missing;

	if (range_size(search->open) == 0)
		return NULL;
	if (search->missing < range_size(search->open) && counted_end >= top_end &&
	    counted_end % GLIBC_MALLOC_ALIGNMENT == 0)
		end = counted_end;
	return add_region(search, search->open.start, end, end);
}

/* The parts in range, which may be NULL, that are not known yet. */
static struct memtool_error *search_range(struct search *search, const struct range *range)
{
	_cleanup_(range_array_deinit) struct range_array parts = { 0 };
	struct memtool_error *error = NULL;

	if (!range || !search->missing)
		return NULL;
	sort_segments(&search->copy->segments);
	if (!range_without_segments(search->copy, range, &parts))
		return memtool_error_no_memory;
	for (size_t i = 0; i < parts.count && !error; i++)
		error = search_pages(search, &parts.data[i]);
	return error;
}

/*
 * The mappings with top and the first part come first: the kernel places one part below the other,
 * so that they are one range. Where several libcs were loaded by dlmopen(3), none of which but the
 * first uses brk, the other ranges have parts of the others, which look the same.
 */
struct memtool_error *copy_main_regions(struct heap_copy *copy)
{
	_cleanup_(window_deinit) struct window window = { 0 };

	window_init(&window, copy->memory);
	/* Each byte is looked at once where all is well: of the parts, and as many others. */
	uint64_t limit = copy->arenas.data[0].system_mem, bytes = 0;
	limit += SEARCH_LIMIT < UINT64_MAX - limit ? SEARCH_LIMIT : UINT64_MAX - limit;
	for (size_t i = 0; i < copy->anonymous_count; i++)
		bytes += range_size(copy->anonymous[i]);
	window.budget = 2 * (bytes < limit ? bytes : limit) + SEARCH_BUDGET;
	struct search search = {
		.copy = copy,
		.window = &window,
		.missing = copy->arenas.data[0].system_mem,
	};
	struct memtool_error *error = search_from_base(&search);
	if (!error)
		error = search_range(&search, copy_anonymous(copy, copy->arenas.data[0].top));
	if (!error)
		error = search_range(&search, copy_anonymous(copy, copy->heap->params.sbrk_base));
	for (size_t i = 0; i < copy->anonymous_count && !error; i++)
		error = search_range(&search, &copy->anonymous[i]);
	return error ? error : close_open(&search);
}
