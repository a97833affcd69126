/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmarks share: targets, runs of memtool, medians. Every figure is a ratio of two
 * things measured in turns in one run, since the machine is neither idle nor always the same.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_RUNS_MAX 101

/* Ends the program with a message. */
void bench_fail(const char *format, ...)
	__attribute__((__format__(__printf__, 1, 2), __noreturn__));

double bench_now_ms(void);

/* Sorts values. */
double bench_median(double *values, size_t count);

struct bench_target {
	pid_t pid;
	int input; /* it ends when this is closed */
};

/* Starts a program and waits until it has written a line. */
struct bench_target bench_target_start(char *const *argv);
void bench_target_end(struct bench_target *target);

/* The state of a process's first thread, as in /proc/PID/stat; of one that is traced: 't'. */
char bench_state(pid_t pid);

struct bench_run {
	double wall_ms; /* from fork to exit */
	double peak_kib; /* of its memory */
	size_t output_bytes;
	char *output; /* NUL-terminated; what did not fit is dropped */
};

/* Runs a program to its end and takes in what it prints; output has keep bytes. */
void bench_run(char *const *argv, char *output, size_t keep, struct bench_run *ret);

/* Starts a program whose output is of no interest. */
pid_t bench_start(char *const *argv);

/*
 * Waits for a program that is not to be measured, or whose output is of no interest; its wall time.
 */
double bench_time(char *const *argv);

/*
 * A row of the table that all benchmarks add to: what was measured, in a unit, the bar and whether
 * it is met. BENCH_NO_BAR where there is none.
 */
#define BENCH_NO_BAR 0.0
void bench_row_at_most(double value, const char *unit, double bar, const char *format, ...)
	__attribute__((__format__(__printf__, 4, 5)));
void bench_row_at_least(double value, const char *unit, double bar, const char *format, ...)
	__attribute__((__format__(__printf__, 4, 5)));
/* One that was not measured, and why. */
void bench_row_absent(const char *what, const char *why);

/* The number behind "name": in a JSON text. */
double bench_json_number(const char *json, const char *name);

#endif
