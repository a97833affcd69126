/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other tools on the same heap, by turns with memtool: wall time, and how long the target stood
 * still.
 *
 *	peers MEMTOOL HEAP [COUNT [RUNS]]
 *
 * Their commands come from the environment, for sh(1), which has the target in $PID: BENCH_GDB,
 * BENCH_GEF, BENCH_CORE_ANALYZER and BENCH_CHAP. The pause is seen from outside (watch.h), for all
 * alike. One that fails is not counted. One that is not done after BENCH_LIMIT seconds (60) is ended
 * and not run again: it takes that long or longer.
 */
#include "bench/bench.h"
#include "bench/command.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Of what poll(2) can wait for. */
#define LIMIT_MAX 1000000

struct figures {
	double walls[BENCH_RUNS_MAX], pauses[BENCH_RUNS_MAX]; /* ms */
	size_t count;
	bool late; /* so was the last one, which then stands for all */
};

static void add(struct figures *figures, const struct command_run *run)
{
	figures->late = run->end == COMMAND_LATE;
	if (figures->late)
		figures->count = 0;
	figures->walls[figures->count] = run->wall_ms;
	figures->pauses[figures->count] = run->stopped_ms;
	figures->count++;
}

/* By turns. What is said of the peer if it failed, else NULL. */
static const char *measure(const char *own, const char *command, pid_t target, double limit_ms,
			   size_t runs, struct figures *ret_own, struct figures *ret_peer)
{
	static struct command_run run;

	ret_own->count = ret_peer->count = 0;
	ret_peer->late = false;
	for (size_t i = 0; i < runs; i++) {
		command_run(own, target, limit_ms, &run);
		if (run.end != COMMAND_DONE)
			bench_fail("memtool %s", run.end == COMMAND_LATE ? "is late" : run.why);
		add(ret_own, &run);
		if (ret_peer->late)
			continue;
		command_run(command, target, limit_ms, &run);
		if (run.end == COMMAND_FAILED)
			return run.why;
		add(ret_peer, &run);
	}
	return NULL;
}

static void print(const char *name, const char *what, struct figures *own, double *own_values,
		  struct figures *peer, double *peer_values, double bar)
{
	double own_value = bench_median(own_values, own->count);
	double peer_value = bench_median(peer_values, peer->count);
	char row[96];

	snprintf(row, sizeof(row), "%s / memtool heap: %s", name, what);
	/* Of what is shorter than the time between two looks. */
	if (own_value <= 0)
		bench_row_absent(row, "memtool: too short to see");
	else if (peer_value <= 0)
		bench_row_absent(row, "no stop to be seen");
	else
		bench_row_at_least(peer_value / own_value, peer->late ? "x or more" : "x", bar,
				   "%s (%s%.0f ms)", row, peer->late ? "over " : "", peer_value);
}

static void compare(const char *name, const char *variable, char **argv, size_t runs)
{
	static struct figures own, peer;
	char memtool[4096], pid[16], row[96];
	const char *command = getenv(variable), *limit = getenv("BENCH_LIMIT");
	double limit_s = limit ? strtod(limit, NULL) : 60;

	if (!command) {
		snprintf(row, sizeof(row), "%s (%s is not set)", name, variable);
		bench_row_absent(row, "absent");
		return;
	}
	if (!(limit_s > 0 && limit_s <= LIMIT_MAX))
		bench_fail("BENCH_LIMIT is in seconds, at most %d", LIMIT_MAX);
	/* One of its own for each: they may leave traces. */
	char *target_argv[] = { argv[2], argv[3] ? argv[3] : (char *)"1000000", NULL };
	struct bench_target target = bench_target_start(target_argv);
	snprintf(memtool, sizeof(memtool), "exec '%s' heap $PID", argv[1]);
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	setenv("PID", pid, 1);
	const char *why = measure(memtool, command, target.pid, limit_s * 1e3, runs, &own, &peer);
	/* It may be stopped for good. */
	kill(target.pid, SIGKILL);
	bench_target_end(&target);
	if (why) {
		bench_row_absent(name, why);
		return;
	}
	print(name, "wall time", &own, own.walls, &peer, peer.walls, 20);
	print(name, "target stopped", &own, own.pauses, &peer, peer.pauses, 10);
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
