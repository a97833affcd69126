/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_matrix SUITE VERSION ROOTS COUNTS: memtool on programs that run under one glibc, VERSION
 * ("2.43"), by each source and each layout.
 *
 * ROOTS/debug and ROOTS/stripped are root directories with that glibc in them, one with its debug
 * file and one without; /matrix in them has the fixtures, storm, recorder.so and agent.so, as
 * run.sh puts them there. The programs run in a chroot there, so that memtool, which stays outside,
 * finds the debug file in the one and not in the other. By the suite's own ld.so, outside of a
 * chroot, run programs of this machine and the storms.
 *
 * Writes to COUNTS one line for each column: the place, the source, the layout, and how many tests
 * passed, failed and were skipped.
 */
#include "tests/fixture_command.h"
#include "tests/oracle/check.h"
#include "tests/spawn.h"
#include "tests/truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TESTS_MAX    2000
#define WORDS_MAX    16
#define LIBRARIES    "/lib/x86_64-linux-gnu"

enum place { WITH_DEBUG_FILE, STRIPPED, BY_LOADER };

static const char *const place_names[] = {
	[WITH_DEBUG_FILE] = "with_debug_file",
	[STRIPPED] = "stripped",
	[BY_LOADER] = "by_ld.so",
};

static const char *const place_roots[] = {
	[WITH_DEBUG_FILE] = "debug",
	[STRIPPED] = "stripped",
	[BY_LOADER] = "stripped",
};

static struct column {
	enum place place;
	struct session_options options;
	unsigned int passed, failed, skipped;
} columns[] = {
	{ WITH_DEBUG_FILE, { .source = ROOT_SYMBOLS, .layout = LAYOUT_TABLE }, 0, 0, 0 },
	{ WITH_DEBUG_FILE, { .source = ROOT_SYMBOLS, .layout = LAYOUT_DWARF }, 0, 0, 0 },
	{ WITH_DEBUG_FILE, { .source = ROOT_STRUCTURE, .layout = LAYOUT_DWARF }, 0, 0, 0 },
	{ WITH_DEBUG_FILE, { .source = ROOT_INVENTORY, .layout = LAYOUT_DWARF }, 0, 0, 0 },
	{ STRIPPED, { .source = ROOT_STRUCTURE, .layout = LAYOUT_TABLE }, 0, 0, 0 },
	{ STRIPPED, { .source = ROOT_INVENTORY, .layout = LAYOUT_TABLE }, 0, 0, 0 },
	{ BY_LOADER, { .source = ROOT_STRUCTURE, .layout = LAYOUT_TABLE }, 0, 0, 0 },
	{ BY_LOADER, { .source = ROOT_INVENTORY, .layout = LAYOUT_TABLE }, 0, 0, 0 },
};

/* The words for storm, and a variable for its environment. */
struct storm {
	const char *name;
	const char *words[3];
	const char *variable;
	unsigned int since; /* the first glibc that knows the tunable; 2.35 is 35 */
};

static const struct storm storms[] = {
	{ "storm", { "1", "1" }, NULL, 0 },
	{ "storm of 8 threads", { "4", "8" }, NULL, 0 },
	{ "storm, mmap", { "6", "8", "mmap" }, NULL, 0 },
	{ "storm, threads that end", { "8", "8", "end" }, NULL, 0 },
	{ "storm, fork", { "11", "8", "fork" }, NULL, 0 },
	{ "storm, no tcache", { "21", "8" }, "GLIBC_TUNABLES=glibc.malloc.tcache_count=0", 0 },
	{ "storm, one arena", { "22", "8" }, "GLIBC_TUNABLES=glibc.malloc.arena_max=1", 0 },
	{ "storm, low mmap threshold",
	  { "23", "8" },
	  "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=16384",
	  0 },
	{ "storm, large tcache bins",
	  { "24", "8" },
	  "GLIBC_TUNABLES=glibc.malloc.tcache_max=1000000",
	  42 },
	{ "storm, hugetlb", { "25", "8" }, "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", 35 },
	/* Of 4 huge pages, up to 2.41; none of them need be there. */
	{ "storm, small heaps", { "26", "8" }, "GLIBC_TUNABLES=glibc.malloc.hugetlb=2", 35 },
};

