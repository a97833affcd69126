/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mallinfo2(3) as a walk computes it, against figures worked out by hand from what int_mallinfo()
 * of malloc/malloc.c counts: tcaches, heap headers and gaps as in use, mmapped chunks apart.
 */
#include "heap_builder.h"

/* A main arena of 0x21000 bytes and nothing in it but what the test puts there. */
static struct builder_arena *small_main(struct heap_builder *b)
{
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);

	builder_thread(b, 100, arena);
	return arena;
}

static void assert_mallinfo(struct heap_builder *b, struct heap_mallinfo expected)
{
	builder_read(b);
	builder_assert_clean(b);
	struct heap_mallinfo found = heap_mallinfo(b->heap);
	assert_int_equal(found.arena, expected.arena);
	assert_int_equal(found.ordblks, expected.ordblks);
	assert_int_equal(found.smblks, expected.smblks);
	assert_int_equal(found.hblks, expected.hblks);
	assert_int_equal(found.hblkhd, expected.hblkhd);
	assert_int_equal(found.fsmblks, expected.fsmblks);
	assert_int_equal(found.fordblks, expected.fordblks);
	assert_int_equal(found.uordblks, expected.uordblks);
	assert_int_equal(found.keepcost, expected.keepcost);
	assert_int_equal(found.arena, found.uordblks + found.fordblks);
}

/* Even an arena that was never used has its top counted, of no size. */
static void test_nothing(void **state)
{
	assert_mallinfo(*state, (struct heap_mallinfo){ .ordblks = 1 });
}

static void test_in_use(void **state)
{
	struct builder_arena *arena = small_main(*state);
	builder_chunk(arena, 0x1000);
	builder_top(arena);

	assert_mallinfo(*state, (struct heap_mallinfo){
					.arena = 0x21000,
					.ordblks = 1,
					.uordblks = 0x1000,
					.fordblks = 0x20000,
					.keepcost = 0x20000,
				});
}

static void test_bins(void **state)
{
	struct builder_arena *arena = small_main(*state);
	uint64_t small = builder_hole(arena, 0x90);
	builder_chunk(arena, 0x70);
	uint64_t large = builder_hole(arena, 0x800);
	builder_chunk(arena, 0x100);
	uint64_t unsorted = builder_hole(arena, 0x600);
	builder_chunk(arena, 0x1000);
	builder_top(arena);
	builder_link(arena, small, 9);
	builder_link(arena, large, 80);
	builder_link(arena, unsorted, 1);

	/* In use 0x1170, in bins 0xe90, together 0x2000. */
	assert_mallinfo(*state, (struct heap_mallinfo){
					.arena = 0x21000,
					.ordblks = 4,
					.uordblks = 0x1170,
					.fordblks = 0x1fe90,
					.keepcost = 0x1f000,
				});
}

/* Fastbins are free and no ordinary blocks; what a tcache holds is in use. */
static void test_caches(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	struct builder_thread *thread = &b->threads[0];
	bool fastbins = b->layout->malloc_state.fastbinsY != GLIBC_ABSENT;

	builder_tcache_struct(thread, arena);
	uint64_t fast[] = { builder_chunk(arena, 0x20), builder_chunk(arena, 0x80) };
	builder_tcache(thread, builder_chunk(arena, 0x400));
	builder_fill(arena, BUILDER_SBRK + 0x1000);
	builder_top(arena);
	for (size_t i = 0; fastbins && i < 2; i++)
		builder_fastbin(arena, fast[i]);

	assert_mallinfo(b, (struct heap_mallinfo){
				   .arena = 0x21000,
				   .ordblks = 1,
				   .smblks = fastbins ? 2 : 0,
				   .fsmblks = fastbins ? 0xa0 : 0,
				   .uordblks = fastbins ? 0xf60 : 0x1000,
				   .fordblks = fastbins ? 0x200a0 : 0x20000,
				   .keepcost = 0x20000,
			   });
}

/* Sums over the arenas; only main_arena's top is what malloc_trim could give back. */
static void test_arenas(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *main_arena = small_main(b);
	builder_top(main_arena);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);
	builder_fill(arena, BUILDER_HEAPS + 0x20000);
	builder_link(arena, builder_fence(arena), 1);
	builder_heap(arena, BUILDER_HEAPS + GLIBC_DEFAULT_HEAP_MAX, 0x30000);
	builder_fill(arena, BUILDER_HEAPS + GLIBC_DEFAULT_HEAP_MAX + 0x10000);
	builder_top(arena);

	/* Headers and fenceposts count as in use. */
	assert_mallinfo(b, (struct heap_mallinfo){
				   .arena = 0x21000 + 0x51000,
				   .ordblks = 3,
				   .uordblks = 0x20000 + 0x20 + 0x10000,
				   .fordblks = 0x21000 + 0xfe0 + 0x20000,
				   .keepcost = 0x21000,
			   });
}

/* Foreign sbrk is part of system_mem, so it counts as in use. */
static void test_foreign_sbrk(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	builder_fill(arena, BUILDER_SBRK + 0x20000);
	builder_link(arena, builder_fence(arena), 1);
	builder_sbrk(b, BUILDER_SBRK + 0x23000, BUILDER_SBRK + 0x44000);
	builder_top(arena);

	assert_mallinfo(b, (struct heap_mallinfo){
				   .arena = 0x44000,
				   .ordblks = 2,
				   .uordblks = 0x20000 + 0x20 + 0x2000,
				   .fordblks = 0xfe0 + 0x21000,
				   .keepcost = 0x21000,
			   });
}

static void test_mmapped(void **state)
{
	struct heap_builder *b = *state;
	builder_top(small_main(b));
	builder_mmapped(b, BUILDER_MMAP, 0x31000, 0, false);
	builder_mmapped(b, BUILDER_MMAP + 0x31000, 0x23000, 0xff0, false);

	assert_mallinfo(b, (struct heap_mallinfo){
				   .arena = 0x21000,
				   .ordblks = 1,
				   .hblks = 2,
				   .hblkhd = 0x54000,
				   .fordblks = 0x21000,
				   .keepcost = 0x21000,
			   });
}

/* mp_ counts an mmapped chunk for as long as it is in a tcache (2.43). */
static void test_cached_mmapped(void **state)
{
	struct heap_builder *b = *state;

	if (!b->layout->mmapped_header_apart)
		skip();
	builder_set(b, b->mp + b->layout->malloc_par.tcache_max_bytes, 0x400000);
	struct builder_arena *arena = small_main(b);
	builder_tcache_struct(&b->threads[0], arena);
	builder_top(arena);
	builder_tcache(&b->threads[0], builder_mmapped(b, BUILDER_MMAP, 0x31000, 0, false));

	assert_mallinfo(b, (struct heap_mallinfo){
				   .arena = 0x21000,
				   .ordblks = 1,
				   .hblks = 1,
				   .hblkhd = 0x31000,
				   .uordblks = 0x300,
				   .fordblks = 0x20d00,
				   .keepcost = 0x20d00,
			   });
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_nothing), BUILDER_TEST(test_in_use),
		BUILDER_TEST(test_bins),    BUILDER_TEST(test_caches),
		BUILDER_TEST(test_arenas),  BUILDER_TEST(test_foreign_sbrk),
		BUILDER_TEST(test_mmapped), BUILDER_TEST(test_cached_mmapped),
	};

	return builder_run("mallinfo", tests, sizeof(tests) / sizeof(tests[0]));
}
