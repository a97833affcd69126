/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mmapped chunks: of which glibc keeps only the number and the sum, so that they must be searched.
 */
#include "heap_builder.h"

#include "support/range.h"

static struct builder_arena *small_main(struct heap_builder *b)
{
	return builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);
}

static void test_mmapped(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	builder_thread(b, 100, arena);
	builder_top(arena);
	/* One alone, and three that the kernel merged, with pages of others at both ends. */
	uint64_t alone = builder_mmapped(b, BUILDER_MMAP, 0x31000, 0, false);
	uint64_t merged = BUILDER_MMAP + 0x100000;
	builder_map(b, merged, 0x2000, true);
	builder_noise(b, merged, 0x2000);
	builder_mmapped(b, merged + 0x2000, 0x22000, 0, false);
	builder_mmapped(b, merged + 0x24000, 0x1000, 0, false);
	uint64_t last = builder_mmapped(b, merged + 0x25000, 0x400000, 0, false);
	builder_map(b, merged + 0x425000, 0x3000, true);
	builder_noise(b, merged + 0x425000, 0x3000);

	builder_read(b);
	builder_assert_clean(b);
	bool apart = b->layout->mmapped_header_apart;
	assert_int_equal(builder_get(b, alone + 8), apart ? 0x30ff2 : 0x31002);
	assert_int_equal(heap_usable_size(b->heap, heap_find(b->heap, alone)),
			 apart ? 0x30fe8 : 0x30ff0);
	assert_int_equal(heap_find(b->heap, alone)->arena, CHUNK_NO_ARENA);
	uint32_t bin;
	assert_false(heap_chunk_bin(heap_find(b->heap, alone), &bin));
	assert_ptr_equal(heap_find(b->heap, last + 0x3fffef), heap_find(b->heap, last));
	assert_null(heap_find(b->heap, merged));
	assert_null(heap_find(b->heap, merged + 0x425000));
	assert_int_equal(b->heap->tally[CHUNK_MMAPPED].count, 4);
	assert_int_equal(b->heap->params.n_mmaps, 4);
	assert_int_equal(b->heap->params.mmapped_mem, 0x31000 + 0x22000 + 0x1000 + 0x400000);
}

/* memalign moves the header up and leaves the old one where it was. */
static void test_mmapped_memalign(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	uint64_t base = BUILDER_MMAP;

	builder_thread(b, 100, arena);
	builder_top(arena);
	builder_mmapped(b, base, 0x23000, b->layout->mmapped_header_apart ? 0x10 : 0x30, false);
	base += 0x23000;
	for (uint64_t alignment = 0x40; alignment <= 0x1000000; alignment *= 2) {
		/* Where the alignment is above a page, the lead depends on what mmap chose. */
		uint64_t lead = align_up(base + 0x30, alignment) - 16 - base;
		uint64_t total = 0x24000 + align_down(lead, 0x1000);

		builder_mmapped(b, base, total, lead, false);
		base += total;
		/* Now and then one that is not aligned in the midst of those. */
		if (alignment & 0x49249240) {
			builder_mmapped(b, base, 0x25000, 0, false);
			base += 0x25000;
		}
	}

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->tally[CHUNK_MMAPPED].count, 27);
	assert_null(heap_find(b->heap, BUILDER_MMAP));
}

/*
 * realloc() of such a chunk may move it (mremap_chunk): the lead stays, although the new place is
 * not aligned, and the stale header tells the old size.
 */
static void test_mmapped_memalign_moved(void **state)
{
	static const uint64_t totals[] = { 0x34000, 0x35000, 0x90000, 0x15000 };
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	uint64_t header = b->layout->mmapped_header_apart ? 16 : 0;

	builder_thread(b, 100, arena);
	builder_top(arena);
	for (size_t i = 0; i < 4; i++) {
		uint64_t base = BUILDER_MMAP + 0x3000 + i * 0x200000;
		builder_mmapped(b, base, 0x54000, 0x10000 - 16, false);
		builder_set(b, base + 8, (totals[i] - header) | 2);
	}
	builder_mmapped(b, BUILDER_MMAP + 0x1001000, 0x54000, 0, false);

	builder_read(b);
	builder_assert_clean(b);
}

/* hugetlb=2: 2 MiB pages; from 2.43 on bit 0 of prev_size says so. */
static void test_mmapped_hugetlb(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	bool bit = b->layout->mmapped_header_apart;

	if (b->layout->malloc_par.hp_pagesize == GLIBC_ABSENT)
		skip();
	/* It may be set for MAP_HUGETLB while heaps stay as they are: no arenas here. */
	builder_set(b, b->mp + b->layout->malloc_par.hp_pagesize, 0x200000);
	builder_thread(b, 100, arena);
	builder_top(arena);
	uint64_t chunk = builder_mmapped(b, BUILDER_MMAP, 0x200000, 0, bit);
	builder_mmapped(b, BUILDER_MMAP + 0x200000, 0x400000, 0x1000 - 16, bit);
	builder_mmapped(b, BUILDER_MMAP + 0x600000, 0x200000, 0x40 - 16, bit);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->params.hp_pagesize, 0x200000);
	assert_int_equal(b->heap->params.heap_max,
			 b->layout->heap_max_follows_hugetlb ? 0x800000 : 0x4000000);
	assert_int_equal(chunk_user(heap_find(b->heap, chunk)), BUILDER_MMAP + 16);
}

