/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool --snapshot: what it reads equals what a stop reads, chunk for chunk; a program that lives
 * on signals, timers and children does not notice it; and where there can be none, the program is
 * stopped and read, and that is told.
 *
 * MEMTOOL_SNAPSHOTS is how often the busy program is looked at (50).
 *
 * Link: tests/test_snapshot.c tests/spawn.c, cmocka.
 * Needs at run time: memtool, fixtures, MEMTOOL_BUILDDIR.
 */
#include "tests/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct spawn_result *run_memtool(const struct spawned *target, const char *command,
					      const char *option, const char *format)
{
	char pid[16];
	const char *const argv[] = { spawn_memtool(), command, option, format, pid, NULL };

	snprintf(pid, sizeof(pid), "%d", target->pid);
	const struct spawn_result *result = spawn_run(&(struct spawn_how){ .argv = argv });
	if (spawn_exit_code(result) != 0)
		fail_msg("%s %s: %d: %s", command, option, spawn_exit_code(result), result->err);
	return result;
}

/* A child of the target, living or not, that the target has not asked for. */
static bool has_child(pid_t pid)
{
	char path[64];
	int c;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	c = fgetc(file);
	fclose(file);
	return c != EOF;
}

static void assert_method(const struct spawned *target, const char *method)
{
	char expected[64];
	const struct spawn_result *info =
		run_memtool(target, "info", "--snapshot", "--format=jsonl");

	snprintf(expected, sizeof(expected), "\"method\":\"%s\"", method);
	if (!strstr(info->out, expected))
		fail_msg("no %s in %s%s", expected, info->out, info->err);
	assert_false(has_child(target->pid));
}

/* Takes the fixture's truth for read, which is of no use here. */
static struct spawned *start_at_rest(const char *fixture, const char *argument)
{
	struct spawned *target = spawn_program(spawn_path(fixture), argument, "20");

	spawn_expect(target, "ready");
	spawn_wait_at_rest(target->pid);
	return target;
}

static void assert_equal_reads(const char *fixture, const char *argument)
{
	struct spawned *target = start_at_rest(fixture, argument);

	assert_method(target, "snapshot");
	const struct spawn_result *stopped =
		run_memtool(target, "chunks", "--layout=auto", "--format=csv");
	const struct spawn_result *snapshot =
		run_memtool(target, "chunks", "--snapshot", "--format=csv");
	assert_true(stopped->out_length > 1000);
	assert_string_equal(stopped->out, snapshot->out);
	assert_string_equal(snapshot->err, stopped->err);
	assert_false(has_child(target->pid));
	spawn_end(target);
}

static void test_equal(void **state __attribute__((__unused__)))
{
	assert_equal_reads("tests/fixtures/pattern", "no-frees");
	assert_equal_reads("tests/fixtures/multi_heap", NULL);
	assert_equal_reads("tests/fixtures/mmapped", NULL);
	assert_equal_reads("tests/fixtures/many", "500");
	assert_equal_reads("tests/fixtures/pattern-static", "no-frees");
}

static void test_methods(void **state __attribute__((__unused__)))
{
	struct spawned *target = start_at_rest("tests/fixtures/idle", NULL);

	assert_method(target, "snapshot");
	assert_non_null(strstr(run_memtool(target, "info", "--no-stop", "--format=jsonl")->out,
			       "\"method\":\"no-stop\""));
	assert_non_null(strstr(run_memtool(target, "info", "--quiet", "--format=jsonl")->out,
			       "\"method\":\"stop\""));
	assert_non_null(strstr(run_memtool(target, "info", "--snapshot", "--format=text")->out,
			       "\nmethod:   snapshot\n"));
	spawn_end(target);
}

static void look_often(const char *threads)
{
	const char *wanted = getenv("MEMTOOL_SNAPSHOTS");
	int times = wanted ? atoi(wanted) : 50;
	struct spawned *target = spawn_program(spawn_path("tests/fixtures/family"), threads);
	int taken = 0;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", target->pid);
	spawn_expect(target, "ready");
	for (int i = 0; i < times; i++) {
		struct spawned *memtool = spawn_program(spawn_memtool(), "info", "--snapshot",
							"--quiet", "--format=jsonl", pid);
		taken += strstr(spawn_expect(memtool, "{"), "\"method\":\"snapshot\"") != NULL;
		assert_int_equal(spawn_wait(memtool), 0);
	}
	/* Not each time: it may be met on its way through a restartable sequence, say. */
	assert_in_range(taken, times * 9 / 10, times);
	spawn_close_input(target);
	print_message("%d of %d, %s\n", taken, times, spawn_expect(target, "rounds "));
	assert_int_equal(spawn_wait(target), 0);
}

