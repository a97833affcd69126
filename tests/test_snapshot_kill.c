/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool is ended while it takes a snapshot: after each step of its tracing, at once and a little
 * later (with MEMTOOL_SNAPSHOTS set, at more moments). The program must go on, with all of its
 * registers, and no copy of it may stay.
 *
 * A copy that has ended may stay as a zombie where the step came after the one at which the program
 * would have collected it by itself; see target/snapshot.h.
 *
 * Link: tests/test_snapshot_kill.c tests/spawn.c, cmocka.
 * Needs at run time: memtool, tests/fixtures/busy and subject, tests/fixtures/.libs/killer.so,
 * MEMTOOL_BUILDDIR.
 */
#include "tests/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_MAX 500

/* Children of pid that live, or all. */
static unsigned int count_children(pid_t pid, bool zombies)
{
	unsigned int count = 0;
	DIR *proc = opendir("/proc");

	assert_non_null(proc);
	for (struct dirent *entry; (entry = readdir(proc));) {
		char path[64];
		char state;
		int parent;
		if (atoi(entry->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", atoi(entry->d_name));
		FILE *file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%*d (%*[^)]) %c %d", &state, &parent) == 2 && parent == pid)
			count += zombies || (state != 'Z' && state != 'X');
		fclose(file);
	}
	closedir(proc);
	return count;
}

/* A copy that was killed takes a moment to end. */
static void await_childless(pid_t pid)
{
	uint64_t deadline = spawn_now_ns() + SPAWN_PATIENCE_S * UINT64_C(1000000000);

	while (count_children(pid, false) > 0) {
		if (spawn_now_ns() > deadline)
			fail_msg("process %d has a copy that lives", (int)pid);
		sched_yield();
	}
}

/* Is there if the step was reached, at which something was to be done. */
static const char *told_path(void)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s.%d", spawn_path("tests/snapshot_kill"), getpid());
	return path;
}

static int end_test(void **state)
{
	unlink(told_path());
	return spawn_teardown(state);
}

/* The status of memtool, where that is done at a step which environment says further. */
static int run_with(const struct spawned *target, int step, const char *what)
{
	char preload[512], at[32], pid[16], told[600];
	/* Where memtool has AddressSanitizer, that wants to be the first. */
	const char *const environment[] = {
		preload, at, what, told, "ASAN_OPTIONS=verify_asan_link_order=0", NULL
	};
	const char *const argv[] = { spawn_memtool(), "info", "--snapshot", "--quiet", pid, NULL };

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s",
		 spawn_path("tests/fixtures/.libs/killer.so"));
	snprintf(at, sizeof(at), "KILL_AT=%d", step);
	snprintf(told, sizeof(told), "KILL_TOLD=%s", told_path());
	snprintf(pid, sizeof(pid), "%d", target->pid);
	return spawn_wait(spawn(
		&(struct spawn_how){ .argv = argv, .environment = environment, .mute = true }));
}

/* Ends at that step; false if there is no such step, and memtool has come to its end. */
static bool end_at(const struct spawned *target, int step, long turns)
{
	char after[32];

	snprintf(after, sizeof(after), "KILL_AFTER=%ld", turns);
	int status = run_with(target, step, after);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	return true;
}

static void assert_lives(struct spawned *target)
{
	size_t count;

	spawn_write(target, "x\n");
	spawn_expect(target, "alive ");
	pid_t *tids = spawn_threads(target->pid, &count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(spawn_tracer(tids[i]), 0);
		assert_int_not_equal(spawn_thread_state(target->pid, tids[i]), 't');
	}
	free(tids);
}

static void end_at_each_step(const char *way, const char *threads)
{
	/* Turns of an empty loop, from none to more than a step takes. */
	static const long delays[] = { 0, 3000, 500, 10000, 30000, 100000 };
	size_t count = getenv("MEMTOOL_SNAPSHOTS") ? sizeof(delays) / sizeof(delays[0]) : 2;
	struct spawned *target = spawn_program(spawn_path("tests/fixtures/busy"), way, threads);

	int steps = 0;

	spawn_expect(target, "ready");
	for (int step = 1; step < STEPS_MAX && steps == step - 1; step++) {
		for (size_t i = 0; i < count; i++) {
			bool ended = end_at(target, step, delays[i]);
			assert_lives(target);
			await_childless(target->pid);
			if (ended)
				steps = step;
		}
	}
	/* All that it takes to make a copy was passed. */
	assert_in_range(steps, 15, STEPS_MAX - 1);
	spawn_end(target);
}

