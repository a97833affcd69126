/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent and the program around it: the program is as it would be without, the agent bears what
 * other libraries, limits and closed descriptors do to it, and is absent where it cannot be loaded.
 */
#include "tests/agent_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct agent_page page;

static struct spawned *subject_with(const char *variable)
{
	struct spawned *child = spawn(&(struct spawn_how){
		.argv = (const char *const[]){ spawn_path("tests/fixtures/subject"), NULL },
		.environment = (const char *const[]){ variable, NULL },
	});

	spawn_expect(child, "subject ");
	return child;
}

static bool has_mapping(pid_t pid, const char *name)
{
	char path[64], line[1024];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		found = found || strstr(line, name);
	fclose(maps);
	return found;
}

/* errno and descriptors when main() begins, and threads. */
static void test_start(void **state)
{
	(void)state;
	struct spawned *without = subject_with("X=");
	struct spawned *with = agent_subject();
	int plain[3], agent[3];
	size_t count;

	assert_int_equal(
		sscanf(strchr(without->text, ' '), "%d %d %d", &plain[0], &plain[1], &plain[2]), 3);
	assert_int_equal(
		sscanf(strchr(with->text, ' '), "%d %d %d", &agent[0], &agent[1], &agent[2]), 3);
	assert_int_equal(agent[1], 0);
	assert_int_equal(agent[2], plain[2]);
	free(spawn_threads(with->pid, &count));
	assert_int_equal(count, 1);
}

static void expect_no_heap(pid_t pid)
{
	assert_false(has_mapping(pid, "[heap]"));
	agent_read_page(pid, &page);
	/* system_mem, three words behind next */
	assert_int_equal(
		agent_word(pid, page.header.main_arena + page.header.malloc_state_next + 24), 0);
}

/* A program that does not use malloc has no heap, with the agent either, and nor has its child. */
static void test_no_malloc(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();

	expect_no_heap(child->pid);
	expect_no_heap((pid_t)agent_number(agent_command(child, "fork"), "pid", 10));
	expect_no_heap(child->pid);
}

/* The same allocations are in the same places, and malloc counts the same. */
static void test_same_heap(void **state)
{
	(void)state;
	char *without = strdup(agent_command(subject_with("X="), "heap"));
	const char *with = agent_command(agent_subject(), "heap");

	assert_non_null(without);
	assert_non_null(strstr(with, "mallinfo2"));
	assert_string_equal(with, without);
	free(without);
}

static void test_same_heap_with_threads(void **state)
{
	(void)state;
	struct spawned *plain = subject_with("X="), *child = agent_subject();

	agent_command(plain, "start 20");
	agent_command(plain, "return");
	agent_command(child, "start 20");
	agent_command(child, "return");
	char *without = strdup(agent_command(plain, "heap"));
	assert_non_null(without);
	assert_string_equal(agent_command(child, "heap"), without);
	free(without);
}

/* What the subject says of its keys, and the heap behind that. */
static char *keys_and_heap(struct spawned *child, const char *command, bool threads_before)
{
	char *result = NULL;

	if (threads_before) {
		agent_command(child, "start 2");
		agent_command(child, "return");
	}
	char *keys = strdup(agent_command(child, command));
	assert_true(asprintf(&result, "%s%s", keys, agent_command(child, "heap")) > 0);
	free(keys);
	return result;
}

static void same_keys(const char *command, bool threads_before, uint16_t flags)
{
	struct spawned *child = agent_subject();
	char *without = keys_and_heap(subject_with("X="), command, threads_before);
	char *with = keys_and_heap(child, command, threads_before);

	assert_string_equal(with, without);
	assert_non_null(strstr(with, "destroyed "));
	/* Of those that come later the page knows nothing, and says so. */
	agent_command(child, "start 2");
	agent_read_page(child->pid, &page);
	assert_int_equal((uint16_t)page.header.flags, flags);
	assert_int_equal(page.count, flags ? 1 : 3);
	agent_command(child, "return");
	agent_read_page(child->pid, &page);
	assert_int_equal(page.count, 1);
	free(with);
	free(without);
}

/*
 * The keys of a program have the numbers that they have without the agent, the thirty-second is as
 * good as the others, and one that it never made is not there to be deleted.
 */
static void test_same_keys(void **state)
{
	(void)state;
	for (int threads_before = 0; threads_before < 2; threads_before++) {
		same_keys("keys 1", threads_before, 0);
		same_keys("keys 31", threads_before, 0);
		same_keys("keys 32", threads_before, INVENTORY_OVERFLOW);
		same_keys("keys 40", threads_before, INVENTORY_OVERFLOW);
	}
}

