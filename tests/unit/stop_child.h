/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of target/stop.h share: what children and their threads do, and what is to be seen
 * of them in /proc.
 */
#ifndef TESTS_STOP_CHILD_H
#define TESTS_STOP_CHILD_H

#include "child.h"

#include "target/process.h"
#include "target/stop.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/ptrace.h>

static inline struct process *open_child(const struct child *child)
{
	struct process *process;

	assert_success(process_open(child->pid, &process));
	return process;
}

static inline pid_t tracer_of(pid_t tid)
{
	char path[64], line[256];
	pid_t tracer = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "TracerPid: %d", &tracer) == 1)
			break;
	fclose(file);
	return tracer;
}

/* Calls check for each thread of pid; returns how many there are. */
static inline size_t for_each_thread(pid_t pid, void (*check)(pid_t tid))
{
	char path[64];
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	assert_non_null(tasks);
	for (struct dirent *entry; (entry = readdir(tasks));) {
		pid_t tid = atoi(entry->d_name);
		if (tid <= 0)
			continue;
		count++;
		check(tid);
	}
	closedir(tasks);
	return count;
}

static inline void check_held(pid_t tid)
{
	assert_int_equal(thread_state(tid), 't');
	/* The tracer is a thread of ours. */
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%d", tracer_of(tid));
	assert_int_equal(access(path, F_OK), 0);
}

static inline void check_free(pid_t tid)
{
	pid_t tracer = tracer_of(tid);

	if (tracer != -1)
		assert_int_equal(tracer, 0);
}

static inline void count_for_ever(struct shared *shared)
{
	child_ready(shared);
	for (;;)
		atomic_fetch_add(&shared->counter, 1);
}

static inline void *sleep_for_ever(void *argument)
{
	struct shared *shared = argument;

	atomic_fetch_add(&shared->counter, 1);
	for (;;)
		pause();
	return NULL;
}

static inline void start_thread(void *(*body)(void *), struct shared *shared)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 << 10);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	while (pthread_create(&thread, &attributes, body, shared))
		sched_yield();
	pthread_attr_destroy(&attributes);
}

static inline void *count_in_thread(void *argument)
{
	struct shared *shared = argument;

	atomic_store(&shared->tid, gettid());
	count_for_ever(shared);
	return NULL;
}

/* A process that traces thread tid, and does nothing else. */
static inline pid_t start_tracer(pid_t tid, struct shared *shared)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_SEIZE, tid, NULL, 0) == 0)
			atomic_store(&shared->value[5], 1);
		for (;;)
			pause();
	}
	while (!atomic_load(&shared->value[5]))
		sched_yield();
	return pid;
}

/* Every thread there is, is held, and listed. */
static inline void check_complete(const struct child *child, const struct stop *stop)
{
	size_t count;

	stop_list(stop, &count);
	assert_int_equal(for_each_thread(child->pid, check_held), count);
}

#endif
