/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap of the public header, over struct heap.
 */
#include "api/heap.h"

#include "support/error.h"

#include <stdlib.h>
#include <string.h>

#define SAME(public, internal) \
	_Static_assert((int)(public) == (int)(internal), "the numbers are part of the ABI")

SAME(MEMTOOL_CHUNK_IN_USE, CHUNK_IN_USE);
SAME(MEMTOOL_CHUNK_MMAPPED, CHUNK_MMAPPED);
SAME(MEMTOOL_CHUNK_TCACHE, CHUNK_TCACHE);
SAME(MEMTOOL_CHUNK_FASTBIN, CHUNK_FASTBIN);
SAME(MEMTOOL_CHUNK_UNSORTED, CHUNK_UNSORTED);
SAME(MEMTOOL_CHUNK_SMALLBIN, CHUNK_SMALLBIN);
SAME(MEMTOOL_CHUNK_LARGEBIN, CHUNK_LARGEBIN);
SAME(MEMTOOL_CHUNK_UNLISTED, CHUNK_UNLISTED);
SAME(MEMTOOL_CHUNK_TOP, CHUNK_TOP);
SAME(MEMTOOL_CHUNK_FENCEPOST, CHUNK_FENCEPOST);
SAME(MEMTOOL_CHUNK_MALLOC_STATE, CHUNK_MALLOC_STATE);
SAME(MEMTOOL_CHUNK_HEAP_INFO, CHUNK_HEAP_INFO);
SAME(MEMTOOL_CHUNK_TCACHE_STRUCT, CHUNK_TCACHE_STRUCT);
SAME(MEMTOOL_CHUNK_TCACHE_STRUCT + 1, CHUNK_STATES);
SAME(MEMTOOL_STATES_LIVE, 1 << CHUNK_IN_USE | 1 << CHUNK_MMAPPED);
SAME(MEMTOOL_SOURCE_AUTO, ROOT_UNKNOWN);
SAME(MEMTOOL_SOURCE_INVENTORY, ROOT_INVENTORY);
SAME(MEMTOOL_SOURCE_SYMBOLS, ROOT_SYMBOLS);
SAME(MEMTOOL_SOURCE_STRUCTURE, ROOT_STRUCTURE);

struct memtool_error *api_heap_create(struct heap *heap, const char *glibc,
				      struct memtool_heap **ret)
{
	struct memtool_heap *result = calloc(1, sizeof(*result));

	if (!result) {
		heap_destroy(heap);
		return memtool_error_no_memory;
	}
	result->heap = heap;
	strncpy(result->glibc, glibc, sizeof(result->glibc) - 1);
	*ret = result;
	return NULL;
}

void memtool_heap_destroy(struct memtool_heap *heap)
{
	if (!heap)
		return;
	heap_destroy(heap->heap);
	free(heap);
}

const char *memtool_chunk_state_name(enum memtool_chunk_state state)
{
	return (unsigned int)state < CHUNK_STATES ? chunk_state_name((enum chunk_state)state)
						  : "unknown";
}

/* Index of an arena; internally "none" is another number. */
static uint32_t public_arena(uint32_t arena)
{
	return arena == CHUNK_NO_ARENA ? MEMTOOL_NONE : arena;
}

size_t memtool_heap_chunk_count(const struct memtool_heap *heap)
{
	return heap->heap->chunk_count;
}

struct memtool_chunk memtool_heap_chunk(const struct memtool_heap *heap, size_t index)
{
	const struct chunk *chunk = &heap->heap->chunks[index];
	struct memtool_chunk result = {
		.address = chunk_address(chunk),
		.user = chunk_user(chunk),
		.size = chunk_size(chunk),
		.usable = heap_usable_size(heap->heap, chunk),
		.state = (enum memtool_chunk_state)chunk->state,
		.arena = public_arena(chunk->arena),
		.bin = MEMTOOL_NONE,
	};

	heap_chunk_bin(chunk, &result.bin);
	if (chunk->thread != CHUNK_NO_THREAD)
		result.tid = heap->heap->threads[chunk->thread].tid;
	return result;
}

size_t memtool_heap_find(const struct memtool_heap *heap, uint64_t address)
{
	const struct chunk *chunk = heap_find(heap->heap, address);

	return chunk ? (size_t)(chunk - heap->heap->chunks) : SIZE_MAX;
}

bool memtool_heap_chunks(const struct memtool_heap *heap, uint32_t states,
			 memtool_chunk_fn callback, void *context)
{
	for (size_t i = 0; i < heap->heap->chunk_count; i++) {
		if (!(states >> heap->heap->chunks[i].state & 1))
			continue;
		struct memtool_chunk chunk = memtool_heap_chunk(heap, i);
		if (!callback(context, &chunk))
			return false;
	}
	return true;
}

