/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of `memtool heap`, on heaps put together by hand. */
#include "cli/arena_view.h"
#include "cli/heap_stats.h"
#include "cli/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PAGE 4096
#define BASE UINT64_C(0x555500000000)

/* One arena whose chunks follow one another from BASE on, unless told otherwise. */
struct fixture {
	struct heap heap;
	struct heap_arena arenas[2];
	struct heap_thread threads[4];
	struct heap_segment segments[3];
	struct chunk chunks[64];
	uint64_t next;
};

static void start(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->heap.arenas = f->arenas;
	f->heap.arena_count = 1;
	f->heap.threads = f->threads;
	f->heap.segments = f->segments;
	f->heap.chunks = f->chunks;
	f->next = BASE;
}

static uint64_t add(struct fixture *f, enum chunk_state state, uint64_t size)
{
	uint64_t address = f->next;

	f->chunks[f->heap.chunk_count++] = (struct chunk){
		.address_16 = address / 16,
		.size_8 = size / 8,
		.state = state,
		.arena = state == CHUNK_MMAPPED ? CHUNK_NO_ARENA : 0,
		.thread = CHUNK_NO_THREAD,
	};
	f->heap.tally[state].count++;
	f->heap.tally[state].bytes += size;
	if (state != CHUNK_MMAPPED) {
		f->arenas[0].tally[state].count++;
		f->arenas[0].tally[state].bytes += size;
	}
	if (state == CHUNK_TOP)
		f->arenas[0].top = address;
	f->next += size;
	return address;
}

static struct heap_stats stats_of(const struct fixture *f)
{
	struct heap_stats stats;

	assert_null(heap_stats_make(&f->heap, PAGE, &stats));
	return stats;
}

static void test_empty(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	struct heap_stats stats = stats_of(&f);
	assert_int_equal(stats.largest_count, 0);
	assert_int_equal(stats.live_page_bytes, 0);
	assert_int_equal(stats.trimmable_free_bytes, 0);
	assert_int_equal(stats.trimmable_top_bytes, 0);
}

static void test_classes(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, CHUNK_IN_USE, 32);
	add(&f, CHUNK_IN_USE, 48);
	add(&f, CHUNK_TCACHE, 64);
	add(&f, CHUNK_IN_USE, 80);
	add(&f, CHUNK_FENCEPOST, 16);
	add(&f, CHUNK_TOP, 4096);
	add(&f, CHUNK_MMAPPED, UINT64_C(1) << 30);
	struct heap_stats stats = stats_of(&f);
	assert_int_equal(stats.classes[5].live.count, 1);
	assert_int_equal(stats.classes[6].live.count, 1);
	assert_int_equal(stats.classes[6].live.bytes, 48);
	assert_int_equal(stats.classes[6].free.count, 1);
	assert_int_equal(stats.classes[6].free.bytes, 64);
	assert_int_equal(stats.classes[7].live.bytes, 80);
	assert_int_equal(stats.classes[30].live.bytes, UINT64_C(1) << 30);
	/* Neither fencepost nor top. */
	assert_int_equal(stats.classes[4].live.count + stats.classes[4].free.count, 0);
	assert_int_equal(stats.classes[12].live.count + stats.classes[12].free.count, 0);
	assert_int_equal(stats.usable_bytes, 24 + 40 + 72 + (UINT64_C(1) << 30) - 16);
}

static void test_largest(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	for (unsigned int i = 0; i < 3; i++)
		add(&f, CHUNK_IN_USE, 4096);
	for (unsigned int i = 1; i <= 10; i++)
		add(&f, CHUNK_IN_USE, 32 * i);
	add(&f, CHUNK_UNSORTED, 1 << 16);
	add(&f, CHUNK_MMAPPED, 2 << 20);
	add(&f, CHUNK_MMAPPED, 3 << 20);
	add(&f, CHUNK_MMAPPED, 2 << 20);
	struct heap_stats stats = stats_of(&f);
	assert_int_equal(stats.largest_count, LARGEST_SIZES_MAX);
	assert_int_equal(stats.largest[0].size, 2 << 20);
	assert_int_equal(stats.largest[0].count, 2);
	assert_int_equal(stats.largest[1].size, 3 << 20);
	assert_int_equal(stats.largest[1].count, 1);
	assert_int_equal(stats.largest[2].size, 4096);
	assert_int_equal(stats.largest[2].count, 3);
	/* Of the ten small ones, the three smallest have no place. */
	assert_int_equal(stats.largest[3].size, 320);
	assert_int_equal(stats.largest[9].size, 128);
}

