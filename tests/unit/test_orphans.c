/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tcaches of threads that a fork did not take along: found where their TLS still is, and passed
 * over, chunks and all, if any of it is not as a tcache is.
 */
#include "heap_builder.h"

#define NOWHERE UINT64_C(0x666666660000)
#define THREADS 3
#define EACH    4

/* A main thread and two others, each with its tcache; the chunks of the last are of main_arena. */
struct image {
	struct heap_builder *b;
	struct builder_thread *threads[THREADS];
	uint64_t structs[THREADS];
	uint64_t cached[THREADS][EACH]; /* two of 0x30, two of 0x50; the heads come last */
	uint64_t in_use; /* of 0x30, in main_arena */
};

static struct image build(struct heap_builder *b)
{
	struct image image = { .b = b };
	struct builder_arena *arenas[2];

	builder_reset(b);
	arenas[0] = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x4000);
	arenas[1] = builder_arena(b, BUILDER_HEAPS, 0x4000);
	for (int i = 0; i < THREADS; i++) {
		struct builder_arena *arena = arenas[i == 1];
		image.threads[i] = builder_thread(b, 100 + i, arena);
		image.structs[i] = builder_tcache_struct(image.threads[i], arena);
		for (int j = 0; j < EACH; j++) {
			image.cached[i][j] = builder_chunk(arena, j < 2 ? 0x30 : 0x50);
			builder_tcache(image.threads[i], image.cached[i][j]);
		}
	}
	image.in_use = builder_chunk(arenas[0], 0x30);
	builder_top(arenas[0]);
	builder_top(arenas[1]);
	builder_fork(b);
	return image;
}

static void test_found(void **state)
{
	struct image image = build(*state);
	const struct heap *heap = builder_read(image.b);

	builder_assert_clean(image.b);
	assert_int_equal(heap->thread_count, 1);
	assert_int_equal(heap->orphan_count, 2);
	for (uint32_t i = 1; i < THREADS; i++) {
		const uint64_t small[] = { image.cached[i][1], image.cached[i][0], 0 };
		builder_assert_list(image.b, LIST_TCACHE, i, 1, small);
		assert_int_equal(heap->threads[i].tcached.count, EACH);
		assert_int_equal(heap->threads[i].fs_base, image.threads[i]->fs_base);
		assert_int_equal(heap->threads[i].arena, CHUNK_NO_ARENA);
	}
}

/* What may be wrong with the tcache of thread 1. */

static void tcb_gone(struct image *image)
{
	builder_unmap(image->b, image->threads[1]->fs_base & ~UINT64_C(4095), 2 * BUILDER_PAGE);
}

static void tcb_no_self(struct image *image)
{
	builder_set(image->b, image->threads[1]->fs_base + 16, 0);
}

/* As of a thread that ended by itself. */
static void slot_empty(struct image *image)
{
	builder_set(image->b, builder_tcache_slot(image->threads[1]), 0);
}

static void slot_in_libc(struct image *image)
{
	builder_set(image->b, builder_tcache_slot(image->threads[1]), BUILDER_LIBC + 0x100);
}

static void slot_wild(struct image *image)
{
	builder_set(image->b, builder_tcache_slot(image->threads[1]), NOWHERE);
}

static void slot_misaligned(struct image *image)
{
	builder_set(image->b, builder_tcache_slot(image->threads[1]),
		    image->threads[1]->tcache + 8);
}

static void slot_of_small_chunk(struct image *image)
{
	builder_set(image->b, builder_tcache_slot(image->threads[1]), image->in_use + 16);
}

static void slot_of_live_thread(struct image *image)
{
	builder_set(image->b, builder_tcache_slot(image->threads[1]), image->threads[0]->tcache);
}

static void counter_more(struct image *image)
{
	builder_tcache_lie(image->threads[1], 1, 1);
}

static void counter_less(struct image *image)
{
	builder_tcache_lie(image->threads[1], 1, -1);
}

