/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free lists that lie: in a valid image one link or counter is made wrong, and the audit has to say
 * so, while what has nothing to do with it is told as ever.
 */
#include "hostile_image.h"

#include "glibc/chunk.h"

#include <string.h>

static void test_unharmed(void **state)
{
	struct image image;

	hostile_build(*state, &image);
	builder_read(*state);
	builder_assert_clean(*state);
}

/* Singly linked lists: tcaches and fastbins */

static void set_next(struct image *image, uint64_t chunk, uint64_t next)
{
	builder_set(image->b, chunk + 16, builder_protect(image->b, chunk + 16, next));
}

static struct builder_thread *owner(struct image *image, int which)
{
	return image->threads[which == NEWEST];
}

static uint64_t tcache_head(struct image *image, int which)
{
	return builder_tcache_entry(owner(image, which), 3);
}

/* Three chunks of an arena lie in its list from the last to the first. */
static void tcache_cycle(struct image *image, int which)
{
	set_next(image, image->cached[which][0], image->cached[which][2] + 16);
}

static void tcache_self(struct image *image, int which)
{
	set_next(image, image->cached[which][1], image->cached[which][1] + 16);
}

static void tcache_unmapped(struct image *image, int which)
{
	set_next(image, image->cached[which][1], NOWHERE);
}

static void tcache_head_unmapped(struct image *image, int which)
{
	builder_set(image->b, tcache_head(image, which), NOWHERE);
}

static void tcache_misaligned(struct image *image, int which)
{
	set_next(image, image->cached[which][1], image->cached[which][0] + 24);
}

static void tcache_head_misaligned(struct image *image, int which)
{
	builder_set(image->b, tcache_head(image, which), image->cached[which][0] + 17);
}

static void tcache_non_canonical(struct image *image, int which)
{
	set_next(image, image->cached[which][1], UINT64_C(0xdead000000000010));
}

static void tcache_into_chunk(struct image *image, int which)
{
	set_next(image, image->cached[which][1], image->big[which] + 0x100);
}

static void tcache_into_libc(struct image *image, int which)
{
	set_next(image, image->cached[which][1], image->arenas[MAIN]->address + 16);
}

static void tcache_wrong_size(struct image *image, int which)
{
	set_next(image, image->cached[which][0], image->big[which] + 16);
}

static void tcache_top(struct image *image, int which)
{
	set_next(image, image->cached[which][0], image->top[which] + 16);
}

static void tcache_short(struct image *image, int which)
{
	set_next(image, image->cached[which][1], 0);
}

static void tcache_counter_more(struct image *image, int which)
{
	builder_tcache_lie(owner(image, which), 3, 1);
}

static void tcache_counter_less(struct image *image, int which)
{
	builder_tcache_lie(owner(image, which), 3, -1);
}

static void tcache_counter_of_nothing(struct image *image, int which)
{
	builder_tcache_lie(owner(image, which), 5, 3);
}

static void tcache_lost(struct image *image, int which)
{
	builder_set(image->b, tcache_head(image, which), 0);
}

static void tcache_and_bin(struct image *image, int which)
{
	set_next(image, image->cached[which][0], image->small[which][1] + 16);
}

/* All as it should be, but that the chunk is of another size. */
static void tcache_wrong_size_linked(struct image *image, int which)
{
	set_next(image, image->big[which], 0);
	set_next(image, image->cached[which][0], image->big[which] + 16);
	builder_tcache_lie(owner(image, which), 3, 1);
}

/* In a counter that counts down this is more free slots than there are. */
static void tcache_counter_below_nothing(struct image *image, int which)
{
	builder_tcache_lie(owner(image, which), 5, -1);
}

/* The same chunk in the lists of two threads. */
static void tcache_of_two(struct image *image, int which)
{
	builder_set(image->b, builder_tcache_entry(image->threads[which != NEWEST], 3),
		    image->cached[which][2] + 16);
}

/* A chunk in a tcache whose next one says that it is free for merging. */
static void tcache_free_by_bit(struct image *image, int which)
{
	uint64_t next = image->cached[which][0] + 0x50;

	builder_set(image->b, next + 8, builder_get(image->b, next + 8) & ~UINT64_C(1));
}

