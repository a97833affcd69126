/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every chunk of programs that know what they allocated and freed (tests/fixtures).
 *
 * Link: tests/test_truth.c tests/truth.c tests/spawn.c, the reader, cmocka.
 * Needs at run time: all programs of tests/fixtures, MEMTOOL_BUILDDIR.
 */
#include "tests/fixture_command.h"
#include "tests/spawn.h"
#include "tests/truth.h"

#include "session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was overwritten in the heap of the fixture "damage". */
static const char *const damages[] = {
	"damage size-zero",     "damage size-odd",     "damage size-huge",
	"damage heap-end",      "damage tcache-cycle", "damage tcache-wild",
	"damage fastbin-cycle", "damage fastbin-wild", "damage unsorted-cycle",
	"damage unsorted-wild", "damage top-wild",     "damage ring-cycle",
	"damage ring-wild",     "damage prev-cycle",   "damage prev-wild",
	"damage heap-size",
};

static struct spawned *start(const char *line)
{
	struct fixture_command command;
	char path[600];

	fixture_command_parse(line, &command);
	snprintf(path, sizeof(path), "tests/fixtures/%s", command.argv[0]);
	command.argv[0] = spawn_path(path);
	return spawn(&(struct spawn_how){
		.argv = command.argv,
		.environment = (const char *const[]){ command.variable, NULL },
	});
}

static void test_fixture(void **state)
{
	truth_check_fixture(start(*state), &(struct session_options){ 0 });
}

/*
 * What is not malloc's but looks like it cannot always be told apart; then the audit has to say so
 * (DESIGN: no silent guess). The real ones are there in any case.
 */
static void test_decoy(void **state)
{
	struct spawned *child = start("decoy");
	struct session *session;
	struct heap *heap;

	(void)state;
	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	truth_read(child->pid, &(struct session_options){ 0 }, &session, &heap);
	truth_check_shape(heap);
	if (heap->audit.ok)
		truth_check(child->text, heap, &session->process->memory);
	else
		assert_true(heap->audit.counted[AUDIT_MMAPPED] > 0);
	heap_destroy(heap);
	session_close(session);
}

/*
 * A damaged heap is read to its end: what can be told is told, and the audit has a finding. First
 * by the command, which can be ended if it hangs.
 */
static void test_damage(void **state)
{
	struct spawned *child = start(*state);
	struct session *session;
	struct heap *heap;
	char pid[16];

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	snprintf(pid, sizeof(pid), "%d", child->pid);
	const char *const argv[] = { spawn_memtool(), "heap", "--format=json", pid, NULL };
	const struct spawn_result *result = spawn_run(&(struct spawn_how){ .argv = argv });
	if (spawn_exit_code(result) != 0)
		fail_msg("exit status %d: %s", spawn_exit_code(result), result->err);

	truth_read(child->pid, &(struct session_options){ 0 }, &session, &heap);
	truth_check_shape(heap);
	assert_false(heap->audit.ok);
	assert_true(heap->audit.findings.count > 0);
	heap_destroy(heap);
	session_close(session);
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

/* Read twice, with the other layout: the heap of a program at rest is the same. */
static void test_layouts_agree(void **state)
{
	static const enum layout_source sources[] = { LAYOUT_TABLE, LAYOUT_DWARF };
	struct spawned *child = start("bins thread");
	struct heap *heaps[2];

	(void)state;
	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	for (size_t i = 0; i < 2; i++) {
		struct session_options options = { .source = ROOT_SYMBOLS, .layout = sources[i] };
		struct session *session;
		truth_read(child->pid, &options, &session, &heaps[i]);
		assert_int_equal(session->layout_source, sources[i]);
		session_close(session);
	}
	assert_null(glibc_layout_difference(&heaps[0]->layout, &heaps[1]->layout));
	assert_int_equal(heaps[0]->chunk_count, heaps[1]->chunk_count);
	assert_memory_equal(heaps[0]->chunks, heaps[1]->chunks,
			    heaps[0]->chunk_count * sizeof(struct chunk));
	heap_destroy(heaps[0]);
	heap_destroy(heaps[1]);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void)
{
	struct CMUnitTest *tests =
		calloc(fixture_command_count + COUNT(damages) + 2, sizeof(*tests));
	size_t count = 0;

	spawn_watchdog(600);
	if (!tests)
		return 1;
	for (size_t i = 0; i < fixture_command_count; i++)
		tests[count++] = (struct CMUnitTest){ fixture_commands[i], test_fixture, NULL,
						      spawn_teardown, (void *)fixture_commands[i] };
	for (size_t i = 0; i < COUNT(damages); i++)
		tests[count++] = (struct CMUnitTest){ damages[i], test_damage, NULL, spawn_teardown,
						      (void *)damages[i] };
	tests[count++] = (struct CMUnitTest){ "decoy", test_decoy, NULL, spawn_teardown, NULL };
	tests[count++] = (struct CMUnitTest){ "layouts agree", test_layouts_agree, NULL,
					      spawn_teardown, NULL };
	int failed = _cmocka_run_group_tests("truth", tests, count, NULL, NULL);
	free(tests);
	return failed;
}
