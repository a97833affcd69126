/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pass over all chunks: each segment is read once, from its first chunk to its last.
 *
 * A chunk's own header does not tell whether it is free; the next one's PREV_INUSE does. So each
 * header settles the chunk before it, whose first two user words were kept for that: as fd and bk of
 * a free chunk, or as what may be the next pointer of a cached one.
 *
 * How segments end (sysmalloc in malloc/malloc.c):
 * - With top.
 * - An older heap of a non-main arena, in a fencepost of 16 bytes and one whose size is 0. If the
 *   old top had less than 64 bytes, one of 16 or 32 bytes took the place of the first.
 * - A part of the main arena, in two fenceposts of 16 bytes, the second up to a page's end.
 */
#include "glibc/chunk.h"
#include "glibc/copy.h"
#include "glibc/regions.h"
#include "glibc/window.h"

#include <inttypes.h>

#define FENCEPOST_SIZE   GLIBC_CHUNK_HDR_SZ
#define ENOUGH_TO_RESUME 64
/* How often a segment of a running target is walked before it is left torn. */
#define LIVE_ATTEMPTS 5
#define SEARCH_PIECE  (UINT64_C(64) << 10)
/*
 * From this average size of the last chunks on, it is cheaper to read the page of each header than
 * all that lies in between: a read of one page costs as much as copying some 16 KiB.
 */
#define SPARSE_SIZE (UINT64_C(16) << 10)

struct walk {
	struct heap_copy *copy;
	struct window window;
	struct window search; /* for looking ahead without losing the window */
	struct segment_array done;
	struct range links; /* where a next pointer can point */

	/* The segment that is being walked. */
	struct heap_segment segment;
	uint64_t top; /* 0 if it lies elsewhere */

	uint64_t arena_bit; /* NON_MAIN_ARENA as chunks in use have it there */
	uint64_t average; /* size of the last few chunks */

	/* The chunk that the next header settles; size 0 for none. */
	struct {
		uint64_t address;
		uint64_t size;
		uint64_t bits;
		uint64_t fd;
		uint64_t bk;
	} last;
};

static bool append_item(struct walk *walk, uint64_t address, uint64_t size, enum chunk_state state)
{
	struct chunk chunk = {
		.address_16 = address >> 4,
		.arena = walk->segment.arena,
		.size_8 = size >> 3,
		.state = state,
		.thread = CHUNK_NO_THREAD,
	};
	return chunk_array_append(&walk->copy->chunks, &chunk);
}

static void add_gap(struct walk *walk, uint64_t bytes)
{
	walk->copy->arenas.data[walk->segment.arena].gap_bytes += bytes;
}

/*
 * Keeps the first user word of an in-use chunk if it may be a next pointer. Without safe-linking
 * only the size tells user data apart: up to 2.31 no cached chunk is larger than 0x410.
 */
static inline bool note_single_link(struct walk *walk, uint64_t address, uint64_t size, uint64_t fd)
{
	uint64_t next = fd;

	if (walk->copy->layout->safe_linking)
		next = reveal_pointer(address + GLIBC_CHUNK_HDR_SZ, fd);
	else if (size > 0x410)
		return true;
	if (next % GLIBC_MALLOC_ALIGNMENT || (next && !range_contains(walk->links, next)))
		return true;

	struct single_link link = {
		.address_16 = address >> 4,
		.next_high = next >> 28,
		.index = walk->copy->chunks.count - 1,
		.next_low = next >> 4 & 0xffffff,
	};
	return single_links_append(&walk->copy->single_links, &link);
}

static bool note_double_link(struct walk *walk)
{
	struct double_link link = {
		.address = walk->last.address,
		.fd = walk->last.fd,
		.bk = walk->last.bk,
		.index = walk->copy->chunks.count - 1,
	};
	return double_links_append(&walk->copy->double_links, &link);
}

