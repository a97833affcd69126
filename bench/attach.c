/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a pid to the whole answer of `memtool info`, within one process: by the agent's page against
 * by symbols, on one small target, in turns.
 *
 *	attach HEAP AGENT [RUNS]
 */
#include "bench/bench.h"
#include "session.h"

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
	bench_row_at_most(by_inventory, "ms", 3, "100 chunks: open and read, by inventory");
	bench_row_at_most(bench_median(inventory.stopped_ms, runs), "ms", 0.5,
			  "100 chunks: target stopped, by inventory");
	bench_row_at_most(by_symbols, "ms", BENCH_NO_BAR, "100 chunks: open and read, by symbols");
	bench_row_at_most(bench_median(symbols.stopped_ms, runs), "ms", BENCH_NO_BAR,
			  "100 chunks: target stopped, by symbols");
	bench_row_at_least(by_symbols / by_inventory, "x", 5,
			   "100 chunks: open and read, by symbols / by inventory");
	return 0;
}
