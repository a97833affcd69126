/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orphans: the tcaches of threads that a fork did not take along.
 *
 * The child has its parent's memory, but one thread. glibc moves the other threads' stacks, with
 * their TLS at the end of each, to its cache of stacks (__reclaim_stacks() in nptl), and leaves
 * their tcaches as they were: what is in them is marked in use, and nobody will ever take it out.
 * A thread that ended by itself has emptied its own before, and leaves nothing to be found. When a
 * new thread gets the stack, its TLS is made anew, and the old tcache cannot be found any more.
 *
 * Nothing here is a finding: a place that holds no tcache, or one that is not whole, is passed
 * over.
 */
#include "glibc/chunk.h"
#include "glibc/copy.h"

#include <stdlib.h>

static struct memtool_error *copy_orphan(struct heap_copy *copy, uint64_t fs_base)
{
	struct heap *heap = copy->heap;
	struct tcache_bytes tcache = {
		.thread = (uint32_t)(heap->thread_count + heap->orphan_count),
	};
	uint64_t tcb[3], address = 0;
	bool ok;

	struct memtool_error *error = memory_peek(copy->memory, fs_base, tcb, sizeof(tcb), &ok);
	if (error || !ok || tcb[0] != fs_base || tcb[2] != fs_base)
		return error;
	error = memory_peek(copy->memory, fs_base + heap->roots.tcache.value, &address,
			    sizeof(address), &ok);
	if (error || !ok || address % GLIBC_MALLOC_ALIGNMENT || !copy_anonymous(copy, address))
		return error;
	error = memory_peek(copy->memory, address, tcache.bytes, copy->layout->tcache.size, &ok);
	if (error || !ok)
		return error;
	heap->threads[tcache.thread] = (struct heap_thread){
		.fs_base = fs_base,
		.tcache = address,
		.arena = CHUNK_NO_ARENA,
		.orphan = true,
	};
	heap->orphan_count++;
	return tcache_bytes_array_append(&copy->tcaches, &tcache) ? NULL : memtool_error_no_memory;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The fs_bases of the threads that there are, sorted; some may have taken over such a stack. */
static uint64_t *sort_taken(const struct heap *heap)
{
	uint64_t *taken = malloc((heap->thread_count + 1) * sizeof(*taken));

	for (size_t i = 0; taken && i < heap->thread_count; i++)
		taken[i] = heap->threads[i].fs_base;
	if (taken)
		qsort(taken, heap->thread_count, sizeof(*taken), compare_u64);
	return taken;
}

struct memtool_error *copy_orphans(struct heap_copy *copy)
{
	const struct heap *heap = copy->heap;
	struct memtool_error *error = NULL;

	if (heap->roots.tcache.source == ROOT_UNKNOWN || copy->layout->tcache.size == 0 ||
	    copy->orphan_count == 0)
		return NULL;
	_cleanup_free_ uint64_t *taken = sort_taken(heap);
	if (!taken)
		return memtool_error_no_memory;
	for (size_t i = 0; i < copy->orphan_count && !error; i++) {
		if (heap->thread_count + heap->orphan_count >= CHUNK_NO_THREAD)
			break;
		if (!bsearch(&copy->orphans[i], taken, heap->thread_count, sizeof(*taken),
			     compare_u64))
			error = copy_orphan(copy, copy->orphans[i]);
	}
	return error;
}

/* Whether chunks[] has one at address that may be in a tcache, and of which bin. */
static bool is_cached(const struct heap *heap, uint64_t address, uint32_t bin)
{
	const struct chunk *chunk = heap_find(heap, address);

	return chunk && chunk_address(chunk) == address && chunk_is_live(chunk) &&
	       tcache_bin_of_size(chunk_size(chunk)) == bin;
}

/* Its counter bounds the steps. */
static bool bin_is_whole(const struct heap_copy *copy, const uint8_t *tcache, uint32_t bin)
{
	uint64_t next = load_u64(tcache + copy->layout->tcache.entries + bin * 8);
	int64_t left = tcache_counter(copy->heap, tcache, bin);

	while (next != 0 && left > 0) {
		uint64_t address = next - GLIBC_CHUNK_HDR_SZ;
		const struct single_link *link = find_single_link(copy, LIST_TCACHE, address);
		if (!link || !is_cached(copy->heap, address, bin))
			return false;
		next = single_link_next(link);
		left--;
	}
	return next == 0 && left == 0;
}

bool orphan_is_whole(const struct heap_copy *copy, const struct tcache_bytes *tcache)
{
	const struct heap *heap = copy->heap;
	uint64_t address = heap->threads[tcache->thread].tcache - GLIBC_CHUNK_HDR_SZ;
	const struct chunk *chunk = heap_find(heap, address);

	if (!chunk || chunk_address(chunk) != address || !chunk_is_live(chunk) ||
	    heap_usable_size(heap, chunk) < copy->layout->tcache.size)
		return false;
	for (uint32_t bin = 0; bin < copy->layout->tcache.bins; bin++) {
		if (!bin_is_whole(copy, tcache->bytes, bin))
			return false;
	}
	return true;
}
