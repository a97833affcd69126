/* SPDX-License-Identifier: Apache-2.0 */
/* Every state that a chunk can have, on every row of the layout table. */
#include "heap_builder.h"

#define LIST(...) ((const uint64_t[]){ __VA_ARGS__, 0 })

static struct builder_arena *small_main(struct heap_builder *b)
{
	return builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);
}

/* The index in heap->arenas: main_arena, then the newest first. */
static uint32_t index_of(const struct heap_builder *b, const struct builder_arena *arena)
{
	return arena->index ? b->arena_count - arena->index : 0;
}

static void assert_bin(const struct heap_builder *b, uint64_t address, uint32_t expected)
{
	uint32_t bin = UINT32_MAX;

	assert_true(heap_chunk_bin(heap_find(b->heap, address), &bin));
	assert_int_equal(bin, expected);
}

static void assert_no_bin(const struct heap_builder *b, uint64_t address)
{
	uint32_t bin;

	assert_false(heap_chunk_bin(heap_find(b->heap, address), &bin));
}

/* Of big chunks only the pages with their headers are read; of small ones, all in large pieces. */
static void test_big_chunks(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x1000000);
	const uint64_t big = 200, size = 0x10010;

	for (uint64_t i = 0; i < big; i++)
		builder_chunk(arena, size);
	builder_top(arena);
	builder_read(b);
	builder_assert_clean(b);
	/* The first piece is a large one. */
	assert_true(b->read_bytes < (UINT64_C(3) << 20) + big * 2 * BUILDER_PAGE);

	builder_reset(b);
	arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x1000000);
	for (uint64_t i = 0; i < big; i++)
		builder_chunk(arena, size);
	while (arena->cursor < arena->end - 0x1000)
		builder_chunk(arena, 0x200);
	builder_top(arena);
	builder_read(b);
	builder_assert_clean(b);
	assert_true(b->reads < big + 100);
}

static void test_in_use(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	builder_thread(b, 100, arena);
	uint64_t first = builder_chunk(arena, 0x20);
	uint64_t second = builder_chunk(arena, 0x1010);
	uint64_t top = builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(first, BUILDER_SBRK);
	assert_int_equal(chunk_user(heap_find(b->heap, first)), BUILDER_SBRK + 0x10);
	assert_int_equal(heap_usable_size(b->heap, heap_find(b->heap, first)), 0x18);
	assert_int_equal(heap_usable_size(b->heap, heap_find(b->heap, second)), 0x1008);
	assert_no_bin(b, first);
	assert_no_bin(b, top);
	assert_null(heap_find(b->heap, first - 1));
	assert_null(heap_find(b->heap, BUILDER_SBRK + 0x21000));
	assert_int_equal(b->heap->arenas[0].top, top);
	assert_int_equal(b->heap->arenas[0].segment_count, 1);
	assert_int_equal(b->heap->segments[0].first_chunk, 0);
	assert_int_equal(b->heap->segments[0].end_chunk, 3);
	assert_int_equal(b->heap->params.sbrk_base, BUILDER_SBRK);
	assert_int_equal(b->heap->params.tcache_count, b->tcache_count);
	assert_int_equal(b->heap->params.mmap_threshold, 0x20000);
	assert_int_equal(b->heap->params.heap_max, GLIBC_DEFAULT_HEAP_MAX);
}

static void test_non_main_arena(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *main_arena = small_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);
	builder_thread(b, 100, main_arena);
	builder_thread(b, 101, arena);
	builder_thread(b, 102, arena);
	builder_chunk(main_arena, 0x30);
	builder_top(main_arena);
	uint64_t chunk = builder_chunk(arena, 0x30);
	uint64_t top = builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	/* The sheet's first chunks: heap + 0x8b0, 0x8c0, 0x8d0 or 0x870. */
	uint64_t first = b->layout->malloc_state.size == 2192   ? 0x8b0
			 : b->layout->malloc_state.size == 2112 ? 0x870
			 : b->layout->heap_info.size == 32      ? 0x8c0
								: 0x8d0;
	assert_int_equal(chunk, BUILDER_HEAPS + first);
	builder_assert_item(b, BUILDER_HEAPS, CHUNK_HEAP_INFO, b->layout->heap_info.size);
	builder_assert_item(b, arena->address, CHUNK_MALLOC_STATE, b->layout->malloc_state.size);
	assert_no_bin(b, BUILDER_HEAPS);
	assert_int_equal(b->heap->arenas[0].attached_threads, 1);
	assert_int_equal(b->heap->arenas[1].attached_threads, 2);
	assert_int_equal(b->heap->arenas[1].top, top);
	assert_true(b->heap->arenas[1].noncontiguous);
	assert_false(b->heap->arenas[0].noncontiguous);
	assert_int_equal(b->heap->threads[0].arena, 0);
	assert_int_equal(b->heap->threads[1].arena, 1);
	assert_int_equal(b->heap->threads[2].arena, 1);
	assert_int_equal(b->heap->segments[1].mapped_end, BUILDER_HEAPS + 0x21000);
}

