/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_cost AGENT [ROUNDS]: what the agent costs a program. Starts itself again and again, by
 * turns with and without AGENT in LD_PRELOAD, and prints medians and their ratios: from exec to
 * exit of a program that does nothing, and of pthread_create() and pthread_join().
 */
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 2000

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static void *nothing(void *argument)
{
	return argument;
}

/* In a program of its own: nanoseconds for one thread, to standard output. */
static int measure_threads(void)
{
	static uint64_t times[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		pthread_t thread;
		uint64_t start = now_ns();
		if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
			return 1;
		times[i] = now_ns() - start;
	}
	uint64_t result = median(times, THREADS);
	return write(1, &result, sizeof(result)) != sizeof(result);
}

static void fail(const char *what)
{
	fprintf(stderr, "agent_cost: %s\n", what);
	exit(1);
}

/* From the start of a program to its end; *ret_said is what it wrote. */
static uint64_t run(char **environment, const char *mode, uint64_t *ret_said)
{
	char name[] = "agent_cost", *argv[] = { name, (char *)mode, NULL };
	posix_spawn_file_actions_t actions;
	int pipe_fds[2], status;
	pid_t pid;

	if (pipe(pipe_fds) || posix_spawn_file_actions_init(&actions) ||
	    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1) ||
	    posix_spawn_file_actions_addclose(&actions, pipe_fds[0]))
		fail("cannot prepare");
	uint64_t start = now_ns();
	if (posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environment) ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		fail("cannot run");
	uint64_t elapsed = now_ns() - start;
	if (ret_said && read(pipe_fds[0], ret_said, sizeof(*ret_said)) != sizeof(*ret_said))
		fail("no answer");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	posix_spawn_file_actions_destroy(&actions);
	return elapsed;
}

static void report(const char *what, uint64_t without, uint64_t with)
{
	printf("%-28s %9.1f us without  %9.1f us with  %+8.1f us  ratio %.3f\n", what,
	       (double)without / 1000, (double)with / 1000, ((double)with - (double)without) / 1000,
	       (double)with / (double)without);
}

static void measure(const char *what, const char *mode, char **with, size_t rounds)
{
	uint64_t *times[2] = { calloc(rounds, sizeof(uint64_t)), calloc(rounds, sizeof(uint64_t)) };
	char *none[] = { NULL };

	if (!times[0] || !times[1])
		fail("no memory");
	for (size_t i = 0; i < rounds; i++) {
		for (int agent = 0; agent < 2; agent++) {
			bool threads = strcmp(mode, "threads") == 0;
			uint64_t said = 0, elapsed;
			elapsed = run(agent ? with : none, mode, threads ? &said : NULL);
			times[agent][i] = threads ? said : elapsed;
		}
	}
	report(what, median(times[0], rounds), median(times[1], rounds));
	free(times[0]);
	free(times[1]);
}

int main(int argc, char **argv)
{
	char variable[4096];
	char *with[] = { variable, NULL };

	if (argc == 2 && strcmp(argv[1], "nothing") == 0)
		return 0;
	if (argc == 2 && strcmp(argv[1], "threads") == 0)
		return measure_threads();
	size_t rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 500;
	if (argc < 2 || argc > 3 || rounds == 0 || access(argv[1], R_OK)) {
		fprintf(stderr, "usage: agent_cost AGENT [ROUNDS]\n");
		return 64;
	}
	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s", argv[1]);
	measure("exec to exit", "nothing", with, rounds);
	measure("pthread_create and _join", "threads", with, rounds / 20 + 1);
	return 0;
}
