/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is missing or means nothing, and thousands of random changes: nothing may crash, hang
 * or grow without bound.
 */
#include "hostile_image.h"

#include <string.h>

/* Pages that cannot be read */

/* Whether page holds what a walk needs; user data it can do without. */
static bool page_matters(const struct heap_builder *b, uint64_t page)
{
	for (size_t i = 0; i < b->items.count; i++) {
		uint64_t address = b->items.data[i].address;
		if (address + 15 >= page && address < page + BUILDER_PAGE)
			return true;
	}
	return page == BUILDER_LIBC + BUILDER_PAGE; /* mp_ and main_arena */
}

static void test_unreadable_pages(void **state)
{
	struct heap_builder *b = *state;
	struct memory_region regions[BUILDER_REGIONS];
	struct image image;

	hostile_build(b, &image);
	size_t count = b->region_count;
	memcpy(regions, b->regions, sizeof(regions));
	for (size_t i = 0; i < count; i++) {
		for (size_t at = 0; at < regions[i].length; at += BUILDER_PAGE) {
			hostile_rebuild(b, &image);
			builder_unmap(b, regions[i].address + at, BUILDER_PAGE);
			print_message("page 0x%llx\n", (unsigned long long)regions[i].address + at);
			struct memtool_error *error = builder_try_read(b);
			if (error) {
				/* Nothing is left to tell without these. */
				assert_int_equal(regions[i].address, BUILDER_LIBC);
				assert_int_equal(error->code, MEMTOOL_ERROR_FAULT);
				memtool_error_destroy(error);
				continue;
			}
			builder_assert_sane(b);
			if (page_matters(b, regions[i].address + at))
				builder_assert_found(b, ANY_DOUBT);
			if (regions[i].address != BUILDER_SBRK &&
			    regions[i].address != BUILDER_LIBC)
				builder_assert_item(b, image.witness, CHUNK_IN_USE, 0x30);
		}
	}
}

/* A hole in the middle of a heap: what lies before it is told, and that something is missing. */
static void unreadable_middle(struct image *image, int which)
{
	uint64_t page = (image->large[which][1] + 0x100) & ~(uint64_t)(BUILDER_PAGE - 1);

	builder_unmap(image->b, page, BUILDER_PAGE);
}

static void unreadable_tcache(struct image *image, int which)
{
	(void)which;
	builder_unmap(image->b, image->threads[1]->tcache & ~(uint64_t)(BUILDER_PAGE - 1),
		      BUILDER_PAGE);
}

static void unreadable_thread(struct image *image, int which)
{
	(void)which;
	builder_unmap(image->b, image->threads[1]->fs_base & ~(uint64_t)(BUILDER_PAGE - 1),
		      BUILDER_PAGE);
}

static void test_unreadable(void **state)
{
	static const struct hostile_case cases[] = {
		{ "middle", KIND(UNREADABLE), unreadable_middle },
		{ "tcache", KIND(UNREADABLE), unreadable_tcache },
		{ "thread", KIND(UNREADABLE) | KIND(BAD_THREAD), unreadable_thread },
	};

	HOSTILE_RUN(state, cases);
}

/* Nobody can lie below a 4 KiB image with roots that are nonsense, either. */
static void test_wrong_roots(void **state)
{
	static const uint64_t values[] = { 0,
					   1,
					   NOWHERE,
					   UINT64_MAX - 7,
					   BUILDER_SBRK,
					   BUILDER_LIBC,
					   BUILDER_HEAPS,
					   BUILDER_MMAP,
					   BUILDER_LIBC + 3 * BUILDER_PAGE - 16 };
	struct heap_builder *b = *state;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]) * 4; i++) {
		struct image image;

		hostile_rebuild(b, &image);
		struct root *roots[] = { &b->roots.main_arena, &b->roots.mp, &b->roots.tcache,
					 &b->roots.thread_arena };
		roots[i % 4]->value = values[i / 4];
		print_message("root %zu is 0x%llx\n", i % 4, (unsigned long long)values[i / 4]);
		struct memtool_error *error = builder_try_read(b);
		if (!error)
			builder_assert_sane(b);
		if (!error && i % 4 < 2)
			builder_assert_found(b, ANY_DOUBT);
		memtool_error_destroy(error);
	}
}

