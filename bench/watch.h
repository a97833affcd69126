/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a process stands still, seen from outside: the state in /proc/PID/stat, looked at every
 * 100 us by a thread of its own.
 */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include <sys/types.h>

/*
 * Runs a program as bench_time() does, and returns its wall time; *ret_stopped_ms is how long
 * target was stopped meanwhile.
 */
double watch_run(char *const *argv, pid_t target, double *ret_stopped_ms);

#endif
