/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read ahead is what is there: by windows and whole heaps, with holes, errors and early
 * ends.
 */
#include "heap_builder.h"

#include "glibc/window.h"
#include "target/read_ahead.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MIB   (UINT64_C(1) << 20)
#define BASE  UINT64_C(0x500000000000)
#define SIZE  (32 * MIB)
#define NEVER UINT64_MAX

/* Memory that notices who reads it. */
struct watched_memory {
	struct memory memory;
	uint8_t *bytes; /* SIZE of them, at BASE */
	struct range hole; /* unreadable */
	struct range absent; /* not to be read ahead */
	uint64_t bad; /* nothing can be read any more from here on */
	pthread_t caller;
	atomic_bool resting;
	atomic_ullong count; /* bytes that were read */
	atomic_bool wrong;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t met;
	unsigned int readers; /* how many are reading now */
	unsigned int meeting; /* none returns before so many have been reading at once */
};

static void enter(struct watched_memory *self)
{
	pthread_mutex_lock(&self->lock);
	if (++self->readers >= self->meeting) {
		self->meeting = 0;
		pthread_cond_broadcast(&self->met);
	}
	while (self->meeting)
		pthread_cond_wait(&self->met, &self->lock);
	pthread_mutex_unlock(&self->lock);
}

static void leave(struct watched_memory *self)
{
	pthread_mutex_lock(&self->lock);
	self->readers--;
	pthread_mutex_unlock(&self->lock);
}

static void watch_thread(struct watched_memory *self, struct range range)
{
	sigset_t blocked;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	if (range_overlaps(range, self->absent) || !sigismember(&blocked, SIGINT) ||
	    atomic_load(&self->resting))
		atomic_store(&self->wrong, true);
}

static struct memtool_error *watched_read(struct memory *memory, uint64_t address, void *buffer,
					  size_t length, size_t *ret)
{
	struct watched_memory *self = (struct watched_memory *)memory;
	struct range range = { address, address + length };
	uint64_t end = range.end < BASE + SIZE ? range.end : BASE + SIZE;

	enter(self);
	if (address < self->hole.end && end > self->hole.start)
		end = address < self->hole.start ? self->hole.start : address;
	if (range.end > self->bad) {
		leave(self);
		return memtool_error_create(MEMTOOL_ERROR_NO_PROCESS, "gone");
	}
	memcpy(buffer, self->bytes + (address - BASE), end - address);
	if (!pthread_equal(pthread_self(), self->caller))
		watch_thread(self, range);
	*ret = end - address;
	atomic_fetch_add(&self->count, *ret);
	leave(self);
	return NULL;
}

static struct memtool_error *watched_find_present(struct memory *memory, struct range within,
						  struct range *ret)
{
	struct range absent = ((struct watched_memory *)memory)->absent;

	*ret = within;
	if (within.start < absent.start && within.end > absent.start)
		ret->end = absent.start;
	else if (range_contains(absent, within.start))
		ret->start = absent.end < within.end ? absent.end : within.end;
	return NULL;
}

static struct watched_memory watched_memory(void)
{
	static const struct memory_ops ops = {
		.read = watched_read,
		.find_present = watched_find_present,
	};
	struct watched_memory memory = {
		.memory = { &ops },
		.bytes = malloc(SIZE),
		.bad = NEVER,
		.caller = pthread_self(),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.met = PTHREAD_COND_INITIALIZER,
	};

	assert_non_null(memory.bytes);
	for (size_t i = 0; i < SIZE; i += 8) {
		uint64_t word = i * UINT64_C(0x9e3779b97f4a7c15);
		memcpy(memory.bytes + i, &word, sizeof(word));
	}
	return memory;
}

static struct read_ahead *create(struct watched_memory *memory)
{
	struct read_ahead *ahead;

	assert_null(read_ahead_create(&memory->memory, &ahead));
	return ahead;
}

static void open_window(struct window *window, struct read_ahead *ahead)
{
	window_init(window, read_ahead_memory(ahead));
	window->ahead = true;
	window->limit = BASE + SIZE;
}

/* Looks at 32 bytes at a time, step bytes on each time, all over the memory. */
static void pass(struct watched_memory *memory, struct window *window, uint64_t step)
{
	for (uint64_t at = BASE; at + 32 <= BASE + SIZE; at += step) {
		const uint8_t *bytes;

		assert_null(window_at(window, at, 32, &bytes));
		if (range_overlaps((struct range){ at, at + 32 }, memory->hole))
			assert_null(bytes);
		else if (memcmp(bytes, memory->bytes + (at - BASE), 32) != 0)
			fail_msg("wrong bytes at 0x%llx", (unsigned long long)at);
	}
}