/* What a search could lose itself in */

static const uint64_t decoy = UINT64_C(16) << 20;

/*
 * Parts of main_arena are missing, and each page of a big mapping starts a chain of chunks that
 * runs through all the others and breaks at the very end.
 */
static void test_decoy_regions(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);

	builder_thread(b, 100, arena);
	uint64_t chunk = builder_chunk(arena, 0x40);
	builder_link(arena, builder_fence(arena), 1);
	builder_mmap_morecore(b, BUILDER_MMAP + 2 * decoy, BUILDER_MMAP + 2 * decoy + 0x100000);
	builder_top(arena);
	builder_set_state(arena, b->layout->malloc_state.system_mem, arena->system_mem + decoy);
	builder_map(b, BUILDER_MMAP, decoy, true);
	for (uint64_t at = 0; at < decoy; at += BUILDER_PAGE)
		builder_set(b, BUILDER_MMAP + at + 8, BUILDER_PAGE | 1);

	builder_read(b);
	builder_assert_found(b, KIND(SYSTEM_MEM) | KIND(BAD_ARENA));
	builder_assert_item(b, chunk, CHUNK_IN_USE, 0x40);
}

/* The same in main_arena itself: after one bad size, a chain starts every 32 bytes. */
static void test_decoy_chunks(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + decoy + 0x21000);

	builder_thread(b, 100, arena);
	uint64_t chunk = builder_chunk(arena, 0x40);
	uint64_t bad = builder_chunk(arena, decoy);
	builder_top(arena);
	for (uint64_t at = 32; at < decoy; at += 32) {
		builder_set(b, bad + at, 0);
		builder_set(b, bad + at + 8, at / 32 % 63 ? 0x21 : 0x28);
	}
	builder_set(b, bad + 8, 0x28);

	builder_read(b);
	builder_assert_found(b, KIND(BAD_CHUNK));
	builder_assert_item(b, chunk, CHUNK_IN_USE, 0x40);
}

/* Every page looks like a mmapped chunk that is too long for its mapping. */
static void test_decoy_mmapped(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);
	uint64_t header = b->layout->mmapped_header_apart ? 16 : 0;

	builder_thread(b, 100, arena);
	builder_top(arena);
	builder_map(b, BUILDER_MMAP, decoy, true);
	for (uint64_t at = 0; at < decoy; at += BUILDER_PAGE)
		builder_set(b, BUILDER_MMAP + at + 8, (2 * decoy - header) | 2);
	uint64_t chunk = builder_mmapped(b, BUILDER_MMAP + 2 * decoy, 0x31000, 0, false);

	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(heap_find(b->heap, chunk)->state, CHUNK_MMAPPED);
}

/* A long list that bites its tail at each of its links in turn. */
static void test_long_cycles(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x200000);
	struct builder_thread *thread = builder_thread(b, 100, arena);
	uint64_t chunks[500];

	builder_tcache_struct(thread, arena);
	for (size_t i = 0; i < 500; i++) {
		chunks[i] = builder_chunk(arena, 0x60);
		builder_set(b, chunks[i] + 16,
			    builder_protect(b, chunks[i] + 16, i ? chunks[i - 1] + 16 : 0));
	}
	builder_top(arena);
	for (uint32_t bin = 0; bin < b->layout->tcache.bins; bin++)
		builder_set(b, builder_tcache_entry(thread, bin), chunks[499 - bin] + 16);
	for (size_t i = 0; i < 500; i += 7) {
		builder_set(b, chunks[0] + 16, builder_protect(b, chunks[0] + 16, chunks[i] + 16));
		builder_read(b);
		builder_assert_found(b, KIND(BAD_LIST));
	}
}

/* Random changes */