static void test_family(void **state __attribute__((__unused__)))
{
	look_often("0");
}

static void test_family_of_threads(void **state __attribute__((__unused__)))
{
	look_often("50");
}

/* What tells that there was no snapshot, and why. */
static void assert_refused(const struct spawned *target, const char *why)
{
	const struct spawn_result *chunks =
		run_memtool(target, "chunks", "--snapshot", "--format=csv");

	assert_non_null(strstr(chunks->err, "was stopped and read"));
	if (!strstr(chunks->err, why))
		fail_msg("no \"%s\" in %s", why, chunks->err);
	assert_string_equal(chunks->out,
			    run_memtool(target, "chunks", "--quiet", "--format=csv")->out);
	assert_method(target, "stop");
}

static void test_seccomp(void **state __attribute__((__unused__)))
{
	struct spawned *target =
		spawn_program(spawn_path("tests/fixtures/confined"), "EPERM",
			      spawn_path("tests/fixtures/pattern"), "no-frees", "20");

	spawn_expect(target, "ready");
	spawn_wait_at_rest(target->pid);
	assert_refused(target, "seccomp");
	spawn_end(target);
}

static void test_suspended(void **state __attribute__((__unused__)))
{
	struct spawned *target = start_at_rest("tests/fixtures/pattern", "no-frees");

	kill(target->pid, SIGSTOP);
	spawn_wait_state(target->pid, 'T');
	assert_refused(target, "suspended");
	spawn_wait_state(target->pid, 'T');
	spawn_end(target);
}

static void test_userfaultfd(void **state __attribute__((__unused__)))
{
	struct spawned *target = start_at_rest("tests/fixtures/kept", "faults");

	assert_refused(target, "userfaultfd");
	spawn_end(target);
}

/* What the copy lacks shows when it is read; before that nothing tells. */
static void test_kept_memory(void **state __attribute__((__unused__)))
{
	static const char *const kinds[] = { "fork", "wipe" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct spawned *target = start_at_rest("tests/fixtures/kept", kinds[i]);

		assert_refused(target, "keeps memory from its children");
		assert_string_equal(
			run_memtool(target, "info", "--layout=auto", "--format=text")->err, "");
		spawn_end(target);
	}
}

/* As a user who may have no process more. */
static void test_no_process_left(void **state __attribute__((__unused__)))
{
	const char *const argv[] = { "prlimit", "--nproc=1", spawn_path("tests/fixtures/idle"),
				     NULL };

	if (getuid() != 0 || !spawn_has_program("prlimit"))
		skip();
	struct spawned *target = spawn(&(struct spawn_how){ .argv = argv, .uid = 65534 });
	spawn_expect(target, "ready");
	spawn_wait_at_rest(target->pid);
	assert_refused(target, "could not be copied");
	spawn_end(target);
}

/*
 * Of big processes alone it is told that there are snapshots, and not to who knows, or wants
 * silence.
 */
static void test_note(void **state __attribute__((__unused__)))
{
	static const char *const environment[] = { "MALLOC_MMAP_MAX_=0", NULL };
	const char *const argv[] = { "python3", "-c",
				     "x = b'x' * 700000000; print('ready', flush=True); input()",
				     NULL };
	/* In the main arena: of a block in a mapping of its own, the header alone is read. */
	struct spawned *target =
		spawn(&(struct spawn_how){ .argv = argv, .environment = environment });

	spawn_expect(target, "ready");
	spawn_wait_at_rest(target->pid);

	assert_non_null(strstr(run_memtool(target, "info", "--layout=auto", "--format=text")->err,
			       "--snapshot"));
	assert_string_equal(run_memtool(target, "info", "--quiet", "--format=text")->err, "");
	assert_string_equal(run_memtool(target, "info", "--snapshot", "--format=text")->err, "");
	spawn_end(target);
	target = start_at_rest("tests/fixtures/idle", NULL);
	assert_string_equal(run_memtool(target, "info", "--layout=auto", "--format=text")->err, "");
	spawn_end(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_equal, spawn_teardown),
		cmocka_unit_test_teardown(test_methods, spawn_teardown),
		cmocka_unit_test_teardown(test_family, spawn_teardown),
		cmocka_unit_test_teardown(test_family_of_threads, spawn_teardown),
		cmocka_unit_test_teardown(test_seccomp, spawn_teardown),
		cmocka_unit_test_teardown(test_userfaultfd, spawn_teardown),
		cmocka_unit_test_teardown(test_suspended, spawn_teardown),
		cmocka_unit_test_teardown(test_kept_memory, spawn_teardown),
		cmocka_unit_test_teardown(test_no_process_left, spawn_teardown),
		cmocka_unit_test_teardown(test_note, spawn_teardown),
	};

	spawn_watchdog(800);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
