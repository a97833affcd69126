/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roots by structure against the roots by symbols, on the machine's own libc; and a whole heap
 * read by each.
 *
 * Link: tests/unit/test_structure.c tests/spawn.c, the reader, cmocka.
 * Needs at run time: tests/fixtures/bins, MEMTOOL_BUILDDIR, libc6-dbg.
 */
#include "tests/spawn.h"

#include "session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct session *sessions[2]; /* by symbols, by structure */
static struct heap *heaps[2];

static void no_error(struct memtool_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

/* A program with chunks in every bin, opened both ways. */
static int start(void **state)
{
	static const enum root_source sources[2] = { ROOT_SYMBOLS, ROOT_STRUCTURE };

	(void)state;
	struct spawned *bins = spawn_program(spawn_path("tests/fixtures/bins"));
	spawn_expect(bins, "ready");
	spawn_wait_at_rest(bins->pid);
	for (size_t i = 0; i < 2; i++) {
		const struct session_options options = { .source = sources[i] };
		no_error(session_open(bins->pid, &options, &sessions[i]));
	}
	return 0;
}

static int end(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		heap_destroy(heaps[i]);
		heaps[i] = NULL;
		session_close(sessions[i]);
		sessions[i] = NULL;
	}
	return spawn_teardown(state);
}

static void assert_same_root(const struct root *symbols, const struct root *structure)
{
	assert_int_equal(symbols->source, ROOT_SYMBOLS);
	assert_int_equal(structure->source, ROOT_STRUCTURE);
	assert_int_equal(symbols->value, structure->value);
}

static void test_same_roots(void **state)
{
	const struct malloc_roots *symbols = &sessions[0]->roots;
	const struct malloc_roots *structure = &sessions[1]->roots;

	(void)state;
	assert_same_root(&symbols->main_arena, &structure->main_arena);
	assert_same_root(&symbols->mp, &structure->mp);
	assert_same_root(&symbols->tcache, &structure->tcache);
	assert_null(glibc_layout_difference(&sessions[0]->layout, &sessions[1]->layout));
}

static void test_same_heap(void **state)
{
	uint64_t stopped_ns;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		no_error(session_read_heap(sessions[i], &heaps[i], &stopped_ns));
		assert_true(heaps[i]->audit.ok);
	}
	assert_true(heaps[0]->tally[CHUNK_TCACHE].count > 0);
	assert_int_equal(heaps[0]->chunk_count, heaps[1]->chunk_count);
	assert_memory_equal(heaps[0]->chunks, heaps[1]->chunks,
			    heaps[0]->chunk_count * sizeof(struct chunk));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_roots, start, end),
		cmocka_unit_test_setup_teardown(test_same_heap, start, end),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("structure", tests, NULL, NULL);
}
