/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the audit promises, check by check: one number or bit of a valid image is made wrong, and
 * the finding of just that kind says by how much. What is no fault is not taken for one.
 */
#include "hostile_image.h"

#include <string.h>

/* The first finding of that kind; how many there are of it: *ret_count. */
static const struct audit_finding *find(const struct heap *heap, enum audit_kind kind,
					size_t *ret_count)
{
	const struct audit_finding *first = NULL;

	*ret_count = 0;
	for (size_t i = 0; i < heap->audit.findings.count; i++) {
		const struct audit_finding *finding = &heap->audit.findings.data[i];
		if (finding->kind != kind)
			continue;
		first = first ? first : finding;
		++*ret_count;
	}
	assert_int_equal(*ret_count, heap->audit.counted[kind]);
	return first;
}

/* Reads; the findings must be one alone, a doubt of that kind with these numbers in it. */
static void expect(struct heap_builder *b, enum audit_kind kind, uint64_t expected, uint64_t found)
{
	const struct heap *heap = builder_read(b);
	size_t count;
	const struct audit_finding *finding = find(heap, kind, &count);

	assert_int_equal(count, 1);
	assert_int_equal(heap->audit.findings.count, 1);
	assert_true(finding->doubt);
	assert_int_equal(finding->expected, expected);
	assert_int_equal(finding->found, found);
	assert_false(heap->audit.ok);
	assert_non_null(audit_reason(&heap->audit));
	assert_int_equal(audit_doubts(&heap->audit), 1);
}

static void test_holds(void **state)
{
	struct image image;

	hostile_rebuild(*state, &image);
	struct heap *heap = builder_read(image.b);
	builder_assert_clean(image.b);
	assert_null(audit_reason(&heap->audit));
	assert_int_equal(audit_doubts(&heap->audit), 0);
}

/* The bytes of all chunks and gaps against system_mem, of each arena. */
static void test_system_mem(void **state)
{
	struct image image;

	for (int which = 0; which < ARENAS; which++) {
		hostile_rebuild(*state, &image);
		uint64_t bytes = image.arenas[which]->system_mem;
		uint64_t at =
			image.arenas[which]->address + image.b->layout->malloc_state.system_mem;
		builder_set(image.b, at, bytes + 48);
		expect(image.b, AUDIT_SYSTEM_MEM, bytes + 48, bytes);
		builder_set(image.b, at, bytes - 16);
		expect(image.b, AUDIT_SYSTEM_MEM, bytes - 16, bytes);
	}
}

static void test_mmapped(void **state)
{
	struct image image;

	hostile_rebuild(*state, &image);
	struct heap_builder *b = image.b;
	uint64_t n_mmaps = b->mp + b->layout->malloc_par.n_mmaps;
	uint64_t mmapped_mem = b->mp + b->layout->malloc_par.mmapped_mem;

	builder_set32(b, n_mmaps, 3);
	expect(b, AUDIT_MMAPPED, 3, 2);
	builder_set32(b, n_mmaps, 1);
	expect(b, AUDIT_MMAPPED, 1, 2);
	builder_set32(b, n_mmaps, 2);

	builder_set(b, mmapped_mem, 0x8000 - 16);
	expect(b, AUDIT_MMAPPED, 0x8000 - 16, 0x8000);
	builder_set(b, mmapped_mem, 0x8000 + 8);
	expect(b, AUDIT_MMAPPED, 0x8000 + 8, 0x8000);
	/* What mremap_chunk() of 2.43 and later counts twice. */
	builder_set(b, mmapped_mem, 0x8000 + 5 * 16);
	if (b->layout->mmapped_header_apart) {
		builder_read(b);
		assert_true(b->heap->audit.ok);
	} else {
		expect(b, AUDIT_MMAPPED, 0x8000 + 5 * 16, 0x8000);
	}
}

static void test_counter(void **state)
{
	struct image image;

	for (int delta = -2; delta <= 2; delta++) {
		hostile_rebuild(*state, &image);
		if (image.b->layout->tcache.size == 0 || delta == 0)
			continue;
		builder_tcache_lie(image.threads[1], 3, delta);
		expect(image.b, AUDIT_COUNTER, (uint64_t)(3 + delta), 3);
	}
}

/* A list that leads to where the walk met no chunk, or none that is free. */
static void test_listed(void **state)
{
	struct heap_builder *b = *state;
	struct image image;
	size_t count;

	for (int which = 0; which < ARENAS; which++) {
		const uint64_t targets[] = { 0x10, 0x20 };
		for (size_t i = 0; i < 2; i++) {
			hostile_rebuild(b, &image);
			/* fd of the last in the bin: into the middle of a chunk in use, or near. */
			builder_set(b, image.small[which][2] + 16, image.big[which] + targets[i]);
			builder_read(b);
			find(b->heap, AUDIT_BAD_LIST, &count);
			assert_true(count > 0);
			assert_false(b->heap->audit.ok);
		}
	}
}

static void test_prev_size(void **state)
{
	struct image image;

	for (int which = 0; which < ARENAS; which++) {
		hostile_rebuild(*state, &image);
		builder_set(image.b, image.small[which][1] + 0x90, 0x80);
		expect(image.b, AUDIT_BAD_CHUNK, 0x90, 0x80);
	}
}

/* Free by the next chunk's bit, but in no list. */
static void test_unlisted(void **state)
{
	struct image image;
	size_t count;

	for (int which = 0; which < ARENAS; which++) {
		hostile_rebuild(*state, &image);
		uint64_t next = image.big[which] + 0x210;
		builder_set(image.b, next, 0x210);
		builder_set(image.b, next + 8, builder_get(image.b, next + 8) & ~UINT64_C(1));
		builder_read(image.b);
		const struct audit_finding *finding =
			find(image.b->heap, AUDIT_STATE_CONFLICT, &count);
		assert_int_equal(count, 1);
		assert_int_equal(finding->address, image.big[which]);
	}
}

