/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How true memtool --no-stop is of a process that allocates and frees meanwhile, against what glibc
 * counts itself.
 *
 *	running MEMTOOL CHURN COUNT MODE [AGENT [RUNS]]
 *
 * COUNT and MODE are CHURN's (churn.c). It is asked for mallinfo2(3) before and after each reading:
 * the truth lies between, and what is shown is how far outside memtool's totals are, as a share of
 * them, in the worst of the runs. Both are of the walk: what it could not account for is missing.
 */
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct totals {
	double used, freed;
};

struct figures {
	double used_off, freed_off; /* in percent, the worst */
	double wall[BENCH_RUNS_MAX];
	size_t doubted; /* how many runs said that something was torn */
};

/* Its standard input and output are one socket, of which this is the other end. */
static pid_t start(char *const *argv, const char *agent, int *ret_socket)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		bench_fail("no socket");
	pid_t pid = fork();
	if (pid < 0)
		bench_fail("cannot fork");
	if (pid == 0) {
		if (agent)
			setenv("LD_PRELOAD", agent, 1);
		if (dup2(ends[1], STDIN_FILENO) >= 0 && dup2(ends[1], STDOUT_FILENO) >= 0)
			execv(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	*ret_socket = ends[0];
	return pid;
}

static void read_line(int from, char *line, size_t size)
{
	size_t length = 0;

	do {
		if (length + 1 == size || read(from, line + length, 1) != 1)
			bench_fail("the process has ended");
	} while (line[length++] != '\n');
	line[length] = '\0';
}

static struct totals ask(int target)
{
	struct totals totals;
	char line[128];

	if (write(target, "\n", 1) != 1)
		bench_fail("the process has ended");
	read_line(target, line, sizeof(line));
	if (sscanf(line, "mallinfo2 %*s %*s %lf %lf", &totals.used, &totals.freed) != 2)
		bench_fail("not understood: %s", line);
	return totals;
}

/* The sum over some states of the JSON of memtool heap. */
static double sum(const char *json, const char *const *states)
{
	double bytes = 0;

	for (; *states; states++) {
		char key[32];
		snprintf(key, sizeof(key), "\"%s\":", *states);
		const char *found = strstr(json, key);
		if (!found)
			bench_fail("there is no %s in the answer", *states);
		bytes += bench_json_number(found, "bytes");
	}
	return bytes;
}

/* As mallinfo2(3) counts: what a tcache has is in use. */
static struct totals count(const char *json)
{
	static const char *const used[] = { "in-use",    "tcache",        "fencepost",
					    "heap-info", "tcache-struct", NULL };
	static const char *const freed[] = { "fastbin",  "unsorted", "smallbin", "largebin",
					     "unlisted", "top",      NULL };

	return (struct totals){ .used = sum(json, used), .freed = sum(json, freed) };
}

/* How far value is outside of what lies between a and b, in percent. */
static double off(double value, double a, double b)
{
	double least = a < b ? a : b, most = a < b ? b : a;

	if (value < least)
		return (least - value) / least * 100;
	return value > most ? (value - most) / most * 100 : 0;
}

static void measure(int target, char *const *argv, size_t runs, struct figures *figures)
{
	static char output[1 << 20];

	for (size_t i = 0; i < runs; i++) {
		struct bench_run run;

		struct totals before = ask(target);
		bench_run(argv, output, sizeof(output), &run);
		struct totals after = ask(target), found = count(run.output);
		double used_off = off(found.used, before.used, after.used);
		double freed_off = off(found.freed, before.freed, after.freed);
		figures->wall[i] = run.wall_ms;
		figures->used_off = used_off > figures->used_off ? used_off : figures->used_off;
		figures->freed_off =
			freed_off > figures->freed_off ? freed_off : figures->freed_off;
		figures->doubted += strstr(run.output, "\"ok\": false") != NULL;
	}
}

int main(int argc, char **argv)
{
	const char *agent = argc > 5 && argv[5][0] ? argv[5] : NULL;
	size_t runs = argc > 6 ? strtoul(argv[6], NULL, 0) : 5;
	static struct figures figures;
	char line[16], number[16], name[128];
	int target;

	if (argc < 5 || runs < 1 || runs > BENCH_RUNS_MAX)
		bench_fail("usage: running MEMTOOL CHURN COUNT MODE [AGENT [RUNS]]");
	char *target_argv[] = { argv[2], argv[3], argv[4], NULL };
	pid_t pid = start(target_argv, agent, &target);
	read_line(target, line, sizeof(line));
	snprintf(number, sizeof(number), "%d", (int)pid);
	char *heap[] = { argv[1],
			 (char *)"heap",
			 (char *)"--no-stop",
			 (char *)"--quiet",
			 (char *)"--format=json",
			 number,
			 NULL };
	measure(target, heap, runs, &figures);
	close(target);
	waitpid(pid, NULL, 0);

	snprintf(name, sizeof(name), "%s chunks changing (%s%s): --no-stop", argv[3], argv[4],
		 agent ? ", agent" : "");
	bench_row_at_most(bench_median(figures.wall, runs), "ms", BENCH_NO_BAR,
			  "%s, %zu of %zu with doubts", name, figures.doubted, runs);
	bench_row_at_most(figures.used_off, "% off", 0.1, "%s, bytes in use", name);
	bench_row_at_most(figures.freed_off, "% off", 0.1, "%s, free bytes", name);
	return 0;
}
