/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a process stands still, seen from outside: the state in /proc/PID/stat, looked at every
 * 100 us by a thread of its own.
 */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct watch {
	pid_t pid;
	pthread_t thread;
	atomic_bool ends;
	double stopped_ms;
};

/* Looks at pid from now on; watch stays where it is until watch_end(). */
void watch_begin(struct watch *watch, pid_t pid);
/* How long pid was stopped since. */
double watch_end(struct watch *watch);

/*
 * Runs a program as bench_time() does, and returns its wall time; *ret_stopped_ms is how long
 * target was stopped meanwhile.
 */
double watch_run(char *const *argv, pid_t target, double *ret_stopped_ms);

#endif
