/* SPDX-License-Identifier: Apache-2.0 */
/* target/stop.h: processes that are killed, exec, or cannot stop. */
#include "stop_child.h"

#include <errno.h>

static void have_threads(struct shared *shared)
{
	for (int i = 0; i < 20; i++)
		start_thread(sleep_for_ever, shared);
	count_for_ever(shared);
}

static void test_killed_while_stopped(void **state)
{
	(void)state;
	struct child child = child_start(have_threads);
	struct process *process = open_child(&child);
	struct stop *stop;
	struct memtool_error *error = NULL;
	uint64_t word;

	assert_success(stop_threads(process, &stop));
	kill(child.pid, SIGKILL);
	while (!error)
		error = memory_read_u64(&process->memory, (uint64_t)(uintptr_t)&environ, "environ",
					&word);
	assert_error(error, MEMTOOL_ERROR_NO_PROCESS, "ended");
	stop_resume(stop, NULL);
	assert_error(stop_threads(process, &stop), MEMTOOL_ERROR_NO_PROCESS, "ended");
	process_close(process);
	/* Its exit status was left for us. */
	child_end(&child);
}

/* A child of ours that ends during a stop is ours to collect, the target and any other. */
static void test_exit_statuses(void **state)
{
	(void)state;
	struct child child = child_start(count_for_ever);
	struct process *process = open_child(&child);
	struct stop *stop;
	int status;

	pid_t other = fork();
	if (other == 0)
		_exit(7);
	await_state(other, 'Z');
	assert_success(stop_threads(process, &stop));
	stop_resume(stop, NULL);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(WEXITSTATUS(status), 7);
	process_close(process);
	child_end(&child);
}

static void exit_when_told(struct shared *shared)
{
	child_ready(shared);
	while (!atomic_load(&shared->go))
		;
	for (unsigned long spins = atomic_load(&shared->value[0]); spins > 0; spins--)
		atomic_load(&shared->go);
	_exit(7);
}

/* Also one that ends while it is being stopped. */
static void test_exit_while_stopping(void **state)
{
	(void)state;
	unsigned seed = 1;

	for (int round = 0; round < 200; round++) {
		struct child child = child_start(exit_when_told);
		struct process *process = open_child(&child);
		struct stop *stop = NULL;
		int status;
		atomic_store(&child.shared->value[0], rand_r(&seed) % 500000);
		atomic_store(&child.shared->go, true);
		struct memtool_error *error = stop_threads(process, &stop);
		if (error)
			assert_int_equal(error->code, MEMTOOL_ERROR_NO_PROCESS);
		memtool_error_destroy(error);
		stop_resume(stop, NULL);
		process_close(process);
		assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 7);
		child_free(&child);
	}
}

static void *exec_in_thread(void *argument)
{
	struct shared *shared = argument;
	char in[16], out[16], parent[16];

	snprintf(in, sizeof(in), "%d", shared->pipe[0]);
	snprintf(out, sizeof(out), "%d", shared->pipe[1]);
	snprintf(parent, sizeof(parent), "%d", shared->parent);
	execl("/proc/self/exe", "test_stop_ends", "--exec-for-ever", in, out, parent, NULL);
	_exit(1);
}

/*
 * Each new program says so with a byte, starts threads, and has one of them start the next program
 * once there is room in the pipe.
 */
