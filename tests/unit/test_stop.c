/* SPDX-License-Identifier: Apache-2.0 */
/* target/stop.h: every thread of a child is held, and then runs on. */
#include "stop_child.h"

#include <sys/syscall.h>

static void counting_thread(struct shared *shared)
{
	atomic_store(&shared->value[0], (unsigned long)__builtin_thread_pointer());
	atomic_store(&shared->value[1], (unsigned long)__builtin_frame_address(0));
	count_for_ever(shared);
}

static void test_one_thread(void **state)
{
	(void)state;
	struct child child = child_start(counting_thread);
	struct process *process = open_child(&child);
	struct stop *stop;
	size_t count;
	uint64_t ns = 0;

	assert_success(stop_threads(process, &stop));
	unsigned long before = atomic_load(&child.shared->counter);
	const struct stopped_thread *threads = stop_list(stop, &count);
	assert_int_equal(count, 1);
	assert_int_equal(threads[0].tid, child.pid);
	assert_int_equal(threads[0].fs_base, atomic_load(&child.shared->value[0]));
	assert_in_range(threads[0].sp, atomic_load(&child.shared->value[1]) - 65536,
			atomic_load(&child.shared->value[1]));
	assert_int_not_equal(threads[0].pc, 0);
	for_each_thread(child.pid, check_held);
	for (int i = 0; i < 100; i++)
		sched_yield();
	assert_int_equal(atomic_load(&child.shared->counter), before);

	stop_resume(stop, &ns);
	for_each_thread(child.pid, check_free);
	await_progress(&child.shared->counter);
	assert_true(ns > 0 && ns < UINT64_C(60000000000));
	stop_resume(NULL, NULL);
	process_close(process);
	child_end(&child);
}

static void *spin_for_ever(void *argument)
{
	struct shared *shared = argument;

	for (;;)
		atomic_fetch_add(&shared->sequence, 1);
	return NULL;
}

#define MANY 500

static void have_many_threads(struct shared *shared)
{
	for (int i = 0; i < MANY - 5; i++)
		start_thread(sleep_for_ever, shared);
	for (int i = 0; i < 4; i++)
		start_thread(spin_for_ever, shared);
	while (atomic_load(&shared->counter) != MANY - 5)
		sched_yield();
	child_ready(shared);
	for (;;)
		pause();
}

static void test_many_threads(void **state)
{
	(void)state;
	struct child child = child_start(have_many_threads);
	struct process *process = open_child(&child);

	for (int round = 0; round < 20; round++) {
		struct stop *stop;
		size_t count;
		assert_success(stop_threads(process, &stop));
		const struct stopped_thread *threads = stop_list(stop, &count);
		assert_int_equal(count, MANY);
		for (size_t i = 1; i < count; i++) {
			assert_true(threads[i - 1].tid < threads[i].tid);
			assert_int_not_equal(threads[i - 1].fs_base, threads[i].fs_base);
			assert_int_not_equal(threads[i].fs_base, 0);
		}
		if (round == 0)
			assert_int_equal(for_each_thread(child.pid, check_held), MANY);
		unsigned long before = atomic_load(&child.shared->sequence);
		sched_yield();
		assert_int_equal(atomic_load(&child.shared->sequence), before);
		stop_resume(stop, NULL);
		await_progress(&child.shared->sequence);
	}
	for_each_thread(child.pid, check_free);
	process_close(process);
	child_end(&child);
}

static void *live_shortly(void *argument)
{
	struct shared *shared = argument;

	atomic_fetch_add(&shared->counter, 1);
	return NULL;
}

static void *start_and_join(void *argument)
{
	for (;;) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, live_shortly, argument) == 0)
			pthread_join(thread, NULL);
	}
	return NULL;
}

static void churn(struct shared *shared)
{
	for (int i = 0; i < 6; i++)
		start_thread(start_and_join, shared);
	child_ready(shared);
	start_and_join(shared);
}

static void *start_successor(void *argument)
{
	struct shared *shared = argument;

	atomic_fetch_add(&shared->counter, 1);
	start_thread(start_successor, shared);
	return NULL;
}

