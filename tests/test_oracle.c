/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle: the exact set of live allocations of a program, as a preload recorder kept it,
 * against the set that memtool reads (tests/oracle/check.h).
 *
 * Everything four times: by symbols, and by the page of the agent, which is then preloaded as
 * well; and, by symbols, from a snapshot and without a stop. All that is looked at is at rest.
 *
 * Link: tests/test_oracle.c tests/oracle/check.c tests/oracle/programs.c tests/records.c
 * tests/truth.c tests/spawn.c, the reader, cmocka. Needs at run time: tests/oracle/storm,
 * tests/oracle/recorder (a shared module, not linked), the agent, tests/fixtures, MEMTOOL_BUILDDIR;
 * python3, perl and sqlite3, each if it is there.
 */
#include "tests/agent_page.h"
#include "tests/oracle/check.h"
#include "tests/oracle/programs.h"
#include "tests/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* What a test is given: words or a program, and how memtool shall read it. */
struct subject {
	const void *what;
	const struct session_options *options;
};

/* Under the recorder, and before that the agent if its page is to be used. */
static struct spawned *start(const char *const *argv, const char *variable, enum root_source source)
{
	const char *preload = spawn_recorder();
	if (source == ROOT_INVENTORY)
		preload = agent_preload(NULL, preload + strlen("LD_PRELOAD="));
	const char *environment[] = { preload, variable, NULL };

	return spawn(&(struct spawn_how){ .argv = argv, .environment = environment });
}

static struct spawned *start_storm(const char *seed, const char *threads, const char *mode,
				   enum root_source source)
{
	const char *const argv[] = { spawn_path("tests/oracle/storm"), seed, threads, mode, NULL };

	return start(argv, NULL, source);
}

static void test_storm(void **state)
{
	const struct subject *subject = *state;
	const char *const *arguments = subject->what;

	oracle_check_storm(
		start_storm(arguments[0], arguments[1], arguments[2], subject->options->source),
		subject->options);
}

static void test_fork(void **state)
{
	const struct subject *subject = *state;
	const char *const *arguments = subject->what;

	oracle_check_fork(start_storm(arguments[0], arguments[1], "fork", subject->options->source),
			  subject->options);
}

/* Every fixture of one of these kinds, under the recorder as well. */
static void test_fixture(void **state)
{
	const struct subject *subject = *state;
	const char *const *argv = subject->what;
	const char *words[8] = { NULL };
	char path[100] = "tests/fixtures/";

	strcat(path, argv[0]);
	words[0] = spawn_path(path);
	for (size_t i = 1; argv[i]; i++)
		words[i] = argv[i];
	oracle_check_fixture(start(words, NULL, subject->options->source), subject->options);
}

static void test_program(void **state)
{
	const struct subject *subject = *state;
	const struct oracle_program *program = subject->what;

	if (!spawn_has_program(program->argv[0]))
		skip();
	oracle_check_program(start(program->argv, program->variable, subject->options->source),
			     program, subject->options);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TESTS_MAX    128

static struct CMUnitTest tests[TESTS_MAX];
static size_t test_count;

static void add_test(const char *name, CMUnitTestFunction function, const void *what,
		     const struct session_options *options)
{
	static struct subject subjects[TESTS_MAX];
	struct subject *subject = &subjects[test_count];

	assert_true(test_count < TESTS_MAX);
	*subject = (struct subject){ what, options };
	tests[test_count++] = (struct CMUnitTest){ name, function, NULL, spawn_teardown, subject };
}

int main(void)
{
	static const char *const storms[][3] = {
		{ "1", "1" },         { "2", "1" },        { "3", "1", "mmap" },
		{ "4", "8" },         { "5", "8" },        { "6", "8", "mmap" },
		{ "7", "8", "mmap" }, { "8", "8", "end" }, { "9", "8", "end" },
	};
	static const char *const forks[][2] = { { "10", "1" }, { "11", "8" }, { "12", "8" } };
	static const char *const fixtures[][4] = { { "mmapped", "thread" },
						   { "multi_heap" },
						   { "multi_heap", "30" },
						   { "ended", "3" },
						   { "cross" },
						   { "many", "100" },
						   { "brk", "blocked" },
						   { "brk", "between", "0x1238" } };
	static const struct session_options ways[] = {
		{ .source = ROOT_SYMBOLS },
		{ .source = ROOT_INVENTORY },
		{ .source = ROOT_SYMBOLS, .snapshot = true },
		{ .source = ROOT_SYMBOLS, .no_stop = true },
	};

	spawn_watchdog(600);
	for (size_t i = 0; i < COUNT(ways); i++) {
		for (size_t j = 0; j < COUNT(storms); j++)
			add_test("storm", test_storm, storms[j], &ways[i]);
		for (size_t j = 0; j < COUNT(forks); j++)
			add_test("fork", test_fork, forks[j], &ways[i]);
		for (size_t j = 0; j < COUNT(fixtures); j++)
			add_test(fixtures[j][0], test_fixture, fixtures[j], &ways[i]);
		for (size_t j = 0; j < oracle_program_count; j++)
			add_test(oracle_programs[j].name, test_program, &oracle_programs[j],
				 &ways[i]);
	}
	return _cmocka_run_group_tests("oracle", tests, test_count, NULL, NULL);
}