/* Ctrl-C: whatever the step, it cleans up before it ends, so that not even a zombie stays. */
static void test_interrupt(void **state __attribute__((__unused__)))
{
	struct spawned *target = spawn_program(spawn_path("tests/fixtures/busy"), "read");
	int status = -1;

	spawn_expect(target, "ready");
	for (int step = 1; step < STEPS_MAX && status != 0; step++) {
		status = run_with(target, step, "KILL_SIGNAL=2");
		if (status != 0) {
			assert_true(WIFSIGNALED(status));
			assert_int_equal(WTERMSIG(status), SIGINT);
		}
		assert_lives(target);
		assert_int_equal(count_children(target->pid, true), 0);
	}
	assert_int_equal(status, 0);
	spawn_end(target);
}

/* As after nohup(1): a signal that is ignored ends nothing, not even while a big heap is read. */
static void test_ignored(void **state __attribute__((__unused__)))
{
	struct spawned *target = spawn_program(spawn_path("tests/fixtures/subject"));
	bool sent = true;
	int step;

	spawn_expect(target, "subject ");
	spawn_write(target, "fill 9000\n");
	spawn_expect(target, "fill");
	assert_true(signal(SIGHUP, SIG_IGN) != SIG_ERR);
	for (step = 1; step < STEPS_MAX && sent; step++) {
		assert_int_equal(run_with(target, step, "KILL_SIGNAL=1"), 0);
		sent = unlink(told_path()) == 0;
	}
	signal(SIGHUP, SIG_DFL);
	assert_false(sent);
	assert_in_range(step, 15, STEPS_MAX - 1);
	spawn_end(target);
}

/* The program is killed meanwhile: it ends, and memtool too. */
static void test_target_killed(void **state __attribute__((__unused__)))
{
	bool ended = true;

	for (int step = 1; step < STEPS_MAX && ended; step++) {
		struct spawned *target =
			spawn_program(spawn_path("tests/fixtures/busy"), "read", "2");
		char victim[32];
		spawn_expect(target, "ready");
		snprintf(victim, sizeof(victim), "KILL_PID=%d", target->pid);
		int status = run_with(target, step, victim);
		/* Killed after it was read, it was read all the same. */
		assert_true(WIFEXITED(status));
		assert_in_set(WEXITSTATUS(status), ((uintmax_t[]){ 0, 2 }), 2);
		ended = unlink(told_path()) == 0;
		if (ended) {
			status = spawn_wait(target);
			assert_true(WIFSIGNALED(status));
			assert_int_equal(WTERMSIG(status), SIGKILL);
		} else {
			assert_lives(target);
			spawn_end(target);
		}
	}
	assert_false(ended);
}

#define DEFINE_TEST(way, threads)                                        \
	static void test_##way(void **state __attribute__((__unused__))) \
	{                                                                \
		end_at_each_step(#way, threads);                         \
	}
DEFINE_TEST(read, "0")
DEFINE_TEST(poll, "0")
DEFINE_TEST(ppoll, "0")
DEFINE_TEST(epoll, "0")
DEFINE_TEST(nap, "0")
DEFINE_TEST(suspend, "0")
DEFINE_TEST(compute, "1")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_read, end_test),
		cmocka_unit_test_teardown(test_poll, end_test),
		cmocka_unit_test_teardown(test_ppoll, end_test),
		cmocka_unit_test_teardown(test_epoll, end_test),
		cmocka_unit_test_teardown(test_nap, end_test),
		cmocka_unit_test_teardown(test_suspend, end_test),
		cmocka_unit_test_teardown(test_compute, end_test),
		cmocka_unit_test_teardown(test_interrupt, end_test),
		cmocka_unit_test_teardown(test_ignored, end_test),
		cmocka_unit_test_teardown(test_target_killed, end_test),
	};

	spawn_watchdog(800);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
