/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heap that several threads walk in parts is the heap that one walks whole, to the last finding.
 */
#include "heap_builder.h"

#include "support/range.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MIB     (UINT64_C(1) << 20)
#define ARENAS  5
#define THREADS 4

/* Who reads large pieces: the threads that walk. None goes on before two have come. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t met;
	pthread_t first;
	unsigned int count;
} readers = { .lock = PTHREAD_MUTEX_INITIALIZER, .met = PTHREAD_COND_INITIALIZER };

static void meet(struct heap_builder *b, struct range read)
{
	(void)b;
	if (range_size(read) < MIB / 4)
		return;
	pthread_mutex_lock(&readers.lock);
	if (readers.count == 0)
		readers.first = pthread_self();
	if (readers.count == 0 ||
	    (readers.count == 1 && !pthread_equal(readers.first, pthread_self()))) {
		readers.count++;
		pthread_cond_broadcast(&readers.met);
	}
	while (readers.count < 2)
		pthread_cond_wait(&readers.met, &readers.lock);
	pthread_mutex_unlock(&readers.lock);
}

/* Chunks of all sizes up to end, some of them free and in lists. */
static void fill(struct builder_arena *arena, struct builder_thread *thread, uint64_t end)
{
	bool fastbins = arena->builder->layout->malloc_state.fastbinsY != GLIBC_ABSENT;

	for (uint64_t i = 0; arena->cursor + 0x30000 < end; i++) {
		uint64_t size = 32 + i % 211 * 16;

		if (i % 1009 == 1008)
			size = 0x20000;
		if (i % 509 == 508)
			builder_link(arena, builder_hole(arena, size), 1);
		else if (i % 401 == 400 && fastbins)
			builder_fastbin(arena, builder_chunk(arena, 0x50));
		else if (i < 3)
			builder_tcache(thread, builder_chunk(arena, 0x40));
		else
			builder_chunk(arena, size);
	}
}

/* The sbrk heap, and arenas of one heap or two, with mmapped chunks behind them. */
static void build(struct heap_builder *b)
{
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 6 * MIB);
	struct builder_thread *thread = builder_thread(b, 100, arena);
	uint64_t heap = BUILDER_HEAPS;

	builder_tcache_struct(thread, arena);
	fill(arena, thread, arena->end);
	builder_top(arena);
	for (int i = 0; i < ARENAS; i++, heap += GLIBC_DEFAULT_HEAP_MAX) {
		arena = builder_arena(b, heap, 6 * MIB);
		thread = builder_thread(b, 101 + i, arena);
		builder_tcache_struct(thread, arena);
		fill(arena, thread, arena->end);
		if (i % 2) {
			builder_link(arena, builder_fence(arena), 1);
			heap += GLIBC_DEFAULT_HEAP_MAX;
			builder_heap(arena, heap, 4 * MIB);
			fill(arena, thread, arena->end);
		}
		builder_top(arena);
	}
	for (uint64_t i = 0; i < 4; i++)
		builder_mmapped(b, BUILDER_MMAP + i * MIB, MIB / 2, 0, false);
}

static void read_in_parts(struct heap_builder *b)
{
	b->meanwhile = meet;
	b->reading_threads = THREADS;
	readers.count = 0;
	builder_read(b);
	b->meanwhile = NULL;
	assert_int_equal(readers.count, 2);
}

/* Reads it whole, and then in parts: the first result is returned. */
static struct heap *read_twice(struct heap_builder *b)
{
	builder_read(b);
	struct heap *whole = b->heap;
	b->heap = NULL;
	read_in_parts(b);
	return whole;
}

static void assert_same_findings(const struct audit *a, const struct audit *b)
{
	assert_int_equal(a->ok, b->ok);
	assert_int_equal(a->truncated, b->truncated);
	assert_memory_equal(a->counted, b->counted, sizeof(a->counted));
	assert_int_equal(a->findings.count, b->findings.count);
	for (size_t i = 0; i < a->findings.count; i++) {
		assert_int_equal(a->findings.data[i].kind, b->findings.data[i].kind);
		assert_int_equal(a->findings.data[i].address, b->findings.data[i].address);
		assert_string_equal(a->findings.data[i].message, b->findings.data[i].message);
	}
}