/* In a list, but in use by the next chunk's bit. */
static void test_listed_in_use(void **state)
{
	struct image image;
	size_t count;

	for (int which = 0; which < ARENAS; which++) {
		hostile_rebuild(*state, &image);
		uint64_t next = image.small[which][1] + 0x90;
		builder_set(image.b, next + 8, builder_get(image.b, next + 8) | 1);
		builder_read(image.b);
		find(image.b->heap, AUDIT_BAD_LIST, &count);
		assert_true(count > 0);
	}
}

/* Two in the unsorted bin, which were never merged. */
static void test_free_neighbours(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena;

	builder_reset(b);
	arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x5000);
	builder_chunk(arena, 0x30);
	uint64_t first = builder_hole(arena, 0x140), second = first + 0xa0;
	builder_chunk(arena, 0x30);
	builder_link(arena, first, 1);
	builder_top(arena);

	uint64_t head = builder_bin_at(arena, 1);
	builder_set(b, first + 8, 0xa0 | GLIBC_PREV_INUSE);
	builder_set(b, first + 16, second);
	builder_set(b, second, 0xa0);
	builder_set(b, second + 8, 0xa0);
	builder_set(b, second + 16, head);
	builder_set(b, second + 24, first);
	builder_set(b, second + 0xa0, 0xa0);
	builder_set(b, head + 24, second);
	expect(b, AUDIT_STATE_CONFLICT, 0, 0);
	assert_int_equal(b->heap->audit.findings.data[0].address, second);
}

/* Remarks: no doubt, but the reason of one. */
static void test_inside(void **state)
{
	struct image image;
	size_t count;

	hostile_rebuild(*state, &image);
	struct heap_builder *b = image.b;
	uint64_t arena = image.arenas[OTHER]->address;
	builder_set32(b, arena + b->layout->malloc_state.mutex, 1);
	b->root_threads[1].inside = 0x7f5500123456;
	b->root_threads[1].inside_name = "_int_free";
	struct heap *heap = builder_read(b);
	assert_int_equal(find(heap, AUDIT_LOCKED, &count)->address, arena);
	assert_int_equal(count, 1);
	const struct audit_finding *inside = find(heap, AUDIT_INSIDE, &count);
	assert_int_equal(count, 1);
	assert_int_equal(inside->address, 0x7f5500123456);
	assert_non_null(strstr(inside->message, "thread 101 is inside malloc: in _int_free"));
	assert_false(inside->doubt);
	assert_true(heap->audit.ok);
	assert_null(audit_reason(&heap->audit));

	builder_set(b, arena + b->layout->malloc_state.system_mem, 16);
	heap = builder_read(b);
	assert_non_null(strstr(audit_reason(&heap->audit), "inside malloc, and what"));
}

/* Of a process that ran, caches that are not known are no sign that it changed anything. */
static void test_live_reason(void **state __attribute__((__unused__)))
{
	struct audit audit = { .live = true };

	audit_add(&audit, AUDIT_BAD_THREAD, 0, 0, 0, "thread 1: where its TLS is");
	assert_non_null(strstr(audit_reason(&audit), "without a stop"));
	audit_add(&audit, AUDIT_BAD_LIST, 0x1000, 0, 0, "0x1000 is no chunk");
	assert_non_null(strstr(audit_reason(&audit), "torn"));
	audit_deinit(&audit);
}

/* Damage stays the same; what is caught midway does not. */
static void test_same_doubts(void **state)
{
	struct audit audits[2] = { 0 };
	struct image image;

	hostile_rebuild(*state, &image);
	struct heap_builder *b = image.b;
	uint64_t at = image.arenas[MAIN]->address + b->layout->malloc_state.system_mem;
	for (size_t i = 0; i < 2; i++) {
		builder_set(b, at, 16);
		/* A remark more or less makes no difference. */
		b->root_threads[1].inside = i;
		builder_read(b);
		audits[i] = b->heap->audit;
		b->heap->audit.findings = (struct audit_findings){ 0 };
	}
	assert_int_equal(audits[1].findings.count, audits[0].findings.count + 1);
	assert_true(audit_same_doubts(&audits[0], &audits[1]));
	assert_true(audit_same_doubts(&audits[1], &audits[0]));

	builder_set(b, at, 32);
	builder_read(b);
	assert_false(audit_same_doubts(&audits[0], &b->heap->audit));
	builder_set(b, image.small[OTHER][1] + 0x90, 0x80);
	builder_set(b, at, 16);
	builder_read(b);
	assert_false(audit_same_doubts(&audits[0], &b->heap->audit));
	assert_false(audit_same_doubts(&b->heap->audit, &audits[0]));
	audit_deinit(&audits[0]);
	audit_deinit(&audits[1]);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_holds),           BUILDER_TEST(test_system_mem),
		BUILDER_TEST(test_mmapped),         BUILDER_TEST(test_counter),
		BUILDER_TEST(test_listed),          BUILDER_TEST(test_prev_size),
		BUILDER_TEST(test_unlisted),        BUILDER_TEST(test_listed_in_use),
		BUILDER_TEST(test_free_neighbours), BUILDER_TEST(test_inside),
		BUILDER_TEST(test_live_reason),     BUILDER_TEST(test_same_doubts),
	};

	return builder_run("audit", tests, sizeof(tests) / sizeof(tests[0]));
}
