/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Books that lie: sizes, arenas, heap_infos, mp_ and threads. In a valid image one number or
 * pointer is made wrong, and the audit has to say so.
 */
#include "hostile_image.h"

/* Size fields */

static const uint64_t bad_sizes[] = {
	0,
	1,
	7,
	8,
	0x10,
	0x18 | 1,
	0x28 | 1,
	0x218 | 1,
	0x210 | 2 | 1, /* IS_MMAPPED in an arena */
	UINT64_C(0x4141414141414141),
	UINT64_C(0x5555555555555550) | 1,
	UINT64_C(0xaaaaaaaaaaaaaaa0) | 1,
	UINT64_C(1) << 20 | 1,
	UINT64_C(1) << 32 | 1,
	UINT64_C(1) << 44 | 1,
	UINT64_C(1) << 48 | 1,
	UINT64_C(1) << 63 | 1,
	(UINT64_C(1) << 63) - 15,
	UINT64_MAX,
	UINT64_MAX - 15, /* wraps to 16 bytes before the chunk */
	UINT64_MAX - 0x20e, /* wraps to 0x210 bytes before it */
	UINT64_C(0x60) | 1, /* ends within noise */
};

#define BAD_SIZES (sizeof(bad_sizes) / sizeof(bad_sizes[0]))

static void test_sizes(void **state)
{
	struct heap_builder *b = *state;

	for (size_t i = 0; i < BAD_SIZES * ARENAS * 3; i++) {
		int which = i % ARENAS;
		struct image image;

		hostile_rebuild(b, &image);
		const uint64_t places[] = { image.big[which], image.last[which], image.top[which] };
		uint64_t size = bad_sizes[i / ARENAS / 3];
		builder_set(b, places[i / ARENAS % 3] + 8, size);
		print_message("size 0x%llx at place %zu of arena %d\n", (unsigned long long)size,
			      i / ARENAS % 3, which);
		builder_read(b);
		builder_assert_found(b, KIND(BAD_CHUNK) | KIND(BAD_SEGMENT) | KIND(BAD_ARENA) |
						KIND(SYSTEM_MEM));
		builder_assert_item(b, image.witness, CHUNK_IN_USE, 0x30);
		if (which != MAIN)
			builder_assert_item(b, image.last[MAIN], CHUNK_IN_USE, 0x90);
	}
}

/* The bit that names the arena: free() would go to another one. */
static void size_arena_bit(struct image *image, int which)
{
	uint64_t size = builder_get(image->b, image->big[which] + 8);

	builder_set(image->b, image->big[which] + 8, size ^ GLIBC_NON_MAIN_ARENA);
}

/* The first chunk of an arena: nothing before it could be free. Without a tcache it is big. */
static void size_first_chunk(struct image *image, int which)
{
	uint64_t chunk = which == MAIN ? image->witness : image->arenas[which]->heap;

	if (which != MAIN)
		for (size_t i = 0; i < image->b->items.count; i++) {
			const struct builder_item *item = &image->b->items.data[i];
			if (item->arena == (uint32_t)which && item->state == CHUNK_MALLOC_STATE)
				chunk = (item->address + item->size + 15) & ~UINT64_C(15);
		}
	builder_set(image->b, chunk + 8, builder_get(image->b, chunk + 8) & ~UINT64_C(1));
}

/* A chunk that grew over its free neighbour. */
static void size_over_neighbour(struct image *image, int which)
{
	uint64_t chunk = image->unsorted[which][0] - 0x40; /* fast[which][2] */

	builder_set(image->b, chunk + 8, builder_get(image->b, chunk + 8) + 0xa0);
}

/* The last chunk of a heap that is not the newest: over one of its fenceposts, or over both. */
static void size_over_fencepost(struct image *image, int which)
{
	uint64_t size = builder_get(image->b, image->fenced + 8);

	builder_set(image->b, image->fenced + 8,
		    size + (which == 0   ? 0x10
			    : which == 1 ? 0x20
					 : 0x30));
}

static void test_size_bits(void **state)
{
	static const struct hostile_case cases[] = {
		{ "over a free chunk", KIND(BAD_LIST) | KIND(BAD_CHUNK), size_over_neighbour },
		{ "over a fencepost", KIND(BAD_LIST) | KIND(BAD_CHUNK), size_over_fencepost },
		{ "arena bit", KIND(BAD_CHUNK) | KIND(STATE_CONFLICT), size_arena_bit },
		{ "first chunk", KIND(BAD_CHUNK) | KIND(STATE_CONFLICT), size_first_chunk },
	};

	HOSTILE_RUN(state, cases);
}

/* Arenas */

