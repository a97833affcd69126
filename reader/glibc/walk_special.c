/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where chunks are not followed by another one of their kind.
 *
 * How segments end (sysmalloc in malloc/malloc.c):
 * - With top.
 * - An older heap of a non-main arena, in a fencepost of 16 bytes and one whose size is 0. If the
 *   old top had less than 64 bytes, one of 16 or 32 bytes took the place of the first.
 * - A part of the main arena, in two fenceposts of 16 bytes, the second up to a page's end.
 */
#include "glibc/regions.h"
#include "glibc/walk.h"

#define FENCEPOST_SIZE   GLIBC_CHUNK_HDR_SZ
#define ENOUGH_TO_RESUME 64

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
		walk_add_gap(walk, (*ret ? *ret : chain.limit) - address);
	return error;
}

/* The header at *address cannot be. Goes on where chunks make sense again. */
struct memtool_error *walk_skip_damage(struct walk *walk, const struct raw_chunk *header,
				       uint64_t *address)
{
	struct audit *audit = &walk->copy->heap->audit;
	uint64_t start = *address, next;

	if (walk->walked_again) {
		audit_add(audit, AUDIT_BAD_CHUNK, start, 0, 0, "torn at 0x%" PRIx64, start);
		*address = walk->segment.range.end;
		return NULL;
	}
	if (!walk_settle_last(walk, NULL))
		return memtool_error_no_memory;
	/* Not here again, whatever the search thinks of it. */
	walk_add_gap(walk, GLIBC_MALLOC_ALIGNMENT);
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
		return walk_split_segment(walk, end, next);
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
 * When malloc cuts a chunk from top, it moves av->top first, then writes the chunk's header, then
 * the new top's (_int_malloc and sysmalloc in malloc.c). Each of those stores may fault, the first
 * on a page shared since a fork, the second on one that was never touched; and a thread that is to
 * stop does so on its way back from a fault. Here the header of a top is still missing.
 */
static struct memtool_error *take_new_top(struct walk *walk, uint64_t *address)
{
	uint64_t end = walk->segment.range.end;

	if (!walk_settle_last(walk, NULL) ||
	    !walk_append_item(walk, *address, end - *address, CHUNK_TOP))
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

	if (!walk_settle_last(walk, header) ||
	    !walk_append_item(walk, *address, size, CHUNK_IN_USE))
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

	if (!walk_settle_last(walk, header) || !walk_append_item(walk, *address, left, CHUNK_TOP))
		return memtool_error_no_memory;
	walk_add_gap(walk, given);
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

	if (!walk_append_item(walk, *address, size, CHUNK_TOP))
		return memtool_error_no_memory;
	if (*address + size != end) {
		audit_add(&walk->copy->heap->audit, AUDIT_BAD_CHUNK, *address, end - *address, size,
			  "top at 0x%" PRIx64 " ends at 0x%" PRIx64
			  ", not at the end of its heap, 0x%" PRIx64,
			  *address, *address + size, end);
		walk_add_gap(walk, end - (*address + size));
	}
	*address = end;
	return NULL;
}

/* A header that is not an ordinary chunk's: top, a fencepost, or damage. */
struct memtool_error *walk_special(struct walk *walk, const struct raw_chunk *header,
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
		if (!walk_settle_last(walk, header))
			return memtool_error_no_memory;
		return end_at_top(walk, size, address);
	}

	size = fencepost_size(walk, *address, size);
	if (size == 0 || header->size & GLIBC_IS_MMAPPED)
		return walk_skip_damage(walk, header, address);
	if (!walk_settle_last(walk, header) ||
	    !walk_append_item(walk, *address, size, CHUNK_FENCEPOST))
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
