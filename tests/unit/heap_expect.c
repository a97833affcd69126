/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of heap_builder.h: reading an image, and what must hold of the result. */
#include "heap_builder.h"

#include "target/read_ahead.h"
#include "tests/heap_shape.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* However corrupt an image is, reading it takes no more than this. */
#define MAX_READS      500000
#define MAX_READ_BYTES (UINT64_C(256) << 20)

struct counted_memory {
	struct memory memory;
	struct memory_buffer inner;
	struct heap_builder *builder;
};

static struct memtool_error *counted_read(struct memory *memory, uint64_t address, void *buffer,
					  size_t length, size_t *ret)
{
	struct counted_memory *self = (struct counted_memory *)memory;
	size_t count = 0;

	if (self->builder->meanwhile)
		self->builder->meanwhile(self->builder,
					 (struct range){ address, address + length });
	struct memtool_error *error =
		self->inner.memory.ops->read(&self->inner.memory, address, buffer, length, &count);

	if (range_overlaps((struct range){ address, address + length }, self->builder->absent))
		fail_msg("the reader reads 0x%" PRIx64 ", where nothing is", address);
	*ret = count;
	self->builder->reads++;
	self->builder->read_bytes += count;
	if (self->builder->reads > MAX_READS || self->builder->read_bytes > MAX_READ_BYTES)
		fail_msg("the reader does not come to an end: %" PRIu64 " reads, %" PRIu64 " bytes",
			 self->builder->reads, self->builder->read_bytes);
	return error;
}

static struct memtool_error *find_present(struct memory *memory, struct range within,
					  struct range *ret)
{
	struct range absent = ((struct counted_memory *)memory)->builder->absent;

	*ret = within;
	if (within.start < absent.start && within.end > absent.start)
		ret->end = absent.start;
	else if (range_contains(absent, within.start))
		ret->start = absent.end < within.end ? absent.end : within.end;
	return NULL;
}

/* The kernel merges neighbours, so the reader sees one range where mappings touch. */
static size_t merge_anonymous(const struct heap_builder *b, struct range *merged)
{
	size_t count = 0;

	for (size_t i = 0; i < b->anonymous_count; i++) {
		if (count > 0 && merged[count - 1].end == b->anonymous[i].start)
			merged[count - 1].end = b->anonymous[i].end;
		else
			merged[count++] = b->anonymous[i];
	}
	return count;
}

struct memtool_error *builder_try_read(struct heap_builder *b)
{
	static const struct memory_ops ops = { .read = counted_read, .find_present = find_present };
	struct counted_memory memory = { .memory.ops = &ops, .builder = b };
	struct range anonymous[BUILDER_REGIONS];
	struct heap_source source = {
		.memory = &memory.memory,
		.layout = b->read_as ? b->read_as : b->layout,
		.other_layouts = b->others,
		.other_count = b->other_count,
		.layout_unconfirmed = b->unconfirmed,
		.roots = &b->roots,
		.anonymous = anonymous,
		.anonymous_count = merge_anonymous(b, anonymous),
		.live = b->live,
		.threads = b->reading_threads,
		.progress = b->progress,
		.progress_context = b->progress_context,
		.orphans = b->orphans,
		.orphan_count = b->orphan_count,
	};
	_cleanup_read_ahead_ struct read_ahead *ahead = NULL;
	struct heap_copy *copy = NULL;

	heap_destroy(b->heap);
	b->heap = NULL;
	memory.inner = memory_buffer(b->regions, b->region_count);
	assert_null(heap_expected_bytes(&source, &b->expected_bytes));
	b->reads = 0;
	b->read_bytes = 0;
	if (b->ahead) {
		assert_null(read_ahead_create(&memory.memory, &ahead));
		source.memory = read_ahead_memory(ahead);
	}
	struct memtool_error *error = heap_copy(&source, &copy);
	read_ahead_rest(ahead);
	if (error)
		return error;
	/* The second half works on the copy alone. */
	memset(anonymous, 0xff, sizeof(anonymous));
	memset(&memory, 0xff, sizeof(memory));
	return heap_finish(copy, &b->heap);
}

struct heap *builder_read(struct heap_builder *b)
{
	struct memtool_error *error = builder_try_read(b);

	if (error)
		fail_msg("%s", error->message);
	assert_non_null(b->heap);
	return b->heap;
}

/* What holds always */

void builder_assert_sane(struct heap_builder *b)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < b->region_count; i++)
		bytes += b->regions[i].length;
	assert_true(b->heap->chunk_count <= bytes / 16);
	const char *wrong = heap_contradiction(b->heap);
	if (wrong)
		fail_msg("%s", wrong);
}

/* The truth */

