/* SPDX-License-Identifier: Apache-2.0 */
#include "heap_builder.h"

#include "support/range.h"

#include <inttypes.h>
#include <string.h>

#define PREV_INUSE GLIBC_PREV_INUSE

/* Memory */

static void insert_region(struct heap_builder *b, struct memory_region region)
{
	size_t i = b->region_count;

	assert_true(b->region_count < BUILDER_REGIONS);
	for (; i > 0 && b->regions[i - 1].address > region.address; i--)
		b->regions[i] = b->regions[i - 1];
	if (i > 0)
		assert_true(b->regions[i - 1].address + b->regions[i - 1].length <= region.address);
	b->regions[i] = region;
	b->region_count++;
}

static void insert_anonymous(struct heap_builder *b, struct range range)
{
	size_t i = b->anonymous_count;

	assert_true(b->anonymous_count < BUILDER_REGIONS);
	for (; i > 0 && b->anonymous[i - 1].start > range.start; i--)
		b->anonymous[i] = b->anonymous[i - 1];
	b->anonymous[i] = range;
	b->anonymous_count++;
}

void builder_map(struct heap_builder *b, uint64_t address, uint64_t length, bool anonymous)
{
	assert_int_equal((address | length) % BUILDER_PAGE, 0);
	assert_true(b->owned_count < BUILDER_REGIONS);
	void *bytes = calloc(1, length);
	assert_non_null(bytes);
	b->owned[b->owned_count++] = bytes;
	insert_region(b, (struct memory_region){ address, length, bytes });
	if (anonymous)
		insert_anonymous(b, (struct range){ address, address + length });
}

void builder_map_absent(struct heap_builder *b, uint64_t address, uint64_t length)
{
	assert_int_equal(range_size(b->absent), 0);
	b->absent = (struct range){ address, address + length };
	insert_anonymous(b, b->absent);
}

static size_t find_region(struct heap_builder *b, uint64_t address, size_t length)
{
	for (size_t i = 0; i < b->region_count; i++) {
		const struct memory_region *region = &b->regions[i];
		if (address >= region->address && address - region->address < region->length &&
		    length <= region->length - (address - region->address))
			return i;
	}
	fail_msg("the image has no 0x%zx bytes at 0x%" PRIx64, length, address);
	return 0;
}

void builder_unmap(struct heap_builder *b, uint64_t address, uint64_t length)
{
	struct memory_region *region = &b->regions[find_region(b, address, length)];
	size_t before = address - region->address;
	struct memory_region rest = { address + length, region->length - before - length,
				      (const char *)region->bytes + before + length };

	region->length = before;
	if (rest.length)
		insert_region(b, rest);
}

void *builder_at(struct heap_builder *b, uint64_t address, size_t length)
{
	const struct memory_region *region = &b->regions[find_region(b, address, length)];

	return (char *)(uintptr_t)region->bytes + (address - region->address);
}

uint64_t builder_get(struct heap_builder *b, uint64_t address)
{
	uint64_t value;

	memcpy(&value, builder_at(b, address, sizeof(value)), sizeof(value));
	return value;
}

void builder_set(struct heap_builder *b, uint64_t address, uint64_t value)
{
	memcpy(builder_at(b, address, sizeof(value)), &value, sizeof(value));
}

void builder_set32(struct heap_builder *b, uint64_t address, uint32_t value)
{
	memcpy(builder_at(b, address, sizeof(value)), &value, sizeof(value));
}

/* What a program leaves in its memory: anything. */
void builder_noise(struct heap_builder *b, uint64_t address, uint64_t length)
{
	for (uint64_t at = address; at < address + length; at += 8) {
		b->noise = b->noise * UINT64_C(6364136223846793005) + 1442695040888963407;
		builder_set(b, at, b->noise);
	}
}

/* libc's data */

void builder_add_item(struct heap_builder *b, uint64_t address, uint64_t size,
		      enum chunk_state state, uint32_t arena)
{
	const struct builder_item item = { address, size, state, arena, BUILDER_NONE };

	assert_true(builder_items_append(&b->items, &item));
}