static void counter_of_nothing(struct image *image)
{
	builder_tcache_lie(image->threads[1], 20, 1);
}

static void set_next(struct image *image, uint64_t next)
{
	uint64_t at = image->cached[1][0] + 16;

	builder_set(image->b, at, builder_protect(image->b, at, next));
}

static void next_wild(struct image *image)
{
	set_next(image, NOWHERE);
	counter_more(image);
}

static void next_cycle(struct image *image)
{
	set_next(image, image->cached[1][1] + 16);
	counter_more(image);
}

static void next_of_live_thread(struct image *image)
{
	set_next(image, image->cached[0][0] + 16);
	counter_more(image);
}

static void next_of_other_size(struct image *image)
{
	set_next(image, image->cached[1][2] + 16);
	counter_more(image);
}

static void head_inside_chunk(struct image *image)
{
	builder_set(image->b, builder_tcache_entry(image->threads[1], 3), image->structs[1] + 0x40);
}

/* Its chunks are in use as they seem, the other orphan is found, and nothing is a fault. */
static void test_passed_over(void **state)
{
	static const struct {
		const char *name;
		void (*corrupt)(struct image *image);
	} cases[] = {
		{ "TCB gone", tcb_gone },
		{ "TCB without self", tcb_no_self },
		{ "slot empty", slot_empty },
		{ "slot in libc", slot_in_libc },
		{ "slot wild", slot_wild },
		{ "slot misaligned", slot_misaligned },
		{ "slot of a small chunk", slot_of_small_chunk },
		{ "slot of a live thread's", slot_of_live_thread },
		{ "counter too high", counter_more },
		{ "counter too low", counter_less },
		{ "counter of an empty bin", counter_of_nothing },
		{ "next wild", next_wild },
		{ "next in a cycle", next_cycle },
		{ "next of a live thread's", next_of_live_thread },
		{ "next of another size", next_of_other_size },
		{ "head inside a chunk", head_inside_chunk },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct image image = build(*state);
		print_message("%s\n", cases[i].name);
		cases[i].corrupt(&image);
		const struct heap *heap = builder_read(image.b);
		assert_true(heap->audit.ok);
		assert_int_equal(heap->audit.findings.count, 0);
		assert_int_equal(heap->orphan_count, 1);
		assert_int_equal(heap->threads[1].fs_base, image.threads[2]->fs_base);
		for (size_t j = 0; j < EACH; j++) {
			uint64_t size = j < 2 ? 0x30 : 0x50;
			builder_assert_item(image.b, image.cached[1][j], CHUNK_IN_USE, size);
			const struct chunk *chunk = builder_assert_item(image.b, image.cached[2][j],
									CHUNK_TCACHE, size);
			assert_int_equal(chunk->thread, 1);
		}
	}
}

/* A new thread runs on the stack of one that is gone, and the list was read before that. */
static void test_taken_over(void **state)
{
	struct image image = build(*state);

	image.b->roots.thread_count = 2;
	const struct heap *heap = builder_read(image.b);
	assert_int_equal(heap->thread_count, 2);
	assert_int_equal(heap->orphan_count, 1);
	assert_false(heap->threads[1].orphan);
	assert_int_equal(heap->threads[1].tid, 101);
	assert_int_equal(heap->threads[1].tcache, image.threads[1]->tcache);
	assert_int_equal(heap->threads[2].fs_base, image.threads[2]->fs_base);
	assert_true(heap->audit.ok);
}

/* The same place twice is one orphan. */
static void test_twice(void **state)
{
	struct image image = build(*state);

	image.b->orphans[1] = image.b->orphans[0];
	const struct heap *heap = builder_read(image.b);
	assert_int_equal(heap->orphan_count, 1);
	assert_true(heap->audit.ok);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_found),
		BUILDER_TEST(test_passed_over),
		BUILDER_TEST(test_taken_over),
		BUILDER_TEST(test_twice),
	};

	return builder_run("orphans", tests, sizeof(tests) / sizeof(tests[0]));
}