static void test_tcache(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	struct builder_thread *thread = builder_thread(b, 100, arena);
	uint64_t chunks[7];

	uint64_t tcache = builder_tcache_struct(thread, arena);
	for (size_t i = 0; i < 7; i++)
		chunks[i] = builder_chunk(arena, 0x20);
	uint64_t big = builder_chunk(arena, 0x410);
	builder_chunk(arena, 0x410);
	for (size_t i = 0; i < 7; i++)
		builder_tcache(thread, chunks[i]);
	builder_tcache(thread, big);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	/* 0x250, 0x290 and 0x300 in the sheet. */
	builder_assert_item(b, tcache, CHUNK_TCACHE_STRUCT,
			    b->layout->tcache.bins == 76        ? 0x300
			    : b->layout->tcache.count_size == 2 ? 0x290
								: 0x250);
	builder_assert_list(
		b, LIST_TCACHE, 0, 0,
		LIST(chunks[6], chunks[5], chunks[4], chunks[3], chunks[2], chunks[1], chunks[0]));
	assert_int_equal(builder_assert_list(b, LIST_TCACHE, 0, 63, LIST(big))->counter, 1);
	assert_int_equal(b->heap->list_count, 2);
	assert_bin(b, chunks[3], 0);
	assert_bin(b, big, 63);
	assert_no_bin(b, tcache);
	assert_int_equal(b->heap->threads[0].tcached.count, 8);
	assert_int_equal(b->heap->threads[0].tcached.bytes, 7 * 0x20 + 0x410);
}

/* A counter of one byte goes to 127, of two to 65535; tcache_count is a tunable. */
static void test_tcache_many(void **state)
{
	struct heap_builder *b = *state;
	b->tcache_count = b->layout->tcache.count_size == 1 ? 127 : 300;
	builder_set(b, b->mp + b->layout->malloc_par.tcache_count, b->tcache_count);
	struct builder_arena *arena = small_main(b);
	struct builder_thread *thread = builder_thread(b, 100, arena);
	builder_tcache_struct(thread, arena);
	for (uint64_t i = 0; i < b->tcache_count; i++)
		builder_tcache(thread, builder_chunk(arena, 0x40));
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->tally[CHUNK_TCACHE].count, b->tcache_count);
	assert_int_equal(b->heap->lists[0].counter, b->tcache_count);
}

/* From 2.42 on: lists of several sizes, the smallest first. */
static void test_tcache_large(void **state)
{
	static const struct {
		uint64_t size;
		uint32_t bin;
	} sizes[] = { { 0x7f0, 64 },    { 0x420, 64 },    { 0x800, 65 },
		      { 0xff0, 65 },    { 0x1000, 66 },   { 0x20000, 71 },
		      { 0x1ffff0, 74 }, { 0x200000, 75 }, { 0x3ffff0, 75 } };
	struct heap_builder *b = *state;
	uint64_t chunks[9];

	if (b->layout->tcache.bins == GLIBC_TCACHE_SMALL_BINS)
		skip();
	builder_set(b, b->mp + b->layout->malloc_par.tcache_max_bytes, 0x400000);
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x900000);
	struct builder_thread *thread = builder_thread(b, 100, arena);
	builder_tcache_struct(thread, arena);
	for (size_t i = 0; i < 9; i++)
		chunks[i] = builder_chunk(arena, sizes[i].size);
	builder_chunk(arena, 0x20);
	builder_top(arena);
	for (size_t i = 0; i < 9; i++)
		builder_tcache(thread, chunks[i < 4 ? i : 12 - i]);

	builder_read(b);
	builder_assert_clean(b);
	for (size_t i = 0; i < 9; i++)
		assert_bin(b, chunks[i], sizes[i].bin);
	builder_assert_list(b, LIST_TCACHE, 0, 64, LIST(chunks[1], chunks[0]));
	builder_assert_list(b, LIST_TCACHE, 0, 75, LIST(chunks[7], chunks[8]));
}