struct builder_item *builder_item_at(struct heap_builder *b, uint64_t address)
{
	for (size_t i = 0; i < b->items.count; i++) {
		if (b->items.data[i].address == address)
			return &b->items.data[i];
	}
	fail_msg("nothing was built at 0x%" PRIx64, address);
	return NULL;
}

uint64_t builder_bin_at(const struct builder_arena *arena, uint32_t bin)
{
	/* The links of bin 1 are the first of bins[], and a bin poses as a chunk. */
	return arena->address + arena->builder->layout->malloc_state.bins + (bin - 1) * 16 - 16;
}

void builder_set_state(struct builder_arena *arena, uint16_t offset, uint64_t value)
{
	builder_set(arena->builder, arena->address + offset, value);
}

void builder_init_bins(struct builder_arena *arena)
{
	const struct glibc_layout *layout = arena->builder->layout;

	for (uint32_t bin = 1; bin < GLIBC_NBINS; bin++) {
		builder_set(arena->builder, builder_bin_at(arena, bin) + 16,
			    builder_bin_at(arena, bin));
		builder_set(arena->builder, builder_bin_at(arena, bin) + 24,
			    builder_bin_at(arena, bin));
	}
	builder_set_state(arena, layout->malloc_state.top, builder_bin_at(arena, 1));
}

/* The flags of 2.26 say by bit 0 that there are no chunks in fastbins; later there is a word. */
void builder_write_flags(struct builder_arena *arena)
{
	const struct glibc_layout *layout = arena->builder->layout;
	uint32_t flags = arena->noncontiguous ? GLIBC_NONCONTIGUOUS_BIT : 0;

	if (layout->malloc_state.have_fastchunks != GLIBC_ABSENT)
		builder_set32(arena->builder, arena->address + layout->malloc_state.have_fastchunks,
			      arena->fastchunks);
	else if (layout->malloc_state.fastbinsY != GLIBC_ABSENT)
		flags |= !arena->fastchunks;
	builder_set32(arena->builder, arena->address + layout->malloc_state.flags, flags);
}

void heap_builder_init(struct heap_builder *b, const struct glibc_layout *layout)
{
	*b = (struct heap_builder){
		.layout = layout,
		.mp = BUILDER_LIBC + 0x1340,
		.tcache_count = layout->tcache.dummy ? 16 : 7,
		.arena_count = 1,
		.noise = 1,
	};
	b->arenas[0] = (struct builder_arena){ .builder = b, .address = BUILDER_LIBC + 0x1c60 };
	b->roots = (struct malloc_roots){
		.main_arena = { b->arenas[0].address, ROOT_SYMBOLS },
		.mp = { b->mp, ROOT_SYMBOLS },
		.tcache = { (uint64_t)-0x50, ROOT_SYMBOLS },
		.thread_arena = { (uint64_t)-0x40, ROOT_SYMBOLS },
		.threads = b->root_threads,
	};

	builder_map(b, BUILDER_LIBC, 3 * BUILDER_PAGE, false);
	builder_add_item(b, b->arenas[0].address, layout->malloc_state.size, CHUNK_MALLOC_STATE, 0);
	builder_set_state(&b->arenas[0], layout->malloc_state.next, b->arenas[0].address);
	builder_set_state(&b->arenas[0], layout->malloc_state.attached_threads, 1);
	if (layout->tcache.counts_down)
		builder_init_bins(&b->arenas[0]);

	builder_set(b, b->mp + layout->malloc_par.mmap_threshold, 0x20000);
	builder_set32(b, b->mp + layout->malloc_par.n_mmaps_max, 65536);
	builder_set(b, b->mp + layout->malloc_par.tcache_bins, GLIBC_TCACHE_SMALL_BINS);
	builder_set(b, b->mp + layout->malloc_par.tcache_max_bytes,
		    layout->tcache.dummy ? 0x411 : 0x408);
	builder_set(b, b->mp + layout->malloc_par.tcache_count, b->tcache_count);
}

void heap_builder_deinit(struct heap_builder *b)
{
	heap_destroy(b->heap);
	for (size_t i = 0; i < b->owned_count; i++)
		free(b->owned[i]);
	builder_items_deinit(&b->items);
	builder_ranges_deinit(&b->segments);
}

void builder_reset(struct heap_builder *b)
{
	const struct glibc_layout *layout = b->layout;

	heap_builder_deinit(b);
	heap_builder_init(b, layout);
}