static void test_tcache_lists(void **state)
{
	static const struct hostile_case cases[] = {
		{ "cycle", KIND(BAD_LIST), tcache_cycle },
		{ "self-loop", KIND(BAD_LIST), tcache_self },
		{ "unmapped", KIND(BAD_LIST), tcache_unmapped },
		{ "head unmapped", KIND(BAD_LIST), tcache_head_unmapped },
		{ "misaligned", KIND(BAD_LIST), tcache_misaligned },
		{ "head misaligned", KIND(BAD_LIST), tcache_head_misaligned },
		{ "non-canonical", KIND(BAD_LIST), tcache_non_canonical },
		{ "middle of a chunk", KIND(BAD_LIST), tcache_into_chunk },
		{ "libc", KIND(BAD_LIST), tcache_into_libc },
		{ "wrong size", KIND(BAD_LIST) | KIND(STATE_CONFLICT), tcache_wrong_size },
		{ "top", KIND(BAD_LIST) | KIND(STATE_CONFLICT), tcache_top },
		{ "short", KIND(COUNTER), tcache_short },
		{ "counter too high", KIND(COUNTER), tcache_counter_more },
		{ "counter too low", KIND(COUNTER), tcache_counter_less },
		{ "counter of an empty list", KIND(COUNTER), tcache_counter_of_nothing },
		{ "counter below nothing", KIND(COUNTER), tcache_counter_below_nothing },
		{ "wrong size, linked", KIND(BAD_LIST) | KIND(STATE_CONFLICT),
		  tcache_wrong_size_linked },
		{ "list lost", KIND(COUNTER), tcache_lost },
		{ "also in a bin", KIND(STATE_CONFLICT) | KIND(BAD_LIST), tcache_and_bin },
		{ "in two tcaches", KIND(STATE_CONFLICT) | KIND(BAD_LIST), tcache_of_two },
		{ "free by bit", KIND(STATE_CONFLICT), tcache_free_by_bit },
	};

	HOSTILE_RUN(state, cases);
}

static uint64_t fastbin_head(struct image *image, int which)
{
	return image->arenas[which]->address + image->b->layout->malloc_state.fastbinsY + 16;
}

static void fastbin_cycle(struct image *image, int which)
{
	set_next(image, image->fast[which][0], image->fast[which][2]);
}

static void fastbin_self(struct image *image, int which)
{
	set_next(image, image->fast[which][0], image->fast[which][0]);
}

static void fastbin_unmapped(struct image *image, int which)
{
	set_next(image, image->fast[which][1], NOWHERE);
}

static void fastbin_head_garbage(struct image *image, int which)
{
	builder_set(image->b, fastbin_head(image, which), UINT64_C(0x4141414141414141));
}

static void fastbin_into_chunk(struct image *image, int which)
{
	set_next(image, image->fast[which][1], image->big[which] + 0x40);
}

static void fastbin_other_arena(struct image *image, int which)
{
	set_next(image, image->fast[which][0], image->big[(which + 1) % ARENAS]);
}

static void fastbin_wrong_size(struct image *image, int which)
{
	set_next(image, image->fast[which][0], image->big[which]);
}

/* A fastbin holds none, in no release. */
static void fastbin_mmapped(struct image *image, int which)
{
	set_next(image, image->fast[which][0], image->mmapped[0]);
}

static void fastbin_wrong_size_linked(struct image *image, int which)
{
	set_next(image, image->big[which], 0);
	set_next(image, image->fast[which][0], image->big[which]);
}

/* What free() does when the bit or heap_info that names a chunk's arena is damaged. */
static void fastbin_other_arena_linked(struct image *image, int which)
{
	uint64_t chunk = image->fast[(which + 1) % ARENAS][2];

	builder_set(image->b, fastbin_head(image, (which + 1) % ARENAS),
		    image->fast[(which + 1) % ARENAS][1]);
	set_next(image, chunk, 0);
	set_next(image, image->fast[which][0], chunk);
}

static void fastbin_and_tcache(struct image *image, int which)
{
	set_next(image, image->fast[which][0], image->cached[which][1]);
}

/* The list of one arena leads into that of another. */
static void fastbin_of_two(struct image *image, int which)
{
	set_next(image, image->fast[which][0], image->fast[(which + 1) % ARENAS][2]);
}

