/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct spawn_result *run_as(uid_t uid, const char *words, pid_t pid)
{
	char copy[200], number[16], *rest = NULL;
	const char *argv[10] = { spawn_memtool() };
	size_t count = 1;

	assert_true(strlen(words) < sizeof(copy));
	strcpy(copy, words);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(count < 8);
		argv[count++] = word;
	}
	snprintf(number, sizeof(number), "%d", pid);
	if (pid)
		argv[count] = number;
	return spawn_run(&(struct spawn_how){ .argv = argv, .uid = uid });
}

const struct spawn_result *command_run(const char *words, pid_t pid)
{
	return run_as(0, words, pid);
}

const struct spawn_result *command_run_as_nobody(const char *words, pid_t pid)
{
	return run_as(COMMAND_NOBODY, words, pid);
}

void command_skip_without_nobody(void)
{
	if (geteuid() == 0 && spawn_exit_code(command_run_as_nobody("--version", 0)) == 0)
		return;
	print_message("  needs root, and a build tree that nobody can read\n");
	skip();
}

const char *command_answer(const char *words, pid_t pid)
{
	const struct spawn_result *result = command_run(words, pid);

	if (spawn_exit_code(result) != 0 || result->err[0])
		fail_msg("%s: exit status %d: %s", words, spawn_exit_code(result), result->err);
	return result->out;
}

void command_refused(const char *words, pid_t pid, const char *word)
{
	const struct spawn_result *result = command_run(words, pid);

	if (spawn_exit_code(result) != 2 || result->out_length ||
	    command_count(result->err, "\n") != 1 || !strstr(result->err, word))
		fail_msg("%s: exit status %d, %zu bytes of output, not one line with \"%s\": %s",
			 words, spawn_exit_code(result), result->out_length, word, result->err);
}

void command_expect(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("\"%s\" is not in %s", what, text);
}

size_t command_count(const char *text, const char *word)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
		count++;
	return count;
}