/* Never more than a few threads, and none of them there for long. */
static void relay(struct shared *shared)
{
	for (int i = 0; i < 3; i++)
		start_thread(start_successor, shared);
	child_ready(shared);
	for (;;)
		pause();
}

static void stop_often(void (*body)(struct shared *), int rounds)
{
	struct child child = child_start(body);
	struct process *process = open_child(&child);

	for (int round = 0; round < rounds; round++) {
		struct stop *stop;
		assert_success(stop_threads(process, &stop));
		unsigned long before = atomic_load(&child.shared->counter);
		check_complete(&child, stop);
		assert_int_equal(atomic_load(&child.shared->counter), before);
		stop_resume(stop, NULL);
		await_progress(&child.shared->counter);
	}
	for_each_thread(child.pid, check_free);
	process_close(process);
	child_end(&child);
}

static void test_churn(void **state)
{
	(void)state;
	stop_often(churn, 300);
}

static void test_relay(void **state)
{
	(void)state;
	stop_often(relay, 300);
}

static void read_in_lockstep(struct shared *shared)
{
	char byte = 0;

	child_ready(shared);
	for (;;) {
		if (read(shared->pipe[0], &byte, 1) != 1)
			atomic_store(&shared->failed, true);
		atomic_store(&shared->value[0], byte);
		atomic_fetch_add(&shared->counter, 1);
	}
}

static void test_blocked_read(void **state)
{
	(void)state;
	struct child child = child_start(read_in_lockstep);
	struct process *process = open_child(&child);

	for (unsigned long round = 1; round <= 50; round++) {
		char byte = round;
		struct stop *stop;
		await_state(child.pid, 'S');
		assert_success(stop_threads(process, &stop));
		if (round % 2)
			assert_int_equal(write(child.shared->pipe[1], &byte, 1), 1);
		stop_resume(stop, NULL);
		if (round % 2 == 0)
			assert_int_equal(write(child.shared->pipe[1], &byte, 1), 1);
		while (atomic_load(&child.shared->counter) != round)
			sched_yield();
		assert_int_equal(atomic_load(&child.shared->value[0]), byte);
	}
	process_close(process);
	child_end(&child);
}

static void leave_threads_behind(struct shared *shared)
{
	start_thread(sleep_for_ever, shared);
	start_thread(count_in_thread, shared);
	/* exit(2), not exit_group(2) nor pthread_exit(3): nothing of C is left to happen. */
	syscall(SYS_exit, 0);
}

static void test_zombie_leader(void **state)
{
	(void)state;
	struct child child = child_start(leave_threads_behind);
	await_state(child.pid, 'Z');
	struct process *process = open_child(&child);

	for (int round = 0; round < 20; round++) {
		struct stop *stop;
		size_t count;
		uint64_t word;
		assert_success(memory_read_u64(&process->memory, (uint64_t)(uintptr_t)&environ,
					       "environ", &word));
		assert_int_equal(word, (uint64_t)(uintptr_t)environ);
		assert_success(stop_threads(process, &stop));
		const struct stopped_thread *threads = stop_list(stop, &count);
		assert_int_equal(count, 2);
		for (size_t i = 0; i < count; i++)
			check_held(threads[i].tid);
		assert_success(memory_read_u64(&process->memory, (uint64_t)(uintptr_t)&environ,
					       "environ", &word));
		assert_int_equal(word, (uint64_t)(uintptr_t)environ);
		stop_resume(stop, NULL);
		await_progress(&child.shared->counter);
	}
	process_close(process);

	/* Any thread's id will do. */
	assert_success(process_open(atomic_load(&child.shared->tid), &process));
	assert_int_equal(process->pid, child.pid);
	process_close(process);
	child_end(&child);
}

static void test_ourselves(void **state)
{
	(void)state;
	struct process *process;
	struct stop *stop;
	uint64_t word;

	assert_success(process_open(getpid(), &process));
	assert_success(
		memory_read_u64(&process->memory, (uint64_t)(uintptr_t)&environ, "environ", &word));
	assert_int_equal(word, (uint64_t)(uintptr_t)environ);
	assert_error(stop_threads(process, &stop), MEMTOOL_ERROR_UNSUPPORTED, "itself");
	process_close(process);
}