/* Arenas */

static void add_system_mem(struct builder_arena *arena, uint64_t bytes)
{
	const struct glibc_layout *layout = arena->builder->layout;

	arena->system_mem += bytes;
	builder_set_state(arena, layout->malloc_state.system_mem, arena->system_mem);
	builder_set_state(arena, layout->malloc_state.max_system_mem, arena->system_mem);
}

static void begin_segment(struct builder_arena *arena, uint64_t start, uint64_t first, uint64_t end)
{
	const struct range range = { start, end };

	assert_int_equal(arena->free_size, 0);
	assert_true(builder_ranges_append(&arena->builder->segments, &range));
	arena->cursor = first;
	arena->end = end;
}

static void begin_main(struct heap_builder *b, uint64_t start, bool noncontiguous)
{
	struct builder_arena *arena = &b->arenas[0];

	if (arena->end == 0) {
		builder_init_bins(arena);
		builder_set(b, b->mp + b->layout->malloc_par.sbrk_base, start);
	}
	arena->noncontiguous |= noncontiguous;
	builder_write_flags(arena);
}

struct builder_arena *builder_sbrk(struct heap_builder *b, uint64_t start, uint64_t end)
{
	struct builder_arena *arena = &b->arenas[0];
	uint64_t from = arena->end ? arena->end : start;

	/* What others took by sbrk in between counts as system_mem, too. */
	begin_main(b, start, false);
	builder_map(b, align_down(from, BUILDER_PAGE), end - align_down(from, BUILDER_PAGE), true);
	add_system_mem(arena, end - from);
	arena->gap += align_up(start, 16) - from;
	begin_segment(arena, align_up(start, 16), align_up(start, 16), end);
	return arena;
}

struct builder_arena *builder_mmap_morecore(struct heap_builder *b, uint64_t start, uint64_t end)
{
	struct builder_arena *arena = &b->arenas[0];

	begin_main(b, start, true);
	builder_map(b, start, end - start, true);
	add_system_mem(arena, end - start);
	begin_segment(arena, start, start, end);
	return arena;
}

static void init_heap(struct builder_arena *arena, uint64_t heap, uint64_t size)
{
	struct heap_builder *b = arena->builder;
	const struct glibc_layout *layout = b->layout;

	/* Of 8 MiB where hugetlb=2 makes heaps smaller. */
	assert_int_equal(heap % (UINT64_C(8) << 20), 0);
	builder_map(b, heap, size, true);
	builder_set(b, heap + layout->heap_info.ar_ptr, arena->address);
	builder_set(b, heap + layout->heap_info.prev, arena->heap);
	builder_set(b, heap + layout->heap_info.size_field, size);
	builder_set(b, heap + layout->heap_info.mprotect_size, size);
	if (layout->heap_info.size > 32)
		builder_set(b, heap + 32, BUILDER_PAGE); /* pagesize, from 2.35 */
	arena->heap = heap;
	builder_add_item(b, heap, layout->heap_info.size, CHUNK_HEAP_INFO, arena->index);
	add_system_mem(arena, size);
}

struct builder_arena *builder_arena(struct heap_builder *b, uint64_t heap, uint64_t size)
{
	const struct glibc_layout *layout = b->layout;
	uint16_t next = layout->malloc_state.next;
	struct builder_arena *arena = &b->arenas[b->arena_count];
	uint64_t state = heap + layout->heap_info.size;
	uint64_t first = align_up(state + layout->malloc_state.size, 16);

	assert_true(b->arena_count < BUILDER_ARENAS);
	*arena = (struct builder_arena){ .builder = b, .index = b->arena_count, .address = state };
	b->arena_count++;
	init_heap(arena, heap, size);
	builder_init_bins(arena);
	arena->noncontiguous = true;
	builder_write_flags(arena);
	builder_set_state(arena, next, builder_get(b, b->arenas[0].address + next));
	builder_set_state(&b->arenas[0], next, state);
	builder_add_item(b, state, layout->malloc_state.size, CHUNK_MALLOC_STATE, arena->index);
	arena->gap = first - (state + layout->malloc_state.size);
	begin_segment(arena, heap, first, heap + size);
	return arena;
}