/* What the header behind the last chunk says of it; without one it is taken for in use. */
static inline bool settle_last(struct walk *walk, const struct raw_chunk *header)
{
	uint64_t size = walk->last.size;

	if (size == 0)
		return true;
	walk->last.size = 0;
	if (!header || header->size & GLIBC_PREV_INUSE) {
		if ((walk->last.bits & GLIBC_NON_MAIN_ARENA) != walk->arena_bit)
			audit_add(&walk->copy->heap->audit, AUDIT_BAD_CHUNK, walk->last.address,
				  walk->arena_bit, walk->last.bits & GLIBC_NON_MAIN_ARENA,
				  "chunk 0x%" PRIx64 " has a wrong NON_MAIN_ARENA bit",
				  walk->last.address);
		return note_single_link(walk, walk->last.address, size, walk->last.fd);
	}

	if (header->prev_size != size)
		audit_add(&walk->copy->heap->audit, AUDIT_BAD_CHUNK, walk->last.address, size,
			  header->prev_size,
			  "free chunk 0x%" PRIx64 " has size 0x%" PRIx64
			  ", but prev_size behind it says 0x%" PRIx64,
			  walk->last.address, size, header->prev_size);
	walk->copy->chunks.data[walk->copy->chunks.count - 1].state = CHUNK_UNLISTED;
	return note_double_link(walk);
}

/* Ends the segment at end and, unless nothing is left of its range, starts another at next. */
static struct memtool_error *split_segment(struct walk *walk, uint64_t end, uint64_t next)
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
 * Where chunks go on at or behind address: *ret, 0 if nowhere. What lies in between is a gap.
 */
static struct memtool_error *find_next(struct walk *walk, uint64_t address, bool new_part,
				       uint64_t *ret)
{
	struct chain chain = {
		.limit = walk->segment.range.end,
		.top = walk->top,
		.main_arena = walk->segment.arena == 0,
		.first_inuse = new_part,
		.enough = ENOUGH_TO_RESUME,
	};
	struct memtool_error *error = chain_search(&chain, &walk->search, address, ret);
	if (!error)
		add_gap(walk, (*ret ? *ret : chain.limit) - address);
	return error;
}

/* The header at *address cannot be. Goes on where chunks make sense again. */
static struct memtool_error *skip_damage(struct walk *walk, const struct raw_chunk *header,
					 uint64_t *address)
{
	struct audit *audit = &walk->copy->heap->audit;
	uint64_t start = *address, next;

	if (!settle_last(walk, NULL))
		return memtool_error_no_memory;
	/* Not here again, whatever the search thinks of it. */
	add_gap(walk, GLIBC_MALLOC_ALIGNMENT);
	struct memtool_error *error = find_next(walk, start + GLIBC_MALLOC_ALIGNMENT, false, &next);
	if (error)
		return error;
	*address = next ? next : walk->segment.range.end;
	if (header)
		audit_add(audit, AUDIT_BAD_CHUNK, start, 0, header->size,
			  "no chunk at 0x%" PRIx64 ": its size field is 0x%" PRIx64 "; 0x%" PRIx64
			  " bytes are passed over",
			  start, header->size, *address - start);
	else
		audit_add(audit, AUDIT_UNREADABLE, start, 0, *address - start,
			  "0x%" PRIx64 " bytes of the heap at 0x%" PRIx64 " could not be read",
			  *address - start, start);
	return NULL;
}

/* Behind the fenceposts of a part of the main arena: the next part, past a foreign sbrk(). */
static struct memtool_error *next_part(struct walk *walk, uint64_t *address)
{
	uint64_t end = *address, next;

	struct memtool_error *error = find_next(walk, end, true, &next);
	if (error)
		return error;
	if (next) {
		*address = next;
		return split_segment(walk, end, next);
	}
	audit_add(&walk->copy->heap->audit, AUDIT_BAD_CHUNK, end, 0, 0,
		  "the main arena does not go on behind the fenceposts before 0x%" PRIx64, end);
	*address = walk->segment.range.end;
	return NULL;
}