static int exec_for_ever(char **arguments)
{
	struct shared shared = {
		.pipe = { atoi(arguments[0]), atoi(arguments[1]) },
		.parent = atoi(arguments[2]),
	};

	/* An exec by another thread than the leader loses it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != shared.parent)
		return 1;
	if (write(shared.pipe[1], "x", 1) != 1)
		return 1;
	for (int i = 0; i < 4; i++)
		start_thread(sleep_for_ever, &shared);
	start_thread(exec_in_thread, &shared);
	for (;;)
		pause();
}

static void exec_when_told(struct shared *shared)
{
	start_thread(sleep_for_ever, shared);
	child_ready(shared);
	while (!atomic_load(&shared->go))
		sched_yield();
	exec_in_thread(shared);
}

static void await_byte(const struct child *child)
{
	char byte;

	assert_int_equal(read(child->shared->pipe[0], &byte, 1), 1);
}

static void test_exec_while_open(void **state)
{
	(void)state;
	struct child child = child_start(exec_when_told);
	struct process *process = open_child(&child);
	struct stop *stop;
	uint64_t word;

	assert_success(process_check(process));
	atomic_store(&child.shared->go, true);
	await_byte(&child);
	assert_error(process_check(process), MEMTOOL_ERROR_NO_PROCESS, "another program");
	assert_error(
		memory_read_u64(&process->memory, (uint64_t)(uintptr_t)&environ, "environ", &word),
		MEMTOOL_ERROR_NO_PROCESS, "another program");
	assert_error(stop_threads(process, &stop), MEMTOOL_ERROR_NO_PROCESS, "another program");
	check_free(child.pid);
	process_close(process);
	child_end(&child);
}

/* Threads that are killed by an exec while some are held, some not, and some about to be seized. */
static void test_exec_storm(void **state)
{
	(void)state;
	struct child child = child_start(exec_when_told);
	int stopped = 0;

	atomic_store(&child.shared->go, true);
	for (int round = 0; round < 300; round++) {
		struct process *process = NULL;
		struct stop *stop = NULL;
		struct memtool_error *error = process_open(child.pid, &process);
		if (!error)
			error = stop_threads(process, &stop);
		if (!error) {
			check_complete(&child, stop);
			stopped++;
		}
		if (error && error->code != MEMTOOL_ERROR_NO_PROCESS)
			fail_msg("%s", error->message);
		memtool_error_destroy(error);
		stop_resume(stop, NULL);
		process_close(process);
		if (round % 4 == 0)
			await_byte(&child);
	}
	assert_true(stopped > 0);
	for (int i = 0; i < 20; i++)
		await_byte(&child);
	child_end(&child);
}

static void exec_with_thread(struct shared *shared)
{
	start_thread(count_in_thread, shared);
	while (!atomic_load(&shared->go))
		sched_yield();
	exec_in_thread(shared);
}

/*
 * An exec that waits for ever for a thread that it has killed, since the tracer of that one does
 * not take it: whoever calls PTRACE_SEIZE waits for the exec.
 */
static void test_hanging_exec(void **state)
{
	(void)state;
	struct child child = child_start(exec_with_thread);
	struct process *process = open_child(&child);
	pid_t tid = atomic_load(&child.shared->tid);
	pid_t tracer = start_tracer(tid, child.shared);
	struct stop *stop;

	atomic_store(&child.shared->go, true);
	await_state(tid, 'Z');
	assert_error(stop_threads(process, &stop), MEMTOOL_ERROR_NO_PROCESS, "is about to run");
	kill(tracer, SIGKILL);
	assert_int_equal(waitpid(tracer, NULL, 0), tracer);
	await_byte(&child);
	check_free(child.pid);
	process_close(process);
	child_end(&child);
}

static void vfork_and_wait(struct shared *shared)
{
	char byte;

	start_thread(count_in_thread, shared);
	if (vfork() == 0) {
		/* Ends when the test closes or writes; its parent sleeps uninterruptibly. */
		if (read(shared->pipe[0], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	atomic_store(&shared->value[4], 1);
	for (;;)
		pause();
}

static void test_uninterruptible(void **state)
{
	(void)state;
	struct child child = child_start(vfork_and_wait);
	struct process *process = open_child(&child);
	struct stop *stop;

	await_state(child.pid, 'D');
	struct memtool_error *error = stop_threads(process, &stop);
	assert_non_null(error);
	assert_int_equal(error->errnum, ETIMEDOUT);
	assert_error(error, MEMTOOL_ERROR_OS, "uninterruptible wait");
	for_each_thread(child.pid, check_free);
	await_progress(&child.shared->counter);
	/* Sooner, if the others may not stand still for so long. */
	assert_error(stop_threads_within(process, UINT64_C(3000000), &stop), MEMTOOL_ERROR_OS,
		     "within 3 ms");
	for_each_thread(child.pid, check_free);
	await_progress(&child.shared->counter);

	/* Nothing is left of the attempt when the wait has ended, and the next one succeeds. */
	assert_int_equal(write(child.shared->pipe[1], "x", 1), 1);
	while (!atomic_load(&child.shared->value[4]))
		sched_yield();
	await_state(child.pid, 'S');
	assert_success(stop_threads(process, &stop));
	check_complete(&child, stop);
	stop_resume(stop, NULL);
	await_progress(&child.shared->counter);
	process_close(process);
	child_end(&child);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "--exec-for-ever") == 0)
		return exec_for_ever(argv + 2);

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_while_stopped), cmocka_unit_test(test_exit_statuses),
		cmocka_unit_test(test_exit_while_stopping),  cmocka_unit_test(test_exec_while_open),
		cmocka_unit_test(test_exec_storm),           cmocka_unit_test(test_hanging_exec),
		cmocka_unit_test(test_uninterruptible),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
