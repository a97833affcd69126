/* SPDX-License-Identifier: Apache-2.0 */
/* More of heap_builder.h: free lists, threads with their tcaches, and mmapped chunks. */
#include "heap_builder.h"

#include "support/range.h"

#include <string.h>

/* Lists */

static uint64_t size_of(struct heap_builder *b, uint64_t chunk)
{
	return builder_get(b, chunk + 8) & ~(uint64_t)GLIBC_SIZE_BITS;
}

/* The ring through the first chunk of each size of a large bin, biggest first. */
static void link_nextsize(struct builder_arena *arena, uint64_t chunk, uint64_t before,
			  uint32_t bin)
{
	struct heap_builder *b = arena->builder;
	uint64_t head = builder_bin_at(arena, bin);
	uint64_t first = builder_get(b, head + 16);
	uint64_t next = chunk;
	uint64_t last = chunk;

	if (before != head && size_of(b, before) == size_of(b, chunk)) {
		builder_set(b, chunk + 32, 0);
		builder_set(b, chunk + 40, 0);
		return;
	}
	if (before != head) {
		assert_true(size_of(b, before) > size_of(b, chunk));
		next = first;
		last = builder_get(b, first + 40);
		builder_set(b, first + 40, chunk);
		builder_set(b, last + 32, chunk);
	}
	builder_set(b, chunk + 32, next);
	builder_set(b, chunk + 40, last);
}

void builder_link(struct builder_arena *arena, uint64_t chunk, uint32_t bin)
{
	struct heap_builder *b = arena->builder;
	uint64_t head = builder_bin_at(arena, bin);
	uint64_t before = builder_get(b, head + 24);
	uint64_t map = arena->address + b->layout->malloc_state.binmap + bin / 32 * 4;

	if (bin >= 64)
		link_nextsize(arena, chunk, before, bin);
	builder_set(b, chunk + 16, head);
	builder_set(b, chunk + 24, before);
	builder_set(b, before + 16, chunk);
	builder_set(b, head + 24, chunk);
	if (bin > 1)
		*(uint32_t *)builder_at(b, map, 4) |= UINT32_C(1) << bin % 32;
	builder_item_at(b, chunk)->state = bin == 1   ? CHUNK_UNSORTED
					   : bin < 64 ? CHUNK_SMALLBIN
						      : CHUNK_LARGEBIN;
}

uint64_t builder_protect(const struct heap_builder *b, uint64_t address, uint64_t next)
{
	return b->layout->safe_linking ? next ^ address >> 12 : next;
}

void builder_fastbin(struct builder_arena *arena, uint64_t chunk)
{
	struct heap_builder *b = arena->builder;
	uint64_t head = arena->address + b->layout->malloc_state.fastbinsY +
			(size_of(b, chunk) / 16 - 2) * 8;

	builder_set(b, chunk + 16, builder_protect(b, chunk + 16, builder_get(b, head)));
	builder_set(b, head, chunk);
	arena->fastchunks = true;
	builder_write_flags(arena);
	builder_item_at(b, chunk)->state = CHUNK_FASTBIN;
}

uint64_t builder_tcache_entry(const struct builder_thread *thread, uint32_t bin)
{
	return thread->tcache + thread->builder->layout->tcache.entries + bin * 8;
}

void builder_tcache_lie(struct builder_thread *thread, uint32_t bin, int delta)
{
	const struct glibc_layout *layout = thread->builder->layout;
	uint8_t size = layout->tcache.count_size;
	uint8_t *counter = builder_at(thread->builder,
				      thread->tcache + layout->tcache.counts + bin * size, size);
	int change = layout->tcache.counts_down ? -delta : delta;

	if (size == 1)
		*counter = (uint8_t)(*counter + change);
	else
		*(uint16_t *)counter = (uint16_t)(*(uint16_t *)counter + change);
}

static uint32_t tcache_bin(uint64_t size)
{
	uint32_t bin = GLIBC_TCACHE_SMALL_BINS;

	if (size <= 0x410)
		return (uint32_t)(size / 16 - 2);
	for (uint64_t limit = 0x800; size >= limit; limit *= 2)
		bin++;
	return bin;
}

