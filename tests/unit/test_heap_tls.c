/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tcache` and `thread_arena` by what the threads have in their TLS, on every row of the layout
 * table.
 */
#include "heap_builder.h"

#define TCACHE       (-UINT64_C(0x50))
#define THREAD_ARENA (-UINT64_C(0x40))
#define OTHER        (-UINT64_C(0x28)) /* a word of the block that is neither */
#define BLOCK        UINT64_C(0x90)

/* The reader is told where the block lies, and no more. */
static void forget(struct heap_builder *b)
{
	b->roots.tcache = (struct root){ 0 };
	b->roots.thread_arena = (struct root){ 0 };
	b->roots.tls = (struct tls_block){ -BLOCK, BLOCK };
}

static void expect_root(const struct root *root, uint64_t value)
{
	assert_int_equal(root->source, ROOT_STRUCTURE);
	assert_int_equal(root->value, value);
}

/* Three threads: one in main_arena, one in another arena, one that never called malloc. */
static struct builder_arena *build(struct heap_builder *b, bool with_chunks)
{
	struct builder_arena *arenas[] = {
		builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000),
		builder_arena(b, BUILDER_HEAPS, 0x21000),
	};

	builder_thread(b, 99, NULL);
	for (uint32_t i = 0; i < 2; i++) {
		struct builder_thread *thread = builder_thread(b, 100 + (pid_t)i, arenas[i]);
		builder_tcache_struct(thread, arenas[i]);
		for (int j = 0; j < 2 && with_chunks; j++)
			builder_tcache(thread, builder_chunk(arenas[i], 0x20 + j * 0x30));
	}
	builder_top(arenas[1]);
	return arenas[0];
}

static void test_found(void **state)
{
	struct heap_builder *b = *state;

	for (int with_chunks = 0; with_chunks <= 1; with_chunks++) {
		builder_reset(b);
		builder_top(build(b, with_chunks));
		forget(b);
		builder_read(b);
		expect_root(&b->heap->roots.tcache, TCACHE);
		expect_root(&b->heap->roots.thread_arena, THREAD_ARENA);
		builder_assert_clean(b);
	}
}

/* None has a value: then none is missed, and that is no doubt. */
static void test_unset(void **state)
{
	struct heap_builder *b = *state;

	builder_thread(b, 100, NULL);
	builder_thread(b, 101, NULL);
	forget(b);
	builder_read(b);
	expect_root(&b->heap->roots.tcache, 0);
	expect_root(&b->heap->roots.thread_arena, 0);
	builder_assert_clean(b);

	/* Unless there is a thread that could not be asked. */
	b->root_threads[1].fs_base = 0;
	b->root_threads[1].unknown = true;
	builder_read(b);
	assert_int_equal(b->heap->roots.tcache.source, ROOT_UNKNOWN);
	assert_int_equal(b->heap->roots.thread_arena.source, ROOT_UNKNOWN);
	builder_assert_found(b, BUILDER_KIND(AUDIT_BAD_THREAD));
}

/* An arena, and no tcache: malloc may be told to have none. */
static void test_arena_only(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);

	builder_thread(b, 100, arena);
	builder_thread(b, 101, NULL);
	builder_chunk(arena, 0x20);
	builder_top(arena);
	forget(b);
	builder_read(b);
	expect_root(&b->heap->roots.tcache, 0);
	expect_root(&b->heap->roots.thread_arena, THREAD_ARENA);
	builder_assert_clean(b);
}

/* Words that lead to chunks, one of them of the very size of a tcache, full of something else. */
static void test_decoys(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = build(b, true);
	uint64_t size = align_up(b->layout->tcache.size + UINT64_C(8), 16);
	uint64_t alike = builder_chunk(arena, size), small = builder_chunk(arena, 0x20);

	builder_top(arena);
	for (uint64_t i = 0; i < b->layout->tcache.size; i += 8)
		builder_set(b, alike + 16 + i, 0x4141414141414141);
	for (uint32_t i = 0; i < 3; i++) {
		builder_set(b, b->threads[i].fs_base + OTHER, alike + 16);
		builder_set(b, b->threads[i].fs_base + OTHER + 8, small + 16);
		builder_set(b, b->threads[i].fs_base + OTHER + 16, 0x1234567890);
		builder_set(b, b->threads[i].fs_base - BLOCK, BUILDER_LIBC + 0x40);
	}
	forget(b);
	builder_read(b);
	expect_root(&b->heap->roots.tcache, TCACHE);
	expect_root(&b->heap->roots.thread_arena, THREAD_ARENA);
	builder_assert_clean(b);
}

/* A block as empty as a tcache just made: of two that are alike, the neighbour of thread_arena. */
static void test_empty_alike(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = build(b, false);
	uint64_t size = align_up(b->layout->tcache.size + UINT64_C(8), 16);
	uint64_t alike = builder_chunk(arena, size);

	builder_top(arena);
	for (uint64_t i = 0; i < b->layout->tcache.size; i += 8)
		builder_set(b, alike + 16 + i, 0);
	for (uint32_t i = 1; i < 3; i++)
		builder_set(b, b->threads[i].fs_base + OTHER, alike + 16);
	forget(b);
	builder_read(b);
	expect_root(&b->heap->roots.tcache, TCACHE);
	builder_assert_clean(b);
	/* Further away it could be either. */
	b->roots.thread_arena = (struct root){ THREAD_ARENA + 8, ROOT_SYMBOLS };
	builder_read(b);
	assert_int_equal(b->heap->roots.tcache.source, ROOT_UNKNOWN);
}

/*
 * What the code told of `tcache` is held against the threads; and believed if they do not object.
 */
static void test_told_by_code(void **state)
{
	struct heap_builder *b = *state;

	builder_top(build(b, true));
	for (uint32_t i = 0; i < 3; i++)
		builder_set(b, b->threads[i].fs_base + OTHER, BUILDER_SBRK + 0x40);
	forget(b);
	b->roots.tcache = (struct root){ OTHER, ROOT_STRUCTURE };
	builder_read(b);
	expect_root(&b->heap->roots.tcache, TCACHE);
	builder_assert_clean(b);

	b->roots.tcache = (struct root){ TCACHE, ROOT_STRUCTURE };
	builder_read(b);
	expect_root(&b->heap->roots.tcache, TCACHE);
	builder_assert_clean(b);

	/* Where no thread has one yet, the code alone knows. */
	builder_reset(b);
	builder_thread(b, 100, NULL);
	forget(b);
	b->roots.tcache = (struct root){ TCACHE, ROOT_STRUCTURE };
	builder_read(b);
	expect_root(&b->heap->roots.tcache, TCACHE);
	builder_assert_clean(b);
}

/* A tcache one of whose lists is damaged is one all the same, by content and by code. */
static void test_damaged(void **state)
{
	struct heap_builder *b = *state;

	builder_top(build(b, true));
	builder_set(b, builder_tcache_entry(&b->threads[1], 0), 0x4141414141414140);
	forget(b);
	builder_read(b);
	expect_root(&b->heap->roots.tcache, TCACHE);
	expect_root(&b->heap->roots.thread_arena, THREAD_ARENA);
	b->roots.tcache = (struct root){ TCACHE, ROOT_STRUCTURE };
	builder_read(b);
	expect_root(&b->heap->roots.tcache, TCACHE);

	/*
	 * With both lists of both threads damaged there is but the code to go by; and no false
	 * "none".
	 */
	for (uint32_t i = 1; i < 3; i++) {
		builder_set(b, builder_tcache_entry(&b->threads[i], 0), 0x4141414141414140);
		builder_set(b, builder_tcache_entry(&b->threads[i], 3), 0x4141414141414140);
	}
	builder_read(b);
	expect_root(&b->heap->roots.tcache, TCACHE);
	b->roots.tcache = (struct root){ 0 };
	builder_read(b);
	assert_int_equal(b->heap->roots.tcache.source, ROOT_UNKNOWN);
}

/* What symbols or the page told is not touched. */
static void test_known(void **state)
{
	struct heap_builder *b = *state;

	builder_top(build(b, true));
	b->roots.tls = (struct tls_block){ -BLOCK, BLOCK };
	builder_read(b);
	assert_int_equal(b->heap->roots.tcache.source, ROOT_SYMBOLS);
	assert_int_equal(b->heap->roots.thread_arena.source, ROOT_SYMBOLS);
	builder_assert_clean(b);
}

/* A block of hostile size, most of which is not there. */
static void test_large_block(void **state)
{
	struct heap_builder *b = *state;

	builder_top(build(b, true));
	forget(b);
	b->roots.tls = (struct tls_block){ -(UINT64_C(1) << 40), UINT64_C(1) << 40 };
	builder_read(b);
	assert_true(b->read_bytes < 64 << 20);
	builder_assert_sane(b);
	assert_int_equal(b->heap->roots.thread_arena.source, ROOT_UNKNOWN);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_found),       BUILDER_TEST(test_unset),
		BUILDER_TEST(test_arena_only),  BUILDER_TEST(test_decoys),
		BUILDER_TEST(test_empty_alike), BUILDER_TEST(test_told_by_code),
		BUILDER_TEST(test_damaged),     BUILDER_TEST(test_known),
		BUILDER_TEST(test_large_block),
	};

	return builder_run("heap TLS", tests, sizeof(tests) / sizeof(tests[0]));
}