static int compare_items(const void *a, const void *b)
{
	const struct builder_item *left = a;
	const struct builder_item *right = b;

	return (left->address > right->address) - (left->address < right->address);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *left = a;
	const struct range *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

static void assert_thread(const struct chunk *chunk, uint32_t thread)
{
	if (thread == BUILDER_NONE)
		assert_int_equal(chunk->thread, CHUNK_NO_THREAD);
	else
		assert_int_equal(chunk->thread, thread);
}

static void assert_arena(const struct heap_builder *b, const struct chunk *chunk, uint32_t arena)
{
	if (arena == BUILDER_NONE) {
		assert_int_equal(chunk->arena, CHUNK_NO_ARENA);
		return;
	}
	assert_true(chunk->arena < b->heap->arena_count);
	assert_int_equal(b->heap->arenas[chunk->arena].address, b->arenas[arena].address);
}

/* malloc_usable_size() of a chunk that malloc could hand out, from the image itself. */
static uint64_t usable_size(struct heap_builder *b, const struct builder_item *item)
{
	uint64_t field = builder_get(b, item->address + 8);
	uint64_t size = field & ~(uint64_t)GLIBC_SIZE_BITS;

	return size - (field & GLIBC_IS_MMAPPED && !b->layout->mmapped_header_apart ? 16 : 8);
}

static void assert_item(struct heap_builder *b, const struct chunk *chunk,
			const struct builder_item *item)
{
	if (chunk_address(chunk) != item->address || chunk_size(chunk) != item->size ||
	    chunk->state != item->state)
		fail_msg("expected %s of 0x%" PRIx64 " bytes at 0x%" PRIx64
			 ", found %s of 0x%" PRIx64 " at 0x%" PRIx64,
			 chunk_state_name(item->state), item->size, item->address,
			 chunk_state_name(chunk->state), chunk_size(chunk), chunk_address(chunk));
	assert_arena(b, chunk, item->arena);
	assert_thread(chunk, item->thread);
	if (chunk_is_bare(chunk)) {
		assert_int_equal(chunk_user(chunk), item->address);
		assert_int_equal(heap_usable_size(b->heap, chunk), item->size);
		return;
	}
	assert_int_equal(chunk_user(chunk), item->address + 16);
	if (chunk_is_live(chunk) || chunk_is_free(chunk) || chunk->state == CHUNK_TCACHE_STRUCT)
		assert_int_equal(heap_usable_size(b->heap, chunk), usable_size(b, item));
}

static void assert_items(struct heap_builder *b)
{
	const struct heap *heap = b->heap;

	qsort(b->items.data, b->items.count, sizeof(b->items.data[0]), compare_items);
	for (size_t i = 0; i < b->items.count && i < heap->chunk_count; i++)
		assert_item(b, &heap->chunks[i], &b->items.data[i]);
	assert_int_equal(heap->chunk_count, b->items.count);
}

static void assert_segments(struct heap_builder *b)
{
	const struct heap *heap = b->heap;

	assert_int_equal(heap->segment_count, b->segments.count);
	if (heap->segment_count == 0)
		return;
	qsort(b->segments.data, b->segments.count, sizeof(b->segments.data[0]), compare_ranges);
	for (size_t i = 0; i < heap->segment_count; i++) {
		assert_int_equal(heap->segments[i].range.start, b->segments.data[i].start);
		assert_int_equal(heap->segments[i].range.end, b->segments.data[i].end);
	}
}

/* main_arena, then the newest first: that is how the ring is linked. */
static void assert_arenas(const struct heap_builder *b)
{
	assert_int_equal(b->heap->arena_count, b->arena_count);
	for (uint32_t i = 0; i < b->arena_count; i++) {
		const struct builder_arena *expected = &b->arenas[i ? b->arena_count - i : 0];
		const struct heap_arena *arena = &b->heap->arenas[i];
		/* main_arena itself is an item, too, but is no part of what it got by sbrk. */
		uint64_t bytes = arena->gap_bytes - (i ? 0 : b->layout->malloc_state.size);

		assert_int_equal(arena->address, expected->address);
		assert_int_equal(arena->system_mem, expected->system_mem);
		assert_int_equal(arena->max_system_mem, expected->system_mem);
		assert_int_equal(arena->gap_bytes, expected->gap);
		for (size_t state = 0; state < CHUNK_STATES; state++)
			bytes += arena->tally[state].bytes;
		assert_int_equal(bytes, expected->system_mem);
	}
}

static void assert_threads(const struct heap_builder *b)
{
	assert_int_equal(b->heap->thread_count, b->thread_count);
	for (uint32_t i = 0; i < b->thread_count; i++) {
		const struct heap_thread *thread = &b->heap->threads[i];

		assert_int_equal(thread->tid, b->root_threads[i].tid);
		assert_int_equal(thread->fs_base, b->threads[i].fs_base);
		assert_int_equal(thread->tcache, b->threads[i].tcache);
		assert_false(thread->shares_tls || thread->orphan);
	}
	assert_int_equal(b->heap->orphan_count, b->orphan_count);
	for (uint32_t i = b->thread_count; i < b->thread_count + b->orphan_count; i++) {
		assert_true(b->heap->threads[i].orphan);
		assert_int_equal(b->heap->threads[i].tid, 0);
		assert_int_equal(b->heap->threads[i].tcache, b->threads[i].tcache);
	}
}

/* The lists hold each chunk that is in a list, and agree with their counters. */
static void assert_lists(const struct heap *heap)
{
	uint64_t expected = 0;

	for (int state = CHUNK_TCACHE; state < CHUNK_UNLISTED; state++)
		expected += heap->tally[state].count;
	assert_int_equal(heap->listed_count, expected);
	for (size_t i = 0; i < heap->list_count; i++) {
		const struct heap_list *list = &heap->lists[i];

		if (list->kind == LIST_TCACHE)
			assert_int_equal(list->counter, list->count);
		else
			assert_int_equal(list->counter, -1);
		for (uint32_t at = list->first; at < list->first + list->count; at++) {
			const struct chunk *chunk = &heap->chunks[heap->listed[at]];
			assert_int_equal(chunk->state, CHUNK_TCACHE + (int)list->kind);
		}
	}
}

static void print_findings(const struct audit *audit)
{
	for (size_t i = 0; i < audit->findings.count; i++)
		print_error("finding: %s: %s\n", audit_kind_name(audit->findings.data[i].kind),
			    audit->findings.data[i].message);
}

void builder_assert_clean(struct heap_builder *b)
{
	print_findings(&b->heap->audit);
	assert_items(b);
	assert_segments(b);
	assert_arenas(b);
	assert_threads(b);
	assert_lists(b->heap);
	builder_assert_sane(b);
	assert_int_equal(b->heap->mmapped_bytes, b->mmapped_bytes);
	assert_int_equal(b->heap->audit.findings.count, 0);
	assert_true(b->heap->audit.ok);
	assert_false(b->heap->audit.truncated);

	uint64_t bytes = b->heap->mmapped_count * UINT64_C(16384);
	for (size_t i = 0; i < b->heap->arena_count; i++)
		bytes += b->heap->arenas[i].system_mem;
	assert_int_equal(b->expected_bytes, bytes);
}

void builder_assert_found(struct heap_builder *b, uint32_t kinds)
{
	const struct audit *audit = &b->heap->audit;
	uint32_t found = 0;

	builder_assert_sane(b);
	for (int kind = 0; kind < AUDIT_KINDS; kind++)
		found |= audit->counted[kind] ? BUILDER_KIND(kind) : 0;
	if (found & kinds && !audit->ok)
		return;
	print_findings(audit);
	fail_msg("expected a finding of the kinds 0x%x, found 0x%x, ok %d", kinds, found,
		 audit->ok);
}

const struct chunk *builder_assert_item(const struct heap_builder *b, uint64_t address,
					enum chunk_state state, uint64_t size)
{
	const struct chunk *chunk = heap_find(b->heap, address);

	if (!chunk)
		fail_msg("nothing was found at 0x%" PRIx64, address);
	if (chunk_address(chunk) != address || chunk->state != state || chunk_size(chunk) != size)
		fail_msg("expected %s of 0x%" PRIx64 " bytes at 0x%" PRIx64
			 ", found %s of 0x%" PRIx64 " at 0x%" PRIx64,
			 chunk_state_name(state), size, address, chunk_state_name(chunk->state),
			 chunk_size(chunk), chunk_address(chunk));
	return chunk;
}

const struct heap_list *builder_assert_list(const struct heap_builder *b, enum list_kind kind,
					    uint32_t owner, uint32_t bin, const uint64_t *chunks)
{
	const struct heap *heap = b->heap;

	for (size_t i = 0; i < heap->list_count; i++) {
		const struct heap_list *list = &heap->lists[i];
		uint32_t count = 0;

		if (list->kind != kind || list->owner != owner || list->bin != bin)
			continue;
		for (; chunks[count] && count < list->count; count++) {
			uint32_t index = heap->listed[list->first + count];
			assert_int_equal(chunk_address(&heap->chunks[index]), chunks[count]);
		}
		assert_int_equal(chunks[count], 0);
		assert_int_equal(list->count, count);
		return list;
	}
	fail_msg("there is no list of kind %d in bin %u of owner %u", kind, bin, owner);
	return NULL;
}

/* Running */

static int setup(void **state)
{
	struct heap_builder *b = malloc(sizeof(*b));

	if (!b)
		return -1;
	heap_builder_init(b, *state);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	heap_builder_deinit(*state);
	free(*state);
	return 0;
}

int builder_run(const char *group, const struct builder_test *tests, size_t count)
{
	size_t row_count;
	const struct glibc_layout *rows = glibc_layout_table(&row_count);
	struct CMUnitTest *runs = calloc(count * row_count, sizeof(runs[0]));
	char(*names)[128] = calloc(count * row_count, sizeof(names[0]));
	int failed = 1;

	for (size_t i = 0; runs && names && i < count * row_count; i++) {
		const struct builder_test *test = &tests[i / row_count];
		const struct glibc_layout *row = &rows[i % row_count];

		snprintf(names[i], sizeof(names[i]), "%s (%s)", test->name, row->name);
		runs[i] = (struct CMUnitTest){ names[i], test->function, setup, teardown,
					       (void *)(uintptr_t)row };
	}
	if (runs && names)
		failed = _cmocka_run_group_tests(group, runs, count * row_count, NULL, NULL);
	free(names);
	free(runs);
	return failed;
}
