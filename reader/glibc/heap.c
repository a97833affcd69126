/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc/heap.h"

#include "glibc/chunk.h"

#include <stdlib.h>

const char *chunk_state_name(enum chunk_state state)
{
	static const char *const names[CHUNK_STATES] = {
		[CHUNK_IN_USE] = "in-use",
		[CHUNK_MMAPPED] = "mmapped",
		[CHUNK_TCACHE] = "tcache",
		[CHUNK_FASTBIN] = "fastbin",
		[CHUNK_UNSORTED] = "unsorted",
		[CHUNK_SMALLBIN] = "smallbin",
		[CHUNK_LARGEBIN] = "largebin",
		[CHUNK_UNLISTED] = "unlisted",
		[CHUNK_TOP] = "top",
		[CHUNK_FENCEPOST] = "fencepost",
		[CHUNK_MALLOC_STATE] = "malloc-state",
		[CHUNK_HEAP_INFO] = "heap-info",
		[CHUNK_TCACHE_STRUCT] = "tcache-struct",
	};
	return names[state];
}

void heap_destroy(struct heap *heap)
{
	if (!heap)
		return;
	free(heap->roots.threads);
	free(heap->chunks);
	free(heap->arenas);
	free(heap->segments);
	free(heap->threads);
	free(heap->lists);
	free(heap->listed);
	audit_deinit(&heap->audit);
	free(heap);
}

const struct chunk *heap_find(const struct heap *heap, uint64_t address)
{
	size_t low = 0, high = heap->chunk_count;

	/* The last chunk that starts at or before address. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (chunk_address(&heap->chunks[middle]) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address >= chunk_end(&heap->chunks[low - 1]))
		return NULL;
	return &heap->chunks[low - 1];
}

uint64_t heap_usable_size(const struct heap *heap, const struct chunk *chunk)
{
	uint64_t size = chunk_size(chunk);

	if (chunk_is_bare(chunk))
		return size;
	/* Without a chunk behind it, an mmapped chunk cannot lend the next prev_size. */
	if (chunk->arena == CHUNK_NO_ARENA && !heap->layout.mmapped_header_apart)
		return size - GLIBC_CHUNK_HDR_SZ;
	return size - GLIBC_SIZE_SZ;
}

bool heap_chunk_bin(const struct chunk *chunk, uint32_t *ret)
{
	switch (chunk->state) {
	case CHUNK_TCACHE:
		*ret = tcache_bin_of_size(chunk_size(chunk));
		return true;
	case CHUNK_FASTBIN:
		*ret = fastbin_of_size(chunk_size(chunk));
		return true;
	case CHUNK_UNSORTED:
		*ret = UNSORTED_BIN;
		return true;
	case CHUNK_SMALLBIN:
	case CHUNK_LARGEBIN:
		*ret = bin_of_size(chunk_size(chunk));
		return true;
	default:
		return false;
	}
}

struct heap_mallinfo heap_mallinfo(const struct heap *heap)
{
	struct heap_mallinfo info = {
		.smblks = heap->tally[CHUNK_FASTBIN].count,
		.fsmblks = heap->tally[CHUNK_FASTBIN].bytes,
		.hblkhd = heap->mmapped_bytes,
	};

	/* int_mallinfo counts one block for each arena's top, whether it has one or not. */
	info.ordblks = heap->arena_count;
	for (size_t i = 0; i < heap->arena_count; i++)
		info.arena += heap->arenas[i].system_mem;
	/* What is free in no list was in one: it is torn. */
	for (int state = CHUNK_UNSORTED; state <= CHUNK_UNLISTED; state++) {
		info.ordblks += heap->tally[state].count;
		info.fordblks += heap->tally[state].bytes;
	}
	info.fordblks += heap->tally[CHUNK_FASTBIN].bytes + heap->tally[CHUNK_TOP].bytes;
	info.uordblks = info.arena - info.fordblks;
	if (heap->arena_count)
		info.keepcost = heap->arenas[0].tally[CHUNK_TOP].bytes;
	info.hblks = heap->mmapped_count;
	return info;
}
