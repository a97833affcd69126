/* SPDX-License-Identifier: Apache-2.0 */
/* Where heaps and regions begin and end, and chunks that lie across the borders of bulk reads. */
#include "heap_builder.h"

#include "support/range.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

static struct builder_arena *small_main(struct heap_builder *b)
{
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);

	builder_thread(b, 100, arena);
	builder_chunk(arena, 0x40);
	return arena;
}

static struct builder_arena *topped_main(struct heap_builder *b)
{
	struct builder_arena *arena = small_main(b);

	builder_top(arena);
	return arena;
}

/* Nothing was allocated yet: all zero up to 2.41, ready bins and a top inside the arena later. */
static void test_before_first_malloc(void **state)
{
	struct heap_builder *b = *state;
	builder_thread(b, 100, NULL);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->chunk_count, 1);
	assert_int_equal(b->heap->segment_count, 0);
	assert_int_equal(b->heap->arenas[0].top, 0);
	assert_int_equal(b->heap->arenas[0].attached_threads, 1);
}

/* Ready bins, but all that was asked for so far went into mappings. */
static void test_only_mmapped(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = &b->arenas[0];

	builder_thread(b, 100, arena);
	builder_init_bins(arena);
	builder_mmapped(b, BUILDER_MMAP, 0x31000, 0, false);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->arenas[0].top, 0);
}

static void test_empty_arena(void **state)
{
	struct heap_builder *b = *state;
	topped_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);
	uint64_t top = builder_top(arena);

	/* No thread has it: it is on the free list. */
	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->arenas[1].attached_threads, 0);
	assert_int_equal(b->heap->arenas[1].top, top);
	assert_int_equal(b->heap->arenas[1].tally[CHUNK_IN_USE].count, 0);
}

/* More arenas than threads, some of them at higher addresses than the next in the ring. */
static void test_many_arenas(void **state)
{
	static const unsigned int places[] = { 4, 1, 6, 3, 0, 5 };
	struct heap_builder *b = *state;
	topped_main(b);

	for (size_t i = 0; i < 6; i++) {
		uint64_t heap = BUILDER_HEAPS + places[i] * GLIBC_DEFAULT_HEAP_MAX;
		struct builder_arena *arena = builder_arena(b, heap, 0x21000 + i * 0x1000);
		builder_chunk(arena, 0x20 + i * 16);
		builder_top(arena);
	}
	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->segment_count, 7);
}

/* The smallest top: the region is full. */
static void test_smallest_top(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *main_arena = small_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);

	builder_fill(main_arena, main_arena->end - 0x20);
	builder_fill(arena, arena->end - 0x20);
	builder_top(main_arena);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->tally[CHUNK_TOP].bytes, 0x40);
}

/* A heap that reached up to its 64 MiB limit can be followed by the next one without a gap. */
static void test_adjacent_heaps(void **state)
{
	struct heap_builder *b = *state;
	topped_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, GLIBC_DEFAULT_HEAP_MAX);
	builder_fill(arena, BUILDER_HEAPS + 40 * MIB);
	builder_link(arena, builder_fence(arena), 1);
	builder_heap(arena, BUILDER_HEAPS + GLIBC_DEFAULT_HEAP_MAX, 0x21000);
	builder_chunk(arena, 0x30);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->arenas[1].segment_count, 2);
}

/*
 * What sysmalloc leaves of an old top of room bytes, at the end of a heap or of a region of
 * main_arena. links says how what is left of it is listed.
 */
static void end_segment(struct builder_arena *arena, uint64_t room)
{
	builder_fill(arena, arena->end - room);
	uint64_t chunk = builder_fence(arena);
	if (chunk)
		builder_link(arena, chunk, 1);
}

static const uint64_t rooms[] = { 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x1000, 0x8000 };

#define ROOMS (sizeof(rooms) / sizeof(rooms[0]))

static void assert_heap_ends(struct heap_builder *b, uint64_t room)
{
	/* 0x10 and 0x10, or what is left of an old top of 0x30 and 0x10. */
	uint64_t end = BUILDER_HEAPS + 0x21000;
	uint64_t first = room == 0x30 ? 0x20 : 0x10;

	builder_assert_item(b, end - 0x10 - first, CHUNK_FENCEPOST, first);
	builder_assert_item(b, end - 0x10, CHUNK_FENCEPOST, 0x10);
}

