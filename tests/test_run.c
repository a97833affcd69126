/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool run: becomes the program, with the agent in it and nothing else changed; and memtool ps,
 * which finds what was run so.
 */
#include "tests/agent_page.h"
#include "tests/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnu/libc-version.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* memtool run and these words, to its end, with an empty standard input. */
#define RUN(...) run(WORDS(spawn_memtool(), "run", __VA_ARGS__), NULL)

static const struct spawn_result *run(const char *const *argv, const char *const *environment)
{
	return spawn_run(&(struct spawn_how){ .argv = argv, .environment = environment });
}

static struct spawned *start(const char *const *argv)
{
	return spawn(&(struct spawn_how){ .argv = argv });
}

static void assert_printed(const struct spawn_result *result, const char *expected)
{
	assert_string_equal(result->err, "");
	assert_string_equal(result->out, expected);
	assert_int_equal(spawn_exit_code(result), 0);
}

static void test_same_process(void **state)
{
	(void)state;
	struct spawned *child =
		start(WORDS(spawn_memtool(), "run", spawn_path("tests/fixtures/subject")));

	assert_int_equal(atoi(spawn_expect(child, "subject ")), child->pid);
	assert_true(agent_has_page(child->pid));
	size_t count;
	free(spawn_threads(child->pid, &count));
	assert_int_equal(count, 1);
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

static void test_input(void **state)
{
	(void)state;
	struct spawned *child = start(WORDS(spawn_memtool(), "run", "--", "cat", "-u"));

	spawn_write(child, "first\n");
	spawn_expect(child, "first");
	spawn_write(child, "second\n");
	spawn_expect(child, "second");
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

static void test_exit_status(void **state)
{
	static const char *const statuses[] = { "0", "1", "2", "37", "64", "126", "127", "255" };

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		const struct spawn_result *result = RUN("sh", "-c", "exit $0", statuses[i]);
		assert_true(WIFEXITED(result->status));
		assert_int_equal(WEXITSTATUS(result->status), atoi(statuses[i]));
		assert_string_equal(result->err, "");
	}
}

static void test_death_by_signal(void **state)
{
	static const int signals[] = { SIGTERM, SIGKILL, SIGHUP, SIGUSR1, SIGPIPE };
	char number[16];

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		snprintf(number, sizeof(number), "%d", signals[i]);
		const struct spawn_result *result = RUN("sh", "-c", "kill -$0 $$", number);
		assert_true(WIFSIGNALED(result->status));
		assert_int_equal(WTERMSIG(result->status), signals[i]);
	}
}

/* Sent from outside, it is the program that gets it. */
static void test_signal_from_outside(void **state)
{
	(void)state;
	struct spawned *child =
		start(WORDS(spawn_memtool(), "run", "sh", "-c",
			    "trap 'echo caught; exit 5' USR1; echo ready; read line; exit 6"));

	spawn_expect(child, "ready");
	assert_int_equal(kill(child->pid, SIGUSR1), 0);
	spawn_expect(child, "caught");
	int status = spawn_wait(child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 5);
}

/* What comes behind the program is the program's, whatever it looks like. */
static void test_arguments(void **state)
{
	static const char echo[] = "printf '[%s]' \"$@\"";

	(void)state;
	assert_printed(RUN("sh", "-c", echo, "sh", "--help", "-q", "--", "--version", "", "a b"),
		       "[--help][-q][--][--version][][a b]");
	assert_printed(RUN("--", "sh", "-c", echo, "sh", "--", "--help", "run"),
		       "[--][--help][run]");
}