struct subject {
	struct column *column;
	const void *what;
};

static const char *version;
static const char *roots;

static unsigned int minor(void)
{
	return (unsigned int)atoi(version + 2);
}

static const char *in_root(enum place place, const char *path)
{
	static char paths[8][600];
	static size_t next;
	char *text = paths[next++ % COUNT(paths)];

	snprintf(text, sizeof(paths[0]), "%s/%s%s", roots, place_roots[place], path);
	return text;
}

/* As the program itself has to name it. */
static const char *own_path(const struct column *column, const char *path)
{
	return column->place == BY_LOADER ? in_root(column->place, path) : path;
}

static const char *preload(const struct column *column, bool recorder)
{
	static char variable[1300];
	bool agent = column->options.source == ROOT_INVENTORY;

	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s%s%s",
		 agent ? own_path(column, "/matrix/agent.so") : "", agent && recorder ? ":" : "",
		 recorder ? own_path(column, "/matrix/recorder.so") : "");
	return variable;
}

/* How a program is to be started, and what that points into. */
struct launch {
	struct spawn_how how;
	const char *words[WORDS_MAX];
	const char *environment[3];
	char libraries[1300];
};

/* argv[0] is an absolute path, own_path()'s. */
static void prepare(struct launch *launch, const struct column *column, const char *const *argv,
		    const char *variable, bool recorder)
{
	size_t count = 0;

	*launch = (struct launch){ .environment = { preload(column, recorder), variable } };
	launch->how =
		(struct spawn_how){ .argv = launch->words, .environment = launch->environment };
	if (column->place == BY_LOADER) {
		snprintf(launch->libraries, sizeof(launch->libraries), "%s:%s",
			 in_root(column->place, LIBRARIES),
			 in_root(column->place, "/usr" LIBRARIES));
		launch->words[count++] = in_root(column->place, LIBRARIES "/ld-linux-x86-64.so.2");
		launch->words[count++] = "--library-path";
		launch->words[count++] = launch->libraries;
	} else {
		launch->how.root = in_root(column->place, "");
	}
	for (; *argv; argv++) {
		assert_true(count < WORDS_MAX - 1);
		launch->words[count++] = *argv;
	}
}

static struct spawned *start(const struct column *column, const char *const *argv,
			     const char *variable, bool recorder)
{
	struct launch launch;

	prepare(&launch, column, argv, variable, recorder);
	return spawn(&launch.how);
}

/* cmocka does not tell how a test ended: until it has passed, it has failed. */
static void begin(struct column *column)
{
	column->failed++;
}

static void pass(struct column *column)
{
	column->failed--;
	column->passed++;
}

static void skip_because(struct column *column, const char *why)
{
	column->failed--;
	column->skipped++;
	print_message("  skipped: %s\n", why);
	skip();
}

/* It is this glibc that memtool sees. */
static void test_version(void **state)
{
	const struct subject *subject = *state;
	struct column *column = subject->column;
	const char *const argv[] = { own_path(column, "/matrix/pattern"), "no-frees", "0", NULL };
	struct session *session;
	struct heap *heap;

	begin(column);
	struct spawned *child = start(column, argv, NULL, false);
	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	truth_read(child->pid, &column->options, &session, &heap);
	assert_string_equal(session->libc.version, version);
	heap_destroy(heap);
	session_close(session);
	pass(column);
}

static void test_fixture(void **state)
{
	const struct subject *subject = *state;
	struct column *column = subject->column;
	struct fixture_command command;
	char path[100];

	begin(column);
	fixture_command_parse(subject->what, &command);
	if (strcmp(command.argv[0], "empty") == 0 && minor() < 42 &&
	    column->options.source == ROOT_INVENTORY)
		skip_because(column, "the agent has malloc initialise itself");
	snprintf(path, sizeof(path), "/matrix/%s", command.argv[0]);
	command.argv[0] = own_path(column, path);
	truth_check_fixture(start(column, command.argv, command.variable, false), &column->options);
	pass(column);
}

