/* SPDX-License-Identifier: Apache-2.0 */
/* The agent through the life of a process: fork, exec, and being loaded late. */
#include "tests/agent_page.h"
#include "tests/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static struct agent_page page, other_page;

/* The child goes on reading commands; its pid. */
static pid_t command_pid(struct spawned *child, const char *command)
{
	return (pid_t)agent_number(agent_command(child, command), "pid", 10);
}

static void test_fork(void **state)
{
	(void)state;
	struct spawned *parent = agent_subject();

	agent_read_page(parent->pid, &page);
	pid_t pid = command_pid(parent, "fork");
	agent_read_page(pid, &other_page);
	assert_int_equal(other_page.count, 1);
	assert_int_equal(other_page.threads[0].fs_base, page.threads[0].fs_base);
	assert_int_equal(other_page.header.main_arena, page.header.main_arena);
	assert_int_equal(other_page.header.mp, page.header.mp);
	/* What happens in the child is in the child's page alone. */
	agent_expect_threads(pid, agent_command(parent, "start 3"), true);
	agent_expect_threads(parent->pid, "", true);
	agent_command(parent, "exit");
	agent_expect_threads(pid, "", true);

	pid_t grandchild = command_pid(parent, "fork");
	assert_int_not_equal(grandchild, pid);
	agent_expect_threads(grandchild, "", true);
	agent_expect_threads(pid, "", true);
}

/* Threads of the parent do not exist in the child. */
static void test_fork_with_threads(void **state)
{
	(void)state;
	struct spawned *parent = agent_subject();
	char threads[4096];

	snprintf(threads, sizeof(threads), "%s", agent_command(parent, "start 5"));
	pid_t pid = command_pid(parent, "fork");
	agent_expect_threads(pid, "", true);
	agent_expect_threads(parent->pid, threads, true);
}

/* The child's only thread is on another stack than the first one of its parent. */
static void test_fork_from_thread(void **state)
{
	(void)state;
	struct spawned *parent = agent_subject();

	agent_read_page(parent->pid, &page);
	spawn_write(parent, "threadfork\n");
	pid_t pid = atoi(spawn_expect(parent, "pid "));
	assert_int_not_equal(pid, parent->pid);
	agent_read_page(pid, &other_page);
	assert_int_equal(other_page.count, 1);
	assert_int_equal(other_page.threads[0].tid, pid);
	assert_int_not_equal(other_page.threads[0].fs_base, page.threads[0].fs_base);
	assert_int_equal(agent_word(pid, other_page.threads[0].fs_base),
			 other_page.threads[0].fs_base);
	/* Its key holds the entry in the new page, not that in its parent's. */
	agent_expect_threads(pid, agent_command(parent, "start 2"), true);
	agent_command(parent, "cancel");
	agent_expect_threads(pid, "", true);
}

/* That the process has nothing but its parent's page, as it was. */
static void expect_copy(pid_t pid, const struct agent_page *of)
{
	struct {
		struct inventory_header header;
		struct inventory_thread threads[64];
	} copy;
	size_t live = 0;

	agent_peek(pid, of->header.address, &copy, sizeof(copy));
	assert_memory_equal(&copy.header, &of->header, sizeof(copy.header));
	for (size_t i = 0; i < 64; i++)
		live += copy.threads[i].state == INVENTORY_THREAD_LIVE;
	assert_int_equal(live, of->count);
}

/*
 * A copy of the process that was made past fork(3) has its parent's page, which says whose it is,
 * and nothing breaks in it.
 */
static void test_raw_fork(void **state)
{
	(void)state;
	struct spawned *parent = agent_subject();

	agent_read_page(parent->pid, &page);
	pid_t pid = command_pid(parent, "rawfork");
	expect_copy(pid, &page);
	agent_command(parent, "start 3");
	expect_copy(pid, &page);
	command_refused("info --source=inventory", pid, "of process");
	agent_command(parent, "exit");
	expect_copy(pid, &page);
	agent_expect_threads(parent->pid, "", true);
	/* Its own child is like any other again. */
	pid_t grandchild = command_pid(parent, "fork");
	agent_expect_threads(grandchild, agent_command(parent, "start 3"), true);
}

static void test_daemon(void **state)
{
	(void)state;
	struct spawned *parent = agent_subject();

	pid_t pid = command_pid(parent, "daemon");
	assert_int_not_equal(pid, parent->pid);
	agent_expect_threads(pid, agent_command(parent, "start 2"), true);
}

/* Children that share the memory until they exec or exit change nothing. */
static void test_vfork(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();

	agent_read_page(child->pid, &page);
	assert_int_equal(WEXITSTATUS(agent_number(agent_command(child, "vfork"), "status", 10)), 7);
	assert_int_equal(agent_number(agent_command(child, "spawn"), "status", 10), 0);
	agent_read_page(child->pid, &other_page);
	assert_memory_equal(&page.header, &other_page.header, sizeof(page.header));
	agent_expect_threads(child->pid, agent_command(child, "start 2"), true);
}

/* The program anew. Its first line is read behind what came before. */
static void execute(struct spawned *child, const char *command)
{
	agent_command(child, "undump"); /* any, for the text to be emptied */
	spawn_write(child, command);
	spawn_expect(child, "subject ");
}