static void test_silence(void **state)
{
	(void)state;
	const struct spawn_result *result = spawn_run(&(struct spawn_how){
		.argv = (const char *const[]){ "sh", "-c", "exit 3", NULL },
		.environment = (const char *const[]){ agent_preload(NULL, NULL), NULL },
	});

	assert_int_equal(spawn_exit_code(result), 3);
	assert_int_equal(result->out_length, 0);
	assert_string_equal(result->err, "");
}

static void test_closed_descriptors(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();

	agent_command(child, "closeall");
	agent_expect_threads(child->pid, agent_command(child, "start 3"), true);
	agent_command(child, "exit");
	agent_expect_threads(child->pid, "", true);
}

static void test_undumpable(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();

	agent_command(child, "undump");
	agent_command(child, "start 3");
	agent_command(child, "cancel");
	agent_command(child, "fork");
	agent_command(child, "start 3");
}

/* Where there can be no memfd, the page is in shared anonymous memory, and else as always. */
static void confined(const char *limit)
{
	struct spawned *child = spawn(&(struct spawn_how){
		.argv = (const char *const[]){ spawn_path("tests/fixtures/confined"), limit,
					       spawn_path("tests/fixtures/subject"), NULL },
		.environment = (const char *const[]){ agent_preload(NULL, NULL), NULL },
	});

	spawn_expect(child, "subject ");
	agent_read_page(child->pid, &page);
	assert_true(page.anonymous);
	assert_int_equal((uint16_t)page.header.flags, 0);
	agent_expect_threads(child->pid, agent_command(child, "start 3"), true);
	pid_t pid = (pid_t)agent_number(agent_command(child, "fork"), "pid", 10);
	agent_read_page(pid, &page);
	assert_true(page.anonymous);
	agent_expect_threads(pid, "", true);
}

static void test_no_memfd_eperm(void **state)
{
	(void)state;
	confined("EPERM");
}

static void test_no_memfd_enosys(void **state)
{
	(void)state;
	confined("ENOSYS");
}

static void test_sandbox_at_start(void **state)
{
	(void)state;
	confined("KILL");
}

/* A sandbox that comes up when the program runs: neither it nor its children die of the agent. */
static void test_sandbox_later(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();

	agent_command(child, "forbid");
	agent_expect_threads(child->pid, agent_command(child, "start 3"), true);
	for (int generation = 0; generation < 3; generation++) {
		pid_t pid = (pid_t)agent_number(agent_command(child, "fork"), "pid", 10);
		agent_expect_threads(pid, "", true);
		agent_expect_threads(pid, agent_command(child, "start 3"), true);
	}
}

static void test_no_file_size(void **state)
{
	(void)state;
	confined("FSIZE");
}

/* malloc's parameters set from outside: mp_ no longer has its initial values in memory. */
static void test_tuned(void **state)
{
	(void)state;
	struct spawned *child = spawn(&(struct spawn_how){
		.argv = (const char *const[]){ spawn_path("tests/fixtures/subject"), NULL },
		.environment = (const char *const[]){ agent_preload(NULL, NULL),
						      "GLIBC_TUNABLES=glibc.malloc.arena_max=3:"
						      "glibc.malloc.mmap_max=77",
						      NULL },
	});

	spawn_expect(child, "subject ");
	agent_read_page(child->pid, &page);
	assert_int_equal(agent_word(child->pid, page.header.mp + 32), 3);
	assert_int_equal((uint32_t)agent_word(child->pid,
					      page.header.mp + page.header.malloc_par_n_mmaps_max),
			 77);
}

static char *library(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "tests/fixtures/.libs/%s.so", name);
	char *found = realpath(spawn_path(path), NULL);
	if (!found) {
		snprintf(path, sizeof(path), "tests/fixtures/%s.so", name);
		found = realpath(spawn_path(path), NULL);
	}
	if (!found)
		fail_msg("%s is not built", name);
	return found;
}

static void foreign_malloc(const char *variable)
{
	struct spawned *child = subject_with(variable);

	agent_command(child, "start 3");
	agent_read_page(child->pid, &page);
	assert_int_equal((uint16_t)page.header.flags, INVENTORY_FOREIGN_MALLOC);
	assert_int_equal(page.count, 4);
	/* The agent has not even initialised glibc's, which 2.42 and later do by themselves. */
	unsigned int minor;
	assert_int_equal(sscanf(page.header.glibc_version, "2.%u", &minor), 1);
	if (minor < 42)
		assert_int_equal(page.header.thread_arena_offset, 0);
}

