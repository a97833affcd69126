/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void bench_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

double bench_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Forks and execs with the given descriptors as standard input and output; -1: as they are. */
static pid_t start(char *const *argv, int input, int output)
{
	pid_t pid = fork();

	if (pid < 0)
		bench_fail("cannot fork");
	if (pid > 0)
		return pid;
	if ((input < 0 || dup2(input, STDIN_FILENO) >= 0) &&
	    (output < 0 || dup2(output, STDOUT_FILENO) >= 0)) {
		execvp(argv[0], argv);
	}
	_exit(127);
}

static void make_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		bench_fail("cannot make a pipe");
}

struct bench_target bench_target_start(char *const *argv)
{
	int input[2], output[2];
	char line;

	make_pipe(input);
	make_pipe(output);
	struct bench_target target = { .pid = start(argv, input[0], output[1]), .input = input[1] };
	close(input[0]);
	close(output[1]);
	do {
		if (read(output[0], &line, 1) != 1)
			bench_fail("%s did not start", argv[0]);
	} while (line != '\n');
	close(output[0]);
	return target;
}

void bench_target_end(struct bench_target *target)
{
	close(target->input);
	waitpid(target->pid, NULL, 0);
}

char bench_state(pid_t pid)
{
	char path[32], text[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		bench_fail("%s cannot be read", path);
	close(fd);
	const char *end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : '\0';
}

void bench_run(char *const *argv, char *output, size_t keep, struct bench_run *ret)
{
	static char piece[1 << 16];
	struct rusage usage;
	int ends[2], status;
	size_t total = 0;
	ssize_t count;

	make_pipe(ends);
	double before = bench_now_ms();
	pid_t pid = start(argv, -1, ends[1]);
	close(ends[1]);
	while ((count = read(ends[0], piece, sizeof(piece))) > 0) {
		for (ssize_t i = 0; i < count && total + (size_t)i + 1 < keep; i++)
			output[total + (size_t)i] = piece[i];
		total += (size_t)count;
	}
	if (wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		bench_fail("%s failed", argv[0]);
	*ret = (struct bench_run){
		.wall_ms = bench_now_ms() - before,
		.peak_kib = (double)usage.ru_maxrss,
		.output_bytes = total,
		.output = output,
	};
	close(ends[0]);
	if (keep)
		output[total < keep ? total : keep - 1] = '\0';
}

pid_t bench_start(char *const *argv)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = start(argv, nothing, nothing);

	close(nothing);
	return pid;
}

double bench_time(char *const *argv)
{
	double before = bench_now_ms();
	pid_t pid = bench_start(argv);
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		bench_fail("%s failed", argv[0]);
	return bench_now_ms() - before;
}

static void print_row(double value, const char *unit, double bar, bool at_least, const char *format,
		      va_list arguments)
{
	char what[256];

	vsnprintf(what, sizeof(what), format, arguments);
	printf("| %-70s | %10.2f %-14s |", what, value, unit);
	if (bar == BENCH_NO_BAR)
		printf(" %-13s |     |\n", "");
	else
		printf(" %s %5.2f | %-3s |\n", at_least ? "at least" : "at most ", bar,
		       (at_least ? value >= bar : value <= bar) ? "yes" : "NO");
	fflush(stdout);
}

void bench_row_at_most(double value, const char *unit, double bar, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_row(value, unit, bar, false, format, arguments);
	va_end(arguments);
}

void bench_row_at_least(double value, const char *unit, double bar, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_row(value, unit, bar, true, format, arguments);
	va_end(arguments);
}

void bench_row_absent(const char *what, const char *why)
{
	printf("| %-70s | %-25s | %-13s |     |\n", what, why, "");
	fflush(stdout);
}

double bench_json_number(const char *json, const char *name)
{
	char key[64];

	snprintf(key, sizeof(key), "\"%s\":", name);
	const char *found = strstr(json, key);
	if (!found)
		bench_fail("there is no %s in the answer", name);
	return strtod(found + strlen(key), NULL);
}