/*
 * Whether the header at address is a fencepost, and of how many bytes: 0 if it is none.
 */
static uint64_t fencepost_size(const struct walk *walk, uint64_t address, uint64_t size)
{
	uint64_t left = walk->segment.range.end - address;

	if (walk->segment.arena == 0)
		return size == FENCEPOST_SIZE ? size : 0;
	if (walk->top)
		return 0;
	if (left == FENCEPOST_SIZE && size == 0)
		return FENCEPOST_SIZE;
	if (left == size + FENCEPOST_SIZE && (size == FENCEPOST_SIZE || size == GLIBC_MINSIZE))
		return size;
	return 0;
}

/* Whether nothing was ever written to the page that address is in. */
static struct memtool_error *is_untouched(struct walk *walk, uint64_t address, bool *ret)
{
	static const uint8_t zeros[PAGE];
	uint8_t page[PAGE];
	size_t count;

	struct memtool_error *error = memory_read_some(
		walk->copy->memory, align_down(address, sizeof(page)), page, sizeof(page), &count);
	if (!error)
		*ret = count == sizeof(page) && memcmp(page, zeros, sizeof(page)) == 0;
	return error;
}

/*
 * When malloc cuts a chunk from top, it moves av->top first, then writes the chunk's header, then the
 * new top's (_int_malloc and sysmalloc in malloc.c). Each of those stores may fault, the first on a
 * page shared since a fork, the second on one that was never touched; and a thread that is to
 * stop does so on its way back from a fault. Here the header of a top is still missing.
 */
static struct memtool_error *take_new_top(struct walk *walk, uint64_t *address)
{
	uint64_t end = walk->segment.range.end;

	if (!settle_last(walk, NULL) || !append_item(walk, *address, end - *address, CHUNK_TOP))
		return memtool_error_no_memory;
	audit_add(&walk->copy->heap->audit, AUDIT_INSIDE, *address, 0, 0,
		  "arena %" PRIu32 ": a thread is inside malloc: top at 0x%" PRIx64
		  " has no header yet",
		  walk->segment.arena, *address);
	*address = end;
	return NULL;
}

/* Here the old top is still whole: all of it up to the new top is the chunk that is cut. */
static struct memtool_error *take_old_top(struct walk *walk, const struct raw_chunk *header,
					  uint64_t *address)
{
	uint64_t size = walk->top - *address;

	if (!settle_last(walk, header) || !append_item(walk, *address, size, CHUNK_IN_USE))
		return memtool_error_no_memory;
	*address = walk->top;
	return take_new_top(walk, address);
}

/*
 * Whether top, of size bytes, still counts what systrim() has given back to the kernel already: it
 * calls brk, then writes system_mem and top's header.
 */
static bool is_trimmed_top(const struct walk *walk, uint64_t address, uint64_t size)
{
	const struct heap *heap = walk->copy->heap;
	const struct heap_arena *arena = &walk->copy->arenas.data[walk->segment.arena];
	bool inside = arena->locked;

	if (walk->segment.arena != 0 || arena->noncontiguous || address != walk->top ||
	    !size_is_possible(size, UINT64_MAX - address) ||
	    address + size != heap->params.sbrk_base + arena->system_mem)
		return false;
	for (size_t i = 0; i < heap->roots.thread_count && !inside; i++)
		inside = heap->roots.threads[i].inside != 0;
	return inside;
}

static struct memtool_error *take_trimmed_top(struct walk *walk, const struct raw_chunk *header,
					      uint64_t *address)
{
	uint64_t left = walk->segment.range.end - *address;
	uint64_t given = raw_size(header->size) - left;

	if (!settle_last(walk, header) || !append_item(walk, *address, left, CHUNK_TOP))
		return memtool_error_no_memory;
	add_gap(walk, given);
	audit_add(&walk->copy->heap->audit, AUDIT_INSIDE, *address, 0, given,
		  "arena 0: a thread is inside malloc: 0x%" PRIx64 " bytes of top at 0x%" PRIx64
		  " are given back already",
		  given, *address);
	*address += left;
	return NULL;
}

