/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --no-stop: of a program at rest the same answer as of one that is stopped, with the agent's page
 * and without, and nothing is asked of ptrace. The proof of that is a program that this test
 * traces: nobody else can trace it then.
 */
#include "tests/agent_page.h"
#include "tests/command.h"
#include "tests/truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

struct program {
	const char *name, *first, *second;
	bool agent;
};

static struct spawned *start(const struct program *program)
{
	char path[100];
	snprintf(path, sizeof(path), "tests/fixtures/%s", program->name);
	const char *const argv[] = { spawn_memtool(), "run",           spawn_path(path),
				     program->first,  program->second, NULL };
	struct spawned *child =
		spawn(&(struct spawn_how){ .argv = argv + (program->agent ? 0 : 2) });

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	return child;
}

static const char *const commands[] = { "chunks --format=csv", "threads --format=csv",
					"arenas --format=csv", "bins --format=csv" };

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* The answers of a stopped program, all of them. */
static void answer_stopped(pid_t pid, char *ret[static COMMANDS])
{
	for (size_t i = 0; i < COMMANDS; i++) {
		ret[i] = strdup(command_answer(commands[i], pid));
		assert_non_null(ret[i]);
	}
}

/* The same, byte for byte; with page or without, by what the program has. */
static void expect_running(pid_t pid, char *const expected[static COMMANDS], bool agent)
{
	char words[100];

	for (size_t i = 0; i < COMMANDS; i++) {
		snprintf(words, sizeof(words), "%s --no-stop", commands[i]);
		assert_string_equal(command_answer(words, pid), expected[i]);
		snprintf(words, sizeof(words), "%s --no-stop --source=%s", commands[i],
			 agent ? "inventory" : "symbols");
		assert_string_equal(command_answer(words, pid), expected[i]);
	}
}

static void end_answers(char *answers[static COMMANDS])
{
	for (size_t i = 0; i < COMMANDS; i++)
		free(answers[i]);
}

