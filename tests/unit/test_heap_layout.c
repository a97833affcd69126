/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which layout is in memory: each row of the table, read by one who is told another that its binary
 * would allow as well.
 */
#include "heap_builder.h"

#include <string.h>

/* Two arenas, a tcache that holds chunks, and a fastbin: all that tells one row from another. */
static void build(struct heap_builder *b)
{
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);
	struct builder_arena *other = builder_arena(b, BUILDER_HEAPS, 0x21000);
	struct builder_thread *thread = builder_thread(b, 100, arena);

	builder_thread(b, 101, other);
	builder_tcache_struct(thread, arena);
	builder_tcache(thread, builder_chunk(arena, 0x20));
	builder_tcache(thread, builder_chunk(arena, 0x20));
	builder_tcache(thread, builder_chunk(arena, 0x60));
	if (b->layout->malloc_state.fastbinsY != GLIBC_ABSENT) {
		builder_fastbin(arena, builder_chunk(arena, 0x20));
		builder_fastbin(arena, builder_chunk(arena, 0x20));
	}
	builder_chunk(other, 0x20);
	builder_top(arena);
	builder_top(other);
}

/* Rows whose binaries look alike; from is the place of the one that the reader is told first. */
static size_t tell_alike(struct heap_builder *b, size_t from)
{
	const struct glibc_traits traits = {
		.malloc_state_next = b->layout->malloc_state.next,
		.malloc_par_n_mmaps_max = b->layout->malloc_par.n_mmaps_max,
	};
	const struct glibc_layout *rows[GLIBC_LAYOUTS];
	size_t own, count = glibc_layout_fitting(&traits, rows, &own);

	assert_int_equal(own, 0);
	assert_true(count > 0);
	b->read_as = rows[from % count];
	b->other_count = count - 1;
	for (size_t i = 1; i < count; i++)
		b->others[i - 1] = rows[(from + i) % count];
	return count;
}

/* But for the key, which nothing depends on, and the size of mp_, whose end nobody reads. */
static void assert_same_layout(const struct glibc_layout *found, const struct glibc_layout *built)
{
	struct glibc_layout layout = *found;

	layout.tcache.key = built->tcache.key;
	layout.malloc_par.size = built->malloc_par.size;
	const char *difference = glibc_layout_difference(&layout, built);
	if (difference)
		fail_msg("%s was taken for %s: %s", built->name, found->name, difference);
}

static void test_told_by_memory(void **state)
{
	struct heap_builder *b = *state;
	size_t count = 1;

	build(b);
	for (size_t i = 0; i < count; i++) {
		count = tell_alike(b, i);
		b->unconfirmed = i % 2;
		builder_read(b);
		assert_same_layout(&b->heap->layout, b->layout);
		builder_assert_clean(b);
		if (b->other_count > 0) {
			assert_true(b->heap->evidence.bins);
			assert_int_equal(b->heap->evidence.heap_info, b->layout->heap_info.size);
			assert_true(b->heap->evidence.tcache_chunk > b->layout->tcache.size);
			assert_true(b->heap->evidence.links);
		}
	}
}

/* Fastbins alone tell by their links, where there is no tcache. */
static void test_told_by_fastbins(void **state)
{
	struct heap_builder *b = *state;
	size_t count = 1;

	if (b->layout->malloc_state.fastbinsY == GLIBC_ABSENT)
		skip();
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);
	builder_fastbin(arena, builder_chunk(arena, 0x20));
	builder_fastbin(arena, builder_chunk(arena, 0x40));
	builder_fastbin(arena, builder_chunk(arena, 0x40));
	builder_top(arena);
	for (size_t i = 0; i < count; i++) {
		count = tell_alike(b, i);
		builder_read(b);
		assert_int_equal(b->heap->layout.safe_linking, b->layout->safe_linking);
		builder_assert_clean(b);
	}
}

/*
 * The heap of a program that is not PIE lies so low that links from some of its pages stay in it
 * and aligned, mangled or not.
 */
