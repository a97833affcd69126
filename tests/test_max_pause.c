/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool --max-pause: which way is taken, and that nothing was stopped where none is. The proof of
 * that is a program that this test traces: nobody else can stop it, and who tries is told so.
 *
 * The choice is by estimates, which do not depend on how busy the machine is; the limits are far
 * from them, and from what it takes really.
 *
 * Link: tests/test_max_pause.c tests/command.c tests/spawn.c, cmocka.
 * Needs at run time: memtool, fixtures, python3, MEMTOOL_BUILDDIR.
 */
#include "tests/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static struct spawned *at_rest(struct spawned *target)
{
	spawn_expect(target, "ready");
	spawn_wait_at_rest(target->pid);
	return target;
}

static struct spawned *start_small(bool agent)
{
	const char *idle = spawn_path("tests/fixtures/idle");

	return at_rest(agent ? spawn_program(spawn_memtool(), "run", idle) : spawn_program(idle));
}

/*
 * 560 MB in one block of the main arena: to read that takes more than 200 ms, it is thought, and to
 * copy it 25 ms. (All but the pages of headers is passed over, so it takes less.)
 */
static struct spawned *start_large(const char *confined)
{
	static const char *const environment[] = { "MALLOC_MMAP_MAX_=0", NULL };
	const char *const argv[] = {
		confined,  "EPERM", "/usr/bin/env",
		"python3", "-c",    "x = b'x' * 560000000; print('ready', flush=True); input()",
		NULL,
	};

	return at_rest(spawn(&(struct spawn_how){
		.argv = argv + (confined ? 0 : 2),
		.environment = environment,
	}));
}

static void assert_method(const struct spawned *target, const char *words, const char *method)
{
	char expected[64];
	const char *json = command_answer(words, target->pid);

	snprintf(expected, sizeof(expected), "\"method\":\"%s\"", method);
	if (!strstr(json, expected))
		fail_msg("%s: no %s in %s", words, expected, json);
}

/* All of its threads are this test's from now on. */
static void seize(pid_t pid)
{
	size_t count;
	pid_t *tids = spawn_threads(pid, &count);

	for (size_t i = 0; i < count; i++)
		assert_int_equal(ptrace(PTRACE_SEIZE, tids[i], NULL, NULL), 0);
	free(tids);
}

/* Ends it: a traced thread has ended only when its tracer was told; the first is the last. */
static void end_seized(struct spawned *target)
{
	size_t count;
	pid_t *tids = spawn_threads(target->pid, &count);

	kill(target->pid, SIGKILL);
	for (size_t i = 0; i < count; i++)
		if (tids[i] != target->pid)
			waitpid(tids[i], NULL, __WALL);
	free(tids);
	spawn_wait(target);
}

/* The target is seized. */
static void assert_declined(const struct spawned *target, const char *words, const char *why)
{
	command_refused(words, target->pid, why);
	command_refused(words, target->pid, "may stand still for");
	/* Nothing has happened to it that its tracer would be told of. */
	assert_int_equal(waitpid(target->pid, NULL, __WALL | WNOHANG), 0);
}

static void test_fits(void **state __attribute__((__unused__)))
{
	for (int agent = 0; agent < 2; agent++) {
		struct spawned *target = start_small(agent);

		assert_method(target, "info --format=jsonl --max-pause=20000", "stop");
		assert_method(target, "info --format=jsonl --snapshot --max-pause=20000",
			      "snapshot");
		seize(target->pid);
		assert_declined(target, "info --snapshot --max-pause=1", "a snapshot about ");
		end_seized(target);
	}
}

static void test_fits_by_snapshot(void **state __attribute__((__unused__)))
{
	struct spawned *target = start_large(NULL);

	assert_method(target, "info --format=jsonl --max-pause=180", "snapshot");
	assert_method(target, "info --format=jsonl --max-pause=20000", "stop");
	seize(target->pid);
	assert_declined(target, "info --max-pause=5", "a snapshot about ");
	assert_declined(target, "chunks --max-pause=5 --source=symbols", "--no-stop");
	command_refused("info --max-pause=20000", target->pid, "already traced");
	end_seized(target);
}

/* What can be seen before the stop is no reason to stop. */
static void test_no_snapshot(void **state __attribute__((__unused__)))
{
	struct spawned *target = start_large(spawn_path("tests/fixtures/confined"));

	const struct spawn_result *info =
		command_run("info --format=jsonl --snapshot --max-pause=20000", target->pid);
	assert_int_equal(spawn_exit_code(info), 0);
	assert_non_null(strstr(info->out, "\"method\":\"stop\""));
	assert_non_null(strstr(info->err, "seccomp"));
	seize(target->pid);
	assert_declined(target, "info --max-pause=180", "there can be no snapshot: seccomp");
	assert_declined(target, "info --snapshot --max-pause=180", "seccomp");
	end_seized(target);
}

/* To stop so many threads alone takes 20 ms, it is thought. */
static void test_threads(void **state __attribute__((__unused__)))
{
	struct spawned *target =
		at_rest(spawn_program(spawn_path("tests/fixtures/many"), "500", NULL));

	seize(target->pid);
	assert_declined(target, "info --max-pause=4", "a snapshot about ");
	assert_declined(target, "info --snapshot --max-pause=4", "a snapshot about ");
	assert_declined(target, "heap --max-pause=4", "--no-stop");
	end_seized(target);
}

static void test_usage(void **state __attribute__((__unused__)))
{
	static const char *const wrong[] = {
		"info --max-pause=0",     "info --max-pause=x",   "info --max-pause=",
		"info --max-pause=-1",    "info --max-pause=1.5", "info --max-pause=5 --no-stop",
		"symbol --max-pause=5 x",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(spawn_exit_code(command_run(wrong[i], 1)), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_fits, spawn_teardown),
		cmocka_unit_test_teardown(test_fits_by_snapshot, spawn_teardown),
		cmocka_unit_test_teardown(test_no_snapshot, spawn_teardown),
		cmocka_unit_test_teardown(test_threads, spawn_teardown),
		cmocka_unit_test_teardown(test_usage, spawn_teardown),
	};

	spawn_watchdog(400);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