/* Appends top and the end of its segment; *address becomes the end. */
static struct memtool_error *end_at_top(struct walk *walk, uint64_t size, uint64_t *address)
{
	uint64_t end = walk->segment.range.end;

	if (!append_item(walk, *address, size, CHUNK_TOP))
		return memtool_error_no_memory;
	if (*address + size != end) {
		audit_add(&walk->copy->heap->audit, AUDIT_BAD_CHUNK, *address, end - *address, size,
			  "top at 0x%" PRIx64 " ends at 0x%" PRIx64
			  ", not at the end of its heap, 0x%" PRIx64,
			  *address, *address + size, end);
		add_gap(walk, end - (*address + size));
	}
	*address = end;
	return NULL;
}

/* A header that is not an ordinary chunk's: top, a fencepost, or damage. */
static struct memtool_error *step_special(struct walk *walk, const struct raw_chunk *header,
					  uint64_t *address)
{
	uint64_t size = raw_size(header->size);
	uint64_t left = walk->segment.range.end - *address;

	if (*address < walk->top && walk->top - *address >= GLIBC_MINSIZE && size == left &&
	    (header->size & GLIBC_SIZE_BITS) == GLIBC_PREV_INUSE)
		return take_old_top(walk, header, address);
	if (*address == walk->top && header->size == 0) {
		bool untouched;
		struct memtool_error *error = is_untouched(walk, *address, &untouched);
		if (error || untouched)
			return error ? error : take_new_top(walk, address);
	}

	if (size > left && is_trimmed_top(walk, *address, size))
		return take_trimmed_top(walk, header, address);

	/* Top may be smaller than MINSIZE only in a heap that was just made. */
	if (*address == walk->top && size && size % GLIBC_MALLOC_ALIGNMENT == 0 && size <= left &&
	    size < CHUNK_SIZE_END) {
		if (!settle_last(walk, header))
			return memtool_error_no_memory;
		return end_at_top(walk, size, address);
	}

	size = fencepost_size(walk, *address, size);
	if (size == 0 || header->size & GLIBC_IS_MMAPPED)
		return skip_damage(walk, header, address);
	if (!settle_last(walk, header) || !append_item(walk, *address, size, CHUNK_FENCEPOST))
		return memtool_error_no_memory;

	struct chunk *chunks = walk->copy->chunks.data + walk->copy->chunks.count;
	bool pair = walk->segment.arena == 0 &&
		    walk->copy->chunks.count - walk->segment.first_chunk >= 2 &&
		    chunks[-2].state == CHUNK_FENCEPOST && chunk_end(&chunks[-2]) == *address;
	*address += size;
	if (pair && *address % PAGE == 0 && *address < walk->segment.range.end)
		return next_part(walk, address);
	return NULL;
}

/* Walks from address to the end of the segment. */
static struct memtool_error *walk_chunks(struct walk *walk, uint64_t address)
{
	const uint64_t end = walk->segment.range.end;
	struct memtool_error *error = NULL;

