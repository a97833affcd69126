/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cannot be read, end to end: memtool says so in one line that names cause and remedy, exits
 * with 2 (64 for wrong usage), prints no result, and leaves the process as it was.
 *
 * Link: tests/test_errors.c tests/elf_image.c tests/libc_copy.c tests/spawn.c, cmocka.
 * Needs at run time: memtool, tests/fixtures/pattern, damage and idle, MEMTOOL_BUILDDIR. Cases that
 * need root, or a kernel that runs 32-bit programs, are skipped without.
 */
#include "tests/elf_image.h"
#include "tests/libc_copy.h"
#include "tests/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

/* Every word must stand in the message, whatever the case; alternatives are parted by '|'. */
static bool has_words(const char *text, const char *const *words)
{
	for (; *words; words++) {
		char alternatives[200], *rest = NULL;
		bool found = false;
		snprintf(alternatives, sizeof(alternatives), "%s", *words);
		for (char *word = strtok_r(alternatives, "|", &rest); word && !found;
		     word = strtok_r(NULL, "|", &rest))
			found = strcasestr(text, word) != NULL;
		if (!found) {
			print_error("  \"%s\" is not in: %s\n", *words, text);
			return false;
		}
	}
	return true;
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void assert_refused(const struct spawn_result *result, const char *const *words)
{
	if (spawn_exit_code(result) != 2 || count_lines(result->err) != 1)
		fail_msg("exit status %d, and on stderr:\n%s", spawn_exit_code(result),
			 result->err);
	assert_int_equal(result->out_length, 0);
	assert_int_equal(strncmp(result->err, "memtool: ", strlen("memtool: ")), 0);
	assert_true(has_words(result->err, words));
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const struct spawn_result *memtool_as(uid_t uid, pid_t pid, const char *option)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", pid);
	return spawn_run(&(struct spawn_how){
		.argv = (const char *const[]){ spawn_memtool(), "chunks", number, option, NULL },
		.uid = uid });
}

static const struct spawn_result *memtool(pid_t pid)
{
	return memtool_as(0, pid, NULL);
}

/* Each command refuses in the same way. */
static void assert_all_refuse(pid_t pid, const char *const *words)
{
	static const char *const commands[] = { "heap", "chunks",  "arenas",
						"bins", "threads", "info" };
	char number[16];

	snprintf(number, sizeof(number), "%d", pid);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *const argv[] = { spawn_memtool(), commands[i], "--format=json", number,
					     NULL };
		assert_refused(spawn_run(&(struct spawn_how){ .argv = argv }), words);
	}
}

static struct spawned *start_fixture(void)
{
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/pattern"), "tcache", "2");

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	return child;
}