/* A thread frees into its own tcache, whatever arena the chunk is of. */
static void test_tcache_of_other_arenas(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *main_arena = small_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);
	struct builder_thread *first = builder_thread(b, 100, main_arena);
	struct builder_thread *second = builder_thread(b, 101, arena);
	builder_tcache_struct(first, main_arena);
	builder_tcache_struct(second, arena);
	uint64_t of_main = builder_chunk(main_arena, 0x50);
	uint64_t of_arena = builder_chunk(arena, 0x50);
	uint64_t own = builder_chunk(arena, 0x50);
	builder_top(main_arena);
	builder_top(arena);
	builder_tcache(first, of_arena);
	builder_tcache(second, own);
	builder_tcache(second, of_main);

	builder_read(b);
	builder_assert_clean(b);
	builder_assert_list(b, LIST_TCACHE, 0, 3, LIST(of_arena));
	builder_assert_list(b, LIST_TCACHE, 1, 3, LIST(of_main, own));
	assert_int_equal(heap_find(b->heap, of_main)->arena, 0);
	assert_int_equal(heap_find(b->heap, of_main)->thread, 1);
	assert_int_equal(heap_find(b->heap, of_arena)->arena, 1);
	assert_int_equal(b->heap->threads[1].tcached.bytes, 0xa0);
}

static void test_fastbins(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arenas[2];
	uint64_t chunks[2][10];
	uint64_t twins[2];

	if (b->layout->malloc_state.fastbinsY == GLIBC_ABSENT)
		skip();
	arenas[0] = small_main(b);
	arenas[1] = builder_arena(b, BUILDER_HEAPS, 0x21000);
	builder_thread(b, 100, arenas[0]);
	for (size_t at = 0; at < 2; at++) {
		/* M_MXFAST lets them grow to 0xb0, the last of ten. */
		for (uint64_t i = 0; i < 10; i++)
			chunks[at][i] = builder_chunk(arenas[at], 0x20 + i * 16);
		twins[at] = builder_chunk(arenas[at], 0x20);
		builder_chunk(arenas[at], 0x20);
		builder_top(arenas[at]);
		for (size_t i = 0; i < 10; i++)
			builder_fastbin(arenas[at], chunks[at][i]);
		builder_fastbin(arenas[at], twins[at]);
	}

	builder_read(b);
	builder_assert_clean(b);
	builder_assert_list(b, LIST_FASTBIN, 0, 0, LIST(twins[0], chunks[0][0]));
	builder_assert_list(b, LIST_FASTBIN, 1, 0, LIST(twins[1], chunks[1][0]));
	for (uint32_t i = 0; i < 10; i++) {
		assert_bin(b, chunks[0][i], i);
		assert_bin(b, chunks[1][i], i);
	}
	assert_int_equal(b->heap->list_count, 20);
	assert_int_equal(b->heap->arenas[1].tally[CHUNK_FASTBIN].count, 11);
}

struct sized_bin {
	uint64_t size;
	uint32_t bin;
};

/* Both ends of the ranges that the bins of each spacing have. */
static const struct sized_bin sized_bins[] = {
	{ 0x20, 2 },      { 0x30, 3 },      { 0x3f0, 63 },     { 0x400, 64 },    { 0x430, 64 },
	{ 0x440, 65 },    { 0xc30, 96 },    { 0xc40, 97 },     { 0x29f0, 111 },  { 0x2a00, 112 },
	{ 0xaff0, 120 },  { 0xb000, 120 },  { 0xfff0, 120 },   { 0x10000, 121 }, { 0x27ff0, 123 },
	{ 0x28000, 124 }, { 0xbfff0, 126 }, { 0x140000, 126 },
};

#define SIZED_BINS (sizeof(sized_bins) / sizeof(sized_bins[0]))

/* Large ones first: a large bin goes from big to small. */
static void build_bins(struct builder_arena *arena, uint64_t *chunks)
{
	for (size_t i = 0; i < SIZED_BINS; i++) {
		chunks[i] = builder_hole(arena, sized_bins[i].size);
		builder_chunk(arena, 0x20);
	}
	for (size_t i = SIZED_BINS; i-- > 0;)
		builder_link(arena, chunks[i], sized_bins[i].bin);
}

