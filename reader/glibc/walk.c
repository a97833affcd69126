/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pass over all chunks: each segment is read once, from its first chunk to its last.
 *
 * A chunk's own header does not tell whether it is free; the next one's PREV_INUSE does. So each
 * header settles the chunk before it, whose first two user words were kept for that: as fd and bk
 * of a free chunk, or as what may be the next pointer of a cached one.
 */
#include "glibc/walk.h"

#define SEARCH_PIECE (UINT64_C(64) << 10)
/*
 * From this average size of the last chunks on, it is cheaper to read the page of each header than
 * all that lies in between: a read of one page costs as much as copying some 16 KiB.
 */
#define SPARSE_SIZE (UINT64_C(16) << 10)

struct memtool_error *walk_split_segment(struct walk *walk, uint64_t end, uint64_t next)
{
	struct heap_segment done = walk->segment;

	done.range.end = end;
	done.mapped_end = end;
	done.end_chunk = walk->copy->chunks.count;
	walk->segment.range.start = next;
	walk->segment.first_chunk = done.end_chunk;
	return segment_array_append(&walk->done, &done) ? NULL : memtool_error_no_memory;
}

/*
 * Where the next header is, this one tells: the processor cannot fetch it before. So what lies some
 * chunks further on is fetched meanwhile; behind the end of the window that is of no effect.
 */
static inline void fetch_ahead(const uint8_t *bytes)
{
	const uintptr_t from = (uintptr_t)bytes + 512;

	for (size_t line = 0; line < 3; line++)
		__builtin_prefetch((const void *)(from + line * 64));
}

struct memtool_error *walk_chunks(struct walk *walk, uint64_t *from, uint64_t stop)
{
	const uint64_t end = walk->segment.range.end;
	struct memtool_error *error = NULL;
	uint64_t address = *from;

	while (address < stop && address < end && !error) {
		struct raw_chunk header = { 0 };
		const uint8_t *bytes;
		size_t length = end - address < sizeof(header) ? 16 : sizeof(header);

		error = window_at(&walk->window, address, length, &bytes);
		if (error)
			break;
		if (!bytes) {
			error = walk_skip_damage(walk, NULL, &address);
			continue;
		}
		memcpy(&header, bytes, length);
		fetch_ahead(bytes);

		/* No chunk reaches into top. */
		uint64_t size = raw_size(header.size);
		uint64_t bound = address < walk->top ? walk->top : end;
		bool ends_heap = walk->segment.arena && !walk->top && end - address == size + 16;
		if (address == walk->top || ends_heap || header.size & GLIBC_IS_MMAPPED ||
		    !size_is_possible(size, bound - address)) {
			error = walk_special(walk, &header, &address);
			continue;
		}

		if (!walk_settle_last(walk, &header) ||
		    !walk_append_item(walk, address, size, CHUNK_IN_USE))
			return memtool_error_no_memory;
		walk->average += (size >> 4) - (walk->average >> 4);
		walk->window.piece = walk->average < SPARSE_SIZE ? walk->piece : PAGE;
		walk->last.address = address;
		walk->last.size = size;
		walk->last.bits = header.size & GLIBC_SIZE_BITS;
		walk->last.fd = header.fd;
		walk->last.bk = header.bk;
		address += size;
	}
	*from = address;
	return error;
}

/* There is nothing before the first chunk that could be free. */
static struct memtool_error *check_first(struct walk *walk, uint64_t address)
{
	const uint8_t *bytes;

	struct memtool_error *error = window_at(&walk->window, address, GLIBC_CHUNK_HDR_SZ, &bytes);
	if (!error && bytes && !(load_u64(bytes + GLIBC_SIZE_SZ) & GLIBC_PREV_INUSE))
		audit_add(&walk->copy->heap->audit, AUDIT_BAD_CHUNK, address, 0, 0,
			  "0x%" PRIx64 ", the first chunk of its heap, says that the one before "
			  "it is free",
			  address);
	return error;
}

struct memtool_error *walk_start(struct walk *walk, uint64_t *ret)
{
	const struct glibc_layout *layout = walk->copy->layout;
	uint64_t start = walk->segment.range.start, address = start;
	uint64_t arena = walk->copy->arenas.data[walk->segment.arena].address;