static void test_traced_already(void **state)
{
	(void)state;
	struct child child = child_start(count_for_ever);
	struct process *process = open_child(&child);
	struct stop *first, *second;
	char who[32];

	pid_t tracer = start_tracer(child.pid, child.shared);
	snprintf(who, sizeof(who), "traced by process %d (", tracer);
	assert_error(stop_threads(process, &first), MEMTOOL_ERROR_NOT_PERMITTED, who);
	kill(tracer, SIGKILL);
	assert_int_equal(waitpid(tracer, NULL, 0), tracer);

	assert_success(stop_threads(process, &first));
	assert_error(stop_threads(process, &second), MEMTOOL_ERROR_NOT_PERMITTED,
		     "this program traces process");
	check_complete(&child, first);
	stop_resume(first, NULL);
	await_progress(&child.shared->counter);
	process_close(process);
	child_end(&child);
}

/* One of our like holds it for a moment: that is waited for. */
static void test_held_for_a_moment(void **state)
{
	(void)state;
	struct child child = child_start(count_for_ever);
	struct process *process = open_child(&child);
	struct stop *stop;
	int held[2];

	assert_int_equal(pipe(held), 0);
	pid_t other = fork();
	if (other == 0) {
		if (stop_threads(process, &stop) || write(held[1], "", 1) != 1)
			_exit(1);
		usleep(50000);
		stop_resume(stop, NULL);
		_exit(0);
	}
	char byte;
	assert_int_equal(read(held[0], &byte, 1), 1);
	assert_success(stop_threads(process, &stop));
	stop_resume(stop, NULL);
	int status;
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	close(held[0]);
	close(held[1]);
	process_close(process);
	child_end(&child);
}

/* Enters 32-bit code, as Wine does: a jump to itself in the i386 code segment. */
static void run_32_bit_code(struct shared *shared)
{
	unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	code[0] = 0xeb;
	code[1] = 0xfe;
	atomic_store(&shared->value[0], (unsigned long)__builtin_thread_pointer());
	atomic_store(&shared->value[1], (unsigned long)code);
	child_ready(shared);
	__asm__ volatile("pushq $0x23\n\tpushq %0\n\tlretq" : : "r"(code));
}

static void test_32_bit_code(void **state)
{
	(void)state;
	struct child child = child_start(run_32_bit_code);
	struct process *process = open_child(&child);
	const struct stopped_thread *threads;
	struct stop *stop;
	size_t count;

	for (bool inside = false; !inside; stop_resume(stop, NULL)) {
		assert_success(stop_threads(process, &stop));
		threads = stop_list(stop, &count);
		assert_int_equal(count, 1);
		assert_int_equal(threads[0].fs_base, atomic_load(&child.shared->value[0]));
		inside = threads[0].pc == atomic_load(&child.shared->value[1]);
	}
	process_close(process);
	child_end(&child);
}

/* A terminal's stop signal waits until the target runs again. */
static void test_terminal_stop(void **state)
{
	(void)state;
	struct child child = child_start(count_for_ever);
	struct process *process = open_child(&child);
	struct stop *stop;
	sigset_t before, during, after;

	pthread_sigmask(SIG_BLOCK, NULL, &before);
	assert_success(stop_threads(process, &stop));
	pthread_sigmask(SIG_BLOCK, NULL, &during);
	stop_resume(stop, NULL);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	assert_int_equal(sigismember(&before, SIGTSTP), 0);
	assert_int_equal(sigismember(&during, SIGTSTP), 1);
	assert_int_equal(sigismember(&after, SIGTSTP), 0);
	process_close(process);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_thread),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_blocked_read),
		cmocka_unit_test(test_zombie_leader),
		cmocka_unit_test(test_ourselves),
		cmocka_unit_test(test_traced_already),
		cmocka_unit_test(test_held_for_a_moment),
		cmocka_unit_test(test_32_bit_code),
		cmocka_unit_test(test_terminal_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