	while (address < end && !error) {
		struct raw_chunk header = { 0 };
		const uint8_t *bytes;
		size_t length = end - address < sizeof(header) ? 16 : sizeof(header);

		error = window_at(&walk->window, address, length, &bytes);
		if (error)
			break;
		if (!bytes) {
			error = skip_damage(walk, NULL, &address);
			continue;
		}
		memcpy(&header, bytes, length);

		/* No chunk reaches into top. */
		uint64_t size = raw_size(header.size);
		uint64_t bound = address < walk->top ? walk->top : end;
		bool ends_heap = walk->segment.arena && !walk->top && end - address == size + 16;
		if (address == walk->top || ends_heap || header.size & GLIBC_IS_MMAPPED ||
		    !size_is_possible(size, bound - address)) {
			error = step_special(walk, &header, &address);
			continue;
		}

		if (!settle_last(walk, &header) || !append_item(walk, address, size, CHUNK_IN_USE))
			return memtool_error_no_memory;
		walk->average += (size >> 4) - (walk->average >> 4);
		walk->window.piece = walk->average < SPARSE_SIZE ? WINDOW_SIZE : PAGE;
		walk->last.address = address;
		walk->last.size = size;
		walk->last.bits = header.size & GLIBC_SIZE_BITS;
		walk->last.fd = header.fd;
		walk->last.bk = header.bk;
		address += size;
	}
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

/* The structs at the start of a segment; *ret is where its first chunk is. */
static struct memtool_error *walk_start(struct walk *walk, uint64_t *ret)
{
	const struct glibc_layout *layout = walk->copy->layout;
	uint64_t start = walk->segment.range.start, address = start;
	uint64_t arena = walk->copy->arenas.data[walk->segment.arena].address;

	if (walk->segment.arena != 0) {
		if (!append_item(walk, address, layout->heap_info.size, CHUNK_HEAP_INFO))
			return memtool_error_no_memory;
		address += layout->heap_info.size;
		if (address == arena) {
			if (!append_item(walk, address, layout->malloc_state.size,
					 CHUNK_MALLOC_STATE))
				return memtool_error_no_memory;
			address += layout->malloc_state.size;
		}
	}
	*ret = align_up(address, GLIBC_MALLOC_ALIGNMENT);
	add_gap(walk, *ret - address);
	if (walk->segment.arena == 0)
		walk->segment.range.start = *ret;
	return check_first(walk, *ret);
}

static struct memtool_error *walk_segment(struct walk *walk, const struct heap_segment *segment)
{
	uint64_t top = walk->copy->arenas.data[segment->arena].top, first;

	walk->segment = *segment;
	walk->segment.first_chunk = walk->copy->chunks.count;
	walk->top = range_contains(segment->range, top) ? top : 0;
	walk->arena_bit = segment->arena ? GLIBC_NON_MAIN_ARENA : 0;
	walk->last.size = 0;
	walk->window.limit = segment->range.end;
	walk->search.limit = segment->range.end;
	walk->search.budget += 8 * range_size(segment->range);

	struct memtool_error *error = walk_start(walk, &first);
	if (!error)
		error = walk_chunks(walk, first);
	if (!error)
		error = split_segment(walk, walk->segment.range.end, walk->segment.range.end);
	if (!error)
		walk->done.data[walk->done.count - 1].mapped_end = segment->mapped_end;
	return error;
}

/* How far everything that a walk fills had got before a segment. */
struct walk_mark {
	size_t chunks, single_links, double_links, segments;
	uint64_t gap_bytes;
	struct audit_mark audit;
};

static struct walk_mark mark_walk(const struct walk *walk, uint32_t arena)
{
	const struct heap_copy *copy = walk->copy;

	return (struct walk_mark){
		.chunks = copy->chunks.count,
		.single_links = copy->single_links.count,
		.double_links = copy->double_links.count,
		.segments = walk->done.count,
		.gap_bytes = copy->arenas.data[arena].gap_bytes,
		.audit = audit_mark(&copy->heap->audit),
	};
}

static void rewind_walk(struct walk *walk, uint32_t arena, const struct walk_mark *mark)
{
	struct heap_copy *copy = walk->copy;

	copy->chunks.count = mark->chunks;
	copy->single_links.count = mark->single_links;
	copy->double_links.count = mark->double_links;
	walk->done.count = mark->segments;
	copy->arenas.data[arena].gap_bytes = mark->gap_bytes;
	audit_rewind(&copy->heap->audit, &mark->audit);
}

/* A running target changes the segment under us: what was torn is walked anew, with fresh bounds. */
static struct memtool_error *walk_live_segment(struct walk *walk,
					       const struct heap_segment *segment)
{
	struct walk_mark mark = mark_walk(walk, segment->arena);

	for (int attempt = 1;; attempt++) {
		struct heap_segment fresh = *segment;

		walk->window.range = (struct range){ 0 };
		walk->search.range = (struct range){ 0 };
		struct memtool_error *error = refresh_segment(walk->copy, &fresh);
		if (!error)
			error = walk_segment(walk, &fresh);
		if (error || attempt == LIVE_ATTEMPTS ||
		    !audit_doubts_since(&walk->copy->heap->audit, &mark.audit))
			return error;
		rewind_walk(walk, segment->arena, &mark);
	}
}

static struct memtool_error *walk_mmapped(struct walk *walk, const struct mmapped_chunk *mmapped)
{
	uint64_t fd;
	bool ok;