static void test_pages_of_live_chunks(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, CHUNK_IN_USE, 1024); /* page 0 */
	add(&f, CHUNK_IN_USE, 1024); /* the same */
	add(&f, CHUNK_TCACHE, 3 * PAGE); /* to 2048 of page 3 */
	add(&f, CHUNK_IN_USE, 2048); /* page 3, to its end */
	add(&f, CHUNK_UNSORTED, PAGE); /* page 4 */
	add(&f, CHUNK_IN_USE, PAGE + 16); /* pages 5 and 6 */
	assert_int_equal(stats_of(&f).live_page_bytes, 4 * PAGE);
}

static void test_trim_of_one_chunk(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	/* Page 0 keeps the links of the free chunk; page 3 its end. */
	add(&f, CHUNK_IN_USE, PAGE - 48);
	add(&f, CHUNK_LARGEBIN, 48 + 2 * PAGE);
	add(&f, CHUNK_IN_USE, 64);
	assert_int_equal(stats_of(&f).trimmable_free_bytes, 2 * PAGE);

	start(&f);
	add(&f, CHUNK_IN_USE, PAGE - 32);
	add(&f, CHUNK_LARGEBIN, 32 + 2 * PAGE);
	add(&f, CHUNK_IN_USE, 64);
	assert_int_equal(stats_of(&f).trimmable_free_bytes, PAGE);
}

static void test_trim_merges(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, CHUNK_IN_USE, PAGE - 48);
	add(&f, CHUNK_FASTBIN, 48);
	for (unsigned int i = 0; i < 32; i++)
		add(&f, i % 2 ? CHUNK_FASTBIN : CHUNK_SMALLBIN, 128);
	add(&f, CHUNK_IN_USE, 64);
	assert_int_equal(stats_of(&f).trimmable_free_bytes, PAGE);

	/* One chunk of a tcache in between, and no page is whole. */
	f.chunks[17].state = CHUNK_TCACHE;
	assert_int_equal(stats_of(&f).trimmable_free_bytes, 0);
}

static void test_trim_of_run_at_end(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, CHUNK_UNSORTED, 3 * PAGE);
	assert_int_equal(stats_of(&f).trimmable_free_bytes, 2 * PAGE);
}

static void test_trim_of_top(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, CHUNK_IN_USE, PAGE - 48);
	add(&f, CHUNK_TOP, 48 + 2 * PAGE);
	struct heap_stats stats = stats_of(&f);
	assert_int_equal(stats.trimmable_free_bytes, 0);
	assert_int_equal(stats.trimmable_top_bytes, 2 * PAGE);

	/* MINSIZE and one byte stay. */
	f.chunks[0].size_8 += 2;
	f.chunks[1].address_16 += 1;
	f.chunks[1].size_8 -= 2;
	assert_int_equal(stats_of(&f).trimmable_top_bytes, PAGE);

	f.arenas[0].noncontiguous = true;
	assert_int_equal(stats_of(&f).trimmable_top_bytes, 0);
}

static void test_trim_of_top_and_fastbins(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, CHUNK_IN_USE, PAGE - 48);
	for (unsigned int i = 0; i < 32; i++)
		add(&f, CHUNK_FASTBIN, 128);
	add(&f, CHUNK_TOP, 48 + PAGE);
	struct heap_stats stats = stats_of(&f);
	assert_int_equal(stats.trimmable_free_bytes, PAGE - 48);
	assert_int_equal(stats.trimmable_top_bytes, PAGE + 48);
}