static void test_pass(void **state)
{
	static const uint64_t steps[] = { 16, 48, 4080, 65552, MIB, 3 * MIB + 16, 9 * MIB };
	struct watched_memory memory = watched_memory();
	struct read_ahead *ahead = create(&memory);
	struct window window;

	(void)state;
	open_window(&window, ahead);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		uint64_t before = atomic_load(&memory.count);
		pass(&memory, &window, steps[i]);
		/* Where no piece is leapt over: all, nothing twice but for what pieces overlap. */
		if (steps[i] < MIB / 2)
			assert_in_range(atomic_load(&memory.count) - before, SIZE - MIB,
					SIZE + SIZE / 4096 * READ_AHEAD_OVERLAP);
	}
	read_ahead_rest(ahead);
	memory.hole = (struct range){ BASE + 9 * MIB + 8192, BASE + 9 * MIB + 16384 };
	memory.absent = (struct range){ BASE + 21 * MIB + 4096, BASE + 21 * MIB + 3 * 4096 };
	window.range = (struct range){ 0 };
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		pass(&memory, &window, steps[i]);
	assert_false(atomic_load(&memory.wrong));
	window_deinit(&window);
	read_ahead_destroy(ahead);
	free(memory.bytes);
}

static void test_error(void **state)
{
	struct watched_memory memory = watched_memory();
	struct read_ahead *ahead = create(&memory);
	struct memtool_error *error = NULL;
	struct window window;
	const uint8_t *bytes;
	uint64_t at = BASE;

	(void)state;
	open_window(&window, ahead);
	memory.bad = BASE + 11 * MIB;
	while (!error && at < BASE + SIZE) {
		error = window_at(&window, at, 32, &bytes);
		at += 4080;
	}
	assert_non_null(error);
	assert_int_equal(error->code, MEMTOOL_ERROR_NO_PROCESS);
	assert_true(at > BASE + 8 * MIB && at < BASE + 12 * MIB);
	memtool_error_destroy(error);
	window_deinit(&window);
	/* And one that nobody takes. */
	memory_read_ahead(read_ahead_memory(ahead), (struct range){ BASE + 10 * MIB, BASE + SIZE });
	read_ahead_destroy(ahead);
	free(memory.bytes);
}

/* Between one pass and the next, and at the end, nothing is read. */
static void test_rest(void **state)
{
	struct watched_memory memory = watched_memory();

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct read_ahead *ahead = create(&memory);
		struct memory *through = read_ahead_memory(ahead);
		struct range range = { BASE, BASE + SIZE }, piece;
		const uint8_t *bytes;

		memory_read_ahead(through, range);
		if (i % 2)
			assert_null(memory_take_ahead(through, BASE, 32, &piece, &bytes));
		if (i % 3) {
			read_ahead_rest(ahead);
			atomic_store(&memory.resting, true);
			assert_null(memory_take_ahead(through, BASE + 2 * MIB, 32, &piece, &bytes));
			assert_null(bytes);
			atomic_store(&memory.resting, false);
			memory_read_ahead(through, range);
		}
		read_ahead_destroy(ahead);
	}
	assert_false(atomic_load(&memory.wrong));
	free(memory.bytes);
}

/* Two read at once: two threads, or a thread and the caller that waits for it. */
static void test_at_once(void **state)
{
	struct watched_memory memory = watched_memory();
	struct read_ahead *ahead = create(&memory);
	struct memory *through = read_ahead_memory(ahead);
	struct range piece;
	const uint8_t *bytes;

	(void)state;
	memory.meeting = 2;
	memory_read_ahead(through, (struct range){ BASE, BASE + SIZE });
	for (uint64_t at = BASE; at < BASE + SIZE; at = piece.end) {
		assert_null(
			memory_take_ahead(through, at - (at > BASE ? 32 : 0), 32, &piece, &bytes));
		assert_non_null(bytes);
		assert_memory_equal(bytes, memory.bytes + (piece.start - BASE), range_size(piece));
	}
	assert_int_equal(memory.meeting, 0);
	read_ahead_destroy(ahead);
	free(memory.bytes);
}

/* A heap of many pieces, small chunks and some that leap over pieces. */
static void build(struct heap_builder *b)
{
	struct builder_arena *arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 24 * MIB);

	builder_thread(b, 100, arena);
	for (uint64_t i = 0, size; arena->cursor + 6 * MIB < arena->end; i++) {
		size = 32 + i % 97 * 16;
		if (i % 10007 == 10006)
			size = (1 + i / 10007 % 5) * MIB;
		builder_chunk(arena, size);
	}
	builder_top(arena);
}

static void test_heap(void **state)
{
	struct heap_builder *b = *state;

	build(b);
	builder_read(b);
	builder_assert_clean(b);
	struct heap *heap = b->heap;
	b->heap = NULL;
	b->ahead = true;
	builder_read(b);
	builder_assert_clean(b);
	assert_int_equal(b->heap->chunk_count, heap->chunk_count);
	assert_memory_equal(b->heap->chunks, heap->chunks,
			    heap->chunk_count * sizeof(heap->chunks[0]));
	heap_destroy(heap);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_at_once),
	};
	static const struct builder_test heaps[] = { BUILDER_TEST(test_heap) };
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	return builder_run("heaps read ahead", heaps, 1) || failed;
}
