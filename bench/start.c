/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool info on a small process, from exec to exit, against /bin/true, in turns.
 *
 *	start MEMTOOL HEAP AGENT [RUNS]
 */
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	static const struct {
		const char *source;
		double bar;
	} sources[] = { { "inventory", 2 }, { "symbols", 3 }, { "structure", 4 } };
	static double times[4][BENCH_RUNS_MAX];
	size_t runs = argc > 4 ? strtoul(argv[4], NULL, 0) : 51;
	char pid[16], option[32];

	if (argc < 4 || runs < 1 || runs > BENCH_RUNS_MAX)
		bench_fail("usage: start MEMTOOL HEAP AGENT [RUNS]");
	char *target_argv[] = { argv[2], (char *)"100", NULL };
	char *nothing[] = { (char *)"/bin/true", NULL };
	char *info[] = { argv[1], (char *)"info", option, pid, NULL };
	setenv("LD_PRELOAD", argv[3], 1);
	struct bench_target target = bench_target_start(target_argv);
	unsetenv("LD_PRELOAD");
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	for (size_t i = 0; i < runs; i++) {
		times[3][i] = bench_time(nothing);
		for (size_t j = 0; j < 3; j++) {
			snprintf(option, sizeof(option), "--source=%s", sources[j].source);
			times[j][i] = bench_time(info);
		}
	}
	bench_target_end(&target);

	double base = bench_median(times[3], runs);
	bench_row_at_most(base, "ms", BENCH_NO_BAR, "100 chunks: /bin/true");
	for (size_t j = 0; j < 3; j++)
		bench_row_at_most(bench_median(times[j], runs) / base, "x", sources[j].bar,
				  "100 chunks: info by %s / /bin/true", sources[j].source);
	return 0;
}
