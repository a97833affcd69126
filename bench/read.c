/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long memtool holds a process and how long it takes, against merely copying the same pages;
 *how much memory it takes, and how fast it lists chunks into a file.
 *
 *	read MEMTOOL HEAP COUNT MIN MAX PAUSE_BAR [RUNS]
 *
 * COUNT, MIN and MAX are HEAP's (heap.c). The copy: process_vm_readv(2) of every page of the heap
 *in 2 MiB pieces, by one thread, into a buffer that is there already. memtool's pause is what it
 *says itself (stopped_ms), so the threads' stop is in it. The runs alternate.
 */
#include "bench/bench.h"
#include "target/maps.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECE ((size_t)2 << 20)
/*
 * The bars are for heaps of this many chunks on; what costs the same for any heap hides it below.
 */
#define MANY 5e6

struct figures {
	double copy[BENCH_RUNS_MAX];
	double pause[BENCH_RUNS_MAX];
	double wall[BENCH_RUNS_MAX];
	double peak_kib[BENCH_RUNS_MAX];
	double heap[BENCH_RUNS_MAX];
	double csv[BENCH_RUNS_MAX];
	double jsonl[BENCH_RUNS_MAX];
	double chunks;
	double bytes;
};

/* Copies all of [heap] and says how many bytes that were. */
static size_t copy_heap(pid_t pid, const struct maps *maps, char *buffer)
{
	size_t total = 0;

	for (size_t i = 0; i < maps->count; i++) {
		const struct mapping *mapping = &maps->data[i];
		if (strcmp(mapping->name, "[heap]") != 0)
			continue;
		for (uint64_t at = mapping->range.start; at < mapping->range.end; at += PIECE) {
			size_t length =
				mapping->range.end - at < PIECE ? mapping->range.end - at : PIECE;
			struct iovec local = { buffer, length };
			struct iovec remote = { (void *)(uintptr_t)at, length };
			if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)length)
				bench_fail("the heap could not be copied");
			total += length;
		}
	}
	return total;
}

static void measure(char *memtool, pid_t target, size_t runs, struct figures *figures)
{
	char pid[16], path[] = "/tmp/bench-rows-XXXXXX", option[sizeof(path) + 16];
	static char output[1 << 20];
	struct maps maps;

	int fd = mkstemp(path);
	struct memtool_error *error = maps_read(target, &maps);
	char *buffer = malloc(PIECE);
	if (error || !buffer || fd < 0)
		bench_fail("%s", error ? error->message : "no memory, or no temporary file");
	snprintf(pid, sizeof(pid), "%d", (int)target);
	snprintf(option, sizeof(option), "--output=%s", path);
	char *info[] = { memtool, (char *)"info", (char *)"--format=json", pid, NULL };
	char *heap[] = { memtool, (char *)"heap", pid, NULL };
	char *csv[] = { memtool, (char *)"chunks", (char *)"--format=csv", option, pid, NULL };
	char *jsonl[] = { memtool, (char *)"chunks", (char *)"--format=jsonl", option, pid, NULL };

	memset(buffer, 1, PIECE);
	figures->bytes = (double)copy_heap(target, &maps, buffer);
	for (size_t i = 0; i < runs; i++) {
		struct bench_run run;
		double before = bench_now_ms();
		copy_heap(target, &maps, buffer);
		figures->copy[i] = bench_now_ms() - before;
		bench_run(info, output, sizeof(output), &run);
		figures->pause[i] = bench_json_number(run.output, "stopped_ms");
		figures->chunks = bench_json_number(run.output, "chunks");
		figures->wall[i] = run.wall_ms;
		figures->peak_kib[i] = run.peak_kib;
		figures->heap[i] = bench_time(heap);
		figures->csv[i] = bench_time(csv);
		figures->jsonl[i] = bench_time(jsonl);
	}
	unlink(path);
	close(fd);
	maps_deinit(&maps);
	free(buffer);
}

int main(int argc, char **argv)
{
	size_t runs = argc > 7 ? strtoul(argv[7], NULL, 0) : 5;
	static struct figures figures;
	char name[64];

	if (argc < 7 || runs < 1 || runs > BENCH_RUNS_MAX)
		bench_fail("usage: read MEMTOOL HEAP COUNT MIN MAX PAUSE_BAR [RUNS]");
	char *target_argv[] = { argv[2], argv[3], argv[4], argv[5], NULL };
	struct bench_target target = bench_target_start(target_argv);
	measure(argv[1], target.pid, runs, &figures);
	bench_target_end(&target);

	double copy = bench_median(figures.copy, runs);
	double pause = bench_median(figures.pause, runs);
	double wall = bench_median(figures.wall, runs);
	double heap = bench_median(figures.heap, runs);
	double peak = bench_median(figures.peak_kib, runs) / 1024;
	double rows = figures.chunks / 1e3;
	snprintf(name, sizeof(name), "%s chunks, %.2f GB", argv[3], figures.bytes / 1e9);
	bench_row_at_most(copy, "ms", BENCH_NO_BAR, "%s: copy, %.1f GB/s", name,
			  figures.bytes / copy / 1e6);
	bench_row_at_most(pause, "ms", BENCH_NO_BAR, "%s: target stopped", name);
	bench_row_at_most(pause / copy, "x", strtod(argv[6], NULL), "%s: target stopped / copy",
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
