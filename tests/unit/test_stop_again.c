/* SPDX-License-Identifier: Apache-2.0 */
/* stop_again(): some threads of a child that is held go on for a moment, and no others. */
#include "stop_child.h"

#include "target/tracer.h"

/* Time for a thread to run; those that are to run may need several of them. */
#define MOMENT_NS 100000

static struct stop *hold(struct process *process)
{
	struct stop *stop;

	assert_success(stop_threads(process, &stop));
	return stop;
}

/* Lets the thread that is tid run, or all that are not. */
static void let_run(struct stop *stop, pid_t tid, bool that_one)
{
	bool runs[16];
	size_t count;
	const struct stopped_thread *threads = stop_list(stop, &count);

	assert_true(count <= 16);
	for (size_t i = 0; i < count; i++)
		runs[i] = (threads[i].tid == tid) == that_one;
	assert_success(stop_again(stop, runs, MOMENT_NS));
}

static void *count_sequence(void *argument)
{
	struct shared *shared = argument;

	for (;;)
		atomic_fetch_add(&shared->sequence, 1);
	return NULL;
}

static void two_counters(struct shared *shared)
{
	start_thread(count_sequence, shared);
	while (!atomic_load(&shared->sequence))
		sched_yield();
	count_for_ever(shared);
}

static void test_one_of_two(void **state)
{
	(void)state;
	struct child child = child_start(two_counters);
	struct process *process = open_child(&child);
	struct stop *stop = hold(process);
	struct shared *shared = child.shared;

	for (int round = 0; round < 40; round++) {
		bool leader = round % 2 == 0;
		const atomic_ulong *runs = leader ? &shared->counter : &shared->sequence;
		const atomic_ulong *stays = leader ? &shared->sequence : &shared->counter;
		unsigned long before = atomic_load(runs), still = atomic_load(stays);
		while (atomic_load(runs) == before)
			let_run(stop, child.pid, leader);
		assert_int_equal(atomic_load(stays), still);
		check_complete(&child, stop);
	}
	stop_resume(stop, NULL);
	await_progress(&shared->counter);
	await_progress(&shared->sequence);
	process_close(process);
	child_end(&child);
}

static void *end_soon(void *argument)
{
	atomic_fetch_add(&((struct shared *)argument)->counter, 1);
	return NULL;
}

static void *start_and_join(void *argument)
{
	for (;;) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, end_soon, argument) == 0)
			pthread_join(thread, NULL);
	}
	return NULL;
}

static void churn(struct shared *shared)
{
	for (int i = 0; i < 4; i++)
		start_thread(start_and_join, shared);
	child_ready(shared);
	start_and_join(shared);
}

/* Threads begin and end in such a moment; all there are is held again. */
static void test_threads_come_and_go(void **state)
{
	(void)state;
	struct child child = child_start(churn);
	struct process *process = open_child(&child);
	struct stop *stop = hold(process);
	unsigned long first = atomic_load(&child.shared->counter);

	for (int round = 0; round < 200 || atomic_load(&child.shared->counter) == first; round++) {
		let_run(stop, 0, false);
		unsigned long before = atomic_load(&child.shared->counter);
		check_complete(&child, stop);
		assert_int_equal(atomic_load(&child.shared->counter), before);
	}
	stop_resume(stop, NULL);
	for_each_thread(child.pid, check_free);
	await_progress(&child.shared->counter);
	process_close(process);
	child_end(&child);
}

/* A process that was stopped stays stopped. */
static void test_suspended(void **state)
{
	(void)state;
	struct child child = child_start(two_counters);
	struct process *process = open_child(&child);
	const struct stopped_thread *threads;
	size_t count;

	kill(child.pid, SIGSTOP);
	await_state(child.pid, 'T');
	struct stop *stop = hold(process);
	unsigned long before = atomic_load(&child.shared->counter);
	for (int round = 0; round < 20; round++) {
		threads = stop_list(stop, &count);
		assert_int_equal(count, 2);
		assert_true(threads[0].suspended && threads[1].suspended);
		let_run(stop, 0, false);
	}
	stop_resume(stop, NULL);
	await_state(child.pid, 'T');
	assert_int_equal(atomic_load(&child.shared->counter), before);
	kill(child.pid, SIGCONT);
	await_progress(&child.shared->counter);

	stop = hold(process);
	threads = stop_list(stop, &count);
	assert_false(threads[0].suspended || threads[1].suspended);
	stop_resume(stop, NULL);
	process_close(process);
	child_end(&child);
}

static struct shared *handled;

static void on_signal(int signal)
{
	(void)signal;
	atomic_fetch_add(&handled->value[0], 1);
}

static void handle_signals(struct shared *shared)
{
	handled = shared;
	signal(SIGUSR1, on_signal);
	count_for_ever(shared);
}

/* A signal meanwhile is taken, once. */
static void test_signals(void **state)
{
	(void)state;
	struct child child = child_start(handle_signals);
	struct process *process = open_child(&child);
	struct stop *stop = hold(process);

	for (unsigned long round = 1; round <= 40; round++) {
		kill(child.pid, SIGUSR1);
		while (atomic_load(&child.shared->value[0]) < round)
			let_run(stop, child.pid, true);
		assert_int_equal(atomic_load(&child.shared->value[0]), round);
	}
	/* And one that nothing runs for any more, but the end of the stop. */
	kill(child.pid, SIGUSR1);
	stop_resume(stop, NULL);
	while (atomic_load(&child.shared->value[0]) < 41)
		sched_yield();
	await_progress(&child.shared->counter);
	assert_int_equal(atomic_load(&child.shared->value[0]), 41);
	process_close(process);
	child_end(&child);
}

static void test_killed(void **state)
{
	(void)state;
	struct child child = child_start(two_counters);
	struct process *process = open_child(&child);
	struct stop *stop = hold(process);
	const bool runs[2] = { true, true };
	int status;

	kill(child.pid, SIGKILL);
	assert_error(stop_again(stop, runs, MOMENT_NS), MEMTOOL_ERROR_NO_PROCESS, "");
	stop_resume(stop, NULL);
	assert_int_equal(waitpid(child.pid, &status, __WALL), child.pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	process_close(process);
	child_free(&child);
}

/* That a thread was killed is met first where its registers are to be read. */
static struct memtool_error *kill_and_hold(struct tracer *tracer, void *context)
{
	const bool runs[2] = { true, true };
	struct memtool_error **ret = context;

	kill(tracer->pid, SIGKILL);
	*ret = tracer_hold(tracer);
	if (!*ret)
		*ret = tracer_hold_again(tracer, runs, MOMENT_NS);
	return NULL;
}

static void test_killed_between(void **state)
{
	(void)state;
	struct child child = child_start(two_counters);
	struct process *process = open_child(&child);
	struct stop *stop = hold(process);
	struct memtool_error *error = NULL;
	int status;

	assert_error(stop_call(stop, kill_and_hold, &error), MEMTOOL_ERROR_NO_PROCESS, "ended");
	/* Its zombie was not taken for a new thread, over and over. */
	assert_success(error);
	stop_resume(stop, NULL);
	assert_int_equal(waitpid(child.pid, &status, __WALL), child.pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	process_close(process);
	child_free(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_of_two), cmocka_unit_test(test_threads_come_and_go),
		cmocka_unit_test(test_suspended),  cmocka_unit_test(test_signals),
		cmocka_unit_test(test_killed),     cmocka_unit_test(test_killed_between),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
