/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long memtool holds a process and how long it takes, against merely copying the same pages;
 * how much memory it takes, and how fast it lists chunks into a file.
 *
 *	read MEMTOOL HEAP COUNT MIN MAX PAUSE_BAR [RUNS [ARENAS]]
 *
 * COUNT, MIN, MAX and ARENAS are HEAP's (heap.c). The copy is copy.h's. memtool's pause is what it
 * says itself (stopped_ms), so the threads' stop is in it; what chunks does not say is seen from
 * outside (watch.h), in a run of its own. The runs alternate.
 */
#include "bench/bench.h"
#include "bench/copy.h"
#include "bench/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The bars are for heaps of this many chunks on; what costs the same for any heap hides it below.
 */
#define MANY 5e6

struct figures {
	double copy[BENCH_RUNS_MAX];
	double heap_pause[BENCH_RUNS_MAX];
	double chunks_pause[BENCH_RUNS_MAX];
	double wall[BENCH_RUNS_MAX];
	double peak_kib[BENCH_RUNS_MAX];
	double heap[BENCH_RUNS_MAX];
	double csv[BENCH_RUNS_MAX];
	double jsonl[BENCH_RUNS_MAX];
	double chunks;
	double bytes;
};

static void measure(char *memtool, pid_t target, size_t runs, struct figures *figures)
{
	char pid[16], path[] = "/tmp/bench-rows-XXXXXX", option[sizeof(path) + 16];
	static char output[1 << 20];

	int fd = mkstemp(path);
	if (fd < 0)
		bench_fail("no temporary file");
	snprintf(pid, sizeof(pid), "%d", (int)target);
	snprintf(option, sizeof(option), "--output=%s", path);
	char *info[] = { memtool, (char *)"info", (char *)"--format=json", pid, NULL };
	char *heap[] = { memtool, (char *)"heap", (char *)"--format=json", pid, NULL };
	char *csv[] = { memtool, (char *)"chunks", (char *)"--format=csv", option, pid, NULL };
	char *jsonl[] = { memtool, (char *)"chunks", (char *)"--format=jsonl", option, pid, NULL };

	for (size_t i = 0; i < runs; i++) {
		struct bench_run run;
		figures->copy[i] = copy_heap(target, &figures->bytes);
		bench_run(info, output, sizeof(output), &run);
		figures->chunks = bench_json_number(run.output, "chunks");
		figures->wall[i] = run.wall_ms;
		figures->peak_kib[i] = run.peak_kib;
		bench_run(heap, output, sizeof(output), &run);
		figures->heap_pause[i] = bench_json_number(run.output, "stopped_ms");
		figures->heap[i] = run.wall_ms;
		watch_run(csv, target, &figures->chunks_pause[i]);
		figures->csv[i] = bench_time(csv);
		figures->jsonl[i] = bench_time(jsonl);
	}
	unlink(path);
	close(fd);
}

int main(int argc, char **argv)
{
	size_t runs = argc > 7 ? strtoul(argv[7], NULL, 0) : 5;
	static struct figures figures;
	char name[64];
	double bar;

	if (argc < 7 || runs < 1 || runs > BENCH_RUNS_MAX)
		bench_fail("usage: read MEMTOOL HEAP COUNT MIN MAX PAUSE_BAR [RUNS [ARENAS]]");
	bar = strtod(argv[6], NULL);
	char *arenas = argc > 8 ? argv[8] : NULL;
	char *target_argv[] = { argv[2], argv[3], argv[4], argv[5], arenas, NULL };
	struct bench_target target = bench_target_start(target_argv);
	measure(argv[1], target.pid, runs, &figures);
	bench_target_end(&target);

	double copy = bench_median(figures.copy, runs);
	double heap_pause = bench_median(figures.heap_pause, runs);
	double chunks_pause = bench_median(figures.chunks_pause, runs);
	double wall = bench_median(figures.wall, runs);
	double heap = bench_median(figures.heap, runs);
	double peak = bench_median(figures.peak_kib, runs) / 1024;
	double rows = figures.chunks / 1e3;
	snprintf(name, sizeof(name), "%s chunks%s%s%s, %.2f GB", argv[3], arenas ? " in " : "",
		 arenas ? arenas : "", arenas ? " arenas" : "", figures.bytes / 1e9);
	bench_row_at_most(copy, "ms", BENCH_NO_BAR, "%s: copy, %.1f GB/s", name,
			  figures.bytes / copy / 1e6);
	bench_row_at_most(heap_pause, "ms", BENCH_NO_BAR, "%s: target stopped by heap", name);
	bench_row_at_most(heap_pause / copy, "x", bar, "%s: target stopped by heap / copy", name);
	bench_row_at_most(chunks_pause / copy, "x", bar, "%s: target stopped by chunks / copy",
			  name);
	bench_row_at_most(wall / copy, "x", figures.chunks < MANY ? BENCH_NO_BAR : 1.5,
			  "%s: info, from exec to exit, / copy", name);
	bench_row_at_most(heap / copy, "x", BENCH_NO_BAR, "%s: heap, from exec to exit, / copy",
			  name);
	if (figures.chunks < MANY)
		return 0;
	bench_row_at_most((peak - 64) * 1048576 / figures.chunks, "bytes/chunk", 16,
			  "%s: memory beyond 64 MiB (%.0f MiB in all)", name, peak);
	bench_row_at_least(rows / bench_median(figures.csv, runs), "M rows/s", 5,
			   "%s: chunks --format=csv into a file", name);
	bench_row_at_least(rows / bench_median(figures.jsonl, runs), "M rows/s", 2.5,
			   "%s: chunks --format=jsonl into a file", name);
	return 0;
}