static void test_same_answer(void **state)
{
	const struct program *program = *state;
	struct spawned *child = start(program);
	char *answers[COMMANDS];

	answer_stopped(child->pid, answers);
	expect_running(child->pid, answers, program->agent);
	const char *json = command_answer("info --format=json --no-stop", child->pid);
	assert_int_equal(command_count(json, program->agent ? "\"source\": \"inventory\""
							    : "\"source\": \"symbols\""),
			 5);
	assert_non_null(strstr(json, "\"stopped_ms\": 0.000"));
	assert_non_null(strstr(json, "\"ok\": true"));
	end_answers(answers);
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

/* The threads of one process, which this test traces. */
static pid_t *seized;
static size_t seized_count;

static void seize(pid_t pid)
{
	seized = spawn_threads(pid, &seized_count);
	for (size_t i = 0; i < seized_count; i++)
		assert_int_equal(ptrace(PTRACE_SEIZE, seized[i], NULL, NULL), 0);
}

/* A traced thread has ended only when its tracer was told; the first is the last of them. */
static int end_seized(void **state)
{
	if (seized_count)
		kill(seized[0], SIGKILL);
	for (size_t i = 1; i < seized_count; i++)
		waitpid(seized[i], NULL, __WALL);
	free(seized);
	seized = NULL;
	seized_count = 0;
	return spawn_teardown(state);
}

static void test_traced(void **state)
{
	const struct program *program = *state;
	struct spawned *child = start(program);
	char *answers[COMMANDS], self[16];
	int status;

	answer_stopped(child->pid, answers);
	seize(child->pid);
	assert_int_equal(seized_count, 4);
	snprintf(self, sizeof(self), "%d", getpid());
	command_refused("chunks", child->pid, "already traced");
	command_refused("chunks", child->pid, self);
	expect_running(child->pid, answers, program->agent);
	for (size_t i = 0; i < seized_count; i++) {
		assert_int_equal(spawn_tracer(seized[i]), getpid());
		assert_int_equal(spawn_thread_state(child->pid, seized[i]), 'S');
		/* Nothing has happened to it that its tracer would be told of. */
		assert_int_equal(waitpid(seized[i], &status, __WALL | WNOHANG), 0);
	}
	end_answers(answers);
}

/* Stopped by a signal, it is as readable as before, and stays so. */
static void test_stopped_by_signal(void **state)
{
	struct spawned *child = start(*state);
	const struct program *program = *state;
	char *answers[COMMANDS];
	siginfo_t info;

	answer_stopped(child->pid, answers);
	assert_int_equal(kill(child->pid, SIGSTOP), 0);
	assert_int_equal(waitid(P_PID, (id_t)child->pid, &info, WSTOPPED | WNOWAIT), 0);
	expect_running(child->pid, answers, program->agent);
	assert_int_equal(spawn_thread_state(child->pid, child->pid), 'T');
	end_answers(answers);
}

/*
 * A thread that is not in the page cannot be asked: it is there, without a thread pointer, and what
 * its tcache has of the heap is in doubt, which is told.
 */
static void test_unknown_thread(void **state)
{
	char row[64];

	(void)state;
	struct spawned *child = start(&(struct program){ "raw_thread", NULL, NULL, true });
	pid_t own = (pid_t)agent_number(child->text, "own", 10);
	const struct spawn_result *result =
		command_run("threads --format=csv --no-stop", child->pid);
	assert_int_equal(spawn_exit_code(result), 0);
	assert_int_equal(command_count(result->out, "\n"), 4);
	snprintf(row, sizeof(row), "\n%d,raw_thread,,,0,0,,false\n", own);
	assert_non_null(strstr(result->out, row));
	result = command_run("info --format=json --no-stop", child->pid);
	assert_int_equal(spawn_exit_code(result), 0);
	assert_non_null(strstr(result->out, "\"ok\": false"));
}

/* What the page lacks is filled in, thread by thread, from glibc's own list. */
static void test_unlisted_threads(void **state)
{
	char *answers[COMMANDS];
	size_t count;

	(void)state;
	struct spawned *child = start(&(struct program){ "pattern", "tcache", "3", true });
	pid_t *tids = spawn_threads(child->pid, &count);
	answer_stopped(child->pid, answers);
	assert_int_equal(count, 4);
	for (size_t i = 0; i < count; i++) {
		agent_unlist(child->pid, tids[i]);
		expect_running(child->pid, answers, true);
	}
	const char *json = command_answer("info --format=json --no-stop", child->pid);
	assert_non_null(strstr(json, "\"ok\": true"));
	end_answers(answers);
	free(tids);
}

/* An entry that is not of the thread whose number it has is not believed. */
static void test_stale_entries(void **state)
{
	static struct agent_page page;
	char *answers[COMMANDS];

	(void)state;
	struct spawned *child = start(&(struct program){ "pattern", "tcache", "3", true });
	answer_stopped(child->pid, answers);
	agent_read_page(child->pid, &page);
	assert_int_equal(page.count, 4);
	for (size_t i = 0; i < page.count; i++) {
		const struct inventory_thread *thread = &page.threads[i];
		/* Nothing is there; no TCB is there; another thread is. */
		agent_list(child->pid, thread->tid, 4096);
		agent_list(child->pid, thread->tid, page.header.main_arena);
		agent_list(child->pid, thread->tid, page.threads[(i + 1) % 4].fs_base);
	}
	expect_running(child->pid, answers, true);
	for (size_t i = 0; i < page.count; i++)
		agent_unlist(child->pid, page.threads[i].tid);
	expect_running(child->pid, answers, true);
	end_answers(answers);
}

struct birth {
	struct spawned *child;
	int left; /* in how many more readings of the heap a thread is to start */
	uint64_t bytes_read;
	bool started; /* in this reading */
};

static bool give_birth(void *context, const struct memtool_progress *progress)
{
	struct birth *birth = context;

	if (progress->bytes_read < birth->bytes_read)
		birth->started = false;
	birth->bytes_read = progress->bytes_read;
	/* Behind the threads comes the heap. */
	if (birth->left && progress->chunks && !birth->started) {
		birth->left--;
		birth->started = true;
		agent_command(birth->child, "busy");
	}
	return true;
}

/* Whether what is told of a thread that starts while the heap is read is all there is to tell. */
static void read_with_births(bool agent, int births, struct heap **ret)
{
	const char *const argv[] = { spawn_memtool(), "run", spawn_path("tests/fixtures/subject"),
				     NULL };
	struct birth birth = { .left = births };
	struct session *session;

	birth.child = spawn(&(struct spawn_how){ .argv = argv + (agent ? 0 : 2) });
	spawn_expect(birth.child, "subject ");
	agent_command(birth.child, "fill 9000");
	const struct session_options options = {
		.source = agent ? ROOT_INVENTORY : ROOT_SYMBOLS,
		.no_stop = true,
		.progress = give_birth,
		.progress_context = &birth,
	};
	truth_read(birth.child->pid, &options, &session, ret);
	assert_int_equal(birth.left, 0);
	session_close(session);
}

static void test_thread_starts(void **state)
{
	struct heap *heap;

	(void)state;
	for (int agent = 0; agent < 2; agent++) {
		read_with_births(agent, 1, &heap);
		assert_true(heap->audit.ok);
		assert_int_equal(heap->thread_count, 2);
		assert_int_equal(heap->threads[1].tcached.count, 1);
		heap_destroy(heap);
	}
}

static void test_threads_go_on_starting(void **state)
{
	struct heap *heap;

	(void)state;
	for (int agent = 0; agent < 2; agent++) {
		/* As often as is tried. */
		read_with_births(agent, 4, &heap);
		assert_false(heap->audit.ok);
		assert_int_equal(heap->audit.counted[AUDIT_BAD_THREAD], 1);
		assert_non_null(strstr(heap->audit.findings.data[0].message, "it started while"));
		heap_destroy(heap);
	}
}

/* The first thread has ended: all that is read by the id of the process is empty. */
static void test_leader_ended(void **state)
{
	const struct session_options options = { .no_stop = true };
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/headless"));
	struct session *session;
	struct heap *heap;

	(void)state;
	spawn_expect(child, "ready");
	truth_read(child->pid, &options, &session, &heap);
	truth_check_audit(heap);
	assert_int_equal(heap->thread_count, 1);
	assert_true(heap->threads[0].fs_base != 0 && heap->threads[0].tcache != 0);
	assert_int_equal(heap->threads[0].tcached.count, 3);
	heap_destroy(heap);
	session_close(session);
}

int main(void)
{
	static const struct program programs[] = {
		{ "pattern", "bins", "3", true },    { "pattern", "bins", "3", false },
		{ "pattern", "tcache", "3", true },  { "pattern", "tcache", "3", false },
		{ "bins", "thread", NULL, true },    { "bins", "thread", NULL, false },
		{ "multi_heap", "20", NULL, true },  { "multi_heap", "20", NULL, false },
		{ "mmapped", "thread", NULL, true }, { "mmapped", "thread", NULL, false },
		{ "ended", "3", NULL, true },        { "ended", "3", NULL, false },
	};
	struct CMUnitTest tests[32] = {
		cmocka_unit_test_teardown(test_unknown_thread, spawn_teardown),
		cmocka_unit_test_teardown(test_unlisted_threads, spawn_teardown),
		cmocka_unit_test_teardown(test_stale_entries, spawn_teardown),
		cmocka_unit_test_teardown(test_leader_ended, spawn_teardown),
		cmocka_unit_test_teardown(test_thread_starts, spawn_teardown),
		cmocka_unit_test_teardown(test_threads_go_on_starting, spawn_teardown),
	};
	size_t count = 0;

	while (tests[count].test_func)
		count++;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		tests[count++] = (struct CMUnitTest){ programs[i].name, test_same_answer, NULL,
						      spawn_teardown, (void *)&programs[i] };
	for (size_t i = 2; i < 4; i++) {
		tests[count++] = (struct CMUnitTest){ "traced", test_traced, NULL, end_seized,
						      (void *)&programs[i] };
		tests[count++] = (struct CMUnitTest){ "stopped_by_signal", test_stopped_by_signal,
						      NULL, spawn_teardown, (void *)&programs[i] };
	}
	spawn_watchdog(300);
	return _cmocka_run_group_tests("no_stop", tests, count, NULL, NULL);
}
