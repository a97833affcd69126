/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long memtool holds a process, against merely copying the same pages, and how much memory it
 * takes a chunk.
 *
 *	read MEMTOOL HEAP [CHUNKS [RUNS]]
 *
 * The copy: process_vm_readv(2) of every page of the process's heap in 1 MiB pieces, by one thread,
 * into a buffer that is there already. memtool's pause is what it says itself (stopped_ms), so the
 * threads' stop is in it. The runs alternate.
 */
#include "bench/bench.h"
#include "target/maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define PIECE ((size_t)1 << 20)

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

int main(int argc, char **argv)
{
	const char *chunk_count = argc > 3 ? argv[3] : "1000000";
	size_t runs = argc > 4 ? strtoul(argv[4], NULL, 0) : 9;
	double copies[BENCH_RUNS_MAX], pauses[BENCH_RUNS_MAX], heaps[BENCH_RUNS_MAX],
		lists[BENCH_RUNS_MAX], peaks[BENCH_RUNS_MAX];
	static char output[1 << 20];
	char pid[16];

	if (argc < 3 || runs < 1 || runs > BENCH_RUNS_MAX)
		bench_fail("usage: read MEMTOOL HEAP [CHUNKS [RUNS]]");
	char *target_argv[] = { argv[2], (char *)chunk_count, NULL };
	struct bench_target target = bench_target_start(target_argv);
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	char *info_argv[] = { argv[1], (char *)"info", (char *)"--format=json", pid, NULL };
	char *heap_argv[] = { argv[1], (char *)"heap", pid, NULL };
	char *list_argv[] = { argv[1], (char *)"chunks", (char *)"--format=csv", pid, NULL };

	struct maps maps;
	struct memtool_error *error = maps_read(target.pid, &maps);
	if (error)
		bench_fail("%s", error->message);
	char *buffer = malloc(PIECE);
	if (!buffer)
		bench_fail("no memory");
	size_t bytes = copy_heap(target.pid, &maps, buffer);
	double chunks = 0;
	for (size_t i = 0; i < runs; i++) {
		struct bench_run run;
		double before = bench_now_ms();
		copy_heap(target.pid, &maps, buffer);
		copies[i] = bench_now_ms() - before;
		bench_run(info_argv, output, sizeof(output), &run);
		pauses[i] = bench_json_number(run.output, "stopped_ms");
		chunks = bench_json_number(run.output, "chunks");
		bench_run(heap_argv, output, sizeof(output), &run);
		heaps[i] = run.wall_ms;
		bench_run(list_argv, output, sizeof(output), &run);
		lists[i] = run.wall_ms;
		peaks[i] = run.peak_kib;
	}
	bench_target_end(&target);

	/* The same command on a process with hardly a chunk: what memtool takes anyway. */
	struct bench_run run;
	char *empty_argv[] = { argv[2], (char *)"1", NULL };
	target = bench_target_start(empty_argv);
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	bench_run(list_argv, output, sizeof(output), &run);
	bench_target_end(&target);

	double copy = bench_median(copies, runs), pause = bench_median(pauses, runs);
	double heap = bench_median(heaps, runs), list = bench_median(lists, runs);
	double peak = bench_median(peaks, runs);
	printf("%.0f chunks, %.1f MB of heap; medians of %zu runs in turns\n", chunks,
	       (double)bytes / 1e6, runs);
	printf("copy of the pages, 1 MiB pieces  %8.1f ms %7.2f GB/s\n", copy,
	       (double)bytes / copy / 1e6);
	printf("target stopped                   %8.1f ms %7.2f GB/s %6.1f M chunks/s\n", pause,
	       (double)bytes / pause / 1e6, chunks / pause / 1e3);
	printf("heap                             %8.1f ms %7.2f GB/s %6.1f M chunks/s\n", heap,
	       (double)bytes / heap / 1e6, chunks / heap / 1e3);
	printf("chunks --format=csv              %8.1f ms %7.2f GB/s %6.1f M chunks/s\n", list,
	       (double)bytes / list / 1e6, chunks / list / 1e3);
	printf("stopped / copy       %6.2f   bar: at most 2\n", pause / copy);
	printf("memory, bytes/chunk  %6.1f   bar: at most 32\n",
	       (peak - run.peak_kib) * 1024 / chunks);
	maps_deinit(&maps);
	free(buffer);
	return 0;
}