static void test_bins(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *main_arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x400000);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x400000);
	uint64_t of_main[SIZED_BINS];
	uint64_t of_arena[SIZED_BINS];

	builder_thread(b, 100, main_arena);
	build_bins(main_arena, of_main);
	build_bins(arena, of_arena);
	builder_top(main_arena);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
	for (size_t i = 0; i < SIZED_BINS; i++) {
		assert_bin(b, of_main[i], sized_bins[i].bin);
		assert_bin(b, of_arena[i], sized_bins[i].bin);
	}
	builder_assert_list(b, LIST_SMALLBIN, 0, 2, LIST(of_main[0]));
	builder_assert_list(b, LIST_LARGEBIN, 0, 64, LIST(of_main[4], of_main[3]));
	builder_assert_list(b, LIST_LARGEBIN, 1, 120,
			    LIST(of_arena[12], of_arena[11], of_arena[10]));
}

/* The unsorted bin holds any size, in the order of freeing. */
static void test_unsorted(void **state)
{
	static const uint64_t sizes[] = { 0x90, 0x20, 0x1230, 0x90 };
	struct heap_builder *b = *state;
	struct builder_arena *main_arena = small_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);
	uint64_t chunks[2][4];

	builder_thread(b, 100, main_arena);
	for (size_t i = 0; i < 4; i++) {
		chunks[0][i] = builder_hole(main_arena, sizes[i]);
		builder_chunk(main_arena, 0x20);
		chunks[1][i] = builder_hole(arena, sizes[i]);
		builder_chunk(arena, 0x20);
	}
	builder_top(main_arena);
	builder_top(arena);
	for (size_t i = 0; i < 4; i++) {
		builder_link(main_arena, chunks[0][i], 1);
		builder_link(arena, chunks[1][i], 1);
	}

	builder_read(b);
	builder_assert_clean(b);
	for (uint32_t owner = 0; owner < 2; owner++) {
		builder_assert_list(b, LIST_UNSORTED, owner, 1,
				    LIST(chunks[owner][0], chunks[owner][1], chunks[owner][2],
					 chunks[owner][3]));
		assert_bin(b, chunks[owner][2], 1);
	}
}

/* Free by the next chunk's bit but in no list: malloc leaves none so unless it is at work. */
static void test_unlisted(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	builder_thread(b, 100, arena);
	uint64_t before = builder_chunk(arena, 0x30);
	uint64_t chunk = builder_hole(arena, 0x70);
	uint64_t after = builder_chunk(arena, 0x30);
	builder_top(arena);
	builder_set(b, chunk + 16, 0);
	builder_set(b, chunk + 24, 0);

	builder_read(b);
	builder_assert_item(b, before, CHUNK_IN_USE, 0x30);
	builder_assert_item(b, chunk, CHUNK_UNLISTED, 0x70);
	builder_assert_item(b, after, CHUNK_IN_USE, 0x30);
	assert_no_bin(b, chunk);
	builder_assert_found(b, BUILDER_KIND(AUDIT_STATE_CONFLICT));
}

static void test_threads(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	struct builder_thread *thread = builder_thread(b, 100, arena);
	builder_thread(b, 101, NULL);
	builder_tcache_struct(thread, arena);
	builder_tcache(thread, builder_chunk(arena, 0x30));
	builder_top(arena);
	/* A raw clone without CLONE_SETTLS has its parent's registers, and one may have none. */
	b->root_threads[2] = (struct root_thread){ .tid = 102, .fs_base = thread->fs_base };
	b->root_threads[3] = (struct root_thread){ .tid = 103 };
	b->roots.thread_count = 4;

	const struct heap *heap = builder_read(b);
	assert_true(heap->audit.ok);
	assert_int_equal(heap->audit.findings.count, 0);
	assert_int_equal(heap->thread_count, 4);
	assert_int_equal(heap->threads[0].tcache, thread->tcache);
	assert_false(heap->threads[0].shares_tls);
	assert_int_equal(heap->threads[1].tcache, 0);
	assert_int_equal(heap->threads[1].arena, CHUNK_NO_ARENA);
	assert_true(heap->threads[2].shares_tls);
	assert_int_equal(heap->threads[2].tcached.count, 0);
	assert_int_equal(heap->threads[3].fs_base, 0);
	assert_int_equal(heap->threads[3].tcache, 0);
	assert_int_equal(heap->roots.thread_count, 4);
	assert_ptr_not_equal(heap->roots.threads, b->root_threads);
	assert_int_equal(heap->list_count, 1);
}