static void set_state(struct image *image, int which, uint16_t offset, uint64_t value)
{
	builder_set(image->b, image->arenas[which]->address + offset, value);
}

static uint64_t next_offset(struct image *image)
{
	return image->b->layout->malloc_state.next;
}

static void ring_unmapped(struct image *image, int which)
{
	set_state(image, which, next_offset(image), NOWHERE);
}

static void ring_null(struct image *image, int which)
{
	set_state(image, which, next_offset(image), 0);
}

static void ring_misaligned(struct image *image, int which)
{
	set_state(image, which, next_offset(image), image->arenas[MAIN]->address + 1);
}

static void ring_garbage(struct image *image, int which)
{
	set_state(image, which, next_offset(image), image->mmapped[1] + 0x40);
}

/* Never again at main_arena. */
static void ring_open(struct image *image, int which)
{
	if (which == MAIN)
		set_state(image, OTHER, next_offset(image), image->arenas[NEWEST]->address);
	else
		set_state(image, which, next_offset(image), image->arenas[which]->address);
}

static void system_mem_more(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.system_mem,
		  image->arenas[which]->system_mem + 0x10);
}

static void system_mem_less(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.system_mem,
		  image->arenas[which]->system_mem - 0x1000);
}

static void system_mem_none(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.system_mem, 0);
}

static void system_mem_all(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.system_mem, UINT64_MAX);
}

static void top_null(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.top, 0);
}

static void top_unmapped(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.top, NOWHERE);
}

static void top_wild(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.top, UINT64_MAX - 7);
}

static void top_misaligned(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.top, image->top[which] + 8);
}

static void top_early(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.top, image->last[which]);
}

static void top_into_chunk(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.top, image->last[which] + 0x20);
}

static void top_of_other(struct image *image, int which)
{
	set_state(image, which, image->b->layout->malloc_state.top,
		  image->top[(which + 1) % ARENAS]);
}

#define ARENA_KINDS                                                                 \
	(KIND(BAD_ARENA) | KIND(BAD_SEGMENT) | KIND(BAD_CHUNK) | KIND(SYSTEM_MEM) | \
	 KIND(UNREADABLE))

static void test_arenas(void **state)
{
	static const struct hostile_case cases[] = {
		{ "ring unmapped", KIND(BAD_ARENA) | KIND(UNREADABLE), ring_unmapped },
		{ "ring null", KIND(BAD_ARENA) | KIND(UNREADABLE), ring_null },
		{ "ring misaligned", KIND(BAD_ARENA), ring_misaligned },
		{ "ring garbage", KIND(BAD_ARENA), ring_garbage },
		{ "ring open", KIND(BAD_ARENA), ring_open },
		{ "system_mem more", KIND(SYSTEM_MEM), system_mem_more },
		{ "system_mem less", KIND(SYSTEM_MEM), system_mem_less },
		{ "system_mem none", KIND(SYSTEM_MEM), system_mem_none },
		{ "system_mem all", KIND(SYSTEM_MEM), system_mem_all },
		{ "top null", ARENA_KINDS, top_null },
		{ "top unmapped", ARENA_KINDS, top_unmapped },
		{ "top wild", ARENA_KINDS, top_wild },
		{ "top misaligned", ARENA_KINDS, top_misaligned },
		{ "top early", ARENA_KINDS, top_early },
		{ "top into chunk", ARENA_KINDS, top_into_chunk },
		{ "top of another", ARENA_KINDS, top_of_other },
	};
	struct heap_builder *b = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) * ARENAS; i++) {
		struct image image;

		hostile_rebuild(b, &image);
		cases[i / ARENAS].corrupt(&image, i % ARENAS);
		print_message("%s, arena %zu\n", cases[i / ARENAS].name, i % ARENAS);
		builder_read(b);
		builder_assert_found(b, cases[i / ARENAS].kinds);
		if (i % ARENAS != MAIN)
			builder_assert_item(b, image.witness, CHUNK_IN_USE, 0x30);
	}
}

/* How much there is to read cannot be told of a ring that does not close, and of such a size. */
static void test_expected_bytes(void **state)
{
	static void (*const corrupt[])(struct image *, int) = { ring_unmapped, ring_null, ring_open,
								system_mem_all };
	struct heap_builder *b = *state;

	for (size_t i = 0; i < sizeof(corrupt) / sizeof(corrupt[0]) * ARENAS; i++) {
		struct image image;

		hostile_rebuild(b, &image);
		corrupt[i / ARENAS](&image, i % ARENAS);
		builder_read(b);
		assert_int_equal(b->expected_bytes, UINT64_MAX);
	}
}

