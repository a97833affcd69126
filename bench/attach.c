/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a pid to the whole answer of `memtool info`, within one process: by the agent's page against
 * by symbols, on one small target, in turns.
 *
 *	attach HEAP AGENT [RUNS]
 */
#include "bench/bench.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>

#define RUNS_MAX 1001

struct attach {
	double total_ms[RUNS_MAX];
	double stopped_ms[RUNS_MAX];
};

static void attach(pid_t pid, enum root_source source, size_t run, struct attach *ret)
{
	const struct session_options options = { .source = source };
	struct session *session;
	struct heap *heap;
	uint64_t stopped_ns;

	double before = bench_now_ms();
	struct memtool_error *error = session_open(pid, &options, &session);
	if (!error)
		error = session_read_heap(session, &heap, &stopped_ns);
	if (error)
		bench_fail("%s", error->message);
	ret->total_ms[run] = bench_now_ms() - before;
	ret->stopped_ms[run] = (double)stopped_ns / 1e6;
	if (!heap->audit.ok)
		bench_fail("the audit does not hold");
	heap_destroy(heap);
	session_close(session);
}

int main(int argc, char **argv)
{
	size_t runs = argc > 3 ? strtoul(argv[3], NULL, 0) : 201;
	static struct attach inventory, symbols;

	if (argc < 3 || runs < 1 || runs > RUNS_MAX)
		bench_fail("usage: attach HEAP AGENT [RUNS]");
	setenv("LD_PRELOAD", argv[2], 1);
	char *target_argv[] = { argv[1], (char *)"100", NULL };
	struct bench_target target = bench_target_start(target_argv);
	for (size_t i = 0; i < runs; i++) {
		attach(target.pid, ROOT_INVENTORY, i, &inventory);
		attach(target.pid, ROOT_SYMBOLS, i, &symbols);
	}
	bench_target_end(&target);

	double by_inventory = bench_median(inventory.total_ms, runs);
	double by_symbols = bench_median(symbols.total_ms, runs);
	printf("attach to answer, a process of 100 chunks; medians of %zu runs in turns\n", runs);
	printf("by inventory  %7.3f ms, of which stopped %6.3f ms   bar: under 3 ms, 0.5 ms\n",
	       by_inventory, bench_median(inventory.stopped_ms, runs));
	printf("by symbols    %7.3f ms, of which stopped %6.3f ms\n", by_symbols,
	       bench_median(symbols.stopped_ms, runs));
	printf("symbols / inventory  %6.2f   bar: at least 5\n", by_symbols / by_inventory);
	return 0;
}