static void assert_same_arenas(const struct heap *a, const struct heap *b)
{
	assert_int_equal(a->arena_count, b->arena_count);
	for (size_t i = 0; i < a->arena_count; i++) {
		assert_int_equal(a->arenas[i].address, b->arenas[i].address);
		assert_int_equal(a->arenas[i].segment_count, b->arenas[i].segment_count);
		assert_int_equal(a->arenas[i].gap_bytes, b->arenas[i].gap_bytes);
		assert_memory_equal(a->arenas[i].tally, b->arenas[i].tally,
				    sizeof(a->arenas[i].tally));
	}
	assert_int_equal(a->segment_count, b->segment_count);
	for (size_t i = 0; i < a->segment_count; i++) {
		assert_int_equal(a->segments[i].range.start, b->segments[i].range.start);
		assert_int_equal(a->segments[i].range.end, b->segments[i].range.end);
		assert_int_equal(a->segments[i].arena, b->segments[i].arena);
		assert_int_equal(a->segments[i].first_chunk, b->segments[i].first_chunk);
		assert_int_equal(a->segments[i].end_chunk, b->segments[i].end_chunk);
	}
}

static void assert_same(const struct heap *a, const struct heap *b)
{
	assert_int_equal(a->chunk_count, b->chunk_count);
	assert_memory_equal(a->chunks, b->chunks, a->chunk_count * sizeof(a->chunks[0]));
	assert_same_arenas(a, b);
	assert_int_equal(a->list_count, b->list_count);
	for (size_t i = 0; i < a->list_count; i++) {
		assert_int_equal(a->lists[i].kind, b->lists[i].kind);
		assert_int_equal(a->lists[i].first, b->lists[i].first);
		assert_int_equal(a->lists[i].count, b->lists[i].count);
	}
	assert_int_equal(a->listed_count, b->listed_count);
	assert_memory_equal(a->listed, b->listed, a->listed_count * sizeof(a->listed[0]));
	assert_same_findings(&a->audit, &b->audit);
}

static void test_same(void **state)
{
	struct heap_builder *b = *state;

	build(b);
	struct heap *whole = read_twice(b);
	builder_assert_clean(b);
	assert_same(whole, b->heap);
	heap_destroy(whole);
}

/* Sizes that cannot be, more of them than findings are kept, and a page that cannot be read. */
static void test_damage(void **state)
{
	struct heap_builder *b = *state;

	build(b);
	for (size_t i = 100; i < b->items.count; i += b->items.count / (AUDIT_KEEP * 2)) {
		const struct builder_item *item = &b->items.data[i];
		if (item->arena != BUILDER_NONE && item->state == CHUNK_IN_USE)
			builder_set(b, item->address + 8, 0x7777777 + i);
	}
	builder_unmap(b, BUILDER_HEAPS + 3 * MIB, BUILDER_PAGE);
	struct heap *whole = read_twice(b);
	builder_assert_sane(b);
	builder_assert_found(b, BUILDER_KIND(AUDIT_BAD_CHUNK) | BUILDER_KIND(AUDIT_UNREADABLE));
	assert_true(b->heap->audit.truncated);
	assert_same(whole, b->heap);
	heap_destroy(whole);
}

struct watch {
	pthread_t caller;
	struct memtool_progress last;
	unsigned int calls;
	unsigned int limit; /* of calls; then it is to end */
};

static bool watch_progress(void *context, const struct memtool_progress *progress)
{
	struct watch *watch = context;

	if (!pthread_equal(watch->caller, pthread_self()))
		fail_msg("another thread than the caller's tells");
	assert_true(progress->bytes_read >= watch->last.bytes_read);
	assert_true(progress->chunks >= watch->last.chunks);
	watch->last = *progress;
	return ++watch->calls < watch->limit;
}

static void test_progress(void **state)
{
	struct heap_builder *b = *state;
	struct watch watch = { .caller = pthread_self(), .limit = UINT32_MAX };

	build(b);
	b->progress = watch_progress;
	b->progress_context = &watch;
	read_in_parts(b);
	builder_assert_clean(b);
	assert_in_range(watch.last.bytes_total, 40 * MIB, 60 * MIB);
	assert_in_range(watch.last.bytes_read, 2 * MIB, 70 * MIB);
	watch = (struct watch){ .caller = pthread_self(), .limit = 1 };
	struct memtool_error *error = builder_try_read(b);
	assert_non_null(error);
	assert_int_equal(error->code, MEMTOOL_ERROR_INTERRUPTED);
	memtool_error_destroy(error);
}

/* A heap with one segment that outweighs all others, and a small one: nothing to divide. */
static void test_whole(void **state)
{
	struct heap_builder *b = *state;
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 40 * MIB);
	struct builder_thread *thread = builder_thread(b, 100, arena);

	builder_tcache_struct(thread, arena);
	fill(arena, thread, arena->end);
	builder_top(arena);
	builder_arena(b, BUILDER_HEAPS, 6 * MIB);
	builder_top(&b->arenas[1]);
	b->reading_threads = THREADS;
	builder_read(b);
	builder_assert_clean(b);
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_same),
		BUILDER_TEST(test_damage),
		BUILDER_TEST(test_progress),
		BUILDER_TEST(test_whole),
	};

	return builder_run("parts", tests, sizeof(tests) / sizeof(tests[0]));
}