	if (walk->segment.arena != 0) {
		if (!walk_append_item(walk, address, layout->heap_info.size, CHUNK_HEAP_INFO))
			return memtool_error_no_memory;
		address += layout->heap_info.size;
		if (address == arena) {
			if (!walk_append_item(walk, address, layout->malloc_state.size,
					      CHUNK_MALLOC_STATE))
				return memtool_error_no_memory;
			address += layout->malloc_state.size;
		}
	}
	*ret = align_up(address, GLIBC_MALLOC_ALIGNMENT);
	walk_add_gap(walk, *ret - address);
	if (walk->segment.arena == 0)
		walk->segment.range.start = *ret;
	return check_first(walk, *ret);
}

/* The arena's top if it is in the segment, where a chunk can be; else 0. */
static uint64_t top_of_segment(const struct walk *walk)
{
	uint64_t top = walk->copy->arenas.data[walk->segment.arena].top;

	if (!range_contains(walk->segment.range, top))
		return 0;
	if (top % GLIBC_MALLOC_ALIGNMENT == 0)
		return top;
	audit_add(&walk->copy->heap->audit, AUDIT_BAD_ARENA, top, 0, 0,
		  "arena %" PRIu32 ": its top, 0x%" PRIx64 ", is not where a chunk can be",
		  walk->segment.arena, top);
	return 0;
}

void walk_bound(struct walk *walk)
{
	walk->top = top_of_segment(walk);
	walk->window.limit = walk->segment.range.end;
	walk->search.limit = walk->segment.range.end;
}

void walk_begin(struct walk *walk, const struct heap_segment *segment)
{
	walk->segment = *segment;
	walk->segment.first_chunk = walk->copy->chunks.count;
	walk->arena_bit = segment->arena ? GLIBC_NON_MAIN_ARENA : 0;
	walk->last.size = 0;
	walk->search.budget += 8 * range_size(segment->range);
}

struct memtool_error *walk_end(struct walk *walk, uint64_t mapped_end)
{
	struct memtool_error *error =
		walk_split_segment(walk, walk->segment.range.end, walk->segment.range.end);
	if (!error)
		walk->done.data[walk->done.count - 1].mapped_end = mapped_end;
	return error;
}

static struct memtool_error *walk_segment(struct walk *walk, const struct heap_segment *segment)
{
	uint64_t address;

	walk_begin(walk, segment);
	walk_bound(walk);
	struct memtool_error *error = walk_start(walk, &address);
	if (!error)
		error = walk_chunks(walk, &address, UINT64_MAX);
	return error ? error : walk_end(walk, segment->mapped_end);
}

static struct memtool_error *walk_mmapped(struct walk *walk, const struct mmapped_chunk *mmapped)
{
	uint64_t fd;
	bool ok;

	walk->segment.arena = CHUNK_NO_ARENA;
	if (!walk_append_item(walk, mmapped->address, mmapped->size, CHUNK_MMAPPED))
		return memtool_error_no_memory;

	/* From 2.43 on a tcache with a raised glibc.malloc.tcache_max takes them too. */
	if (!walk->copy->layout->mmapped_header_apart)
		return NULL;
	struct memtool_error *error = copy_bytes(walk->copy, mmapped->address + GLIBC_CHUNK_HDR_SZ,
						 &fd, sizeof(fd), "mmapped chunk", &ok);
	if (!error && ok && !walk_note_single_link(walk, mmapped->address, mmapped->size, fd))
		error = memtool_error_no_memory;
	return error;
}

/* Whether main_arena is where it cannot be: among its own chunks. */
static bool main_arena_overlaps(const struct heap_copy *copy)
{
	uint64_t address = copy->arenas.data[0].address;
	struct range range = { address, address + copy->layout->malloc_state.size };

	for (size_t i = 0; i < copy->segments.count; i++) {
		if (range_overlaps(range, copy->segments.data[i].range))
			return true;
	}
	for (size_t i = 0; i < copy->mmapped.count; i++) {
		if (range_overlaps(range, copy->mmapped.data[i].range))
			return true;
	}
	return false;
}