static void test_low_heap(void **state)
{
	struct heap_builder *b = *state;
	const uint64_t start = 0x26e40000;
	size_t count = 1;

	struct builder_arena *arena = builder_sbrk(b, start, start + 0x60000);
	struct builder_thread *thread = builder_thread(b, 100, arena);
	builder_tcache_struct(thread, arena);
	builder_fill(arena, start + 0x30000);
	for (uint64_t size = 0x20; size <= 0x60; size += 0x10) {
		builder_tcache(thread, builder_chunk(arena, size));
		if (size < 0x60)
			builder_tcache(thread, builder_chunk(arena, size));
	}
	builder_top(arena);
	for (size_t i = 0; i < count; i++) {
		count = tell_alike(b, i);
		builder_read(b);
		assert_same_layout(&b->heap->layout, b->layout);
		builder_assert_clean(b);
	}
}

/* Where memory shows nothing yet, the first is as good as any, and no evidence is claimed. */
static void test_nothing_to_see(void **state)
{
	struct heap_builder *b = *state;

	builder_thread(b, 100, NULL);
	tell_alike(b, 0);
	b->unconfirmed = true;
	builder_read(b);
	const struct layout_evidence *evidence = &b->heap->evidence;
	assert_string_equal(b->heap->layout.name, b->read_as->name);
	/* From 2.42 on the bins are set from the start. */
	assert_int_equal(evidence->bins, b->layout->tcache.counts_down);
	assert_int_equal(evidence->heap_info, 0);
	assert_int_equal(evidence->tcache_chunk, 0);
	assert_false(evidence->links);
	builder_assert_clean(b);
}

/* With glibc.malloc.hugetlb=2, heaps of 8 MiB: 2.42 has none. */
static void test_small_heaps(void **state)
{
	struct heap_builder *b = *state;

	if (!b->layout->heap_max_follows_hugetlb)
		skip();
	builder_set(b, b->mp + b->layout->malloc_par.hp_pagesize, UINT64_C(2) << 20);
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);
	struct builder_arena *other =
		builder_arena(b, BUILDER_HEAPS + (UINT64_C(24) << 20), 0x21000);
	builder_chunk(arena, 0x20);
	builder_chunk(other, 0x20);
	builder_top(arena);
	builder_top(other);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(tell_alike(b, i), 2);
		builder_read(b);
		assert_true(b->heap->layout.heap_max_follows_hugetlb);
		assert_int_equal(b->heap->params.heap_max, UINT64_C(8) << 20);
		builder_assert_clean(b);
	}
}

static void expect_contradiction(struct heap_builder *b)
{
	struct memtool_error *error = builder_try_read(b);

	assert_non_null(error);
	assert_int_equal(error->code, MEMTOOL_ERROR_UNSUPPORTED);
	memtool_error_destroy(error);
}

/* A layout that nothing but its likeness speaks for is not believed where any piece contradicts. */
static void test_contradicted(void **state)
{
	struct heap_builder *b = *state;
	struct glibc_layout wrong = *b->layout;

	build(b);
	b->unconfirmed = true;
	b->read_as = &wrong;
	builder_read(b);

	wrong.tcache.size += 64;
	expect_contradiction(b);
	wrong = *b->layout;
	wrong.heap_info.size ^= 32 ^ 48;
	expect_contradiction(b);
	wrong = *b->layout;
	wrong.safe_linking = !wrong.safe_linking;
	expect_contradiction(b);
	wrong = *b->layout;
	wrong.malloc_state.bins += 8;
	expect_contradiction(b);

	/* One that is known to be right is kept all the same: the heap may be damaged. */
	b->unconfirmed = false;
	b->others[0] = &wrong;
	b->other_count = 1;
	b->read_as = b->layout;
	builder_set(b, b->threads[0].tcache - 8, 0x1001);
	builder_read(b);
	assert_string_equal(b->heap->layout.name, b->layout->name);
	assert_int_equal(b->heap->layout.malloc_state.bins, b->layout->malloc_state.bins);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_told_by_memory), BUILDER_TEST(test_told_by_fastbins),
		BUILDER_TEST(test_nothing_to_see), BUILDER_TEST(test_small_heaps),
		BUILDER_TEST(test_contradicted),   BUILDER_TEST(test_low_heap),
	};

	return builder_run("heap layout", tests, sizeof(tests) / sizeof(tests[0]));
}