static void fastbin_free_by_bit(struct image *image, int which)
{
	uint64_t next = image->fast[which][0] + 0x40;

	builder_set(image->b, next + 8, builder_get(image->b, next + 8) & ~UINT64_C(1));
}

static void test_fastbin_lists(void **state)
{
	static const struct hostile_case cases[] = {
		{ "cycle", KIND(BAD_LIST), fastbin_cycle },
		{ "self-loop", KIND(BAD_LIST), fastbin_self },
		{ "unmapped", KIND(BAD_LIST), fastbin_unmapped },
		{ "head", KIND(BAD_LIST), fastbin_head_garbage },
		{ "middle of a chunk", KIND(BAD_LIST), fastbin_into_chunk },
		{ "other arena", KIND(BAD_LIST) | KIND(STATE_CONFLICT), fastbin_other_arena },
		{ "wrong size", KIND(BAD_LIST) | KIND(STATE_CONFLICT), fastbin_wrong_size },
		{ "mmapped", KIND(BAD_LIST), fastbin_mmapped },
		{ "wrong size, linked", KIND(BAD_LIST) | KIND(STATE_CONFLICT),
		  fastbin_wrong_size_linked },
		{ "other arena, linked", KIND(BAD_LIST) | KIND(STATE_CONFLICT),
		  fastbin_other_arena_linked },
		{ "also in a tcache", KIND(BAD_LIST) | KIND(STATE_CONFLICT), fastbin_and_tcache },
		{ "two arenas", KIND(BAD_LIST) | KIND(STATE_CONFLICT), fastbin_of_two },
		{ "free by bit", KIND(STATE_CONFLICT), fastbin_free_by_bit },
	};

	if (((struct heap_builder *)*state)->layout->malloc_state.fastbinsY == GLIBC_ABSENT)
		skip();
	HOSTILE_RUN(state, cases);
}

/* Doubly linked lists: the same for the three kinds of bins */

#define FD 16
#define BK 24

typedef void bin_corruption(struct image *image, int which, uint64_t *chunks, uint32_t bin);

static void bin_cycle(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	(void)which, (void)bin;
	builder_set(image->b, chunks[2] + FD, chunks[0]);
	builder_set(image->b, chunks[0] + BK, chunks[2]);
}

static void bin_self(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	(void)which, (void)bin;
	builder_set(image->b, chunks[1] + FD, chunks[1]);
	builder_set(image->b, chunks[1] + BK, chunks[1]);
}

static void bin_unmapped(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	(void)which, (void)bin;
	builder_set(image->b, chunks[1] + FD, NOWHERE);
}

static void bin_back_unmapped(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	(void)which, (void)bin;
	builder_set(image->b, chunks[1] + BK, NOWHERE);
}

static void bin_null(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	(void)which, (void)bin;
	builder_set(image->b, chunks[1] + FD, 0);
}

static void bin_into_chunk(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	(void)bin;
	builder_set(image->b, chunks[1] + FD, image->big[which] + 0x40);
}

static void bin_misaligned(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	(void)which, (void)bin;
	builder_set(image->b, chunks[1] + FD, chunks[2] + 4);
}

static void bin_into_use(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	(void)bin;
	builder_set(image->b, chunks[2] + FD, image->big[which]);
}

static void bin_into_other_arena(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	struct builder_arena *other = image->arenas[(which + 1) % ARENAS];
	uint64_t first = builder_get(image->b, builder_bin_at(other, bin) + FD);

	builder_set(image->b, chunks[2] + FD, first);
	builder_set(image->b, first + BK, chunks[2]);
}

static void bin_into_other_head(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	builder_set(image->b, chunks[2] + FD,
		    builder_bin_at(image->arenas[(which + 1) % ARENAS], bin));
}

static void bin_head_garbage(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	(void)chunks;
	builder_set(image->b, builder_bin_at(image->arenas[which], bin) + FD,
		    UINT64_C(0x4141414141414141));
}

static void bin_tail_garbage(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	(void)chunks;
	builder_set(image->b, builder_bin_at(image->arenas[which], bin) + BK,
		    UINT64_C(0x4141414141414141));
}

static void bin_lost(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	uint64_t head = builder_bin_at(image->arenas[which], bin);

	(void)chunks;
	builder_set(image->b, head + FD, head);
	builder_set(image->b, head + BK, head);
}

