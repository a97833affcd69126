/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that changes its heap while it is read: what is torn is read again, and no more than
 * that.
 */
#include "heap_builder.h"

#include "support/range.h"

#define LISTED 40

/* What the program does meanwhile; one test at a time. */
static struct {
	uint64_t first, second, third, next; /* chunks */
	uint64_t head; /* where that of a list is */
	bool over;
} story;

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

static void test_fastbin_head(void **state)
{
	struct heap_builder *b = *state;
	uint64_t list[LISTED + 2] = { 0 };

	if (b->layout->malloc_state.fastbinsY == GLIBC_ABSENT)
		return;
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);
	builder_thread(b, 100, arena);
	story.first = builder_chunk(arena, 0x50);
	list[0] = story.third = builder_chunk(arena, 0x50);
	list[1] = story.second = builder_chunk(arena, 0x50);
	for (size_t i = 2; i < LISTED + 1; i++)
		list[i] = builder_chunk(arena, 0x50);
	story.next = list[2];
	builder_top(arena);
	for (size_t i = LISTED; i >= 2; i--)
		builder_fastbin(arena, list[i]);
	builder_fastbin(arena, story.first);
	story.head = arena->address + b->layout->malloc_state.fastbinsY + 3 * sizeof(uint64_t);
	story.over = false;
	b->live = true;
	b->meanwhile = use_fastbin;
	builder_read(b);
	builder_assert_sane(b);
	assert_true(b->heap->audit.ok);
	builder_assert_list(b, LIST_FASTBIN, 0, 3, list);
	builder_assert_item(b, story.first, CHUNK_IN_USE, 0x50);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_fastbin_head),
	};

	return builder_run("heap live", tests, sizeof(tests) / sizeof(tests[0]));
}