/* The agent is first; the rest stands as it was, whichever of ld.so's separators it has. */
static void expect_preload(const char *before, const char *behind)
{
	char variable[200], expected[200];

	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s", before);
	/* A memtool with sanitizers would not start behind another library. */
	const char *const environment[] = { variable, "ASAN_OPTIONS=verify_asan_link_order=0",
					    NULL };
	const struct spawn_result *result = run(
		WORDS(spawn_memtool(), "run", "sh", "-c", "echo \"<$LD_PRELOAD>\""), environment);
	assert_int_equal(spawn_exit_code(result), 0);
	snprintf(expected, sizeof(expected), "/libmemtool-agent.so%s>\n", behind);
	const char *end = strstr(result->out, "/libmemtool-agent.so");
	assert_non_null(end);
	assert_string_equal(end, expected);
	assert_memory_equal(result->out, "</", 2);
}

static void test_preload_kept(void **state)
{
	(void)state;
	expect_preload("libm.so.6", ":libm.so.6");
	expect_preload("libm.so.6:libdl.so.2", ":libm.so.6:libdl.so.2");
	expect_preload("libm.so.6 libdl.so.2", ":libm.so.6 libdl.so.2");
	expect_preload("", "");
}

/* memtool run, run by itself. */
static void test_preloaded_once(void **state)
{
	(void)state;
	const char *const environment[] = { "LD_PRELOAD=libm.so.6",
					    "ASAN_OPTIONS=verify_asan_link_order=0", NULL };
	const struct spawn_result *result = run(WORDS(spawn_memtool(), "run", spawn_memtool(),
						      "run", "sh", "-c", "echo \"$LD_PRELOAD\""),
						environment);

	assert_int_equal(spawn_exit_code(result), 0);
	assert_int_equal(command_count(result->out, "libmemtool-agent.so"), 1);
	assert_int_equal(command_count(result->out, "libm.so.6"), 1);
}

/* Both are loaded. */
static void test_preload_loaded(void **state)
{
	(void)state;
	const char *const environment[] = { "LD_PRELOAD=libm.so.6",
					    "ASAN_OPTIONS=verify_asan_link_order=0", NULL };
	const struct spawn_result *result =
		run(WORDS(spawn_memtool(), "run", "cat", "/proc/self/maps"), environment);

	assert_int_equal(spawn_exit_code(result), 0);
	assert_non_null(strstr(result->out, "/libmemtool-agent.so\n"));
	assert_non_null(strstr(result->out, "/libm.so.6\n"));
	if (!agent_is_filtered())
		assert_int_equal(command_count(result->out, INVENTORY_MAPS_NAME " (deleted)\n"), 1);
}

/* Prints all that a process has from the one that started it, but the variable itself. */
static const char inherited[] =
	"env | grep -v '^LD_PRELOAD=' | sort; readlink /proc/$$/cwd;"
	/* Not into a pipe: the shell itself may still have its ends open when the reader looks. */
	"(cd /proc/$$/fd; echo *);"
	/* By the shell itself: while it starts a program it has all signals blocked. */
	"while read -r line; do case $line in SigBlk*|SigIgn*|Umask*|NoNewPrivs*|CapEff*)"
	"	echo \"$line\";; esac; done </proc/$$/status; ulimit -a; nice";

/* In front of it, a shell with a few things that are not as always. */
static const struct spawn_result *run_in_odd_shell(bool with, const char *const how)
{
	return run(with ? WORDS("sh", "-c", how, spawn_memtool(), "run", "sh", "-c", inherited)
			: WORDS("sh", "-c", how, "env", "-u", "nothing", "sh", "-c", inherited),
		   NULL);
}

static void assert_same_lines(const char *with, const char *without, const char *how)
{
	while (*with && *with == *without)
		with++, without++;
	if (*with != *without)
		fail_msg("%s: \"%.60s\" instead of \"%.60s\"", how, with, without);
}

static void test_nothing_else(void **state)
{
	static const char *const ways[] = {
		"exec \"$0\" \"$@\"",
		"trap '' HUP PIPE; umask 027; ulimit -n 100; exec nice \"$0\" \"$@\" 7</dev/null",
		"exec \"$0\" \"$@\" <&-",
		"exec \"$0\" \"$@\" <&- 2>&-",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const struct spawn_result *plain = run_in_odd_shell(false, ways[i]);
		const struct spawn_result *with = run_in_odd_shell(true, ways[i]);
		assert_true(plain->out_length > 100);
		assert_same_lines(with->out, plain->out, ways[i]);
		assert_same_lines(with->err, plain->err, ways[i]);
		assert_int_equal(with->status, plain->status);
	}
}