/* The free chunk's neighbour says that it is in use. */
static void bin_used_by_bit(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	uint64_t size = builder_get(image->b, chunks[1] + 8) & ~UINT64_C(7);
	uint64_t next = chunks[1] + size;

	(void)which, (void)bin;
	builder_set(image->b, next + 8, builder_get(image->b, next + 8) | 1);
}

/* The foot of a free chunk tells another size: what free() would merge by. */
static void bin_foot(struct image *image, int which, uint64_t *chunks, uint32_t bin)
{
	uint64_t size = builder_get(image->b, chunks[1] + 8) & ~UINT64_C(7);

	(void)which, (void)bin;
	builder_set(image->b, chunks[1] + size, size + 16);
}

static void run_bin_cases(struct heap_builder *b, uint32_t bin)
{
	static const struct {
		const char *name;
		uint32_t kinds;
		bin_corruption *corrupt;
	} cases[] = {
		{ "cycle", KIND(BAD_LIST), bin_cycle },
		{ "self-loop", KIND(BAD_LIST), bin_self },
		{ "unmapped", KIND(BAD_LIST), bin_unmapped },
		{ "back unmapped", KIND(BAD_LIST), bin_back_unmapped },
		{ "null", KIND(BAD_LIST), bin_null },
		{ "middle of a chunk", KIND(BAD_LIST), bin_into_chunk },
		{ "misaligned", KIND(BAD_LIST), bin_misaligned },
		{ "chunk in use", KIND(BAD_LIST) | KIND(STATE_CONFLICT), bin_into_use },
		{ "other arena", KIND(BAD_LIST) | KIND(STATE_CONFLICT), bin_into_other_arena },
		{ "other arena's head", KIND(BAD_LIST), bin_into_other_head },
		{ "head", KIND(BAD_LIST), bin_head_garbage },
		{ "tail", KIND(BAD_LIST), bin_tail_garbage },
		{ "list lost", KIND(STATE_CONFLICT), bin_lost },
		{ "used by bit", KIND(STATE_CONFLICT), bin_used_by_bit },
		{ "foot", KIND(BAD_CHUNK) | KIND(BAD_LIST) | KIND(STATE_CONFLICT), bin_foot },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) * ARENAS; i++) {
		int which = i % ARENAS;
		struct image image;

		hostile_rebuild(b, &image);
		uint64_t *chunks = bin == 1   ? image.unsorted[which]
				   : bin == 9 ? image.small[which]
					      : image.large[which];
		cases[i / ARENAS].corrupt(&image, which, chunks, bin);
		print_message("%s, arena %d\n", cases[i / ARENAS].name, which);
		builder_read(b);
		builder_assert_found(b, cases[i / ARENAS].kinds);
		builder_assert_item(b, image.witness, CHUNK_IN_USE, 0x30);
		builder_assert_item(b, image.last[which], CHUNK_IN_USE, 0x90);
	}
}

static void test_unsorted_lists(void **state)
{
	run_bin_cases(*state, 1);
}

static void test_small_lists(void **state)
{
	run_bin_cases(*state, 9);
}

static void test_large_lists(void **state)
{
	run_bin_cases(*state, 68);
}

/* A chunk in a bin of other sizes, correctly linked. */
static void bin_wrong_size(struct image *image, int which)
{
	struct builder_arena *arena = image->arenas[which];
	uint64_t head = builder_bin_at(arena, 12);
	uint64_t chunk = image->small[which][1];

	/* Out of its list, into the other. */
	builder_set(image->b, image->small[which][0] + FD, image->small[which][2]);
	builder_set(image->b, image->small[which][2] + BK, image->small[which][0]);
	builder_set(image->b, chunk + FD, head);
	builder_set(image->b, chunk + BK, head);
	builder_set(image->b, head + FD, chunk);
	builder_set(image->b, head + BK, chunk);
}

/* A chunk in the right bin of another arena, correctly linked. */
static void bin_of_other_arena(struct image *image, int which)
{
	struct builder_arena *other = image->arenas[(which + 1) % ARENAS];
	uint64_t head = builder_bin_at(other, 9);
	uint64_t tail = builder_get(image->b, head + BK);
	uint64_t chunk = image->small[which][1];

	builder_set(image->b, image->small[which][0] + FD, image->small[which][2]);
	builder_set(image->b, image->small[which][2] + BK, image->small[which][0]);
	builder_set(image->b, chunk + FD, head);
	builder_set(image->b, chunk + BK, tail);
	builder_set(image->b, tail + FD, chunk);
	builder_set(image->b, head + BK, chunk);
}

