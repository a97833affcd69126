/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ctrl-C: how long memtool heap takes to end after a SIGINT, at moments spread over all of a run.
 *
 *	interrupt MEMTOOL HEAP [COUNT [RUNS]]
 *
 * Each run must end of the signal, and the target must be neither stopped nor traced then.
 */
#include "bench/bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static void sleep_ms(double ms)
{
	struct timespec time = { .tv_sec = (time_t)(ms / 1e3) };

	time.tv_nsec = (long)((ms - (double)time.tv_sec * 1e3) * 1e6);
	nanosleep(&time, NULL);
}

static void expect_running(pid_t target)
{
	char state = bench_state(target);

	if (state != 'S' && state != 'R')
		bench_fail("the target is in state %c", state);
}

/* -1 if memtool had ended before the signal came. */
static double interrupt(char *const *argv, double after_ms, pid_t target)
{
	int status;

	pid_t pid = bench_start(argv);
	sleep_ms(after_ms);
	double before = bench_now_ms();
	kill(pid, SIGINT);
	if (waitpid(pid, &status, 0) != pid)
		bench_fail("memtool is not there");
	double took = bench_now_ms() - before;
	expect_running(target);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return -1;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGINT)
		bench_fail("memtool ended with status %#x", (unsigned int)status);
	return took;
}

static void measure(char *memtool, const char *option, pid_t target, const char *count, size_t runs)
{
	double times[BENCH_RUNS_MAX], whole, worst = 0;
	size_t ended = 0;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)target);
	char *argv[] = { memtool, (char *)"heap", pid, (char *)option, NULL };
	whole = bench_time(argv);
	for (size_t i = 0; i < runs; i++) {
		double took = interrupt(argv, whole * (double)(i + 1) / (double)(runs + 1), target);
		if (took < 0)
			continue;
		times[ended++] = took;
		if (took > worst)
			worst = took;
	}
	if (ended * 2 < runs)
		bench_fail("memtool was faster than the signals");
	bench_row_at_most(bench_median(times, ended), "ms", 50,
			  "%s chunks: heap%s%s, SIGINT to exit (worst %.0f ms)", count,
			  option ? " " : "", option ? option : "", worst);
}

int main(int argc, char **argv)
{
	char *count = argc > 3 ? argv[3] : (char *)"10000000";
	size_t runs = argc > 4 ? strtoul(argv[4], NULL, 0) : 19;

	if (argc < 3 || runs < 1 || runs > BENCH_RUNS_MAX)
		bench_fail("usage: interrupt MEMTOOL HEAP [COUNT [RUNS]]");
	char *target_argv[] = { argv[2], count, NULL };
	struct bench_target target = bench_target_start(target_argv);
	measure(argv[1], NULL, target.pid, count, runs);
	measure(argv[1], "--snapshot", target.pid, count, runs);
	measure(argv[1], "--no-stop", target.pid, count, runs);
	bench_target_end(&target);
	return 0;
}