static void test_storm(void **state)
{
	const struct subject *subject = *state;
	const struct storm *storm = subject->what;
	struct column *column = subject->column;
	const char *const argv[] = { own_path(column, "/matrix/storm"), storm->words[0],
				     storm->words[1], storm->words[2], NULL };

	begin(column);
	if (minor() < storm->since)
		skip_because(column, "this glibc does not know that tunable");
	struct spawned *child = start(column, argv, storm->variable, true);
	if (storm->words[2] && strcmp(storm->words[2], "fork") == 0)
		oracle_check_fork(child, &column->options);
	else
		oracle_check_storm(child, &column->options);
	pass(column);
}

/* A program of this machine may need a newer glibc than this one. */
static bool starts(const struct column *column, const char *path)
{
	struct launch launch;

	prepare(&launch, column, (const char *const[]){ path, "--version", NULL }, NULL, false);
	return spawn_exit_code(spawn_run(&launch.how)) == 0;
}

static void test_program(void **state)
{
	const struct subject *subject = *state;
	const struct oracle_program *program = subject->what;
	struct column *column = subject->column;
	const char *argv[WORDS_MAX] = { NULL };
	char path[100];

	begin(column);
	snprintf(path, sizeof(path), "/usr/bin/%s", program->argv[0]);
	argv[0] = path;
	for (size_t i = 1; program->argv[i]; i++)
		argv[i] = program->argv[i];
	if (access(path, X_OK))
		skip_because(column, "it is not installed");
	if (!starts(column, path))
		skip_because(column, "it does not start under this glibc");
	oracle_check_program(start(column, argv, program->variable, true), program,
			     &column->options);
	pass(column);
}

static struct CMUnitTest tests[TESTS_MAX];
static size_t test_count;

static void add_test(struct column *column, const char *name, CMUnitTestFunction function,
		     const void *what)
{
	static struct subject subjects[TESTS_MAX];
	struct subject *subject = &subjects[test_count];
	char *title;

	assert_true(test_count < TESTS_MAX);
	*subject = (struct subject){ column, what };
	if (asprintf(&title, "%s, %s, %s: %s", place_names[column->place],
		     root_source_name(column->options.source),
		     layout_source_name(column->options.layout), name) < 0)
		abort();
	tests[test_count++] = (struct CMUnitTest){ title, function, NULL, spawn_teardown, subject };
}

static void add_tests(struct column *column)
{
	bool loader = column->place == BY_LOADER;

	add_test(column, "version", test_version, NULL);
	for (size_t i = 0; !loader && i < fixture_command_count; i++)
		add_test(column, fixture_commands[i], test_fixture, fixture_commands[i]);
	for (size_t i = 0; i < COUNT(storms); i++) {
		/* What a tunable changes is no matter of the layout: once a source will do. */
		if (!storms[i].variable || (!loader && column->options.layout == LAYOUT_TABLE))
			add_test(column, storms[i].name, test_storm, &storms[i]);
	}
	/* In a chroot they would miss their libraries. */
	for (size_t i = 0; loader && i < oracle_program_count; i++)
		add_test(column, oracle_programs[i].name, test_program, &oracle_programs[i]);
}

static void free_names(void)
{
	for (size_t i = 0; i < test_count; i++)
		free((char *)tests[i].name);
}

static int write_counts(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return 1;
	for (size_t i = 0; i < COUNT(columns); i++) {
		const struct column *column = &columns[i];
		fprintf(file, "%s %s %s %u %u %u\n", place_names[column->place],
			root_source_name(column->options.source),
			layout_source_name(column->options.layout), column->passed, column->failed,
			column->skipped);
	}
	return fclose(file) != 0;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: test_matrix SUITE VERSION ROOTS COUNTS\n");
		return 64;
	}
	version = argv[2];
	roots = argv[3];
	spawn_watchdog(1800);
	for (size_t i = 0; i < COUNT(columns); i++)
		add_tests(&columns[i]);
	int failed = _cmocka_run_group_tests(argv[1], tests, test_count, NULL, NULL);
	free_names();
	return failed | write_counts(argv[4]);
}
