/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libc whose file we cannot have, since it is deleted or in a directory that we may not search:
 * its symbols are those in memory, which is told, and they are the same.
 *
 * Link: tests/test_missing_file.c tests/libc_copy.c tests/command.c tests/spawn.c, cmocka.
 * Needs at run time: memtool, examples/swift-inspect-heap, tests/fixtures, MEMTOOL_BUILDDIR; root,
 * for another user.
 */
#include "tests/command.h"
#include "tests/libc_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct libc_copy libc;

static int setup(void **state)
{
	(void)state;
	libc_copy_make(&libc);
	return 0;
}

static int teardown(void **state)
{
	spawn_teardown(state);
	libc_copy_remove(&libc);
	return 0;
}

struct missing {
	const char *why;
	void (*make)(void);
};

static void delete (void)
{
	libc_copy_unlink(&libc);
}

static void close_directory(void)
{
	assert_int_equal(chmod(libc.dir, 0), 0);
}

static const struct missing deleted = { "deleted", delete };
static const struct missing not_permitted = { "Permission denied", close_directory };

/* A process of nobody's whose libc, of which no debug file is known, only root can still read. */
static struct spawned *start(const struct missing *missing)
{
	command_skip_without_nobody();
	libc_copy_change_build_id(&libc);
	struct spawned *child = libc_copy_start(&libc, COMMAND_NOBODY, "pattern", "no-frees", "3");
	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	missing->make();
	return child;
}

/* What nobody is told, which is not an error. */
static const char *answer(const char *words, pid_t pid)
{
	const struct spawn_result *result = command_run_as_nobody(words, pid);

	if (spawn_exit_code(result) != 0 || result->err[0])
		fail_msg("%s: exit status %d: %s", words, spawn_exit_code(result), result->err);
	return result->out;
}

/* A command whose operands come behind the pid: root, who has the file, is told the same. */
static void expect_same(const char *command, pid_t pid, const char *operands)
{
	char words[100];

	snprintf(words, sizeof(words), "%s --format=csv %d %s", command, pid, operands);
	char *with = strdup(command_answer(words, 0));
	command_expect(with, libc.libc);
	assert_string_equal(answer(words, 0), with);
	free(with);
}

static void test_symbols(void **state)
{
	const struct missing *missing = *state;
	pid_t pid = start(missing)->pid;

	expect_same("symbol", pid, "malloc");
	expect_same("symbol", pid, "realpath");
	expect_same("symbol", pid, "errno");
	expect_same("symbol", pid, "memcpy@GLIBC_2.2.5");
	expect_same("symbol --no-stop", pid, "errno");
	expect_same("symbol --part", pid, "a");
	expect_same("address", pid, "malloc malloc+5 environ");
	expect_same("peek --words", pid, "_IO_2_1_stdout_ 256");
}

/* Where there is no symbol, there is none. */
static void test_no_symbol(void **state)
{
	char words[64];

	snprintf(words, sizeof(words), "address %d no_such_symbol", start(*state)->pid);
	const struct spawn_result *result = command_run_as_nobody(words, 0);
	assert_int_equal(spawn_exit_code(result), 2);
	command_expect(result->err, "has a symbol no_such_symbol");
}

/* It is told why, and what is done instead; who has the file is told nothing of that. */
static void test_told(void **state)
{
	const struct missing *missing = *state;
	pid_t pid = start(missing)->pid;
	char text[700];

	snprintf(text, sizeof(text), "%s (%s)", libc.libc, missing->why);
	command_expect(answer("modules", pid), text);
	command_expect(answer("modules", pid), " memory ");
	snprintf(text, sizeof(text),
		 "\"symbols\":\"memory\",\"file\":false,\"file_missing\":\"%s\",", missing->why);
	command_expect(answer("modules --format=jsonl", pid), text);
	command_expect(command_answer("modules --format=jsonl", pid),
		       "\"symbols\":\"dynsym\",\"file\":true,\"file_missing\":null,");
	assert_null(strstr(command_answer("modules --format=jsonl", pid), "\"file\":false"));

	snprintf(text, sizeof(text),
		 "\n          read from memory, as the file cannot be had: %s\n", missing->why);
	command_expect(answer("info", pid), text);
	snprintf(text, sizeof(text), ",\"file_missing\":\"%s\"}", missing->why);
	command_expect(answer("info --format=jsonl", pid), text);
	assert_null(strstr(command_answer("info", pid), "cannot be had"));
	assert_null(strstr(command_answer("info --format=jsonl", pid), "file_missing"));
}

static const char *inspect(pid_t pid, uid_t uid)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", pid);
	const struct spawn_result *result = spawn_run(&(struct spawn_how){
		.argv = (const char *const[]){ spawn_path("examples/swift-inspect-heap"), number,
					       NULL },
		.uid = uid });
	if (spawn_exit_code(result) != 0)
		fail_msg("swift-inspect-heap: %s", result->err);
	return result->out;
}

/* The library: a symbol's address and the heap, which is all that swift-inspect asks for. */
static void test_library(void **state)
{
	pid_t pid = start(*state)->pid;
	const char *with = inspect(pid, 0);

	command_expect(with, " readable");
	assert_string_equal(inspect(pid, COMMAND_NOBODY), with);
}

int main(void)
{
#define CASES(test)                                                                   \
	{ #test "_deleted", test, setup, teardown, (void *)&deleted },                \
	{                                                                             \
#test "_not_permitted", test, setup, teardown, (void *)&not_permitted \
	}
	const struct CMUnitTest tests[] = {
		CASES(test_symbols),
		CASES(test_no_symbol),
		CASES(test_told),
		CASES(test_library),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("missing files", tests, NULL, NULL);
}