static void test_heap_ends(struct heap_builder *b, uint64_t room)
{
	topped_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);
	end_segment(arena, room);
	builder_heap(arena, BUILDER_HEAPS + 2 * GLIBC_DEFAULT_HEAP_MAX, 0x30000);
	uint64_t first = builder_chunk(arena, 0x40);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_heap_ends(b, room);
	/* The first chunk of a heap other than the first lies right behind its heap_info. */
	assert_int_equal(first,
			 BUILDER_HEAPS + 2 * GLIBC_DEFAULT_HEAP_MAX + b->layout->heap_info.size);
	builder_assert_item(b, first, CHUNK_IN_USE, 0x40);
}

/* Each form needs an image of its own. */
static void each_room(struct heap_builder *b, void (*test)(struct heap_builder *b, uint64_t room))
{
	for (size_t i = 0; i < ROOMS; i++) {
		builder_reset(b);
		test(b, rooms[i]);
	}
}

static void test_ends_of_heaps(void **state)
{
	each_room(*state, test_heap_ends);
}

/* What is left of an old top goes where free() puts it: into a tcache or a fastbin, too. */
static void test_cached_end(struct heap_builder *b, uint64_t room)
{
	bool fastbins = b->layout->malloc_state.fastbinsY != GLIBC_ABSENT;
	struct builder_arena *main_arena = small_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);
	struct builder_thread *thread = builder_thread(b, 101, arena);
	builder_tcache_struct(thread, arena);
	builder_top(main_arena);
	builder_fill(arena, arena->end - room);
	uint64_t chunk = builder_fence_used(arena);
	if (chunk && room <= 0x410)
		builder_tcache(thread, chunk);
	builder_heap(arena, BUILDER_HEAPS + GLIBC_DEFAULT_HEAP_MAX, 0x21000);
	builder_fill(arena, arena->end - room);
	chunk = builder_fence_used(arena);
	if (chunk && room <= 0x80 && fastbins)
		builder_fastbin(arena, chunk);
	builder_heap(arena, BUILDER_HEAPS + 2 * GLIBC_DEFAULT_HEAP_MAX, 0x21000);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_heap_ends(b, room);
}

static void test_cached_ends_of_heaps(void **state)
{
	each_room(*state, test_cached_end);
}

/* A chain of heaps, the newest of them below the older ones. */
static void test_heap_chain(void **state)
{
	static const unsigned int places[] = { 5, 6, 2, 9, 1, 0 };
	struct heap_builder *b = *state;
	topped_main(b);
	struct builder_arena *arena =
		builder_arena(b, BUILDER_HEAPS + places[0] * GLIBC_DEFAULT_HEAP_MAX, 0x21000);

	for (size_t i = 1; i < 6; i++) {
		builder_chunk(arena, 0x1230);
		end_segment(arena, rooms[i]);
		builder_heap(arena, BUILDER_HEAPS + places[i] * GLIBC_DEFAULT_HEAP_MAX,
			     0x20000 + i * 0x1000);
	}
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->arenas[1].segment_count, 6);
}

/* hugetlb=2 makes heaps smaller in some releases: 4 huge pages of 2 MiB. */
static void test_hugetlb_heaps(void **state)
{
	struct heap_builder *b = *state;

	if (!b->layout->heap_max_follows_hugetlb)
		skip();
	builder_set(b, b->mp + b->layout->malloc_par.hp_pagesize, 2 * MIB);
	topped_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 2 * MIB);
	builder_link(arena, builder_fence(arena), 1);
	builder_heap(arena, BUILDER_HEAPS + 8 * MIB, 4 * MIB);
	builder_chunk(arena, 0x90);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->params.heap_max, 8 * MIB);
}

/* A heap that was shrunk: readable beyond its size, where old chunks are left. */
static void test_shrunk_heap(void **state)
{
	struct heap_builder *b = *state;
	topped_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);
	builder_chunk(arena, 0x30);
	builder_top(arena);
	builder_map(b, BUILDER_HEAPS + 0x21000, 0x10000, true);
	builder_noise(b, BUILDER_HEAPS + 0x21000, 0x10000);
	builder_set(b, BUILDER_HEAPS + b->layout->heap_info.mprotect_size, 0x31000);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->segments[1].mapped_end, BUILDER_HEAPS + 0x31000);
	assert_int_equal(b->heap->segments[1].range.end, BUILDER_HEAPS + 0x21000);
}