/* heap_info; which tells the heap here: the first of OTHER, its second, NEWEST's only one */

static uint64_t heap_of(struct image *image, int which)
{
	return which == 2 ? image->arenas[NEWEST]->heap : image->heaps[which];
}

static void set_info(struct image *image, int which, uint16_t offset, uint64_t value)
{
	builder_set(image->b, heap_of(image, which) + offset, value);
}

static void heap_owner(struct image *image, int which)
{
	set_info(image, which, image->b->layout->heap_info.ar_ptr, image->arenas[MAIN]->address);
}

static void heap_owner_null(struct image *image, int which)
{
	set_info(image, which, image->b->layout->heap_info.ar_ptr, 0);
}

static void heap_prev_self(struct image *image, int which)
{
	set_info(image, which, image->b->layout->heap_info.prev, heap_of(image, which));
}

static void heap_prev_cycle(struct image *image, int which)
{
	(void)which;
	set_info(image, 0, image->b->layout->heap_info.prev, image->heaps[1]);
}

static void heap_prev_unmapped(struct image *image, int which)
{
	set_info(image, which, image->b->layout->heap_info.prev, NOWHERE & ~UINT64_C(0x3ffffff));
}

static void heap_prev_misaligned(struct image *image, int which)
{
	set_info(image, which, image->b->layout->heap_info.prev, image->heaps[0] + 0x1000);
}

static void heap_prev_other(struct image *image, int which)
{
	set_info(image, which, image->b->layout->heap_info.prev,
		 heap_of(image, which == 2 ? 0 : 2));
}

static void heap_size_null(struct image *image, int which)
{
	set_info(image, which, image->b->layout->heap_info.size_field, 0);
}

static void heap_size_wild(struct image *image, int which)
{
	set_info(image, which, image->b->layout->heap_info.size_field, UINT64_MAX - 0xfff);
}

static void heap_size_more(struct image *image, int which)
{
	set_info(image, which, image->b->layout->heap_info.size_field, 0x5000);
}

static void heap_size_less(struct image *image, int which)
{
	set_info(image, which, image->b->layout->heap_info.size_field, 0x2000);
}

static void test_heap_infos(void **state)
{
	static const struct hostile_case cases[] = {
		/* An arena's first heap is what its address is believed by. */
		{ "owner", KIND(BAD_SEGMENT) | KIND(BAD_ARENA), heap_owner },
		{ "owner null", KIND(BAD_SEGMENT) | KIND(BAD_ARENA), heap_owner_null },
		{ "prev self", KIND(BAD_SEGMENT), heap_prev_self },
		{ "prev cycle", KIND(BAD_SEGMENT), heap_prev_cycle },
		{ "prev unmapped", KIND(BAD_SEGMENT) | KIND(UNREADABLE), heap_prev_unmapped },
		{ "prev misaligned", KIND(BAD_SEGMENT), heap_prev_misaligned },
		{ "prev other", KIND(BAD_SEGMENT), heap_prev_other },
		{ "size null", KIND(BAD_SEGMENT), heap_size_null },
		{ "size wild", KIND(BAD_SEGMENT), heap_size_wild },
		{ "size more", ARENA_KINDS, heap_size_more },
		{ "size less", ARENA_KINDS, heap_size_less },
	};

	HOSTILE_RUN(state, cases);
}

/* mp_ and mmapped chunks; which is one of three values */

static void mp_count(struct image *image, int which)
{
	static const uint32_t values[] = { 0, 1000000, UINT32_MAX };

	builder_set32(image->b, image->b->mp + image->b->layout->malloc_par.n_mmaps, values[which]);
}

static void mp_bytes(struct image *image, int which)
{
	static const uint64_t values[] = { 0, 0x8008, UINT64_MAX };

	builder_set(image->b, image->b->mp + image->b->layout->malloc_par.mmapped_mem,
		    values[which]);
}

static void mmapped_size(struct image *image, int which)
{
	static const uint64_t values[] = { 0x4002, 2, UINT64_MAX - 0xffd };

	builder_set(image->b, image->mmapped[0] + 8, values[which]);
}

static void mmapped_not(struct image *image, int which)
{
	(void)which;
	builder_set(image->b, image->mmapped[0] + 8, 0);
}

static void test_mmapped_books(void **state)
{
	static const struct hostile_case cases[] = {
		{ "n_mmaps", KIND(MMAPPED), mp_count },
		{ "mmapped_mem", KIND(MMAPPED), mp_bytes },
		{ "size of a chunk", KIND(MMAPPED), mmapped_size },
		{ "no chunk", KIND(MMAPPED), mmapped_not },
	};

	HOSTILE_RUN(state, cases);
}

