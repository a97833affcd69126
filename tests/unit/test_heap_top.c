/* SPDX-License-Identifier: Apache-2.0 */
/* Tops as they are while malloc cuts a chunk from one: moved, but without their header as yet. */
#include "heap_builder.h"

#include "support/range.h"

#include <string.h>

#define KIND(kind) BUILDER_KIND(AUDIT_##kind)

struct top_image {
	struct builder_arena *arena;
	uint64_t last; /* the chunk that is cut */
	uint64_t top;
};

/* An arena whose last chunk ends where top starts, in the middle of a page nobody wrote to. */
static struct top_image make(struct heap_builder *b, struct builder_arena *arena)
{
	struct top_image image = { .arena = arena };

	builder_chunk(arena, 0x40);
	image.last = builder_chunk(arena, 0x2800);
	image.top = builder_top(arena);
	uint64_t page = align_down(image.top, BUILDER_PAGE);
	assert_true(page > image.last + 0x20);
	memset(builder_at(b, page, BUILDER_PAGE), 0, BUILDER_PAGE);
	return image;
}

static struct builder_arena *make_main(struct heap_builder *b)
{
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);

	builder_thread(b, 100, arena);
	return arena;
}

static struct builder_arena *make_other(struct heap_builder *b)
{
	builder_top(make_main(b));
	return builder_arena(b, BUILDER_HEAPS, 0x21000);
}

/* The first part is fenced, the second, of which there is more mapped behind, has top. */
static struct builder_arena *make_parts(struct heap_builder *b)
{
	struct builder_arena *arena = make_main(b);

	builder_link(arena, builder_fence(arena), 1);
	builder_mmap_morecore(b, BUILDER_MMAP, BUILDER_MMAP + 0x100000);
	builder_map(b, BUILDER_MMAP + 0x100000, 0x40000, true);
	return arena;
}

static const struct {
	const char *name;
	struct builder_arena *(*make)(struct heap_builder *b);
} places[] = {
	{ "main arena", make_main },
	{ "other arena", make_other },
	{ "part from mmap", make_parts },
};

#define PLACES (sizeof(places) / sizeof(places[0]))

/* As built, but for the remark. */
static void expect_remark(struct heap_builder *b, const struct top_image *image)
{
	builder_read(b);
	builder_assert_sane(b);
	assert_true(b->heap->audit.ok);
	assert_int_equal(b->heap->audit.findings.count, 1);
	assert_int_equal(b->heap->audit.findings.data[0].kind, AUDIT_INSIDE);
	assert_int_equal(b->heap->audit.findings.data[0].address, image->top);
	builder_assert_item(b, image->last, CHUNK_IN_USE, 0x2800);
	builder_assert_item(b, image->top, CHUNK_TOP, image->arena->end - image->top);
}

static void test_untouched(void **state)
{
	struct heap_builder *b = *state;

	for (size_t i = 0; i < PLACES; i++) {
		builder_reset(b);
		print_message("%s\n", places[i].name);
		struct top_image image = make(b, places[i].make(b));
		expect_remark(b, &image);
		b->live = true;
		expect_remark(b, &image);
		b->live = false;
	}
}

/* The chunk before has not got its header either: there is still the one of the old top. */
static void test_old_top(void **state)
{
	static const uint64_t stale[] = { 0, 0x9d, UINT64_C(0x4141414141414141) };
	struct heap_builder *b = *state;

	for (size_t i = 0; i < PLACES * 3; i++) {
		builder_reset(b);
		print_message("%s\n", places[i / 3].name);
		struct top_image image = make(b, places[i / 3].make(b));
		builder_set(b, image.last + 8, (image.arena->end - image.last) | 1);
		builder_set(b, image.top + 8, stale[i % 3]);
		expect_remark(b, &image);
	}
}

/* Zero where a program has written is damage, and does not hide the rest of the heap. */
static void test_overwritten(void **state)
{
	struct heap_builder *b = *state;

	for (size_t i = 0; i < PLACES; i++) {
		builder_reset(b);
		print_message("%s\n", places[i].name);
		struct top_image image = make(b, places[i].make(b));
		builder_set(b, image.top + 8, 0);
		builder_set(b, image.top - 0x20, 0x41);
		builder_read(b);
		builder_assert_found(b, KIND(BAD_CHUNK));
		builder_assert_item(b, image.last, CHUNK_IN_USE, 0x2800);
		assert_int_equal(b->heap->audit.counted[AUDIT_SYSTEM_MEM], 0);
		assert_int_equal(b->heap->audit.counted[AUDIT_BAD_ARENA], 0);
	}
}

/* brk has cut the heap, and nothing in it knows as yet: damage, unless a thread is just there. */
static void test_trimmed(void **state)
{
	struct heap_builder *b = *state;
	struct top_image image = make(b, make_main(b));

	builder_set(b, image.top + 8, (image.arena->end + 0x3000 - image.top) | 1);
	builder_set_state(image.arena, b->layout->malloc_state.system_mem,
			  image.arena->system_mem + 0x3000);
	builder_read(b);
	builder_assert_found(b, KIND(BAD_CHUNK));

	builder_set32(b, image.arena->address + b->layout->malloc_state.mutex, 1);
	builder_read(b);
	builder_assert_sane(b);
	assert_true(b->heap->audit.ok);
	assert_int_equal(b->heap->audit.counted[AUDIT_INSIDE], 1);
	assert_int_equal(b->heap->arenas[0].gap_bytes, 0x3000);
	builder_assert_item(b, image.top, CHUNK_TOP, image.arena->end - image.top);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_untouched),
		BUILDER_TEST(test_old_top),
		BUILDER_TEST(test_overwritten),
		BUILDER_TEST(test_trimmed),
	};

	return builder_run("tops in the making", tests, sizeof(tests) / sizeof(tests[0]));
}