/* It is not stopped, nobody traces it, and it comes to its end when it is told to. */
static void assert_unharmed(struct spawned *child)
{
	size_t count;
	pid_t *tids = spawn_threads(child->pid, &count);

	for (size_t i = 0; i < count; i++) {
		char state = spawn_thread_state(child->pid, tids[i]);
		assert_true(state == 'S' || state == 'R');
		assert_int_equal(spawn_tracer(tids[i]), 0);
	}
	free(tids);
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

static pid_t unused_pid(void)
{
	pid_t pid = 4194303; /* PID_MAX_LIMIT of 64-bit kernels, less one */

	while (kill(pid, 0) == 0 || errno != ESRCH)
		pid--;
	return pid;
}

static void test_no_process(void **state)
{
	(void)state;
	assert_all_refuse(unused_pid(), WORDS("no process|no such process"));
}

static void test_zombie(void **state)
{
	struct spawned *child = start_fixture();

	(void)state;
	spawn_close_input(child);
	/* Its end, without reaping it. */
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
	assert_all_refuse(child->pid, WORDS("zombie"));
	assert_int_equal(spawn_wait(child), 0);
}

static void test_kernel_thread(void **state)
{
	FILE *comm = fopen("/proc/2/comm", "r");
	char name[32] = "";

	(void)state;
	if (comm && fgets(name, sizeof(name), comm))
		name[strcspn(name, "\n")] = '\0';
	if (comm)
		fclose(comm);
	if (strcmp(name, "kthreadd") != 0)
		skip(); /* in a pid namespace of its own */
	assert_all_refuse(2, WORDS("kernel thread"));
}

static bool can_execute_as(uid_t uid)
{
	const struct spawn_result *result = spawn_run(&(struct spawn_how){
		.argv = (const char *const[]){ spawn_memtool(), "--version", NULL }, .uid = uid });

	return spawn_exit_code(result) == 0;
}

static void test_other_user(void **state)
{
	(void)state;
	if (geteuid() != 0 || !can_execute_as(NOBODY)) {
		print_message("  needs root, and a build tree that nobody can read\n");
		skip();
	}
	struct spawned *child = start_fixture();
	assert_refused(memtool_as(NOBODY, child->pid, NULL),
		       WORDS("another user|permi", "root|sudo"));
	assert_unharmed(child);
}

/* Of the same user, but one that made itself unreadable (prctl(2)), as programs with secrets do. */
static void test_not_dumpable(void **state)
{
	(void)state;
	if (geteuid() != 0 || !can_execute_as(NOBODY))
		skip();
	int ready[2];
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setgid(NOBODY) || setuid(NOBODY) || prctl(PR_SET_DUMPABLE, 0) ||
		    prctl(PR_SET_PDEATHSIG, SIGKILL) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	char byte;
	ssize_t told = read(ready[0], &byte, 1);
	close(ready[0]);
	close(ready[1]);
	const struct spawn_result *result = memtool_as(NOBODY, pid, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(told, 1);
	assert_refused(result, WORDS("permi|dumpable|keeps", "root|sudo|CAP_SYS_PTRACE"));
}

static void test_traced(void **state)
{
	struct spawned *child = start_fixture();
	char self[16];

	(void)state;
	/* All threads, as a debugger does: the process runs on while it is seized. */
	size_t count;
	pid_t *tids = spawn_threads(child->pid, &count);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(ptrace(PTRACE_SEIZE, tids[i], NULL, NULL), 0);
	snprintf(self, sizeof(self), "%d", getpid());
	assert_all_refuse(child->pid, WORDS("trace|debug", self));
	for (size_t i = 0; i < count; i++) {
		int status;
		assert_int_equal(spawn_tracer(tids[i]), getpid());
		assert_int_equal(ptrace(PTRACE_INTERRUPT, tids[i], NULL, NULL), 0);
		assert_int_equal(waitpid(tids[i], &status, __WALL), tids[i]);
		assert_int_equal(ptrace(PTRACE_DETACH, tids[i], NULL, NULL), 0);
	}
	free(tids);
	assert_unharmed(child);
}

/* One thread of several is traced: the others must not be left stopped. */
static void test_one_thread_traced(void **state)
{
	struct spawned *child = start_fixture();
	char self[16];
	int status;

	(void)state;
	size_t count;
	pid_t *tids = spawn_threads(child->pid, &count);
	pid_t last = tids[count - 1];
	free(tids);
	assert_int_not_equal(last, child->pid);
	assert_int_equal(ptrace(PTRACE_SEIZE, last, NULL, NULL), 0);
	snprintf(self, sizeof(self), "%d", getpid());
	assert_refused(memtool(child->pid), WORDS("trace|debug", self));
	assert_int_equal(ptrace(PTRACE_INTERRUPT, last, NULL, NULL), 0);
	assert_int_equal(waitpid(last, &status, __WALL), last);
	assert_int_equal(ptrace(PTRACE_DETACH, last, NULL, NULL), 0);
	assert_unharmed(child);
}

static void refuse_image(int fd, const char *const *words)
{
	struct spawned *child = spawn(&(struct spawn_how){
		.argv = (const char *const[]){ "program", NULL }, .exec_fd = fd });
	char path[64], name[256] = "";
	siginfo_t info = { 0 };

	close(fd);
	/* Until it has executed the image, or could not. */
	snprintf(path, sizeof(path), "/proc/%d/exe", child->pid);
	while (!strstr(name, "memfd:program")) {
		ssize_t length = readlink(path, name, sizeof(name) - 1);
		name[length > 0 ? length : 0] = '\0';
		assert_int_equal(
			waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT | WNOHANG), 0);
		if (info.si_pid == child->pid) {
			assert_int_equal(info.si_status, SPAWN_SKIP);
			skip();
		}
	}
	assert_all_refuse(child->pid, words);
	char state = spawn_thread_state(child->pid, child->pid);
	assert_true(state == 'S' || state == 'R');
	spawn_end(child);
}

static void test_32_bit(void **state)
{
	(void)state;
	refuse_image(elf_image_32(), WORDS("32-bit|not a 64-bit", "x86-64"));
}

static void test_no_glibc(void **state)
{
	(void)state;
	refuse_image(elf_image_64(), WORDS("glibc"));
}

static int make_libc_copy(void **state)
{
	static struct libc_copy copy;

	libc_copy_make(&copy);
	*state = &copy;
	return 0;
}

static int remove_libc_copy(void **state)
{
	const struct libc_copy *copy = *state;

	spawn_teardown(state);
	libc_copy_remove(copy);
	return 0;
}

static struct spawned *start_with(const struct libc_copy *copy)
{
	struct spawned *child = libc_copy_start(copy, 0, "pattern", "tcache", "2");

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	return child;
}

/* A libc of which nobody has the symbols: its build-id is no other's. */
/* Held right behind its exec, before the dynamic linker has done anything. */
static void test_just_started(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl(spawn_path("tests/fixtures/idle"), "idle", NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_refused(memtool_as(0, pid, "--no-stop"), WORDS("libc.so.6", "try again"));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void test_no_symbols(void **state)
{
	const struct libc_copy *copy = *state;

	unsetenv("DEBUGINFOD_URLS");
	libc_copy_change_build_id(copy);
	struct spawned *child = start_with(copy);
	assert_refused(memtool_as(0, child->pid, "--source=symbols"),
		       WORDS("no symbol", "libc6-dbg", "debuginfod", "inventory"));
	assert_unharmed(child);
}

/* The file of its libc was removed while it ran, as an upgrade does: it is read all the same. */
static void test_deleted_libc(void **state)
{
	const struct libc_copy *copy = *state;
	struct spawned *child = start_with(copy);

	unlink(copy->loader);
	unlink(copy->libc);
	const struct spawn_result *result = memtool(child->pid);
	if (spawn_exit_code(result) != 0)
		fail_msg("exit status %d: %s", spawn_exit_code(result), result->err);
	assert_unharmed(child);
}

static void test_usage(void **state)
{
	static const char *const wrong[][4] = {
		{ NULL },
		{ "no-such-command", "1" },
		{ "chunks" },
		{ "chunks", "not-a-pid" },
		{ "chunks", "0" },
		{ "chunks", "-1" },
		{ "chunks", "99999999999999999999" },
		{ "chunks", "1", "2" },
		{ "chunks", "--no-such-option", "1" },
		{ "chunks", "--format=xml", "1" },
		{ "chunks", "--state=in-use,nonsense", "1" },
		{ "chunks", "--state=", "1" },
		{ "chunks", "--arena=x", "1" },
		{ "chunks", "--min-size=-5", "1" },
		{ "chunks", "--max-size=abc", "1" },
		{ "chunks", "--limit=many", "1" },
		{ "chunks", "--output=", "1" },
		{ "heap", "--source=rumour", "1" },
		{ "heap", "--layout=none", "1" },
		{ "heap", "--libc=0", "1" },
		{ "heap", "--libc=two", "1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *argv[6] = { spawn_memtool() };
		for (size_t j = 0; j < 4; j++)
			argv[j + 1] = wrong[i][j];
		const struct spawn_result *result = spawn_run(&(struct spawn_how){ .argv = argv });
		if (spawn_exit_code(result) != 64)
			fail_msg("%s %s %s: exit status %d, not 64: %s", argv[1],
				 argv[2] ? argv[2] : "", argv[2] && argv[3] ? argv[3] : "",
				 spawn_exit_code(result), result->err);
		/* The cause in one line; argp adds where there is help, and breaks that line. */
		const char *rest = strchr(result->err, '\n');
		assert_non_null(rest);
		assert_true(rest[1] == '\0' || strncmp(rest + 1, "Try `", 5) == 0);
		assert_int_equal(result->out_length, 0);
	}
}

/* Address space for the program, and hardly more. */
static void test_no_memory(void **state)
{
	char command[600];

	(void)state;
	for (unsigned int limit = 4000; limit <= 12000; limit += 1000) {
		snprintf(command, sizeof(command), "ulimit -v %u; exec %s info 1", limit,
			 spawn_memtool());
		const char *const argv[] = { "sh", "-c", command, NULL };
		const struct spawn_result *result = spawn_run(&(struct spawn_how){ .argv = argv });
		int code = spawn_exit_code(result);
		/* 127, or a signal: the dynamic linker had not enough to begin with. */
		if (code == 127 || code > 128 || code == 0)
			continue;
		assert_int_equal(code, 2);
		assert_int_equal(count_lines(result->err), 1);
	}
}

static void test_help(void **state)
{
	static const char *const commands[] = { NULL,   "heap",    "chunks", "arenas",
						"bins", "threads", "info" };

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *argv[] = { spawn_memtool(), commands[i] ? commands[i] : "--help",
				       commands[i] ? "--help" : NULL, NULL };
		const struct spawn_result *result = spawn_run(&(struct spawn_how){ .argv = argv });
		assert_int_equal(spawn_exit_code(result), 0);
		assert_string_equal(result->err, "");
		assert_non_null(strstr(result->out, "Usage:"));
	}
}

static void test_unwritable_output(void **state)
{
	struct spawned *child = start_fixture();
	char pid[16];

	(void)state;
	snprintf(pid, sizeof(pid), "%d", child->pid);
	const char *const full[] = { spawn_memtool(), "chunks", "--output=/dev/full", pid, NULL };
	assert_refused(spawn_run(&(struct spawn_how){ .argv = full }), WORDS("/dev/full", "space"));
	const char *const nowhere[] = { spawn_memtool(), "chunks", "--output=/no/such/dir/file",
					pid, NULL };
	assert_refused(spawn_run(&(struct spawn_how){ .argv = nowhere }),
		       WORDS("/no/such/dir/file", "no such file"));
	assert_unharmed(child);
}

/* No notes on an answer that nobody gets. */
static void test_unwritable_doubt(void **state)
{
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/damage"), "size-zero");
	char pid[16];

	(void)state;
	spawn_expect(child, "ready");
	snprintf(pid, sizeof(pid), "%d", child->pid);
	const char *const full[] = { spawn_memtool(), "chunks", "--output=/dev/full", pid, NULL };
	assert_refused(spawn_run(&(struct spawn_how){ .argv = full }), WORDS("/dev/full", "space"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_no_process, spawn_teardown),
		cmocka_unit_test_teardown(test_zombie, spawn_teardown),
		cmocka_unit_test_teardown(test_kernel_thread, spawn_teardown),
		cmocka_unit_test_teardown(test_other_user, spawn_teardown),
		cmocka_unit_test_teardown(test_not_dumpable, spawn_teardown),
		cmocka_unit_test_teardown(test_traced, spawn_teardown),
		cmocka_unit_test_teardown(test_one_thread_traced, spawn_teardown),
		cmocka_unit_test_teardown(test_32_bit, spawn_teardown),
		cmocka_unit_test_teardown(test_no_glibc, spawn_teardown),
		cmocka_unit_test_teardown(test_just_started, spawn_teardown),
		cmocka_unit_test_setup_teardown(test_no_symbols, make_libc_copy, remove_libc_copy),
		cmocka_unit_test_setup_teardown(test_deleted_libc, make_libc_copy,
						remove_libc_copy),
		cmocka_unit_test_teardown(test_usage, spawn_teardown),
		cmocka_unit_test_teardown(test_no_memory, spawn_teardown),
		cmocka_unit_test_teardown(test_help, spawn_teardown),
		cmocka_unit_test_teardown(test_unwritable_output, spawn_teardown),
		cmocka_unit_test_teardown(test_unwritable_doubt, spawn_teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