/* A libc whose tcache variable is not known: its caches cannot be seen, and that is all. */
static void test_no_tcache_root(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	struct builder_thread *thread = builder_thread(b, 100, arena);
	uint64_t chunk = builder_tcache_struct(thread, arena);
	builder_top(arena);
	b->roots.tcache = (struct root){ 0 };

	const struct heap *heap = builder_read(b);
	assert_int_equal(heap->threads[0].tcache, 0);
	assert_int_equal(heap_find(heap, chunk)->state, CHUNK_IN_USE);
}

/* 2.43: between "none yet" and "never again" there is one byte; both are in libc. */
static void test_tcache_dummy(void **state)
{
	struct heap_builder *b = *state;

	if (!b->layout->tcache.dummy)
		skip();
	struct builder_arena *arena = small_main(b);
	builder_thread(b, 100, arena);
	struct builder_thread *thread = builder_thread(b, 101, arena);
	builder_set(b, builder_tcache_slot(thread), BUILDER_LIBC + 0x101);
	builder_chunk(arena, 0x20);
	builder_top(arena);

	builder_read(b);
	builder_assert_clean(b);
}

static void test_locked(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *main_arena = small_main(b);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);
	builder_thread(b, 100, main_arena);
	builder_top(main_arena);
	builder_top(arena);
	builder_set32(b, arena->address + b->layout->malloc_state.mutex, 1);

	const struct heap *heap = builder_read(b);
	builder_assert_sane(b);
	assert_true(heap->audit.ok);
	assert_int_equal(heap->audit.findings.count, 1);
	assert_int_equal(heap->audit.counted[AUDIT_LOCKED], 1);
	assert_int_equal(heap->audit.findings.data[0].address, arena->address);
	assert_true(heap->arenas[index_of(b, arena)].locked);
	assert_false(heap->arenas[0].locked);
}

/* All of them at once, next to each other in all orders that a few hundred chunks make. */
static void test_mixture(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *main_arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x42000);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x42000);
	struct builder_thread *threads[] = { builder_thread(b, 100, main_arena),
					     builder_thread(b, 101, arena) };
	uint32_t seed = 1;

	b->tcache_count = 127;
	builder_set(b, b->mp + b->layout->malloc_par.tcache_count, b->tcache_count);
	builder_tcache_struct(threads[0], main_arena);
	builder_tcache_struct(threads[1], arena);
	for (uint32_t i = 0; i < 600; i++) {
		struct builder_arena *where = i % 2 ? arena : main_arena;
		seed = seed * 1103515245 + 12345;
		uint64_t size = 0x20 + (seed >> 16) % 32 * 16;
		uint32_t choice = seed >> 24 & 3;

		if (choice == 0 && where->free_size == 0) {
			uint64_t chunk = builder_hole(where, size);
			builder_link(where, chunk, seed & 8 ? 1 : (uint32_t)(size / 16));
			continue;
		}
		uint64_t chunk = builder_chunk(where, size);
		if (choice == 1)
			builder_tcache(threads[seed >> 20 & 1], chunk);
		if (choice == 2 && size <= 0x80 &&
		    b->layout->malloc_state.fastbinsY != GLIBC_ABSENT)
			builder_fastbin(where, chunk);
	}
	builder_chunk(main_arena, 0x20);
	builder_chunk(arena, 0x20);
	builder_top(main_arena);
	builder_top(arena);
	builder_mmapped(b, BUILDER_MMAP, 0x31000, 0xff0, false);

	builder_read(b);
	builder_assert_clean(b);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_in_use),
		BUILDER_TEST(test_big_chunks),
		BUILDER_TEST(test_non_main_arena),
		BUILDER_TEST(test_tcache),
		BUILDER_TEST(test_tcache_many),
		BUILDER_TEST(test_tcache_large),
		BUILDER_TEST(test_tcache_of_other_arenas),
		BUILDER_TEST(test_fastbins),
		BUILDER_TEST(test_bins),
		BUILDER_TEST(test_unsorted),
		BUILDER_TEST(test_unlisted),
		BUILDER_TEST(test_threads),
		BUILDER_TEST(test_no_tcache_root),
		BUILDER_TEST(test_tcache_dummy),
		BUILDER_TEST(test_locked),
		BUILDER_TEST(test_mixture),
	};

	return builder_run("heap states", tests, sizeof(tests) / sizeof(tests[0]));
}