/* main_arena itself, in libc's data, is an item as the other arenas' malloc_states are. */
static bool walk_main_arena(struct walk *walk)
{
	uint64_t address = walk->copy->arenas.data[0].address;

	walk->segment.arena = 0;
	if (!main_arena_overlaps(walk->copy))
		return walk_append_item(walk, address, walk->copy->layout->malloc_state.size,
					CHUNK_MALLOC_STATE);
	audit_add(&walk->copy->heap->audit, AUDIT_BAD_ARENA, address, 0, 0,
		  "main_arena, 0x%" PRIx64 ", lies within the heap", address);
	return true;
}

/* What is still to be walked, by indices into the copy's arrays. */
struct walk_items {
	size_t segment, segment_end;
	size_t mmapped, mmapped_end;
	bool main_arena;
};

static struct walk_items items_in(const struct heap_copy *copy, struct range range)
{
	struct walk_items items = {
		.segment_end = copy->segments.count,
		.mmapped_end = copy->mmapped.count,
		.main_arena =
			copy->arenas.count && range_contains(range, copy->arenas.data[0].address),
	};

	while (items.segment < items.segment_end &&
	       copy->segments.data[items.segment].range.start < range.start)
		items.segment++;
	while (items.segment < items.segment_end &&
	       copy->segments.data[items.segment_end - 1].range.start >= range.end)
		items.segment_end--;
	while (items.mmapped < items.mmapped_end &&
	       copy->mmapped.data[items.mmapped].address < range.start)
		items.mmapped++;
	while (items.mmapped < items.mmapped_end &&
	       copy->mmapped.data[items.mmapped_end - 1].address >= range.end)
		items.mmapped_end--;
	return items;
}

struct memtool_error *walk_range(struct walk *walk, struct range range)
{
	const struct heap_copy *copy = walk->copy;
	struct walk_items items = items_in(copy, range);
	struct memtool_error *error = NULL;

	while (!error) {
		bool segment = items.segment < items.segment_end;
		bool mmapped = items.mmapped < items.mmapped_end;
		uint64_t next =
			segment ? copy->segments.data[items.segment].range.start : UINT64_MAX;

		if (items.main_arena && copy->arenas.data[0].address < next &&
		    (!mmapped ||
		     copy->arenas.data[0].address < copy->mmapped.data[items.mmapped].address)) {
			items.main_arena = false;
			if (!walk_main_arena(walk))
				error = memtool_error_no_memory;
		} else if (mmapped && copy->mmapped.data[items.mmapped].address < next) {
			error = walk_mmapped(walk, &copy->mmapped.data[items.mmapped++]);
		} else if (segment) {
			const struct heap_segment *at = &copy->segments.data[items.segment++];
			error = copy->live ? walk_live_segment(walk, at) : walk_segment(walk, at);
		} else {
			break;
		}
	}
	return error;
}

void walk_init(struct walk *walk, struct heap_copy *copy, uint64_t piece, uint64_t budget)
{
	*walk = (struct walk){ .copy = copy, .piece = piece };
	window_init(&walk->window, copy->memory);
	window_init(&walk->search, copy->memory);
	walk->window.piece = piece;
	walk->search.piece = SEARCH_PIECE;
	walk->search.budget = budget;
	if (copy->anonymous_count)
		walk->links = (struct range){
			copy->anonymous[0].start,
			copy->anonymous[copy->anonymous_count - 1].end,
		};
}

void walk_deinit(struct walk *walk)
{
	window_deinit(&walk->window);
	window_deinit(&walk->search);
	segment_array_deinit(&walk->done);
}

struct memtool_error *copy_chunks(struct heap_copy *copy)
{
	static const struct range all = { 0, UINT64_MAX };
	_cleanup_(walk_deinit) struct walk walk;

	walk_init(&walk, copy, copy->live ? WALK_LIVE_PIECE : WINDOW_SIZE, SEARCH_BUDGET);
	walk.window.ahead = !copy->live;
	struct memtool_error *error = walk_range(&walk, all);
	if (error)
		return error;
	segment_array_deinit(&copy->segments);
	copy->segments = walk.done;
	walk.done = (struct segment_array){ 0 };
	return NULL;
}