/* sbrk_base behind what others took, 16-aligned or only 8-aligned. */
static void test_sbrk_base(void **state)
{
	static const uint64_t offsets[] = { 0xd40, 0x388, 0x8, 0xff8 };
	struct heap_builder *b = *state;

	for (size_t i = 0; i < 4; i++) {
		builder_reset(b);
		struct builder_arena *arena =
			builder_sbrk(b, BUILDER_SBRK + offsets[i], BUILDER_SBRK + 0x22000);
		builder_thread(b, 100, arena);
		builder_noise(b, BUILDER_SBRK, offsets[i]);
		uint64_t chunk = builder_chunk(arena, 0x20);
		builder_top(arena);

		builder_read(b);
		builder_assert_clean(b);
		assert_int_equal(chunk, BUILDER_SBRK + align_up(offsets[i], 16));
		assert_int_equal(b->heap->arenas[0].gap_bytes, offsets[i] % 16);
	}
}

/* Someone else's sbrk of gap bytes cut main_arena in two. Nothing tells where it goes on. */
static void foreign_sbrk(struct heap_builder *b, uint64_t room, uint64_t gap, bool noise)
{
	struct builder_arena *arena = small_main(b);
	uint64_t start = arena->end + gap;

	builder_chunk(arena, 0x500);
	builder_link(arena, builder_hole(arena, 0x90), 9);
	end_segment(arena, room);
	builder_sbrk(b, start, align_up(start + 0x21000, BUILDER_PAGE));
	if (noise)
		builder_noise(b, start - gap, align_down(gap, 8));
	builder_chunk(arena, 0x20);
	uint64_t hole = builder_hole(arena, 0x500);
	builder_chunk(arena, 0x20);
	builder_link(arena, hole, 68);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->arenas[0].segment_count, 2);
	assert_false(b->heap->arenas[0].noncontiguous);
}

static void test_foreign_sbrk_room(struct heap_builder *b, uint64_t room)
{
	foreign_sbrk(b, room, 0x1000, false);
}

static void test_foreign_sbrk_ends(void **state)
{
	each_room(*state, test_foreign_sbrk_room);
}

static void test_foreign_sbrk_gaps(void **state)
{
	static const uint64_t gaps[] = { 0x10, 0x20, 0x30, 0x1000, 5008, 12352, 0x23458, 0x100008 };
	struct heap_builder *b = *state;

	for (size_t i = 0; i < 16; i++) {
		builder_reset(b);
		foreign_sbrk(b, 0x1000, gaps[i / 2], i % 2);
	}
}

/* Several cuts, and regions that no list leads to. */
static void test_foreign_sbrk_often(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);

	for (size_t i = 0; i < 6; i++) {
		uint64_t start = arena->end + 0x1388 + i * 0x2010;
		builder_chunk(arena, 0x130);
		builder_fill(arena, arena->end - 0x20);
		builder_fence(arena);
		builder_sbrk(b, start, align_up(start + 0x8000, BUILDER_PAGE));
		builder_noise(b, start - 0x1388, 0x1388);
	}
	builder_chunk(arena, 0x130);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->arenas[0].segment_count, 7);
}

/* sbrk failed: main_arena goes on in mappings, which no list leads to but for free chunks. */
static void test_noncontiguous_main(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);

	end_segment(arena, 0x800);
	builder_mmap_morecore(b, BUILDER_MMAP + 32 * MIB, BUILDER_MMAP + 33 * MIB);
	builder_chunk(arena, 0x3000);
	builder_link(arena, builder_hole(arena, 0x400), 64);
	end_segment(arena, 0x60);
	builder_mmap_morecore(b, BUILDER_MMAP + 8 * MIB, BUILDER_MMAP + 9 * MIB);
	builder_chunk(arena, 0x20000);
	end_segment(arena, 0x7000);
	builder_mmap_morecore(b, BUILDER_MMAP + 20 * MIB, BUILDER_MMAP + 21 * MIB);
	builder_chunk(arena, 0x20000);
	builder_top(arena);
	builder_mmapped(b, BUILDER_MMAP, 0x31000, 0, false);

	builder_read(b);
	builder_assert_clean(b);
	assert_true(b->heap->arenas[0].noncontiguous);
	assert_int_equal(b->heap->arenas[0].segment_count, 4);
}