static void test_wrong_bins(void **state)
{
	static const struct hostile_case cases[] = {
		{ "wrong bin", KIND(BAD_LIST) | KIND(STATE_CONFLICT), bin_wrong_size },
		{ "wrong arena", KIND(BAD_LIST) | KIND(STATE_CONFLICT), bin_of_other_arena },
	};

	HOSTILE_RUN(state, cases);
}

/* What lies between the start of the heap and such a top is the whole address space. */
static void test_running_top_elsewhere(void **state)
{
	struct heap_builder *b = *state;
	struct image image;

	hostile_build(b, &image);
	builder_set(b, image.arenas[MAIN]->address + b->layout->malloc_state.top,
		    image.mmapped[0] + 0x1000);
	builder_set(b, image.mmapped[0] + 0x1008, 0x1001);
	b->live = true;
	builder_read(b);
	builder_assert_found(b, KIND(BAD_ARENA));
}

/* Behind the damage each address starts a chain that leads far away and ends nowhere. */
static void test_searches_share_a_budget(void **state)
{
	struct heap_builder *b = *state;

	builder_top(builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x1000));
	for (size_t i = 0; i < 7; i++) {
		struct builder_arena *arena =
			builder_arena(b, BUILDER_HEAPS + i * GLIBC_DEFAULT_HEAP_MAX, 0x100000);
		uint64_t chunk = builder_chunk(arena, 0xf0000);
		builder_top(arena);
		builder_set(b, chunk + 8, UINT64_C(0xffffff05));
		for (uint64_t at = chunk + 16; at < chunk + 0xf0000; at += 16)
			builder_set(b, at + 8, 0x20005);
	}
	builder_read(b);
	builder_assert_found(b, KIND(BAD_CHUNK));
	assert_int_equal(b->heap->audit.counted[AUDIT_BAD_CHUNK], 7);
}

/* With five levels of page tables a program may have memory there, if it asks for it by address. */
#define BEYOND (UINT64_C(1) << 48)

static void test_main_arena_beyond(void **state)
{
	struct heap_builder *b = *state;
	struct image image;

	hostile_build(b, &image);
	builder_map(b, BEYOND, BUILDER_PAGE, false);
	memcpy(builder_at(b, BEYOND, b->layout->malloc_state.size),
	       builder_at(b, image.arenas[MAIN]->address, b->layout->malloc_state.size),
	       b->layout->malloc_state.size);
	b->roots.main_arena.value = BEYOND;
	builder_read(b);
	builder_assert_found(b, KIND(BAD_ARENA));
	/* Nor can it be where no compiler puts it. */
	b->roots.main_arena.value = image.arenas[MAIN]->address + 8;
	builder_read(b);
	builder_assert_found(b, KIND(BAD_ARENA));
}

static void test_chunk_beyond(void **state)
{
	struct heap_builder *b = *state;
	struct image image;

	hostile_build(b, &image);
	builder_mmapped(b, BEYOND, 0x3000, 0, false);
	builder_read(b);
	builder_assert_found(b, KIND(MMAPPED));
	assert_false(size_is_possible(CHUNK_SIZE_END, UINT64_MAX));
	assert_true(size_is_possible(CHUNK_SIZE_END - 16, UINT64_MAX));
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_unharmed),
		BUILDER_TEST(test_tcache_lists),
		BUILDER_TEST(test_fastbin_lists),
		BUILDER_TEST(test_unsorted_lists),
		BUILDER_TEST(test_small_lists),
		BUILDER_TEST(test_large_lists),
		BUILDER_TEST(test_wrong_bins),
		BUILDER_TEST(test_running_top_elsewhere),
		BUILDER_TEST(test_searches_share_a_budget),
		BUILDER_TEST(test_main_arena_beyond),
		BUILDER_TEST(test_chunk_beyond),
	};

	return builder_run("hostile lists", tests, sizeof(tests) / sizeof(tests[0]));
}
