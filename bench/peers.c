/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other tools on the same heap, by turns with memtool: wall time, and how long the target stood
 * still. Those that look at a core hold it only for a copy of its memory, as memtool heap does, so
 * the pause of memtool heap --snapshot, which is not one, is beside it.
 *
 *	peers MEMTOOL HEAP [COUNT [RUNS]]
 *
 * Their commands come from the environment, for sh(1), which has the target in $PID: BENCH_GDB,
 * BENCH_GEF, BENCH_CORE_ANALYZER and BENCH_CHAP; doc/peers.md has some. Their pause, and that of
 * heap, is seen from outside (watch.h). One that fails is not counted. One that is not done after
 * BENCH_LIMIT seconds (60) is ended and not run again: it takes that long or longer.
 */
#include "bench/bench.h"
#include "bench/command.h"
#include "bench/watch.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Of what poll(2) can wait for. */
#define LIMIT_MAX 1000000

struct figures {
	double walls[BENCH_RUNS_MAX], pauses[BENCH_RUNS_MAX]; /* ms */
	size_t count;
	bool late; /* so was the last run, which then stands for all */
};

static void add(struct figures *figures, double wall_ms, double pause_ms)
{
	figures->walls[figures->count] = wall_ms;
	figures->pauses[figures->count] = pause_ms;
	figures->count++;
}

static void run_heap(char *memtool, char *pid, pid_t target, struct figures *figures)
{
	char *argv[] = { memtool, (char *)"heap", pid, NULL };
	double pause_ms;

	double wall_ms = watch_run(argv, target, &pause_ms);
	add(figures, wall_ms, pause_ms);
}

/* The target, which makes the copy, does not look stopped then: the pause is what memtool says. */
static void run_snapshot(char *memtool, char *pid, struct figures *figures)
{
	char *argv[] = {
		memtool, (char *)"heap", (char *)"--snapshot", (char *)"--format=json", pid, NULL
	};
	static char output[1 << 16];
	struct bench_run run;

	bench_run(argv, output, sizeof(output), &run);
	add(figures, run.wall_ms, bench_json_number(output, "stopped_ms"));
}

/* False: it failed, as *run says. */
static bool run_peer(const char *command, pid_t target, double limit_ms, struct figures *figures,
		     struct command_run *run)
{
	if (figures->late)
		return true;
	command_run(command, target, limit_ms, run);
	if (run->end == COMMAND_FAILED)
		return false;
	figures->late = run->end == COMMAND_LATE;
	if (figures->late)
		figures->count = 0;
	add(figures, run->wall_ms, run->stopped_ms);
	return true;
}

static void print(const char *name, const char *what, double peer, bool late, double own,
		  double bar)
{
	char row[96];

	snprintf(row, sizeof(row), "%s / %s", name, what);
	/* Of what is shorter than the time between two looks. */
	if (own <= 0)
		bench_row_absent(row, "memtool: too short to see");
	else if (peer <= 0)
		bench_row_absent(row, "no stop to be seen");
	else if (late && peer / own < bar)
		bench_row_absent(row, "BENCH_LIMIT is too short");
	else
		bench_row_at_least(peer / own, late ? "x or more" : "x", bar, "%s (%s%.0f ms)", row,
				   late ? "over " : "", peer);
}

static void print_all(const char *name, struct figures *heap, struct figures *snapshot,
		      struct figures *peer)
{
	double wall = bench_median(peer->walls, peer->count);
	double pause = bench_median(peer->pauses, peer->count);

	print(name, "memtool heap: wall time", wall, peer->late,
	      bench_median(heap->walls, heap->count), 20);
	print(name, "memtool heap: target stopped", pause, peer->late,
	      bench_median(heap->pauses, heap->count), 10);
	print(name, "memtool heap --snapshot: pause", pause, peer->late,
	      bench_median(snapshot->pauses, snapshot->count), 10);
}

static double limit_ms(void)
{
	const char *limit = getenv("BENCH_LIMIT");
	double seconds = limit ? strtod(limit, NULL) : 60;

	if (!(seconds > 0 && seconds <= LIMIT_MAX))
		bench_fail("BENCH_LIMIT is in seconds, at most %d", LIMIT_MAX);
	return seconds * 1e3;
}

static void compare(const char *name, const char *variable, char **argv, size_t runs)
{
	static struct figures heap, snapshot, peer;
	struct command_run run = { .end = COMMAND_DONE };
	const char *command = getenv(variable);
	char pid[16], row[96];

	if (!command) {
		snprintf(row, sizeof(row), "%s (%s is not set)", name, variable);
		bench_row_absent(row, "absent");
		return;
	}
	/* One of its own for each: they may leave traces. */
	char *target_argv[] = { argv[2], argv[3] ? argv[3] : (char *)"1000000", NULL };
	struct bench_target target = bench_target_start(target_argv);
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	setenv("PID", pid, 1);
	heap = snapshot = peer = (struct figures){ 0 };
	for (size_t i = 0; i < runs; i++) {
		run_heap(argv[1], pid, target.pid, &heap);
		run_snapshot(argv[1], pid, &snapshot);
		if (!run_peer(command, target.pid, limit_ms(), &peer, &run))
			break;
	}
	/* It may be stopped for good. */
	kill(target.pid, SIGKILL);
	bench_target_end(&target);
	if (run.end == COMMAND_FAILED)
		bench_row_absent(name, run.why);
	else
		print_all(name, &heap, &snapshot, &peer);
}

int main(int argc, char **argv)
{
	size_t runs = argc > 4 ? strtoul(argv[4], NULL, 0) : 5;

	if (argc < 3 || runs < 1 || runs > BENCH_RUNS_MAX)
		bench_fail("usage: peers MEMTOOL HEAP [COUNT [RUNS]]");
	command_init();
	compare("gdb and a walker in Python", "BENCH_GDB", argv, runs);
	compare("GEF", "BENCH_GEF", argv, runs);
	compare("gcore and core_analyzer", "BENCH_CORE_ANALYZER", argv, runs);
	compare("gcore and chap", "BENCH_CHAP", argv, runs);
	return 0;
}
