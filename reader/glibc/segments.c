/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where chunks lie: the heaps of each arena, and the parts of the main arena.
 *
 * A non-main arena names its newest heap by top, and each heap the one before it (malloc/arena.c).
 * The main arena is one stretch from mp_.sbrk_base to the end of top, as long as brk could grow it;
 * foreign sbrk() calls in it are found by the walk (walk_special.c). Once brk has failed, glibc
 * mmaps further parts and keeps no list of them: those are searched for (regions.c).
 */
#include "glibc/chunk.h"
#include "glibc/copy.h"
#include "glibc/regions.h"

#include <inttypes.h>

static bool heap_info_is_possible(const struct heap_copy *copy, const uint8_t *info, uint64_t heap,
				  uint64_t arena)
{
	const struct glibc_layout *layout = copy->layout;
	uint64_t size = load_u64(info + layout->heap_info.size_field);
	uint64_t mprotect_size = load_u64(info + layout->heap_info.mprotect_size);

	return load_u64(info + layout->heap_info.ar_ptr) == arena && size % 4096 == 0 &&
	       size > layout->heap_info.size && size <= mprotect_size &&
	       mprotect_size <= copy->heap->params.heap_max && heap + mprotect_size > heap;
}

/* Appends the heap at address; *ret_prev is the one before it, 0 for the first. */
static struct memtool_error *copy_heap(struct heap_copy *copy, uint32_t arena, uint64_t address,
				       uint64_t *ret_prev, bool *ret_ok)
{
	const struct glibc_layout *layout = copy->layout;
	uint8_t info[64];

	struct memtool_error *error =
		copy_bytes(copy, address, info, layout->heap_info.size, "heap_info", ret_ok);
	if (error || !*ret_ok)
		return error;
	*ret_ok = heap_info_is_possible(copy, info, address, copy->arenas.data[arena].address);
	if (!*ret_ok) {
		audit_add(&copy->heap->audit, AUDIT_BAD_SEGMENT, address, 0, 0,
			  "arena %" PRIu32 ": there is no heap of it at 0x%" PRIx64, arena,
			  address);
		return NULL;
	}

	struct heap_segment segment = {
		.range = { address, address + load_u64(info + layout->heap_info.size_field) },
		.mapped_end = address + load_u64(info + layout->heap_info.mprotect_size),
		.arena = arena,
	};
	*ret_prev = load_u64(info + layout->heap_info.prev);
	return segment_array_append(&copy->segments, &segment) ? NULL : memtool_error_no_memory;
}

/* The heaps of a non-main arena, from the one that holds top back to the one that holds it. */
static struct memtool_error *copy_heaps(struct heap_copy *copy, uint32_t index)
{
	const struct heap_arena *arena = &copy->arenas.data[index];
	uint64_t heap_max = copy->heap->params.heap_max;
	uint64_t first = align_down(arena->address, heap_max);
	uint64_t address = align_down(arena->top, heap_max);
	uint64_t mark = 0;
	size_t lap = 1, steps = 0;
	bool ok = true;

	while (ok && address != 0 && address != mark) {
		uint64_t prev = 0;
		if (++steps == lap) {
			mark = address;
			lap *= 2;
			steps = 0;
		}
		struct memtool_error *error = copy_heap(copy, index, address, &prev, &ok);
		if (error)
			return error;
		if (ok && address == first && prev == 0)
			return NULL;
		if (ok && (address == first || prev % heap_max != 0)) {
			audit_add(&copy->heap->audit, AUDIT_BAD_SEGMENT, address, 0, prev,
				  "arena %" PRIu32 ": prev of its heap at 0x%" PRIx64
				  " is 0x%" PRIx64,
				  index, address, prev);
			if (address == first)
				return NULL;
		}
		address = align_down(prev, heap_max);
	}

	/* The chain broke. The first heap is there in any case: the arena was read from it. */
	audit_add(&copy->heap->audit, AUDIT_BAD_SEGMENT, address, 0, 0,
		  "arena %" PRIu32 ": its heaps do not lead back to the first, at 0x%" PRIx64,
		  index, first);
	uint64_t prev;
	return copy_heap(copy, index, first, &prev, &ok);
}

/*
 * Where the main arena ends that starts at start; 0 if its top cannot be there. Where top's header
 * does not tell, since malloc writes it last (walk_special.c), the books do: top ends at sbrk_base
 * + system_mem (do_check_malloc_state() in malloc.c). If both agree on more than there is, the end
 * has been given back.
 */
static struct memtool_error *end_of_main(struct heap_copy *copy, uint64_t start, uint64_t *ret)
{
	const struct heap_arena *arena = &copy->arenas.data[0];
	const struct range *range = copy_anonymous(copy, arena->top);
	uint64_t header[2];
	bool ok;