static void test_trim_leaves_other_tops(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	f.heap.arena_count = 2;
	add(&f, CHUNK_FASTBIN, 8 * PAGE);
	add(&f, CHUNK_TOP, 8 * PAGE);
	f.chunks[0].arena = 1;
	f.chunks[1].arena = 1;
	struct heap_stats stats = stats_of(&f);
	assert_int_equal(stats.trimmable_free_bytes, 0);
	assert_int_equal(stats.trimmable_top_bytes, 0);
}

static struct arena_view view_of(const struct fixture *f)
{
	struct arena_view view = { 0 };

	assert_null(arena_view_make(&f->heap, &view));
	return view;
}

static void test_below_top(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, CHUNK_IN_USE, 64);
	uint64_t hole = add(&f, CHUNK_LARGEBIN, 4096);
	uint64_t last = add(&f, CHUNK_TCACHE, 32);
	add(&f, CHUNK_TOP, 4096);
	_cleanup_arena_view_ struct arena_view view = view_of(&f);

	const struct chunk *item = arena_view_last_item(&view, 0);
	assert_non_null(item);
	assert_int_equal(chunk_address(item), last);
	assert_non_null(arena_view_hole_below(&view, item));
	assert_int_equal(chunk_address(arena_view_hole_below(&view, item)), hole);
	assert_null(arena_view_hole_below(&view, &f.chunks[1]));
	assert_null(arena_view_hole_below(&view, &f.chunks[0]));
}

static void test_nothing_below_top(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	_cleanup_arena_view_ struct arena_view unused = view_of(&f);
	assert_null(arena_view_last_item(&unused, 0));

	add(&f, CHUNK_TOP, 4096);
	_cleanup_arena_view_ struct arena_view only_top = view_of(&f);
	assert_null(arena_view_last_item(&only_top, 0));

	/* An item that ends before top begins is not below it. */
	start(&f);
	add(&f, CHUNK_IN_USE, 64);
	f.next += 16;
	add(&f, CHUNK_TOP, 4096);
	_cleanup_arena_view_ struct arena_view apart = view_of(&f);
	assert_null(arena_view_last_item(&apart, 0));
}

static void assert_threads(const struct fixture *f, size_t max, const char *expected)
{
	_cleanup_arena_view_ struct arena_view view = view_of(f);
	_cleanup_free_ char *text = arena_view_threads_text(&view, 0, max);

	assert_non_null(text);
	assert_string_equal(text, expected);
}

static void test_threads(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	assert_threads(&f, 2, "");
	f.heap.thread_count = 4;
	for (unsigned int i = 0; i < 4; i++)
		f.threads[i].tid = 100 + (pid_t)i;
	f.threads[1].arena = CHUNK_NO_ARENA;
	assert_threads(&f, 2, "100, 102 +1");
	assert_threads(&f, 3, "100, 102, 103");
}

static void test_outside_arenas(void **state)
{
	struct fixture f;
	struct tally outside[CHUNK_STATES];

	(void)state;
	start(&f);
	add(&f, CHUNK_IN_USE, 64);
	add(&f, CHUNK_TCACHE, 32);
	add(&f, CHUNK_MMAPPED, 8192);
	/* From 2.42 on, a tcache may hold an mmapped chunk. */
	f.heap.tally[CHUNK_TCACHE].count++;
	f.heap.tally[CHUNK_TCACHE].bytes += 4096;
	tally_outside_arenas(&f.heap, outside);
	assert_int_equal(outside[CHUNK_MMAPPED].bytes, 8192);
	assert_int_equal(outside[CHUNK_TCACHE].count, 1);
	assert_int_equal(outside[CHUNK_TCACHE].bytes, 4096);
	assert_int_equal(outside[CHUNK_IN_USE].count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_pages_of_live_chunks),
		cmocka_unit_test(test_trim_of_one_chunk),
		cmocka_unit_test(test_trim_merges),
		cmocka_unit_test(test_trim_of_run_at_end),
		cmocka_unit_test(test_trim_of_top),
		cmocka_unit_test(test_trim_of_top_and_fastbins),
		cmocka_unit_test(test_trim_leaves_other_tops),
		cmocka_unit_test(test_below_top),
		cmocka_unit_test(test_nothing_below_top),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_outside_arenas),
	};
	return cmocka_run_group_tests_name("heap_stats", tests, NULL, NULL);
}