struct memtool_tally memtool_heap_tally(const struct memtool_heap *heap,
					enum memtool_chunk_state state, uint32_t arena)
{
	const struct tally *tally = heap->heap->tally;

	if ((unsigned int)state >= CHUNK_STATES ||
	    (arena != MEMTOOL_NONE && arena >= heap->heap->arena_count))
		return (struct memtool_tally){ 0, 0 };
	if (arena != MEMTOOL_NONE)
		tally = heap->heap->arenas[arena].tally;
	return (struct memtool_tally){ tally[state].count, tally[state].bytes };
}

size_t memtool_heap_arena_count(const struct memtool_heap *heap)
{
	return heap->heap->arena_count;
}

struct memtool_arena memtool_heap_arena(const struct memtool_heap *heap, size_t index)
{
	const struct heap_arena *arena = &heap->heap->arenas[index];

	return (struct memtool_arena){
		.address = arena->address,
		.top = arena->top,
		.system_mem = arena->system_mem,
		.max_system_mem = arena->max_system_mem,
		.attached_threads = arena->attached_threads,
		.gap_bytes = arena->gap_bytes,
		.locked = arena->locked,
	};
}

size_t memtool_heap_segment_count(const struct memtool_heap *heap)
{
	return heap->heap->segment_count;
}

struct memtool_segment memtool_heap_segment(const struct memtool_heap *heap, size_t index)
{
	const struct heap_segment *segment = &heap->heap->segments[index];

	return (struct memtool_segment){ segment->range.start, segment->range.end, segment->arena };
}

size_t memtool_heap_thread_count(const struct memtool_heap *heap)
{
	return heap->heap->thread_count;
}

struct memtool_heap_thread memtool_heap_thread(const struct memtool_heap *heap, size_t index)
{
	const struct heap_thread *thread = &heap->heap->threads[index];

	return (struct memtool_heap_thread){
		.tid = thread->tid,
		.fs_base = thread->fs_base,
		.tcache = thread->tcache,
		.arena = public_arena(thread->arena),
	};
}

static enum memtool_chunk_state state_of_list(enum list_kind kind)
{
	static const enum memtool_chunk_state states[] = {
		[LIST_TCACHE] = MEMTOOL_CHUNK_TCACHE,     [LIST_FASTBIN] = MEMTOOL_CHUNK_FASTBIN,
		[LIST_UNSORTED] = MEMTOOL_CHUNK_UNSORTED, [LIST_SMALLBIN] = MEMTOOL_CHUNK_SMALLBIN,
		[LIST_LARGEBIN] = MEMTOOL_CHUNK_LARGEBIN,
	};
	return states[kind];
}

size_t memtool_heap_list_count(const struct memtool_heap *heap)
{
	return heap->heap->list_count;
}

struct memtool_list memtool_heap_list(const struct memtool_heap *heap, size_t index)
{
	const struct heap_list *list = &heap->heap->lists[index];
	bool cache = list->kind == LIST_TCACHE;

	return (struct memtool_list){
		.state = state_of_list(list->kind),
		.bin = list->bin,
		.arena = cache ? MEMTOOL_NONE : list->owner,
		.tid = cache ? heap->heap->threads[list->owner].tid : 0,
		.chunk_count = list->count,
		.counter = list->counter,
	};
}

size_t memtool_heap_list_chunk(const struct memtool_heap *heap, size_t index, size_t position)
{
	return heap->heap->listed[heap->heap->lists[index].first + position];
}

struct memtool_heap_info memtool_heap_info(const struct memtool_heap *heap)
{
	const struct malloc_roots *roots = &heap->heap->roots;

	return (struct memtool_heap_info){
		.glibc = heap->glibc,
		.layout = heap->heap->layout.name,
		.main_arena = roots->main_arena.value,
		.mp = roots->mp.value,
		.main_arena_source = (enum memtool_source)roots->main_arena.source,
		.mp_source = (enum memtool_source)roots->mp.source,
		.mmapped_count = heap->heap->mmapped_count,
		.mmapped_bytes = heap->heap->mmapped_bytes,
	};
}

bool memtool_heap_audit_ok(const struct memtool_heap *heap)
{
	return heap->heap->audit.ok;
}

size_t memtool_heap_finding_count(const struct memtool_heap *heap)
{
	return heap->heap->audit.findings.count;
}

struct memtool_finding memtool_heap_finding(const struct memtool_heap *heap, size_t index)
{
	const struct audit_finding *finding = &heap->heap->audit.findings.data[index];

	return (struct memtool_finding){
		.kind = audit_kind_name(finding->kind),
		.doubt = finding->doubt,
		.address = finding->address,
		.expected = finding->expected,
		.found = finding->found,
		.message = finding->message,
	};
}
