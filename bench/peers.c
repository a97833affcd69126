/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other tools on the same heap, by turns with memtool: wall time, and how long the target stood
 * still.
 *
 *	peers MEMTOOL HEAP [COUNT [RUNS]]
 *
 * Their commands come from the environment, for sh(1), which has the target in $PID: BENCH_GDB,
 * BENCH_GEF, BENCH_CORE_ANALYZER and BENCH_CHAP. The pause is seen from outside (watch.h), for all
 * alike.
 */
#include "bench/bench.h"
#include "bench/watch.h"

#include <stdio.h>
#include <stdlib.h>

static double watched(const char *command, pid_t target, double *ret_stopped_ms)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };

	return watch_run(argv, target, ret_stopped_ms);
}

static void compare(const char *name, const char *variable, const char *own, pid_t target,
		    size_t runs)
{
	static double walls[2][BENCH_RUNS_MAX], pauses[2][BENCH_RUNS_MAX];
	const char *commands[2] = { own, getenv(variable) };
	char what[64];

	snprintf(what, sizeof(what), "%s", name);
	if (!commands[1]) {
		snprintf(what, sizeof(what), "%s (%s is not set)", name, variable);
		bench_row_absent(what, "absent");
		return;
	}
	for (size_t i = 0; i < runs; i++) {
		for (size_t j = 0; j < 2; j++)
			walls[j][i] = watched(commands[j], target, &pauses[j][i]);
	}
	double wall = bench_median(walls[1], runs), pause = bench_median(pauses[1], runs);
	bench_row_at_least(wall / bench_median(walls[0], runs), "x", 20,
			   "%s / memtool heap: wall time (%.0f ms)", name, wall);
	bench_row_at_least(pause / bench_median(pauses[0], runs), "x", 10,
			   "%s / memtool heap: target stopped (%.0f ms)", name, pause);
}

int main(int argc, char **argv)
{
	size_t runs = argc > 4 ? strtoul(argv[4], NULL, 0) : 5;
	char own[4096], pid[16];

	if (argc < 3 || runs < 1 || runs > BENCH_RUNS_MAX)
		bench_fail("usage: peers MEMTOOL HEAP [COUNT [RUNS]]");
	char *target_argv[] = { argv[2], argc > 3 ? argv[3] : (char *)"1000000", NULL };
	struct bench_target target = bench_target_start(target_argv);
	snprintf(own, sizeof(own), "exec '%s' heap $PID", argv[1]);
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	setenv("PID", pid, 1);
	compare("gdb and a walker in Python", "BENCH_GDB", own, target.pid, runs);
	compare("GEF", "BENCH_GEF", own, target.pid, runs);
	compare("gcore and core_analyzer", "BENCH_CORE_ANALYZER", own, target.pid, runs);
	compare("gcore and chap", "BENCH_CHAP", own, target.pid, runs);
	bench_target_end(&target);
	return 0;
}
