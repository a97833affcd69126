/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit's last part: the sums of the walk against system_mem and mp_, and what is free in no
 * list or has a free neighbour.
 */
#include "glibc/chunk.h"
#include "glibc/copy.h"

#include <inttypes.h>

/* main_arena's malloc_state is an item of it, but lies in libc's data. */
static uint64_t bytes_in_segments(const struct heap *heap, size_t arena)
{
	uint64_t bytes = heap->arenas[arena].gap_bytes;

	for (int state = 0; state < CHUNK_STATES; state++)
		bytes += heap->arenas[arena].tally[state].bytes;
	if (arena == 0)
		bytes -= heap->arenas[arena].tally[CHUNK_MALLOC_STATE].bytes;
	return bytes;
}

static void audit_arena(struct heap *heap, size_t arena)
{
	uint64_t bytes = bytes_in_segments(heap, arena);
	uint64_t system_mem = heap->arenas[arena].system_mem;

	if (bytes == system_mem)
		return;
	audit_add(&heap->audit, AUDIT_SYSTEM_MEM, heap->arenas[arena].address, system_mem, bytes,
		  "arena %zu: %" PRIu64 " bytes accounted for, but its system_mem is %" PRIu64
		  ": %" PRIu64 " %s",
		  arena, bytes, system_mem,
		  bytes < system_mem ? system_mem - bytes : bytes - system_mem,
		  bytes < system_mem ? "missing" : "too many");
}

static void audit_mmapped(struct heap *heap)
{
	const struct heap_params *params = &heap->params;
	uint64_t found = heap->mmapped_count;

	if (found != params->n_mmaps)
		audit_add(&heap->audit, AUDIT_MMAPPED, 0, params->n_mmaps, found,
			  "%" PRIu64 " mmapped chunks found, but mp_.n_mmaps is %" PRIu64, found,
			  params->n_mmaps);
	/* mremap_chunk of 2.43 and later counts 16 bytes too many each time: that is no fault. */
	if (heap->layout.mmapped_header_apart && heap->mmapped_bytes < params->mmapped_mem &&
	    (params->mmapped_mem - heap->mmapped_bytes) % 16 == 0)
		return;
	if (heap->mmapped_bytes != params->mmapped_mem)
		audit_add(&heap->audit, AUDIT_MMAPPED, 0, params->mmapped_mem, heap->mmapped_bytes,
			  "mappings of mmapped chunks have %" PRIu64
			  " bytes, but mp_.mmapped_mem is %" PRIu64,
			  heap->mmapped_bytes, params->mmapped_mem);
}

/*
 * Those that are free by the next one's PREV_INUSE: each must be in a list, and have no neighbour
 * of its kind, with which free() would have made it one (do_check_free_chunk() in malloc.c).
 */
static void audit_free(struct heap_copy *copy)
{
	struct heap *heap = copy->heap;
	const struct chunk *before = NULL;

	for (size_t i = 0; i < copy->double_links.count; i++) {
		const struct chunk *chunk = &heap->chunks[copy->double_links.data[i].index];
		if (chunk->state == CHUNK_UNLISTED)
			audit_add(&heap->audit, AUDIT_STATE_CONFLICT, chunk_address(chunk), 0, 0,
				  "chunk 0x%" PRIx64 " of arena %u is free, but in no list",
				  chunk_address(chunk), (unsigned int)chunk->arena);
		if (before && chunk_end(before) == chunk_address(chunk))
			audit_add(&heap->audit, AUDIT_STATE_CONFLICT, chunk_address(chunk), 0, 0,
				  "chunk 0x%" PRIx64
				  " of arena %u is free, and so is the one before "
				  "it: they should be one",
				  chunk_address(chunk), (unsigned int)chunk->arena);
		before = chunk;
	}
}

void audit_books(struct heap_copy *copy)
{
	struct heap *heap = copy->heap;

	for (size_t i = 0; i < heap->arena_count; i++)
		audit_arena(heap, i);
	audit_mmapped(heap);
	audit_free(copy);
}