/* The same without a single free chunk, and with neighbours in the same mapping. */
static void test_noncontiguous_full(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);

	builder_fill(arena, arena->end - 0x20);
	builder_fence(arena);
	builder_map(b, BUILDER_MMAP - 0x2000, 0x2000, true);
	builder_mmap_morecore(b, BUILDER_MMAP, BUILDER_MMAP + MIB);
	for (int i = 0; i < 40; i++)
		builder_chunk(arena, 0x1230);
	builder_fill(arena, arena->end - 0x20);
	builder_fence(arena);
	builder_mmap_morecore(b, BUILDER_MMAP + MIB, BUILDER_MMAP + 2 * MIB);
	builder_fill(arena, arena->end - 0x20);
	builder_fence(arena);
	builder_mmapped(b, BUILDER_MMAP + 2 * MIB, 0x31000, 0, false);
	builder_mmap_morecore(b, BUILDER_MMAP + 4 * MIB, BUILDER_MMAP + 5 * MIB);
	builder_chunk(arena, 0x40);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->arenas[0].segment_count, 4);
}

/* A libc of a dlmopen namespace never uses brk: its first region is a mapping already. */
static void test_noncontiguous_from_the_start(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = builder_mmap_morecore(b, BUILDER_MMAP, BUILDER_MMAP + MIB);
	builder_thread(b, 100, arena);
	builder_chunk(arena, 0x50);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->params.sbrk_base, BUILDER_MMAP);
	assert_true(b->heap->arenas[0].noncontiguous);
}

/*
 * Chunks of every kind at and around each multiple of 64 KiB, which takes in those of 1 and 2 MiB:
 * wherever a bulk read ends, some header or link lies across it. The borders are counted from
 * address 0 and from the start of the heap; shift says by how much chunks miss them.
 */
static void build_borders(struct builder_arena *arena, struct builder_thread *thread, uint64_t from,
			  unsigned int turn)
{
	bool fastbins = arena->builder->layout->malloc_state.fastbinsY != GLIBC_ABSENT;

	for (uint64_t border = from + 64 * KIB; border + 64 * KIB < arena->end;
	     border += 64 * KIB, turn++) {
		builder_fill(arena, border + turn % 7 * 16 - 64);
		if (turn % 4 == 0) {
			builder_link(arena, builder_hole(arena, 0x40), 4);
			continue;
		}
		uint64_t chunk = builder_chunk(arena, 0x40);
		if (turn % 4 == 1)
			builder_tcache(thread, chunk);
		if (turn % 4 == 2 && fastbins)
			builder_fastbin(arena, chunk);
		/* And small ones back to back across it. */
		for (int i = 0; i < 3; i++)
			builder_chunk(arena, 0x20);
	}
	builder_chunk(arena, 0x20);
	builder_top(arena);
}

static void test_borders(void **state)
{
	struct heap_builder *b = *state;

	for (unsigned int turn = 0; turn < 14; turn++) {
		uint64_t base = 2 * MIB * 0x2aaaab + (turn & 1 ? 0x5000 : 0);
		builder_reset(b);
		b->tcache_count = 127;
		builder_set(b, b->mp + b->layout->malloc_par.tcache_count, b->tcache_count);
		struct builder_arena *main_arena = builder_sbrk(b, base, base + 5 * MIB);
		struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 5 * MIB);
		struct builder_thread *thread = builder_thread(b, 100, main_arena);
		builder_tcache_struct(thread, main_arena);
		build_borders(main_arena, thread, turn & 2 ? base : align_down(base, 64 * KIB),
			      turn / 2);
		/* Seen from the heap_info, or from the first chunk. */
		build_borders(arena, thread,
			      turn & 2 ? arena->address + b->layout->malloc_state.size / 16 * 16
				       : BUILDER_HEAPS,
			      turn / 2 + 3);

		builder_read(b);
		builder_assert_clean(b);
	}
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_before_first_malloc),
		BUILDER_TEST(test_only_mmapped),
		BUILDER_TEST(test_empty_arena),
		BUILDER_TEST(test_many_arenas),
		BUILDER_TEST(test_smallest_top),
		BUILDER_TEST(test_adjacent_heaps),
		BUILDER_TEST(test_ends_of_heaps),
		BUILDER_TEST(test_cached_ends_of_heaps),
		BUILDER_TEST(test_heap_chain),
		BUILDER_TEST(test_hugetlb_heaps),
		BUILDER_TEST(test_shrunk_heap),
		BUILDER_TEST(test_sbrk_base),
		BUILDER_TEST(test_foreign_sbrk_ends),
		BUILDER_TEST(test_foreign_sbrk_gaps),
		BUILDER_TEST(test_foreign_sbrk_often),
		BUILDER_TEST(test_noncontiguous_main),
		BUILDER_TEST(test_noncontiguous_full),
		BUILDER_TEST(test_noncontiguous_from_the_start),
		BUILDER_TEST(test_borders),
	};

	return builder_run("ends of heaps", tests, sizeof(tests) / sizeof(tests[0]));
}