/* A page inside an mmapped chunk that looks like the start of another is user data. */
static void test_mmapped_mimic(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	builder_thread(b, 100, arena);
	builder_top(arena);
	uint64_t header = b->layout->mmapped_header_apart ? 16 : 0;
	uint64_t chunk = builder_mmapped(b, BUILDER_MMAP, 0x31000, 0, false);
	builder_set(b, chunk + 0x3000, 0);
	builder_set(b, chunk + 0x3008, (0x5000 - header) | 2);

	builder_read(b);
	builder_assert_clean(b);
}

/* mremap_chunk() of 2.43 adds 16 bytes too many to mmapped_mem each time. */
static void test_mmapped_mremap_drift(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);
	builder_thread(b, 100, arena);
	builder_top(arena);
	builder_mmapped(b, BUILDER_MMAP, 0x31000, 0, false);
	builder_set(b, b->mp + b->layout->malloc_par.mmapped_mem, 0x31000 + 32);

	builder_read(b);
	if (b->layout->mmapped_header_apart)
		builder_assert_clean(b);
	else
		builder_assert_found(b, BUILDER_KIND(AUDIT_MMAPPED));
}

/* 2.43: with a raised tcache_max, mmapped chunks are cached, too, and mp_ still counts them. */
static void test_tcache_of_mmapped(void **state)
{
	struct heap_builder *b = *state;

	if (!b->layout->mmapped_header_apart)
		skip();
	builder_set(b, b->mp + b->layout->malloc_par.tcache_max_bytes, 0x400000);
	struct builder_arena *arena = small_main(b);
	struct builder_thread *thread = builder_thread(b, 100, arena);
	builder_tcache_struct(thread, arena);
	builder_top(arena);
	uint64_t live = builder_mmapped(b, BUILDER_MMAP, 0x31000, 0, false);
	uint64_t cached = builder_mmapped(b, BUILDER_MMAP + 0x31000, 0x31000, 0, false);
	builder_tcache(thread, cached);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(builder_get(b, cached + 8), 0x30ff2);
	const uint64_t list[] = { cached, 0 };
	builder_assert_list(b, LIST_TCACHE, 0, 71, list);
	uint32_t bin;
	assert_true(heap_chunk_bin(heap_find(b->heap, cached), &bin));
	assert_int_equal(bin, 71);
	assert_int_equal(heap_find(b->heap, cached)->arena, CHUNK_NO_ARENA);
	assert_int_equal(heap_find(b->heap, live)->state, CHUNK_MMAPPED);
	assert_int_equal(heap_usable_size(b->heap, heap_find(b->heap, cached)), 0x30fe8);
}

/* With glibc.malloc.mmap_threshold=0 even the tcache itself gets a mapping. */
static void test_tcache_struct_mmapped(void **state)
{
	struct heap_builder *b = *state;
	struct builder_thread *thread = builder_thread(b, 100, &b->arenas[0]);

	builder_init_bins(&b->arenas[0]);
	uint64_t chunk = builder_mmapped(b, BUILDER_MMAP, 0x1000, 0, false);
	builder_mmapped(b, BUILDER_MMAP + 0x1000, 0x1000, 0, false);
	builder_tcache_struct_at(thread, chunk);

	builder_read(b);
	builder_assert_clean(b);
	builder_assert_item(b, chunk, CHUNK_TCACHE_STRUCT,
			    b->layout->mmapped_header_apart ? 0xff0 : 0x1000);
}

/*
 * Nothing is read of 64 GiB that nobody touched, before the chunk and behind it, one missing or
 * not.
 */
static void test_absent(void **state)
{
	static const uint64_t length = UINT64_C(64) << 30;
	struct heap_builder *b = *state;

	for (int i = 0; i < 4; i++) {
		builder_reset(b);
		struct builder_arena *arena = small_main(b);
		builder_thread(b, 100, arena);
		builder_top(arena);
		bool before = i % 2, missing = i / 2;
		uint64_t at = before ? BUILDER_MMAP + length : BUILDER_MMAP;
		builder_map_absent(b, before ? BUILDER_MMAP : BUILDER_MMAP + 0x31000, length);
		uint64_t chunk = builder_mmapped(b, at, 0x31000, 0, false);
		uint64_t n_mmaps = b->mp + b->layout->malloc_par.n_mmaps;
		if (missing)
			builder_set32(b, n_mmaps, 2);
		builder_read(b);
		if (missing)
			builder_assert_found(b, BUILDER_KIND(AUDIT_MMAPPED));
		else
			builder_assert_clean(b);
		builder_assert_item(b, chunk, CHUNK_MMAPPED, chunk_size(heap_find(b->heap, chunk)));
	}
}

/* The same of a main arena of several parts. */
static void test_absent_part(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = small_main(b);

	builder_thread(b, 100, arena);
	builder_link(arena, builder_fence(arena), 1);
	builder_map_absent(b, BUILDER_MMAP, UINT64_C(64) << 30);
	uint64_t part = BUILDER_MMAP + (UINT64_C(64) << 30);
	builder_mmap_morecore(b, part, part + 0x100000);
	builder_top(arena);
	builder_read(b);
	builder_assert_clean(b);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_mmapped),
		BUILDER_TEST(test_absent),
		BUILDER_TEST(test_absent_part),
		BUILDER_TEST(test_mmapped_memalign),
		BUILDER_TEST(test_mmapped_memalign_moved),
		BUILDER_TEST(test_mmapped_hugetlb),
		BUILDER_TEST(test_mmapped_mimic),
		BUILDER_TEST(test_mmapped_mremap_drift),
		BUILDER_TEST(test_tcache_of_mmapped),
		BUILDER_TEST(test_tcache_struct_mmapped),
	};

	return builder_run("mmapped chunks", tests, sizeof(tests) / sizeof(tests[0]));
}