	*ret = 0;
	if (!range || range != copy_anonymous(copy, start) || arena->top % GLIBC_MALLOC_ALIGNMENT ||
	    arena->top < start)
		return NULL;
	struct memtool_error *error =
		copy_bytes(copy, arena->top, header, sizeof(header), "top", &ok);
	if (error || !ok)
		return error;
	if (size_is_possible(raw_size(header[1]), range->end - arena->top))
		*ret = arena->top + raw_size(header[1]);
	else if ((start + arena->system_mem) % GLIBC_MALLOC_ALIGNMENT == 0 &&
		 arena->system_mem <= range->end - start &&
		 arena->system_mem >= arena->top - start + GLIBC_CHUNK_HDR_SZ)
		*ret = start + arena->system_mem;
	else if (arena->top - start + raw_size(header[1]) == arena->system_mem)
		*ret = range->end;
	return NULL;
}

static struct memtool_error *copy_main_segments(struct heap_copy *copy)
{
	const struct heap_arena *arena = &copy->arenas.data[0];
	struct heap_segment segment = { .range.start = copy->heap->params.sbrk_base };
	uint64_t top_end = 0;

	if (arena->top == 0 && arena->system_mem == 0)
		return NULL;
	if (arena->noncontiguous)
		return copy_main_regions(copy);

	const struct range *range = copy_anonymous(copy, segment.range.start);
	if (range) {
		struct memtool_error *error = end_of_main(copy, segment.range.start, &top_end);
		if (error)
			return error;
		segment.range.end = top_end;
	}
	if (top_end > segment.range.start && range->end >= top_end) {
		segment.mapped_end = top_end;
	} else if (range) {
		/* No top to go by: walk as far as chunks go. */
		audit_add(&copy->heap->audit, AUDIT_BAD_ARENA, arena->top, 0, 0,
			  "main_arena: its top, 0x%" PRIx64 ", is not in its heap", arena->top);
		segment.range.end = range->end;
		segment.mapped_end = range->end;
	} else {
		audit_add(&copy->heap->audit, AUDIT_BAD_ARENA, segment.range.start, 0, 0,
			  "main_arena: there is no memory at its start, 0x%" PRIx64,
			  segment.range.start);
		return NULL;
	}
	return segment_array_append(&copy->segments, &segment) ? NULL : memtool_error_no_memory;
}

/* A non-main heap's size by now; as it was if its heap_info makes no sense. */
static struct memtool_error *refresh_heap(struct heap_copy *copy, struct heap_segment *segment)
{
	const struct glibc_layout *layout = copy->layout;
	uint64_t address = segment->range.start;
	uint8_t info[64];
	bool ok;

	struct memtool_error *error =
		copy_bytes(copy, address, info, layout->heap_info.size, "heap_info", &ok);
	if (error || !ok ||
	    !heap_info_is_possible(copy, info, address, copy->arenas.data[segment->arena].address))
		return error;
	segment->range.end = address + load_u64(info + layout->heap_info.size_field);
	segment->mapped_end = address + load_u64(info + layout->heap_info.mprotect_size);
	return NULL;
}

struct memtool_error *refresh_segment(struct heap_copy *copy, struct heap_segment *segment)
{
	struct memtool_error *error = refresh_arena(copy, segment->arena);
	uint64_t end;

	if (error || segment->arena != 0)
		return error ? error : refresh_heap(copy, segment);
	if (copy->arenas.data[0].noncontiguous)
		return NULL;
	error = end_of_main(copy, segment->range.start, &end);
	if (!error && end > segment->range.start)
		segment->range.end = segment->mapped_end = end;
	return error;
}

/* Two segments that overlap cannot both be: the one that starts later is dropped. */
static void drop_overlapping(struct heap_copy *copy)
{
	struct segment_array *segments = &copy->segments;
	size_t kept = 0;

	for (size_t i = 0; i < segments->count; i++) {
		struct heap_segment *segment = &segments->data[i];
		if (kept > 0 && segments->data[kept - 1].range.end > segment->range.start) {
			audit_add(&copy->heap->audit, AUDIT_BAD_SEGMENT, segment->range.start, 0, 0,
				  "arena %" PRIu32 ": its heap at 0x%" PRIx64 " overlaps another",
				  segment->arena, segment->range.start);
			continue;
		}
		segments->data[kept++] = *segment;
	}
	segments->count = kept;
}

struct memtool_error *copy_segments(struct heap_copy *copy)
{
	struct memtool_error *error = NULL;

	/* The main arena last: a search for its parts leaves out what is known to be a heap. */
	for (size_t i = 1; i < copy->arenas.count && !error; i++)
		error = copy_heaps(copy, (uint32_t)i);
	if (!error && copy->arenas.count > 0)
		error = copy_main_segments(copy);
	if (error)
		return error;
	sort_segments(&copy->segments);
	drop_overlapping(copy);
	return NULL;
}