static void test_other_malloc(void **state)
{
	(void)state;
	char *other = library("other_malloc");

	foreign_malloc(agent_preload(other, NULL));
	foreign_malloc(agent_preload(NULL, other));
	free(other);
}

static void other_threads(const char *variable)
{
	struct spawned *child = subject_with(variable);

	/* The one that its constructor has made, and ours. */
	agent_read_page(child->pid, &page);
	assert_int_equal((uint16_t)page.header.flags, 0);
	assert_int_equal(page.count, 2);
	agent_command(child, "start 3");
	agent_read_page(child->pid, &page);
	assert_int_equal(page.count, 5);
	agent_command(child, "return");
	agent_read_page(child->pid, &page);
	assert_int_equal(page.count, 2);
}

static void test_other_threads(void **state)
{
	(void)state;
	char *other = library("other_threads");

	other_threads(agent_preload(other, NULL));
	other_threads(agent_preload(NULL, other));
	free(other);
}

/* Not loaded, by ld.so's own rules; or there is no ld.so. The program runs. */
static void test_static(void **state)
{
	(void)state;
	struct spawned *child = spawn(&(struct spawn_how){
		.argv = (const char *const[]){ spawn_path("tests/fixtures/bare"), NULL },
		.environment = (const char *const[]){ agent_preload(NULL, NULL), NULL },
	});

	spawn_expect(child, "bare");
	assert_false(agent_has_page(child->pid));
	spawn_close_input(child);
	assert_int_equal(WEXITSTATUS(spawn_wait(child)), 42);
}

static void copy_file(const char *from, const char *to, mode_t mode)
{
	char buffer[65536];
	ssize_t count;
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);

	assert_true(in >= 0 && out >= 0);
	while ((count = read(in, buffer, sizeof(buffer))) > 0)
		assert_int_equal(write(out, buffer, (size_t)count), count);
	assert_int_equal(count, 0);
	assert_int_equal(fchmod(out, mode), 0);
	close(in);
	close(out);
}

static void run_setuid(const char *program)
{
	/* ld.so says on standard error that it ignores the library. */
	struct spawned *child = spawn(&(struct spawn_how){
		.argv = (const char *const[]){ "sh", "-c", "exec \"$0\" 2>/dev/null", program,
					       NULL },
		.environment = (const char *const[]){ agent_preload(NULL, NULL), NULL },
		.uid = 65534,
	});
	int first[4];

	assert_int_equal(sscanf(spawn_expect(child, "subject "), "%d %d %d %d", &first[0],
				&first[1], &first[2], &first[3]),
			 4);
	/* 0 on a file system that is mounted nosuid: then it is no setuid program. */
	if (first[3])
		assert_false(agent_has_page(child->pid));
	agent_command(child, "start 2");
	agent_command(child, "return");
}

static void test_setuid(void **state)
{
	(void)state;
	char directory[] = "/tmp/memtool-setuid-XXXXXX", program[64];

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0755), 0);
	snprintf(program, sizeof(program), "%s/subject", directory);
	copy_file(spawn_path("tests/fixtures/subject"), program, 04755);
	run_setuid(program);
	assert_int_equal(unlink(program), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_start, spawn_teardown),
		cmocka_unit_test_teardown(test_no_malloc, spawn_teardown),
		cmocka_unit_test_teardown(test_same_heap, spawn_teardown),
		cmocka_unit_test_teardown(test_same_heap_with_threads, spawn_teardown),
		cmocka_unit_test_teardown(test_same_keys, spawn_teardown),
		cmocka_unit_test_teardown(test_silence, spawn_teardown),
		cmocka_unit_test_teardown(test_closed_descriptors, spawn_teardown),
		cmocka_unit_test_teardown(test_undumpable, spawn_teardown),
		cmocka_unit_test_teardown(test_no_memfd_eperm, spawn_teardown),
		cmocka_unit_test_teardown(test_no_memfd_enosys, spawn_teardown),
		cmocka_unit_test_teardown(test_sandbox_at_start, spawn_teardown),
		cmocka_unit_test_teardown(test_sandbox_later, spawn_teardown),
		cmocka_unit_test_teardown(test_no_file_size, spawn_teardown),
		cmocka_unit_test_teardown(test_tuned, spawn_teardown),
		cmocka_unit_test_teardown(test_other_malloc, spawn_teardown),
		cmocka_unit_test_teardown(test_other_threads, spawn_teardown),
		cmocka_unit_test_teardown(test_static, spawn_teardown),
		cmocka_unit_test_teardown(test_setuid, spawn_teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
