/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the cost of memtool info grows with the heap, from 10 thousand to 10 million chunks, for each
 * way to read it: what growth.gp draws.
 *
 *	growth MEMTOOL HEAP [RUNS]
 *
 * Prints a line of medians for each size: chunks, bytes, ms of a mere copy (copy.h), and for
 * stopping, --snapshot and --no-stop each the ms that the target stood still, the ms from exec to
 * exit, and memtool's peak of memory in MiB. The ways alternate.
 */
#include "bench/bench.h"
#include "bench/copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct way {
	const char *option, *method;
} ways[] = {
	/* The first is the default, and has no option of its own. */
	{ "--format=json", "stop" },
	{ "--snapshot", "snapshot" },
	{ "--no-stop", "no-stop" },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

struct figures {
	double copy[BENCH_RUNS_MAX];
	double pause[WAYS][BENCH_RUNS_MAX];
	double wall[WAYS][BENCH_RUNS_MAX];
	double peak_kib[WAYS][BENCH_RUNS_MAX];
	double chunks, bytes;
};

static void measure_way(char *memtool, pid_t target, size_t way, size_t run, struct figures *ret)
{
	static char output[1 << 20];
	char pid[16], method[64];
	struct bench_run figures;

	snprintf(pid, sizeof(pid), "%d", (int)target);
	snprintf(method, sizeof(method), "\"method\": \"%s\"", ways[way].method);
	char *argv[] = {
		memtool, (char *)"info", (char *)"--format=json", (char *)ways[way].option, pid,
		NULL
	};
	bench_run(argv, output, sizeof(output), &figures);
	if (!strstr(output, method))
		bench_fail("%s: it was read in another way", ways[way].option);
	ret->pause[way][run] = bench_json_number(output, "stopped_ms");
	ret->wall[way][run] = figures.wall_ms;
	ret->peak_kib[way][run] = figures.peak_kib;
	ret->chunks = bench_json_number(output, "chunks");
}

static void measure(char *memtool, char *heap, size_t count, size_t runs)
{
	static struct figures figures;
	char number[32];

	snprintf(number, sizeof(number), "%zu", count);
	char *argv[] = { heap, number, NULL };
	struct bench_target target = bench_target_start(argv);
	for (size_t run = 0; run < runs; run++) {
		figures.copy[run] = copy_heap(target.pid, &figures.bytes);
		for (size_t way = 0; way < WAYS; way++)
			measure_way(memtool, target.pid, way, run, &figures);
	}
	bench_target_end(&target);

	printf("%.0f %.0f %.3f", figures.chunks, figures.bytes, bench_median(figures.copy, runs));
	for (size_t way = 0; way < WAYS; way++)
		printf("  %.3f %.3f %.1f", bench_median(figures.pause[way], runs),
		       bench_median(figures.wall[way], runs),
		       bench_median(figures.peak_kib[way], runs) / 1024);
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const size_t counts[] = { 10000, 30000, 100000, 300000, 1000000, 3000000, 10000000 };
	size_t runs = argc > 3 ? strtoul(argv[3], NULL, 0) : 5;

	if (argc < 3 || runs < 1 || runs > BENCH_RUNS_MAX)
		bench_fail("usage: growth MEMTOOL HEAP [RUNS]");
	printf("# Written by `make bench`; what the columns are is told by bench/growth.c.\n"
	       "# chunks bytes copy_ms");
	for (size_t way = 0; way < WAYS; way++)
		printf("  %s: pause_ms wall_ms memory_mib", ways[way].method);
	printf("\n");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		measure(argv[1], argv[2], counts[i], runs);
	return 0;
}