/* What the counters of 2.42 and later are counted from. */
static void test_tcache_count(void **state)
{
	static const uint64_t values[] = { 0, 99, UINT64_C(1) << 63, UINT64_MAX };
	struct heap_builder *b = *state;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct image image;

		hostile_rebuild(b, &image);
		builder_set(b, b->mp + b->layout->malloc_par.tcache_count, values[i]);
		print_message("tcache_count 0x%llx\n", (unsigned long long)values[i]);
		builder_read(b);
		if (b->layout->tcache.counts_down)
			builder_assert_found(b, KIND(COUNTER));
		else
			builder_assert_clean(b);
	}
}

/* Where main_arena begins comes from mp_; without it nothing before the first region is known. */
static void test_sbrk_base(void **state)
{
	static const uint64_t values[] = { 0,
					   1,
					   NOWHERE,
					   UINT64_MAX - 15,
					   BUILDER_HEAPS,
					   BUILDER_SBRK + 0x10,
					   BUILDER_LIBC,
					   BUILDER_SBRK + 0x4ff0,
					   BUILDER_SBRK - 0x1000 };
	struct heap_builder *b = *state;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct glibc_layout *layout = b->layout;
		struct image image;

		hostile_rebuild(b, &image);
		builder_set(b, b->mp + layout->malloc_par.sbrk_base, values[i]);
		print_message("sbrk_base 0x%llx\n", (unsigned long long)values[i]);
		builder_read(b);
		builder_assert_found(b, ARENA_KINDS | KIND(BAD_LIST));
		builder_assert_item(b, image.last[OTHER], CHUNK_IN_USE, 0x90);
	}
}

/* A page size that cannot be is none. */
static void test_hp_pagesize(void **state)
{
	static const uint64_t values[] = { 1, 3, 0x200001, UINT64_C(1) << 62, UINT64_MAX };
	struct heap_builder *b = *state;

	if (b->layout->malloc_par.hp_pagesize == GLIBC_ABSENT)
		skip();
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct glibc_layout *layout = b->layout;
		struct image image;

		hostile_rebuild(b, &image);
		builder_set(b, b->mp + layout->malloc_par.hp_pagesize, values[i]);
		builder_read(b);
		builder_assert_clean(b);
	}
}

/* Threads; which tells the value */

static void thread_tcache(struct image *image, int which)
{
	const uint64_t values[] = { NOWHERE, image->big[MAIN] + 0x40, UINT64_MAX - 15 };

	builder_set(image->b, builder_tcache_slot(image->threads[1]), values[which]);
}

static void thread_same_tcache(struct image *image, int which)
{
	(void)which;
	builder_set(image->b, builder_tcache_slot(image->threads[1]), image->threads[0]->tcache);
}

static void thread_self(struct image *image, int which)
{
	static const uint64_t values[] = { 0, NOWHERE, UINT64_MAX };

	builder_set(image->b, image->threads[1]->fs_base, values[which]);
	builder_set(image->b, image->threads[1]->fs_base + 16, values[which]);
}

static void thread_arena(struct image *image, int which)
{
	const uint64_t values[] = { NOWHERE, image->big[MAIN], UINT64_MAX };

	builder_set(image->b, image->threads[1]->fs_base + image->b->roots.thread_arena.value,
		    values[which]);
}

static void thread_registers(struct image *image, int which)
{
	static const uint64_t values[] = { NOWHERE, 0x40, UINT64_MAX };

	image->b->root_threads[1].fs_base = values[which];
}

static void test_threads(void **state)
{
	static const struct hostile_case cases[] = {
		{ "tcache", KIND(BAD_THREAD) | KIND(UNREADABLE), thread_tcache },
		{ "same tcache", KIND(BAD_THREAD) | KIND(STATE_CONFLICT), thread_same_tcache },
		{ "self pointers", KIND(BAD_THREAD), thread_self },
		{ "thread_arena", KIND(BAD_THREAD), thread_arena },
		{ "fs_base", KIND(BAD_THREAD) | KIND(UNREADABLE), thread_registers },
	};

	HOSTILE_RUN(state, cases);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_sizes),         BUILDER_TEST(test_size_bits),
		BUILDER_TEST(test_arenas),        BUILDER_TEST(test_expected_bytes),
		BUILDER_TEST(test_heap_infos),    BUILDER_TEST(test_tcache_count),
		BUILDER_TEST(test_mmapped_books), BUILDER_TEST(test_sbrk_base),
		BUILDER_TEST(test_hp_pagesize),   BUILDER_TEST(test_threads),
	};

	return builder_run("hostile books", tests, sizeof(tests) / sizeof(tests[0]));
}
