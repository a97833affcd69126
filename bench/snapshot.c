/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long memtool --snapshot holds a process, against the process's own fork of the same heap.
 *
 *	snapshot MEMTOOL [MIB [RUNS]]
 *
 * The pause is what memtool says (stopped_ms): the stop, the copy, and the moment in which the copy
 *is collected. The fork is timed by the process itself, from before fork(2) to after it in the
 *parent. The heap is of blocks that are all written to, in 4 KiB pages. The runs alternate.
 */
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 1000

/* The process: for each byte of requests, forks once and answers with how long that took. */
static void serve(size_t mebibytes, int requests, int answers)
{
	char request;

	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	for (size_t done = 0; done < mebibytes << 20; done += BLOCK) {
		char *volatile block = malloc(BLOCK);
		if (!block)
			bench_fail("no memory");
		memset(block, 1, BLOCK);
	}
	while (read(requests, &request, 1) == 1) {
		double before = bench_now_ms();
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		double took = bench_now_ms() - before;
		waitpid(pid, NULL, 0);
		if (pid < 0 || write(answers, &took, sizeof(took)) != sizeof(took))
			_exit(1);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	size_t mebibytes = argc > 2 ? strtoul(argv[2], NULL, 0) : 1024;
	size_t runs = argc > 3 ? strtoul(argv[3], NULL, 0) : 9;
	double forks[BENCH_RUNS_MAX], pauses[BENCH_RUNS_MAX];
	static char output[1 << 16];
	int requests[2], answers[2];
	char number[16];

	if (argc < 2 || runs < 1 || runs > BENCH_RUNS_MAX)
		bench_fail("usage: snapshot MEMTOOL [MIB [RUNS]]");
	if (pipe(requests) < 0 || pipe(answers) < 0)
		bench_fail("no pipe");
	pid_t pid = fork();
	if (pid == 0) {
		close(requests[1]);
		serve(mebibytes, requests[0], answers[1]);
	}
	close(answers[1]);
	snprintf(number, sizeof(number), "%d", (int)pid);
	char *info_argv[] = {
		argv[1], (char *)"info", (char *)"--snapshot", (char *)"--format=json", number, NULL
	};
	for (size_t i = 0; i < runs; i++) {
		struct bench_run run;
		if (write(requests[1], "x", 1) != 1 ||
		    read(answers[0], &forks[i], sizeof(forks[i])) != sizeof(forks[i]))
			bench_fail("the process has ended");
		bench_run(info_argv, output, sizeof(output), &run);
		if (!strstr(run.output, "\"method\": \"snapshot\""))
			bench_fail("there was no snapshot");
		pauses[i] = bench_json_number(run.output, "stopped_ms");
	}
	close(requests[1]);
	waitpid(pid, NULL, 0);

	double its_fork = bench_median(forks, runs), pause = bench_median(pauses, runs);
	bench_row_at_most(its_fork, "ms", BENCH_NO_BAR, "%zu MiB in 4 KiB pages: its own fork",
			  mebibytes);
	bench_row_at_most(pause / its_fork, "x", 1.6,
			  "%zu MiB in 4 KiB pages: stopped for --snapshot / its own fork",
			  mebibytes);
	return 0;
}
