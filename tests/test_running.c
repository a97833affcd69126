/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --no-stop, of a program in which two threads allocate and free without a pause. What they do not
 * touch comes out as if the program stood still, and the rest within what they have.
 *
 * Needs at run time: tests/fixtures/churn (bench/churn.c) and the agent, MEMTOOL_BUILDDIR.
 */
#include "tests/agent_page.h"
#include "tests/truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHUNKS   "200000"
#define READINGS 3

struct books {
	uint64_t used, freed;
};

static struct books ask(struct spawned *child)
{
	struct books books;
	const char *answer = agent_command(child, "mallinfo2");

	assert_int_equal(
		sscanf(answer, "mallinfo2 %*s %*s %" SCNu64 " %" SCNu64, &books.used, &books.freed),
		2);
	return books;
}

/* value is within what a and b enclose, and slack. */
static void check_within(uint64_t value, uint64_t a, uint64_t b, uint64_t slack)
{
	uint64_t least = a < b ? a : b, most = a < b ? b : a;

	assert_true(value + slack >= least);
	assert_true(value <= most + slack);
}

/* The main arena, in which the program does nothing any more. */
static void check_rest(const struct heap *heap, const struct heap *still)
{
	for (int state = 0; state < CHUNK_STATES; state++) {
		const struct tally *found = &heap->arenas[0].tally[state];
		const struct tally *expected = &still->arenas[0].tally[state];
		if (found->count != expected->count || found->bytes != expected->bytes)
			fail_msg("%s: %" PRIu64 " chunks, not %" PRIu64, chunk_state_name(state),
				 found->count, expected->count);
	}
}

static void check_totals(const struct heap *heap, struct books before, struct books after)
{
	const struct heap_mallinfo info = heap_mallinfo(heap);
	uint64_t slack = 0;

	for (size_t i = 1; i < heap->arena_count; i++)
		slack += heap->arenas[i].max_system_mem;
	check_within(info.uordblks, before.used, after.used, slack);
	check_within(info.fordblks, before.freed, after.freed, slack);
}

static void read_running(struct spawned *child, bool agent, const struct heap *still)
{
	const struct session_options options = {
		.no_stop = true,
		.source = agent ? ROOT_INVENTORY : ROOT_SYMBOLS,
	};
	struct session *session;
	struct heap *heap;

	struct books before = ask(child);
	truth_read(child->pid, &options, &session, &heap);
	check_rest(heap, still);
	check_totals(heap, before, ask(child));
	heap_destroy(heap);
	session_close(session);
}

static void check(bool agent)
{
	const char *const argv[] = { spawn_memtool(), "run", spawn_path("tests/fixtures/churn"),
				     CHUNKS,          "own", NULL };
	struct spawned *child = spawn(&(struct spawn_how){ .argv = argv + (agent ? 0 : 2) });
	const struct session_options options = { .no_stop = false };
	struct session *session;
	struct heap *still;

	spawn_expect(child, "ready");
	truth_read(child->pid, &options, &session, &still);
	for (int i = 0; i < READINGS; i++)
		read_running(child, agent, still);
	heap_destroy(still);
	session_close(session);
	spawn_end(child);
}

static void test_symbols(void **state)
{
	(void)state;
	check(false);
}

static void test_agent(void **state)
{
	(void)state;
	check(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_symbols, spawn_teardown),
		cmocka_unit_test_teardown(test_agent, spawn_teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("running", tests, NULL, NULL);
}