void builder_tcache(struct builder_thread *thread, uint64_t chunk)
{
	struct heap_builder *b = thread->builder;
	uint32_t bin = tcache_bin(size_of(b, chunk));
	uint64_t entry = builder_tcache_entry(thread, bin);
	struct builder_item *item = builder_item_at(b, chunk);

	assert_true(bin < b->layout->tcache.bins);
	builder_set(b, chunk + 16, builder_protect(b, chunk + 16, builder_get(b, entry)));
	if (b->layout->tcache.key)
		builder_set(b, chunk + 24, thread->tcache);
	builder_set(b, entry, chunk + 16);
	builder_tcache_lie(thread, bin, 1);
	item->state = CHUNK_TCACHE;
	item->thread = thread->index;
}

/* Threads */

uint64_t builder_tcache_slot(const struct builder_thread *thread)
{
	return thread->fs_base + thread->builder->roots.tcache.value;
}

struct builder_thread *builder_thread(struct heap_builder *b, pid_t tid,
				      struct builder_arena *arena)
{
	uint64_t page = BUILDER_STACKS + b->thread_count * UINT64_C(0x10000);
	struct builder_thread *thread = &b->threads[b->thread_count];

	assert_true(b->thread_count < BUILDER_THREADS);
	*thread = (struct builder_thread){
		.builder = b,
		.index = b->thread_count,
		.fs_base = page + 0x740,
	};
	b->root_threads[b->thread_count++] =
		(struct root_thread){ .tid = tid, .fs_base = thread->fs_base };
	b->roots.thread_count = b->thread_count;

	builder_map(b, page, 2 * BUILDER_PAGE, true);
	builder_set(b, thread->fs_base, thread->fs_base);
	builder_set(b, thread->fs_base + 16, thread->fs_base);
	builder_set32(b, thread->fs_base + 0x2d0, (uint32_t)tid);
	if (b->layout->tcache.dummy)
		builder_set(b, builder_tcache_slot(thread), BUILDER_LIBC + 0x100);
	if (arena) {
		builder_set(b, thread->fs_base + b->roots.thread_arena.value, arena->address);
		builder_set_state(arena, b->layout->malloc_state.attached_threads,
				  ++arena->threads);
	}
	return thread;
}

void builder_fork(struct heap_builder *b)
{
	b->orphan_count = b->thread_count - 1;
	for (uint32_t i = 0; i < b->orphan_count; i++)
		b->orphans[i] = b->threads[i + 1].fs_base;
	b->thread_count = 1;
	b->roots.thread_count = 1;
}

uint64_t builder_tcache_struct(struct builder_thread *thread, struct builder_arena *arena)
{
	uint64_t size = align_up(thread->builder->layout->tcache.size + 8u, 16);
	uint64_t chunk = builder_chunk(arena, size);

	builder_tcache_struct_at(thread, chunk);
	return chunk;
}

void builder_tcache_struct_at(struct builder_thread *thread, uint64_t chunk)
{
	struct heap_builder *b = thread->builder;
	const struct glibc_layout *layout = b->layout;

	thread->tcache = chunk + 16;
	memset(builder_at(b, thread->tcache, layout->tcache.size), 0, layout->tcache.size);
	for (uint32_t bin = 0; layout->tcache.counts_down && bin < layout->tcache.bins; bin++)
		builder_tcache_lie(thread, bin, -(int)b->tcache_count);
	builder_set(b, builder_tcache_slot(thread), thread->tcache);
	builder_item_at(b, chunk)->state = CHUNK_TCACHE_STRUCT;
	builder_item_at(b, chunk)->thread = thread->index;
}

uint64_t builder_mmapped(struct heap_builder *b, uint64_t base, uint64_t total, uint64_t lead,
			 bool hugetlb)
{
	uint64_t header = b->layout->mmapped_header_apart ? 16 : 0;
	uint64_t n_mmaps = b->mp + b->layout->malloc_par.n_mmaps;
	uint64_t chunk = base + lead;

	builder_map(b, base, total, true);
	builder_set(b, base, hugetlb);
	builder_set(b, base + 8, (total - header) | GLIBC_IS_MMAPPED);
	builder_noise(b, chunk + 16, 48);
	builder_set(b, chunk, lead | hugetlb);
	builder_set(b, chunk + 8, (total - lead - header) | GLIBC_IS_MMAPPED);
	builder_set32(b, n_mmaps, (uint32_t)builder_get(b, n_mmaps) + 1);
	b->mmapped_bytes += total;
	builder_set(b, b->mp + b->layout->malloc_par.mmapped_mem, b->mmapped_bytes);
	/* What chunksize() says of it; from 2.43 on its mapping is 16 bytes longer. */
	builder_add_item(b, chunk, total - lead - header, CHUNK_MMAPPED, BUILDER_NONE);
	return chunk;
}