void builder_heap(struct builder_arena *arena, uint64_t heap, uint64_t size)
{
	init_heap(arena, heap, size);
	begin_segment(arena, heap, heap + arena->builder->layout->heap_info.size, heap + size);
}

/* Chunks */

/* Writes the header of the chunk at the cursor, and moves on. */
static uint64_t put_chunk(struct builder_arena *arena, uint64_t size, uint64_t bits)
{
	uint64_t chunk = arena->cursor;

	assert_true(chunk + size <= arena->end);
	if (arena->free_size)
		builder_set(arena->builder, chunk, arena->free_size);
	else
		bits |= PREV_INUSE;
	builder_set(arena->builder, chunk + 8, size | bits);
	arena->cursor += size;
	arena->free_size = 0;
	return chunk;
}

uint64_t builder_chunk(struct builder_arena *arena, uint64_t size)
{
	uint64_t chunk = put_chunk(arena, size, arena->index ? GLIBC_NON_MAIN_ARENA : 0);

	assert_true(size >= GLIBC_MINSIZE && size % 16 == 0);
	/* The last word of user data is the prev_size of the next chunk. */
	builder_noise(arena->builder, chunk + 16, size - 8 < 56 ? size - 8 : 56);
	if (arena->cursor < arena->end)
		builder_noise(arena->builder, arena->cursor, 8);
	builder_add_item(arena->builder, chunk, size, CHUNK_IN_USE, arena->index);
	return chunk;
}

uint64_t builder_hole(struct builder_arena *arena, uint64_t size)
{
	/* glibc would have merged it with a free neighbour. */
	assert_int_equal(arena->free_size, 0);
	uint64_t chunk = put_chunk(arena, size, 0);

	builder_add_item(arena->builder, chunk, size, CHUNK_UNLISTED, arena->index);
	arena->free_size = size;
	return chunk;
}

uint64_t builder_fill(struct builder_arena *arena, uint64_t address)
{
	return builder_chunk(arena, address - arena->cursor);
}

uint64_t builder_top(struct builder_arena *arena)
{
	uint64_t size = arena->end - arena->cursor;

	/* A chunk before top is never free: it would be part of it. */
	assert_int_equal(arena->free_size, 0);
	assert_true(size >= GLIBC_MINSIZE);
	uint64_t top = put_chunk(arena, size, 0);

	builder_set_state(arena, arena->builder->layout->malloc_state.top, top);
	builder_add_item(arena->builder, top, size, CHUNK_TOP, arena->index);
	return top;
}

static void put_fencepost(struct builder_arena *arena, uint64_t size)
{
	uint64_t chunk = put_chunk(arena, size, 0);

	builder_add_item(arena->builder, chunk, size, CHUNK_FENCEPOST, arena->index);
}

/* The end of a heap: a header that says 0 in the last 16 bytes, and its prev_size as a foot. */
static void put_heap_end(struct builder_arena *arena, uint64_t foot)
{
	builder_set(arena->builder, arena->cursor, foot);
	builder_set(arena->builder, arena->cursor + 8, PREV_INUSE);
	builder_add_item(arena->builder, arena->cursor, 16, CHUNK_FENCEPOST, arena->index);
	arena->cursor += 16;
}

static uint64_t fence(struct builder_arena *arena, bool used)
{
	uint64_t old_size = arena->end - arena->cursor - 32;
	uint64_t chunk = 0;

	assert_true(arena->end - arena->cursor >= GLIBC_MINSIZE);
	if (old_size >= GLIBC_MINSIZE)
		chunk = used ? builder_chunk(arena, old_size) : builder_hole(arena, old_size);
	if (arena->index == 0) {
		/* A rest of 16 bytes keeps its header: three fenceposts then. */
		while (arena->cursor < arena->end)
			put_fencepost(arena, 16);
	} else {
		/* Such a rest makes a heap's first fencepost one of 32 bytes. */
		uint64_t size = arena->end - arena->cursor - 16;
		put_fencepost(arena, size);
		put_heap_end(arena, size);
	}
	return chunk;
}

uint64_t builder_fence(struct builder_arena *arena)
{
	return fence(arena, false);
}

uint64_t builder_fence_used(struct builder_arena *arena)
{
	return fence(arena, true);
}
