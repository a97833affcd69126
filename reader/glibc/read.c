/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc/read.h"

#include "glibc/chunk.h"
#include "glibc/copy.h"

#include <stdlib.h>

struct memtool_error *copy_bytes(struct heap_copy *copy, uint64_t address, void *buffer,
				 size_t length, const char *what, bool *ret_ok)
{
	struct memtool_error *error = memory_read(copy->memory, address, buffer, length, what);

	*ret_ok = !error;
	if (error && error->code == MEMTOOL_ERROR_FAULT) {
		audit_add(&copy->heap->audit, AUDIT_UNREADABLE, error->address, 0, 0, "%s",
			  error->message);
		memtool_error_destroy(error);
		error = NULL;
	}
	return error;
}

const struct range *copy_anonymous(const struct heap_copy *copy, uint64_t address)
{
	size_t low = 0, high = copy->anonymous_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct range *range = &copy->anonymous[middle];
		if (range_contains(*range, address))
			return range;
		if (address < range->start)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/*
 * What lies beyond the addresses of a struct chunk can hold none; what is missed, the books tell.
 */
static size_t count_addressable(const struct range *ranges, size_t count)
{
	while (count && ranges[count - 1].end > CHUNK_ADDRESS_END)
		count--;
	return count;
}

static struct memtool_error *copy_roots(const struct malloc_roots *roots, struct malloc_roots *ret)
{
	struct root_thread *threads = calloc(roots->thread_count + 1, sizeof(*threads));
	if (!threads)
		return memtool_error_no_memory;
	if (roots->thread_count)
		memcpy(threads, roots->threads, roots->thread_count * sizeof(*threads));
	*ret = *roots;
	ret->threads = threads;
	return NULL;
}

/* What the steps work on. copy is owned by the caller, also on failure. */
static struct memtool_error *begin_copy(struct heap_copy *copy, const struct heap_source *source)
{
	copy->heap = calloc(1, sizeof(*copy->heap));
	if (!copy->heap)
		return memtool_error_no_memory;
	copy->heap->layout = *source->layout;
	copy->heap->audit.live = source->live;
	copy->layout = &copy->heap->layout;
	copy->memory = source->memory;
	copy->anonymous = source->anonymous;
	copy->anonymous_count = count_addressable(source->anonymous, source->anonymous_count);
	copy->orphans = source->orphans;
	copy->orphan_count = source->orphan_count;
	copy->other_books = source->other_books;
	copy->other_books_count = source->other_books_count;
	copy->live = source->live;
	copy->threads = source->threads;
	copy->counted = progress_memory(source->memory, &copy->chunks.count, source->progress,
					source->progress_context);
	if (source->progress)
		copy->memory = &copy->counted.memory;
	return copy_roots(source->roots, &copy->heap->roots);
}

/* What is borrowed of the source is not there any longer. */
static void end_copy(struct heap_copy *copy)
{
	copy->memory = NULL;
	copy->anonymous = NULL;
	copy->anonymous_count = 0;
	copy->orphans = NULL;
	copy->orphan_count = 0;
	copy->other_books = NULL;
	copy->other_books_count = 0;
}

static struct memtool_error *copy_all_chunks(struct heap_copy *copy)
{
	for (size_t i = 0; i < copy->segments.count; i++)
		copy->counted.progress.bytes_total += range_size(copy->segments.data[i].range);
	struct memtool_error *error = copy_mmapped(copy);
	if (!error)
		error = walk_parts_pay(copy) ? copy_parts(copy) : copy_chunks(copy);
	if (!error && copy->live)
		error = copy_late(copy);
	return error;
}

struct memtool_error *heap_copy(const struct heap_source *source, struct heap_copy **ret)
{
	_cleanup_(cleanup_heap_copy) struct heap_copy *copy = calloc(1, sizeof(*copy));
	if (!copy)
		return memtool_error_no_memory;

	struct memtool_error *error = begin_copy(copy, source);
	if (!error)
		error = copy_tls(copy);
	if (!error)
		error = copy_layout(copy, source);
	if (!error)
		error = copy_params(copy);
	if (!error)
		error = copy_arenas(copy);
	if (!error)
		error = copy_threads(copy);
	if (!error)
		error = copy_orphans(copy);
	if (!error)
		error = copy_segments(copy);
	if (!error)
		error = copy_all_chunks(copy);
	if (error)
		return error;
	end_copy(copy);
	*ret = no_cleanup_ptr(copy);
	return NULL;
}

void heap_copy_destroy(struct heap_copy *copy)
{
	if (!copy)
		return;
	heap_destroy(copy->heap);
	walk_parts_destroy(copy->parts);
	chunk_array_deinit(&copy->chunks);
	arena_array_deinit(&copy->arenas);
	arena_bytes_array_deinit(&copy->arena_bytes);
	segment_array_deinit(&copy->segments);
	tcache_bytes_array_deinit(&copy->tcaches);
	mmapped_array_deinit(&copy->mmapped);
	single_links_deinit(&copy->single_links);
	single_links_deinit(&copy->late_tcached);
	single_links_deinit(&copy->late_fast);
	double_links_deinit(&copy->double_links);
	free(copy);
}

/* Hands the finished arrays over to the heap. */
static void move_arrays(struct heap_copy *copy)
{
	struct heap *heap = copy->heap;

	heap->chunks = no_cleanup_ptr(copy->chunks.data);
	heap->chunk_count = copy->chunks.count;
	heap->arenas = no_cleanup_ptr(copy->arenas.data);
	heap->arena_count = copy->arenas.count;
	heap->segments = no_cleanup_ptr(copy->segments.data);
	heap->segment_count = copy->segments.count;
	for (size_t i = 0; i < heap->segment_count; i++)
		heap->arenas[heap->segments[i].arena].segment_count++;
	heap->mmapped_count = copy->mmapped.count;
	for (size_t i = 0; i < copy->mmapped.count; i++)
		heap->mmapped_bytes += range_size(copy->mmapped.data[i].range);
}

static void add_up(struct heap *heap)
{
	for (size_t i = 0; i < heap->chunk_count; i++) {
		const struct chunk *chunk = &heap->chunks[i];
		uint64_t size = chunk_size(chunk);

		heap->tally[chunk->state].count++;
		heap->tally[chunk->state].bytes += size;
		if (chunk->arena != CHUNK_NO_ARENA) {
			heap->arenas[chunk->arena].tally[chunk->state].count++;
			heap->arenas[chunk->arena].tally[chunk->state].bytes += size;
		}
		if (chunk->state == CHUNK_TCACHE) {
			heap->threads[chunk->thread].tcached.count++;
			heap->threads[chunk->thread].tcached.bytes += size;
		}
	}
}

struct memtool_error *heap_finish(struct heap_copy *taken, struct heap **ret)
{
	_cleanup_(cleanup_heap_copy) struct heap_copy *copy = taken;

	if (copy->parts && !walk_parts_join(copy))
		return memtool_error_no_memory;
	/* 16 bytes each: memtool itself holds 64 GiB of them by then. */
	if (copy->chunks.count > UINT32_MAX)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "the heap has more than 4 billion chunks");
	move_arrays(copy);
	struct memtool_error *error = tag_lists(copy);
	if (error)
		return error;
	add_up(copy->heap);
	audit_books(copy);
	audit_conclude(&copy->heap->audit);
	*ret = no_cleanup_ptr(copy->heap);
	return NULL;
}