#define MUTATIONS 3000

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* An address at which glibc has something: a header, a link, a field. */
static uint64_t try_place(const struct heap_builder *b, uint64_t *seed)
{
	const struct glibc_layout *layout = b->layout;
	const struct builder_item *item = &b->items.data[next_random(seed) % b->items.count];
	const struct builder_arena *arena = &b->arenas[next_random(seed) % b->arena_count];
	const struct builder_thread *thread = &b->threads[next_random(seed) % b->thread_count];

	switch (next_random(seed) % 8) {
	case 0:
		return arena->address + next_random(seed) % (layout->malloc_state.size / 8) * 8;
	case 1: /* what stands behind and before the bins */
		return arena->address + layout->malloc_state.next - 16 + next_random(seed) % 7 * 8;
	case 2:
		return b->mp + next_random(seed) % (layout->malloc_par.size / 8) * 8;
	case 3:
		return thread->tcache + next_random(seed) % (layout->tcache.size / 8) * 8;
	case 4:
		return thread->fs_base - 0x50 + next_random(seed) % 14 * 8;
	default: /* prev_size to bk_nextsize */
		return item->address + next_random(seed) % 4 * 8;
	}
}

/* Items at the end of a region have no links. */
static uint64_t pick_place(const struct heap_builder *b, uint64_t *seed)
{
	for (;;) {
		uint64_t place = try_place(b, seed);
		for (size_t i = 0; i < b->region_count; i++) {
			if (place >= b->regions[i].address &&
			    place < b->regions[i].address + b->regions[i].length)
				return place;
		}
	}
}

static uint64_t pick_value(const struct heap_builder *b, uint64_t old, uint64_t *seed)
{
	const struct builder_item *item = &b->items.data[next_random(seed) % b->items.count];
	uint64_t random = next_random(seed);

	switch (next_random(seed) % 10) {
	case 0:
		return old ^ UINT64_C(1) << random % 64;
	case 1:
		return (old & ~(UINT64_C(0xff) << random % 8 * 8)) | (random >> 8 & 0xff)
									     << random % 8 * 8;
	case 2:
		return random;
	case 3:
		return random % 0x400;
	case 4:
		return old + (random % 65 - 32) * 16;
	case 5:
		return item->address + random % 3 * 16;
	case 6:
		return builder_protect(b, item->address + 16, item->address + 16);
	case 7:
		return UINT64_C(1) << random % 64;
	case 8:
		return 0 - random % 0x1000 / 8 * 8;
	default:
		return b->arenas[random % b->arena_count].address + random % 0x900 / 8 * 8;
	}
}

static void use_heap(const struct heap *heap)
{
	struct heap_mallinfo info = heap_mallinfo(heap);
	uint32_t bin = 0;

	assert_true(info.ordblks >= heap->arena_count);
	for (size_t i = 0; i < heap->chunk_count; i++) {
		heap_chunk_bin(&heap->chunks[i], &bin);
		assert_true(heap_usable_size(heap, &heap->chunks[i]) <=
			    chunk_size(&heap->chunks[i]));
	}
}

static void test_random(void **state)
{
	struct heap_builder *b = *state;
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
	struct image image;
	uint64_t detected = 0;

	hostile_build(b, &image);
	for (unsigned int i = 0; i < MUTATIONS; i++) {
		struct {
			uint64_t place;
			uint64_t old;
		} undo[4];
		size_t count = 1 + next_random(&seed) % 4;

		for (size_t at = 0; at < count; at++) {
			undo[at].place = pick_place(b, &seed);
			undo[at].old = builder_get(b, undo[at].place);
			builder_set(b, undo[at].place, pick_value(b, undo[at].old, &seed));
		}
		builder_read(b);
		builder_assert_sane(b);
		use_heap(b->heap);
		detected += !b->heap->audit.ok;
		while (count-- > 0)
			builder_set(b, undo[count].place, undo[count].old);
	}
	/* What hits user data is no damage; most of the rest is. */
	assert_true(detected > MUTATIONS / 2);
	builder_read(b);
	builder_assert_clean(b);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_unreadable_pages), BUILDER_TEST(test_unreadable),
		BUILDER_TEST(test_wrong_roots),      BUILDER_TEST(test_decoy_regions),
		BUILDER_TEST(test_decoy_chunks),     BUILDER_TEST(test_decoy_mmapped),
		BUILDER_TEST(test_long_cycles),      BUILDER_TEST(test_random),
	};

	return builder_run("random heaps", tests, sizeof(tests) / sizeof(tests[0]));
}
