/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that changes its heap while it is read: what is torn is read again, and no more than
 * that.
 */
#include "heap_builder.h"

#include "support/range.h"

/* A heap of many times what is walked at once, and of chunks that are small against that. */
#define HEAP_SIZE  UINT64_C(0x400000)
#define CHUNK_SIZE UINT64_C(0x110)
#define AGAIN_MAX  UINT64_C(0x100000)
#define LISTED     40

/* What the program does meanwhile; one test at a time. */
static struct {
	unsigned int left; /* so often yet */
	uint64_t first, second, third, next; /* chunks */
	uint64_t head; /* where that of a list is */
	bool over;
} story;

static struct builder_arena *make(struct heap_builder *b)
{
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + HEAP_SIZE);

	builder_thread(b, 100, arena);
	while (arena->end - arena->cursor > 0x10000)
		builder_chunk(arena, CHUNK_SIZE);
	builder_top(arena);
	b->live = true;
	return arena;
}

static void expect_whole(struct heap_builder *b)
{
	builder_read(b);
	builder_assert_clean(b);
	assert_true(b->read_bytes < HEAP_SIZE + AGAIN_MAX);
}

/* Half written, as often as it is read but for the last time. */
static void tear(struct heap_builder *b, struct range read)
{
	if (!range_covers(read, story.first, 16))
		return;
	builder_set(b, story.first + 8, story.left ? 0x4141414141414141 : CHUNK_SIZE | 1);
	story.left -= story.left > 0;
}

static void test_torn_chunk(void **state)
{
	struct heap_builder *b = *state;

	make(b);
	story.first = b->items.data[b->items.count / 2].address;
	for (unsigned int times = 0; times < 4; times++) {
		story.left = times;
		b->meanwhile = tear;
		expect_whole(b);
		assert_int_equal(story.left, 0);
	}
}

/* For ever: it is told, and the rest is as it is. */
static void test_torn_for_ever(void **state)
{
	struct heap_builder *b = *state;

	make(b);
	story.first = b->items.data[b->items.count / 2].address;
	story.left = UINT32_MAX;
	b->meanwhile = tear;
	builder_read(b);
	builder_assert_found(b, BUILDER_KIND(AUDIT_BAD_CHUNK));
	assert_int_equal(b->heap->audit.counted[AUDIT_BAD_CHUNK], 1);
	assert_int_equal(b->heap->chunk_count, b->items.count - 1);
	assert_true(b->read_bytes < HEAP_SIZE + 8 * AGAIN_MAX);
}

/* Once the second of two chunks was read from, they become one, and user data is in its middle. */
static void join(struct heap_builder *b, struct range read)
{
	if (story.over || !range_covers(read, story.second, 16) ||
	    range_covers(read, story.first, 16))
		return;
	story.over = true;
	builder_set(b, story.first + 8, (CHUNK_SIZE * 2) | 1);
	builder_set(b, story.second + 8, 0x4141414141414141);
}

/*
 * Where the walk goes on, there is no chunk any more: it has to go back to the one before, wherever
 * the pieces end in which it reads.
 */
static void test_joined_chunk(void **state)
{
	struct heap_builder *b = *state;
	size_t seen = 0;

	for (size_t i = 900; i < 1100; i++) {
		builder_reset(b);
		make(b);
		story.first = b->items.data[i].address;
		story.second = b->items.data[i + 1].address;
		story.over = false;
		b->meanwhile = join;
		builder_read(b);
		builder_assert_sane(b);
		assert_true(b->heap->audit.ok);
		builder_assert_item(b, story.first, CHUNK_IN_USE,
				    story.over ? CHUNK_SIZE * 2 : CHUNK_SIZE);
		seen += story.over;
	}
	assert_int_equal(seen, 1);
}

/*
 * The first of the list is in use when the walk comes by, and taken from it before. Then two are
 * given back that were in use so far.
 */
static void use_fastbin(struct heap_builder *b, struct range read)
{
	if (!story.over && range_covers(read, story.first, 16)) {
		builder_set(b, story.head, story.next);
		builder_set(b, story.first + 16, 0x4141414141414141);
		story.over = true;
	} else if (story.over && range_covers(read, story.head, 8)) {
		builder_set(b, story.second + 16,
			    builder_protect(b, story.second + 16, story.next));
		builder_set(b, story.third + 16,
			    builder_protect(b, story.third + 16, story.second));
		builder_set(b, story.head, story.third);
		b->meanwhile = NULL;
	}
}

/*
 * In the fastbin are story.first and chunks[in_use .. in_use + count); those before are in use.
 * Reads that while meanwhile happens: then all of chunks[] are in it, and story.first is not.
 */
static void read_fastbin(struct heap_builder *b, uint64_t *chunks, size_t in_use, size_t count,
			 void (*meanwhile)(struct heap_builder *b, struct range read))
{
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);

	builder_thread(b, 100, arena);
	story.first = builder_chunk(arena, 0x50);
	for (size_t i = 0; i < in_use + count; i++)
		chunks[i] = builder_chunk(arena, 0x50);
	story.third = chunks[0];
	story.second = chunks[1];
	story.next = chunks[in_use];
	builder_top(arena);
	for (size_t i = in_use + count; i > in_use; i--)
		builder_fastbin(arena, chunks[i - 1]);
	builder_fastbin(arena, story.first);
	story.head = arena->address + b->layout->malloc_state.fastbinsY + 3 * sizeof(uint64_t);
	story.over = false;
	b->live = true;
	b->meanwhile = meanwhile;
	builder_read(b);
	assert_true(story.over);
	builder_assert_sane(b);
	assert_true(b->heap->audit.ok);
	builder_assert_list(b, LIST_FASTBIN, 0, 3, chunks);
	builder_assert_item(b, story.first, CHUNK_IN_USE, 0x50);
}

static void test_fastbin_head(void **state)
{
	struct heap_builder *b = *state;
	uint64_t list[LISTED + 1] = { 0 };

	if (b->layout->malloc_state.fastbinsY != GLIBC_ABSENT)
		read_fastbin(b, list, 2, LISTED - 2, use_fastbin);
}

/* When its link is read, the first of the list has just become the last one of another list. */
static void move_first(struct heap_builder *b, struct range read)
{
	if (read.start != story.first + 16 || range_size(read) != 8)
		return;
	builder_set(b, story.head, story.next);
	builder_set(b, story.first + 16, builder_protect(b, story.first + 16, 0));
	story.over = true;
	b->meanwhile = NULL;
}

static void test_false_end(void **state)
{
	struct heap_builder *b = *state;
	uint64_t list[LISTED + 1] = { 0 };

	if (b->layout->malloc_state.fastbinsY != GLIBC_ABSENT)
		read_fastbin(b, list, 0, LISTED, move_first);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_torn_chunk),   BUILDER_TEST(test_torn_for_ever),
		BUILDER_TEST(test_joined_chunk), BUILDER_TEST(test_fastbin_head),
		BUILDER_TEST(test_false_end),
	};

	return builder_run("heap live", tests, sizeof(tests) / sizeof(tests[0]));
}