	walk->segment.arena = CHUNK_NO_ARENA;
	if (!append_item(walk, mmapped->address, mmapped->size, CHUNK_MMAPPED))
		return memtool_error_no_memory;

	/* From 2.43 on a tcache with a raised glibc.malloc.tcache_max takes them too. */
	if (!walk->copy->layout->mmapped_header_apart)
		return NULL;
	struct memtool_error *error = copy_bytes(walk->copy, mmapped->address + GLIBC_CHUNK_HDR_SZ,
						 &fd, sizeof(fd), "mmapped chunk", &ok);
	if (!error && ok && !note_single_link(walk, mmapped->address, mmapped->size, fd))
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
		return append_item(walk, address, walk->copy->layout->malloc_state.size,
				   CHUNK_MALLOC_STATE);
	audit_add(&walk->copy->heap->audit, AUDIT_BAD_ARENA, address, 0, 0,
		  "main_arena, 0x%" PRIx64 ", lies within the heap", address);
	return true;
}

/* All there is, in the order of addresses, so that chunks[] comes out sorted. */
static struct memtool_error *walk_all(struct walk *walk)
{
	const struct heap_copy *copy = walk->copy;
	struct memtool_error *error = NULL;
	size_t segment = 0, mmapped = 0;
	bool main_arena = copy->arenas.count == 0;

	while (!error) {
		uint64_t next = UINT64_MAX;

		if (segment < copy->segments.count)
			next = copy->segments.data[segment].range.start;
		if (!main_arena && copy->arenas.data[0].address < next &&
		    (mmapped == copy->mmapped.count ||
		     copy->arenas.data[0].address < copy->mmapped.data[mmapped].address)) {
			main_arena = true;
			if (!walk_main_arena(walk))
				error = memtool_error_no_memory;
		} else if (mmapped < copy->mmapped.count &&
			   copy->mmapped.data[mmapped].address < next) {
			error = walk_mmapped(walk, &copy->mmapped.data[mmapped++]);
		} else if (segment < copy->segments.count) {
			const struct heap_segment *at = &copy->segments.data[segment++];
			error = copy->live ? walk_live_segment(walk, at) : walk_segment(walk, at);
		} else {
			break;
		}
	}
	return error;
}

static void walk_deinit(struct walk *walk)
{
	window_deinit(&walk->window);
	window_deinit(&walk->search);
	segment_array_deinit(&walk->done);
}

struct memtool_error *copy_chunks(struct heap_copy *copy)
{
	_cleanup_(walk_deinit) struct walk walk = { .copy = copy };

	struct memtool_error *error = window_init(&walk.window, copy->memory);
	if (!error)
		error = window_init(&walk.search, copy->memory);
	if (error)
		return error;
	walk.search.piece = SEARCH_PIECE;
	walk.search.budget = SEARCH_BUDGET;
	if (copy->anonymous_count)
		walk.links = (struct range){
			copy->anonymous[0].start,
			copy->anonymous[copy->anonymous_count - 1].end,
		};
	error = walk_all(&walk);
	if (error)
		return error;
	segment_array_deinit(&copy->segments);
	copy->segments = walk.done;
	walk.done = (struct segment_array){ 0 };
	return NULL;
}