static void test_exec(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();

	agent_command(child, "start 3");
	execute(child, "exec\n");
	agent_expect_threads(child->pid, "", true);
	agent_expect_threads(child->pid, agent_command(child, "start 2"), true);
	execute(child, "execbare\n");
	assert_false(agent_has_page(child->pid));
	agent_command(child, "start 2");
}

/* Loaded into a program that runs: what it publishes is true, and it says that it came late. */
static void test_late(void **state)
{
	(void)state;
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/subject"));
	char load[1024];

	spawn_expect(child, "subject ");
	uint64_t freed = agent_number(agent_command(child, "values"), "freed", 16);
	assert_false(agent_has_page(child->pid));
	snprintf(load, sizeof(load), "load %s", agent_path());
	agent_command(child, load);
	agent_read_page(child->pid, &page);
	assert_int_equal((uint16_t)page.header.flags, INVENTORY_LATE);
	agent_expect_threads(child->pid, "", true);
	uint64_t tcache[76];
	agent_peek(child->pid, agent_word(child->pid, page.threads[0].tcache_slot), tcache,
		   sizeof(tcache));
	bool found = false;
	for (size_t i = 0; i < sizeof(tcache) / sizeof(tcache[0]); i++)
		found = found || tcache[i] == freed;
	assert_true(found);

	agent_command(child, "start 2");
	agent_expect_threads(child->pid, "", true);
	agent_command(child, "return");
	pid_t pid = command_pid(child, "fork");
	agent_read_page(pid, &page);
	assert_int_equal((uint16_t)page.header.flags, INVENTORY_LATE);
}

/* In a thread with an arena of its own, when malloc's parameters have been changed. */
static void test_late_in_thread(void **state)
{
	(void)state;
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/subject"));
	char load[1024];

	spawn_expect(child, "subject ");
	const char *text = agent_command(child, "values");
	uint64_t unsorted = agent_number(text, "unsorted", 16);
	agent_command(child, "busy");
	spawn_write(child, "leave\n");
	spawn_expect(child, "pid ");
	snprintf(load, sizeof(load), "load %s", agent_path());
	agent_command(child, load);

	size_t count;
	pid_t *tids = spawn_threads(child->pid, &count);
	pid_t loader = tids[count - 1];
	free(tids);
	agent_read_page_of(child->pid, loader, &page);
	assert_int_equal((uint16_t)page.header.flags, INVENTORY_LATE);
	assert_int_equal(page.count, 1);
	assert_int_equal(page.header.main_arena, unsorted - (page.header.malloc_state_next - 2064));
	assert_int_equal(agent_word(loader, page.header.mp), 0x30000);
	assert_int_not_equal(page.header.tcache_offset, 0);
	uint64_t arena = agent_word(loader, page.threads[0].fs_base +
						    (uint64_t)page.header.thread_arena_offset);
	assert_int_not_equal(arena, 0);
	assert_int_equal(agent_word(loader, arena + page.header.malloc_state_next) % 16, 0);
}

/* In a namespace of its own it has a libc of its own, whose heap is not the program's. */
static void test_loaded_apart(void **state)
{
	(void)state;
	struct spawned *plain = spawn_program(spawn_path("tests/fixtures/subject"));
	struct spawned *child = agent_subject();
	char load[1024];

	spawn_expect(plain, "subject ");
	snprintf(load, sizeof(load), "loadapart %s", agent_path());
	assert_int_equal(agent_number(agent_command(plain, load), "created", 10), 0);
	assert_false(agent_has_page(plain->pid));

	agent_read_page(child->pid, &page);
	agent_command(child, load);
	agent_read_page(child->pid, &other_page);
	assert_memory_equal(&page.header, &other_page.header, sizeof(page.header));
	agent_expect_threads(child->pid, agent_command(child, "start 2"), true);
}

static void expect_no_file(const char *directory)
{
	struct dirent *entry;
	DIR *dir = opendir(directory);

	while (dir && (entry = readdir(dir))) {
		if (strstr(entry->d_name, INVENTORY_NAME))
			fail_msg("%s/%s was left behind", directory, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

/* Nothing is left behind of a program that crashed. */
static void test_crash(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();

	agent_command(child, "start 2");
	spawn_write(child, "crash\n");
	int status = spawn_wait(child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	expect_no_file("/dev/shm");
	expect_no_file("/tmp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_fork, spawn_teardown),
		cmocka_unit_test_teardown(test_fork_with_threads, spawn_teardown),
		cmocka_unit_test_teardown(test_fork_from_thread, spawn_teardown),
		cmocka_unit_test_teardown(test_raw_fork, spawn_teardown),
		cmocka_unit_test_teardown(test_daemon, spawn_teardown),
		cmocka_unit_test_teardown(test_vfork, spawn_teardown),
		cmocka_unit_test_teardown(test_exec, spawn_teardown),
		cmocka_unit_test_teardown(test_late, spawn_teardown),
		cmocka_unit_test_teardown(test_late_in_thread, spawn_teardown),
		cmocka_unit_test_teardown(test_loaded_apart, spawn_teardown),
		cmocka_unit_test_teardown(test_crash, spawn_teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
