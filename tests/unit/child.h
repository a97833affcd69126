/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children for tests: fork, run a function, wait until it says that it is ready, and end it.
 *
 * A child shares one page with the test, and dies with it, so a failed assertion leaves none.
 */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

/* cmocka.h wants these four first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/error.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
	atomic_uint ready;
	atomic_bool go;
	atomic_bool failed; /* the child saw something that must not be */
	atomic_ulong counter;
	atomic_ulong sequence;
	atomic_ulong value[8];
	_Atomic(pid_t) tid;
	int pipe[2]; /* made before the fork */
	pid_t parent; /* the test */
};

struct child {
	pid_t pid;
	struct shared *shared;
};

static inline void child_ready(struct shared *shared)
{
	atomic_store(&shared->ready, 1);
}

static inline void child_await_ready(struct shared *shared)
{
	while (!atomic_load(&shared->ready))
		sched_yield();
}

static inline struct child child_start(void (*body)(struct shared *))
{
	struct child child;

	child.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(child.shared, MAP_FAILED);
	assert_int_equal(pipe(child.shared->pipe), 0);
	child.shared->parent = getpid();
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == child.shared->parent)
			body(child.shared);
		_exit(1);
	}
	child_await_ready(child.shared);
	return child;
}

static inline void wait_for_ever(struct shared *shared)
{
	child_ready(shared);
	for (;;)
		pause();
}

/* After the child has been collected. */
static inline void child_free(struct child *child)
{
	close(child->shared->pipe[0]);
	close(child->shared->pipe[1]);
	munmap(child->shared, 4096);
}

/* Ends a child that runs for ever; that it did not end by itself is part of every test. */
static inline void child_end(struct child *child)
{
	int status;

	assert_false(atomic_load(&child->shared->failed));
	kill(child->pid, SIGKILL);
	assert_int_equal(waitpid(child->pid, &status, __WALL), child->pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	child_free(child);
}

/* The letter in /proc/PID/stat; 0 if the thread is gone. */
static inline char thread_state(pid_t tid)
{
	char path[64], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state;
}

static inline void await_state(pid_t tid, char state)
{
	while (thread_state(tid) != state)
		sched_yield();
}

/* Returns once counter has gone on, so something runs. */
static inline void await_progress(const atomic_ulong *counter)
{
	unsigned long before = atomic_load(counter);

	while (atomic_load(counter) == before)
		sched_yield();
}

#define assert_success(expression)                                        \
	do {                                                              \
		struct memtool_error *error_ = (expression);              \
		if (error_)                                               \
			fail_msg("%s: %s", #expression, error_->message); \
	} while (0)

/* Fails with that code, and a message in which text occurs, of one line without a period. */
#define assert_error(expression, expected, text) \
	check_error((expression), #expression, (expected), (text))

static inline void check_error(struct memtool_error *error, const char *expression,
			       enum memtool_error_code code, const char *text)
{
	if (!error)
		fail_msg("%s did not fail", expression);
	if (error->code != code || !strstr(error->message, text))
		fail_msg("%s: code %d, \"%s\"", expression, error->code, error->message);
	assert_null(strchr(error->message, '\n'));
	assert_int_not_equal(error->message[strlen(error->message) - 1], '.');
	memtool_error_destroy(error);
}

#endif