static void assert_cannot(const struct spawn_result *result, int status, const char *word)
{
	assert_int_equal(result->out_length, 0);
	assert_int_equal(spawn_exit_code(result), status);
	assert_int_equal(strncmp(result->err, "memtool", 7), 0);
	assert_non_null(strstr(result->err, word));
	/* argp adds where there is help. */
	assert_int_equal(command_count(result->err, "\n"), status == 64 ? 2 : 1);
}

static void test_cannot_run(void **state)
{
	(void)state;
	assert_cannot(RUN("no-such-program"), 127, "no-such-program");
	assert_cannot(RUN("/no/such/program", "--help"), 127, "/no/such/program");
	assert_cannot(RUN("--", "-c"), 127, "-c");
	assert_cannot(RUN(""), 127, "No such file");
	assert_cannot(RUN("/"), 126, "Permission denied");
	assert_cannot(RUN("/dev/null"), 126, "/dev/null");
	assert_cannot(RUN(spawn_path("config.h")), 126, "config.h");
	assert_cannot(RUN(NULL), 64, "program is missing");
	assert_cannot(RUN("--"), 64, "program is missing");
	assert_cannot(RUN("--no-such-option", "true"), 64, "--no-such-option");
}

/* A memtool of its own beside an agent, in a directory of that name; script makes changes there. */
static void cannot_from(const char *directory, const char *script, const char *word)
{
	static const char how[] = "work=$(mktemp -d) && trap 'rm -rf \"$work\"' EXIT &&"
				  "mkdir -p \"$work/$1/agent/.libs\" && cd \"$work/$1\" &&"
				  "cp \"$2\" memtool && cp \"$3\" agent/.libs && eval \"$4\" &&"
				  "./memtool run true";
	char *memtool = realpath(spawn_memtool(), NULL);

	assert_non_null(memtool);
	assert_cannot(
		run(WORDS("sh", "-c", how, "sh", directory, memtool, agent_path(), script), NULL),
		2, word);
	free(memtool);
}

/* What ld.so could not load, or would look for elsewhere: said at once. */
static void test_unfit_agent(void **state)
{
	(void)state;
	cannot_from("a b", "true", "space");
	cannot_from("a:b", "true", "colon");
	cannot_from("a$LIB", "true", "dollar");
	cannot_from("a", ": >agent/.libs/libmemtool-agent.so", "no shared library");
	cannot_from("a", "echo '#!/bin/sh' >agent/.libs/libmemtool-agent.so", "no shared library");
}

/* The line of a process in the json of ps, or NULL. */
static char *ps_line(pid_t pid)
{
	char start[32];

	snprintf(start, sizeof(start), "{\"pid\":%d,", pid);
	const char *line = strstr(command_answer("ps --format=json", 0), start);
	return line ? strndup(line, strcspn(line, "\n") + 1) : NULL;
}

static void test_ps(void **state)
{
	(void)state;
	struct spawned *with = start(
		WORDS(spawn_memtool(), "run", spawn_path("tests/fixtures/pattern"), "tcache", "2"));
	struct spawned *without = start(WORDS(spawn_path("tests/fixtures/pattern"), "tcache", "2"));
	char expected[200];

	spawn_expect(with, "ready");
	spawn_expect(without, "ready");
	snprintf(expected, sizeof(expected),
		 "{\"pid\":%d,\"command\":\"pattern\",\"glibc\":\"%s\",\"threads\":3,"
		 "\"overflow\":false,\"late\":false,\"foreign_malloc\":false,\"refused\":null}",
		 with->pid, gnu_get_libc_version());
	char *line = ps_line(with->pid);
	assert_non_null(line);
	assert_int_equal(strncmp(line, expected, strlen(expected)), 0);
	free(line);
	assert_null(ps_line(without->pid));

	/* Nor is one that has ended. */
	pid_t ended = with->pid;
	spawn_close_input(with);
	assert_int_equal(spawn_wait(with), 0);
	assert_null(ps_line(ended));
}

