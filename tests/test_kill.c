/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool is ended at any moment while it looks at a program of 50 threads: that must work on. It
 * does if each thread's counter moves on afterwards, no thread is stopped, and none has a tracer.
 *
 * The moment is the only thing here that is a matter of time: it is drawn (with a fixed seed) from
 * as long as a whole run takes. Nothing is concluded from how long anything takes.
 *
 * Link: tests/test_kill.c tests/spawn.c, cmocka.
 * Needs at run time: memtool, tests/fixtures/worker, MEMTOOL_BUILDDIR.
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
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS     50
#define KILLS       200
#define INTERRUPTS  50
#define STOPPED_RUN 5

static uint64_t *rounds; /* shared with the worker */

static struct spawned *start_worker(void)
{
	char threads[16], fd_number[16];
	int fd = memfd_create("rounds", 0); /* inherited */

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, THREADS * sizeof(*rounds)), 0);
	rounds = mmap(NULL, THREADS * sizeof(*rounds), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(rounds != MAP_FAILED);
	snprintf(threads, sizeof(threads), "%d", THREADS);
	snprintf(fd_number, sizeof(fd_number), "%d", fd);
	struct spawned *worker =
		spawn_program(spawn_path("tests/fixtures/worker"), threads, fd_number);
	close(fd);
	spawn_expect(worker, "ready");
	return worker;
}

static int end_worker(void **state)
{
	if (rounds)
		munmap(rounds, THREADS * sizeof(*rounds));
	rounds = NULL;
	return spawn_teardown(state);
}

static uint64_t round_of(size_t thread)
{
	return __atomic_load_n(&rounds[thread], __ATOMIC_ACQUIRE);
}

/* Waits until every thread of the worker has done one more round. */
static void assert_works(const struct spawned *worker)
{
	uint64_t deadline = spawn_now_ns() + SPAWN_PATIENCE_S * UINT64_C(1000000000);
	struct timespec pause = { .tv_nsec = 50000 };
	uint64_t before[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		before[i] = round_of(i);
	for (size_t i = 0; i < THREADS; i++) {
		/* The round under way may have begun before; the one after it did not. */
		while (round_of(i) < before[i] + 2) {
			if (spawn_now_ns() > deadline)
				fail_msg("thread %zu of process %d works no more", i, worker->pid);
			nanosleep(&pause, NULL);
		}
	}
}

static void assert_free(const struct spawned *worker)
{
	size_t count;
	pid_t *tids = spawn_threads(worker->pid, &count);

	assert_int_equal(count, THREADS + 1);
	for (size_t i = 0; i < count; i++) {
		char state = spawn_thread_state(worker->pid, tids[i]);
		if (state == 't' || state == 'T' || state == 0)
			fail_msg("thread %d is in state %c", tids[i], state ? state : '-');
		assert_int_equal(spawn_tracer(tids[i]), 0);
	}
	free(tids);
}

static struct spawned *start_memtool(const struct spawned *worker, bool mute)
{
	static char pid[16];
	const char *const argv[] = {
		spawn_memtool(), "chunks", "--format=csv", "--quiet", pid, NULL
	};

	snprintf(pid, sizeof(pid), "%d", worker->pid);
	return spawn(&(struct spawn_how){ .argv = argv, .mute = mute });
}

/* How long a whole run takes here and now, so that the moments drawn are spread over it. */
static uint64_t whole_run_ns(const struct spawned *worker)
{
	uint64_t longest = 0;

	for (int i = 0; i < 3; i++) {
		uint64_t start = spawn_now_ns();
		int status = spawn_wait(start_memtool(worker, true));
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		uint64_t took = spawn_now_ns() - start;
		longest = took > longest ? took : longest;
	}
	return longest;
}

static void end_at_any_moment(int signal_number, int times)
{
	struct spawned *worker = start_worker();
	unsigned int seed = 4711;
	uint64_t span = 0;
	int ended_early = 0;

	for (int i = 0; i < times; i++) {
		if (i % 20 == 0)
			span = whole_run_ns(worker); /* the worker's heap grows */
		uint64_t delay = (uint64_t)((double)rand_r(&seed) / RAND_MAX * (double)span);
		uint64_t moment = spawn_now_ns() + delay;
		struct spawned *memtool = start_memtool(worker, true);
		/* Spins: a sleep would not be exact enough to hit every part of the run. */
		while (spawn_now_ns() < moment)
			;
		kill(memtool->pid, signal_number);
		int status = spawn_wait(memtool);
		/* By the signal, or it was faster; it may not end in any other way. */
		if (WIFSIGNALED(status)) {
			assert_int_equal(WTERMSIG(status), signal_number);
			ended_early++;
		} else {
			assert_int_equal(WEXITSTATUS(status), 0);
		}
		assert_works(worker);
		assert_free(worker);
	}
	print_message("  %d of %d runs were ended before they were done\n", ended_early, times);
	/* Else nothing was tested. */
	assert_true(ended_early > times / 4);
}

static void test_sigkill(void **state)
{
	(void)state;
	end_at_any_moment(SIGKILL, KILLS);
}

static void test_interrupt(void **state)
{
	(void)state;
	end_at_any_moment(SIGINT, INTERRUPTS);
}

/* Who reads memtool's output goes away: SIGPIPE. */
static void test_broken_pipe(void **state)
{
	struct spawned *worker = start_worker();

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct spawned *memtool = start_memtool(worker, false);
		close(memtool->out);
		memtool->out = -1;
		spawn_wait(memtool);
		assert_works(worker);
		assert_free(worker);
	}
}

/* A process that was stopped is read all the same, and is stopped afterwards. */
static void test_stays_stopped(void **state)
{
	struct spawned *worker = start_worker();
	uint64_t before[THREADS];

	(void)state;
	assert_int_equal(kill(worker->pid, SIGSTOP), 0);
	spawn_wait_state(worker->pid, 'T');
	for (size_t i = 0; i < THREADS; i++)
		before[i] = round_of(i);
	for (int i = 0; i < STOPPED_RUN; i++) {
		int status = spawn_wait(start_memtool(worker, true));
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		spawn_wait_state(worker->pid, 'T');
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(round_of(i), before[i]);
	assert_int_equal(kill(worker->pid, SIGCONT), 0);
	assert_works(worker);
	assert_free(worker);
}

/* SIGKILL to memtool while its target was stopped from before: it stays so, and can go on. */
static void test_stays_stopped_when_killed(void **state)
{
	struct spawned *worker = start_worker();
	uint64_t span = whole_run_ns(worker);
	unsigned int seed = 1234;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(kill(worker->pid, SIGSTOP), 0);
		spawn_wait_state(worker->pid, 'T');
		uint64_t moment = spawn_now_ns() +
				  (uint64_t)((double)rand_r(&seed) / RAND_MAX * (double)span);
		struct spawned *memtool = start_memtool(worker, true);
		while (spawn_now_ns() < moment)
			;
		kill(memtool->pid, SIGKILL);
		spawn_wait(memtool);
		spawn_wait_state(worker->pid, 'T');
		assert_int_equal(kill(worker->pid, SIGCONT), 0);
		assert_works(worker);
		assert_free(worker);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_sigkill, end_worker),
		cmocka_unit_test_teardown(test_interrupt, end_worker),
		cmocka_unit_test_teardown(test_broken_pipe, end_worker),
		cmocka_unit_test_teardown(test_stays_stopped, end_worker),
		cmocka_unit_test_teardown(test_stays_stopped_when_killed, end_worker),
	};

	spawn_watchdog(900);
	return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
