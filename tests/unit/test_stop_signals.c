/* SPDX-License-Identifier: Apache-2.0 */
/* target/stop.h: no signal is lost or doubled, and whoever was stopped stays so. */
#include "stop_child.h"

/* A process that was stopped before stays so, and SIGCONT still works. */
static void test_stopped_process(void **state)
{
	(void)state;
	struct child child = child_start(count_for_ever);
	struct process *process = open_child(&child);

	kill(child.pid, SIGSTOP);
	await_state(child.pid, 'T');
	for (int round = 0; round < 20; round++) {
		struct stop *stop;
		assert_success(stop_threads(process, &stop));
		check_complete(&child, stop);
		stop_resume(stop, NULL);
		await_state(child.pid, 'T');
	}
	kill(child.pid, SIGCONT);
	await_progress(&child.shared->counter);

	/* SIGCONT and SIGSTOP that arrive meanwhile take effect. */
	struct stop *stop;
	assert_success(stop_threads(process, &stop));
	kill(child.pid, SIGSTOP);
	stop_resume(stop, NULL);
	await_state(child.pid, 'T');
	assert_success(stop_threads(process, &stop));
	kill(child.pid, SIGCONT);
	stop_resume(stop, NULL);
	await_progress(&child.shared->counter);
	process_close(process);
	child_end(&child);
}

static struct shared *handlers_shared;

static void on_queued(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	struct shared *shared = handlers_shared;

	/* They carry 1, 2, 3 ...: one lost, doubled or overtaken shows. */
	if ((unsigned long)info->si_value.sival_int != atomic_load(&shared->sequence) + 1 ||
	    info->si_code != SI_QUEUE)
		atomic_store(&shared->failed, true);
	atomic_store(&shared->sequence, info->si_value.sival_int);
}

static void on_usr1(int number)
{
	(void)number;
	atomic_fetch_add(&handlers_shared->value[0], 1);
}

static void take_signals(struct shared *shared)
{
	struct sigaction queued = { .sa_sigaction = on_queued, .sa_flags = SA_SIGINFO };
	struct sigaction usr1 = { .sa_handler = on_usr1 };

	handlers_shared = shared;
	sigaction(SIGRTMIN, &queued, NULL);
	sigaction(SIGUSR1, &usr1, NULL);
	count_for_ever(shared);
}

/* Sends signals to target as fast as they go, until told to end. */
static pid_t start_sender(pid_t target, struct shared *shared)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 1; !atomic_load(&shared->go); i++) {
		while (sigqueue(target, SIGRTMIN, (union sigval){ .sival_int = i }) < 0)
			sched_yield();
		atomic_store(&shared->value[1], i);
		/* SIGUSR1 does not queue: the next one only after this one has come through. */
		if (atomic_load(&shared->value[0]) == atomic_load(&shared->value[2])) {
			atomic_fetch_add(&shared->value[2], 1);
			kill(target, SIGUSR1);
		}
	}
	_exit(0);
}

static void end_sender(struct child *child, pid_t sender)
{
	int status;

	atomic_store(&child->shared->go, true);
	assert_int_equal(waitpid(sender, &status, 0), sender);
	assert_int_equal(status, 0);
	while (atomic_load(&child->shared->sequence) != atomic_load(&child->shared->value[1]) ||
	       atomic_load(&child->shared->value[0]) != atomic_load(&child->shared->value[2])) {
		assert_false(atomic_load(&child->shared->failed));
		sched_yield();
	}
	assert_true(atomic_load(&child->shared->sequence) > 0);
}

static void test_signals(void **state)
{
	(void)state;
	struct child child = child_start(take_signals);
	struct process *process = open_child(&child);
	pid_t sender = start_sender(child.pid, child.shared);

	for (int round = 0; round < 500; round++) {
		struct stop *stop;
		assert_success(stop_threads(process, &stop));
		stop_resume(stop, NULL);
		if (round % 8 == 0)
			await_progress(&child.shared->sequence);
	}
	end_sender(&child, sender);
	process_close(process);
	child_end(&child);
}

/* Stops and resumes target for ever. */
static pid_t start_stopper(pid_t target, struct shared *shared)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct process *process;
		struct stop *stop;
		struct memtool_error *error = process_open(target, &process);
		if (!error)
			error = stop_threads(process, &stop);
		if (error)
			atomic_store(&shared->failed, true);
		atomic_fetch_add(&shared->value[3], 1);
		if (error)
			_exit(1);
		stop_resume(stop, NULL);
		process_close(process);
	}
}

/* Whenever memtool is killed, the target runs on and has all its signals. */
static void test_killed_stopper(void **state)
{
	(void)state;
	struct child child = child_start(take_signals);
	pid_t sender = start_sender(child.pid, child.shared);
	unsigned seed = 1;

	for (int round = 0; round < 200; round++) {
		pid_t stopper = start_stopper(child.pid, child.shared);
		int status;
		await_progress(&child.shared->value[3]);
		for (int spins = rand_r(&seed) % 20000; spins > 0; spins--)
			atomic_load(&child.shared->counter);
		kill(stopper, SIGKILL);
		assert_int_equal(waitpid(stopper, &status, 0), stopper);
		await_progress(&child.shared->sequence);
		assert_int_equal(tracer_of(child.pid), 0);
	}
	end_sender(&child, sender);
	child_end(&child);
}

static void test_killed_stopper_of_stopped(void **state)
{
	(void)state;
	struct child child = child_start(count_for_ever);
	unsigned seed = 1;

	kill(child.pid, SIGSTOP);
	await_state(child.pid, 'T');
	for (int round = 0; round < 50; round++) {
		pid_t stopper = start_stopper(child.pid, child.shared);
		int status;
		await_progress(&child.shared->value[3]);
		for (int spins = rand_r(&seed) % 20000; spins > 0; spins--)
			atomic_load(&child.shared->counter);
		kill(stopper, SIGKILL);
		assert_int_equal(waitpid(stopper, &status, 0), stopper);
		await_state(child.pid, 'T');
	}
	kill(child.pid, SIGCONT);
	await_progress(&child.shared->counter);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stopped_process),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_killed_stopper),
		cmocka_unit_test(test_killed_stopper_of_stopped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