/* Of a page that is not to be believed, why; of threads, those that are there. */
static void test_ps_odd(void **state)
{
	static struct agent_page page;
	char expected[200];

	(void)state;
	struct spawned *child =
		start(WORDS(spawn_memtool(), "run", spawn_path("tests/fixtures/subject")));
	spawn_expect(child, "subject ");
	agent_read_page(child->pid, &page);
	spawn_write(child, "leave\n");
	spawn_expect(child, "pid ");
	spawn_wait_ended(child->pid, child->pid);
	char *line = ps_line(child->pid);
	assert_non_null(line);
	assert_non_null(strstr(line, "\"threads\":1,"));
	free(line);

	struct spawned *damaged =
		start(WORDS(spawn_memtool(), "run", spawn_path("tests/fixtures/subject")));
	spawn_expect(damaged, "subject ");
	agent_read_page(damaged->pid, &page);
	page.header.check++;
	agent_poke(damaged->pid, page.header.address, &page.header, sizeof(page.header));
	line = ps_line(damaged->pid);
	snprintf(expected, sizeof(expected),
		 "{\"pid\":%d,\"command\":\"subject\",\"glibc\":null,\"threads\":1,"
		 "\"overflow\":false,\"late\":false,\"foreign_malloc\":false,"
		 "\"refused\":\"the agent's inventory page is damaged: ",
		 damaged->pid);
	assert_non_null(line);
	assert_int_equal(strncmp(line, expected, strlen(expected)), 0);
	free(line);
	assert_non_null(strstr(command_answer("ps", 0), "is damaged"));
	assert_non_null(strstr(command_answer("ps --format=csv", 0), "is damaged"));
}

static void test_ps_formats(void **state)
{
	(void)state;
	struct spawned *child =
		start(WORDS(spawn_memtool(), "run", spawn_path("tests/fixtures/subject")));
	char json[32], csv[32], text[32];

	spawn_expect(child, "subject ");
	snprintf(json, sizeof(json), "{\"pid\":%d,", child->pid);
	snprintf(csv, sizeof(csv), "\n%d,subject,", child->pid);
	snprintf(text, sizeof(text), "%d subject ", child->pid);
	assert_int_equal(command_count(command_answer("ps --format=jsonl", 0), json), 1);
	assert_int_equal(command_count(command_answer("ps --format=csv", 0), csv), 1);
	assert_int_equal(command_count(command_answer("ps", 0), text), 1);
	assert_int_equal(spawn_exit_code(command_run("ps", child->pid)), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_same_process, spawn_teardown),
		cmocka_unit_test_teardown(test_input, spawn_teardown),
		cmocka_unit_test_teardown(test_exit_status, spawn_teardown),
		cmocka_unit_test_teardown(test_death_by_signal, spawn_teardown),
		cmocka_unit_test_teardown(test_signal_from_outside, spawn_teardown),
		cmocka_unit_test_teardown(test_arguments, spawn_teardown),
		cmocka_unit_test_teardown(test_preload_kept, spawn_teardown),
		cmocka_unit_test_teardown(test_preloaded_once, spawn_teardown),
		cmocka_unit_test_teardown(test_unfit_agent, spawn_teardown),
		cmocka_unit_test_teardown(test_preload_loaded, spawn_teardown),
		cmocka_unit_test_teardown(test_nothing_else, spawn_teardown),
		cmocka_unit_test_teardown(test_cannot_run, spawn_teardown),
		cmocka_unit_test_teardown(test_ps, spawn_teardown),
		cmocka_unit_test_teardown(test_ps_odd, spawn_teardown),
		cmocka_unit_test_teardown(test_ps_formats, spawn_teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
