/* SPDX-License-Identifier: Apache-2.0 */
/* target/process.h: whom it refuses, what it reads, and when it is not that process any more. */
#include "child.h"
#include "tests/elf_image.h"

#include "target/process.h"
#include "target/procfs.h"
#include "target/stop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

static void test_no_such_process(void **state)
{
	(void)state;
	struct process *process;

	assert_error(process_open(0, &process), MEMTOOL_ERROR_INVALID, "0 is not");
	assert_error(process_open(-7, &process), MEMTOOL_ERROR_INVALID, "-7 is not");
	assert_error(process_open(INT32_MAX, &process), MEMTOOL_ERROR_NO_PROCESS, "no process");
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	await_state(pid, 'Z');
	assert_error(process_open(pid, &process), MEMTOOL_ERROR_NO_PROCESS, "zombie");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_error(process_open(pid, &process), MEMTOOL_ERROR_NO_PROCESS, "no process");
}

static void end_on_word(struct shared *shared)
{
	child_ready(shared);
	while (!atomic_load(&shared->go))
		;
	_exit(0);
}

/* At whatever point of being opened it ends: as long as nobody waits for it, it is a zombie. */
static void test_ends_while_opened(void **state)
{
	(void)state;

	for (int round = 0; round < 300; round++) {
		struct child child = child_start(end_on_word);
		struct memtool_error *error = NULL;

		atomic_store(&child.shared->go, true);
		while (!error) {
			struct process *process = NULL;
			error = process_open(child.pid, &process);
			process_close(process);
		}
		assert_error(error, MEMTOOL_ERROR_NO_PROCESS, "zombie");
		assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
		child_free(&child);
	}
}

static pid_t find_kernel_thread(void)
{
	DIR *proc = opendir("/proc");
	pid_t found = 0;

	assert_non_null(proc);
	for (struct dirent *entry; !found && (entry = readdir(proc));) {
		pid_t pid = atoi(entry->d_name);
		struct procfs_stat stat;
		struct memtool_error *error = pid > 0 ? procfs_stat(pid, &stat) : NULL;
		if (pid > 0 && !error && stat.flags & PROCFS_FLAG_KTHREAD)
			found = pid;
		memtool_error_destroy(error);
	}
	closedir(proc);
	return found;
}

static void test_kernel_thread(void **state)
{
	(void)state;
	struct process *process;
	pid_t pid = find_kernel_thread();

	/* A container shows none. */
	if (!pid)
		skip();
	assert_error(process_open(pid, &process), MEMTOOL_ERROR_UNSUPPORTED, "kernel thread");
}

static void test_32_bit_program(void **state)
{
	(void)state;
	int fd = elf_image_32(), ends[2];
	struct process *process;
	char byte = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char *arguments[] = { (char *)"i386", NULL };
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fexecve(fd, arguments, arguments + 1);
		_exit(write(ends[1], "x", 1) != 1);
	}
	/* The end of file is the exec; a kernel without i386 emulation makes it a byte. */
	close(ends[1]);
	ssize_t count = read(ends[0], &byte, 1);
	if (count == 0)
		await_state(pid, 'S');
	struct memtool_error *error = count == 0 ? process_open(pid, &process) : NULL;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ends[0]);
	close(fd);
	if (count != 0)
		skip();
	assert_error(error, MEMTOOL_ERROR_UNSUPPORTED, "not a 64-bit program");
}

static void test_other_user(void **state)
{
	(void)state;
	struct process *process;

	if (geteuid() != 0)
		skip();
	struct child child = child_start(wait_for_ever);
	/* process_open() as another user, in a process that can become one. */
	pid_t pid = fork();
	if (pid == 0) {
		if (setuid(1234))
			_exit(1);
		struct memtool_error *error = process_open(child.pid, &process);
		_exit(!error || error->code != MEMTOOL_ERROR_NOT_PERMITTED ||
		      !strstr(error->message, "another user (user id 0): run memtool as root"));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	child_end(&child);
}

/* Sixteen pages in which page 4 is not mapped, 8 is PROT_NONE, and 12 is writable only. */
#define PAGE       4096
#define PAGES      16
#define BIG        ((size_t)33 << 20)
#define PATTERN(i) ((unsigned char)((i)*31 + (i) / 4096))

static unsigned char *pages, *big;

static void map_pages(void)
{
	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_ptr_not_equal(big, MAP_FAILED);
	for (size_t i = 0; i < PAGES * PAGE; i++)
		pages[i] = PATTERN(i);
	for (size_t i = 0; i < BIG; i++)
		big[i] = PATTERN(i);
}

static void make_holes(struct shared *shared)
{
	munmap(pages + 4 * PAGE, PAGE);
	mprotect(pages + 8 * PAGE, PAGE, PROT_NONE);
	mprotect(pages + 12 * PAGE, PAGE, PROT_WRITE);
	munmap(pages + 15 * PAGE, PAGE);
	wait_for_ever(shared);
}

/* Whether a read of length bytes at offset of the pages gives just count, and the right ones. */
static bool reads(struct process *process, size_t offset, size_t length, size_t count)
{
	static unsigned char buffer[PAGES * PAGE];
	size_t got;
	struct memtool_error *error = memory_read_some(
		&process->memory, (uint64_t)(uintptr_t)pages + offset, buffer, length, &got);

	if (error || got != count) {
		print_error("%zu bytes at %zu: %zu, not %zu: %s\n", length, offset, got, count,
			    error ? error->message : "");
		return false;
	}
	for (size_t i = 0; i < got; i++)
		if (buffer[i] != PATTERN(offset + i))
			return false;
	return true;
}

static bool reads_nothing(struct process *process, uint64_t address)
{
	unsigned char buffer[64];
	size_t got = 1;
	struct memtool_error *error =
		memory_read_some(&process->memory, address, buffer, sizeof(buffer), &got);

	return !error && got == 0;
}

static bool reads_big(struct process *process)
{
	unsigned char *buffer = malloc(BIG);
	struct memtool_error *error =
		memory_read(&process->memory, (uint64_t)(uintptr_t)big + 5, buffer, BIG - 5, "all");
	bool good = !error;

	for (size_t i = 0; i < BIG - 5 && good; i++)
		good = buffer[i] == PATTERN(i + 5);
	free(buffer);
	return good;
}

static bool reads_right(struct process *process)
{
	struct memtool_error *error;
	char buffer[2 * PAGE];

	for (size_t offset = 0; offset < 4 * PAGE; offset += 777)
		if (!reads(process, offset, PAGES * PAGE - offset, 4 * PAGE - offset))
			return false;
	error = memory_read(&process->memory, (uint64_t)(uintptr_t)pages + 3 * PAGE, buffer,
			    sizeof(buffer), "two pages");
	bool named = error && error->code == MEMTOOL_ERROR_FAULT &&
		     error->address == (uint64_t)(uintptr_t)pages + 4 * PAGE;
	memtool_error_destroy(error);
	return named && reads(process, 4 * PAGE, 2 * PAGE, 0) &&
	       reads(process, 4 * PAGE - 1, 2, 1) && reads(process, 5 * PAGE, PAGE, PAGE) &&
	       reads(process, 5 * PAGE + 9, 9 * PAGE, 3 * PAGE - 9) &&
	       reads(process, 8 * PAGE, PAGE, 0) && reads(process, 8 * PAGE + 7, 1, 0) &&
	       reads(process, 9 * PAGE, 7 * PAGE, 3 * PAGE) && reads(process, 12 * PAGE, PAGE, 0) &&
	       reads(process, 14 * PAGE, 2 * PAGE, PAGE) && reads_nothing(process, 0) &&
	       reads_nothing(process, UINT64_MAX - 63) && reads_nothing(process, UINT64_MAX) &&
	       reads_nothing(process, 0x8000000000000000) &&
	       reads_nothing(process, 0x800000000000) && reads_big(process);
}

static bool reads_right_in_all_ways(pid_t pid)
{
	struct process *process;
	struct stop *stop;

	assert_success(process_open(pid, &process));
	bool good = reads_right(process);
	assert_success(stop_threads(process, &stop));
	good = reads_right(process) && good;
	stop_resume(stop, NULL);
	good = reads_right(process) && good;
	process_close(process);
	return good;
}

static void test_holes(void **state)
{
	(void)state;
	struct child child = child_start(make_holes);

	assert_true(reads_right_in_all_ways(child.pid));
	child_end(&child);
}

/* Makes process_vm_readv(2) fail in this process, as a container's filter may. */
static bool forbid_vm_readv(int errnum)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* /proc/PID/mem gives the very same answers. */
static void test_holes_without_vm_readv(void **state)
{
	(void)state;
	const int errnums[] = { EPERM, ENOSYS };
	struct child child = child_start(make_holes);

	for (int i = 0; i < 2; i++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			if (!forbid_vm_readv(errnums[i]))
				_exit(77);
			_exit(!reads_right_in_all_ways(child.pid));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	child_end(&child);
}

static void assert_gone(struct process *process)
{
	struct stop *stop;
	uint64_t word;

	assert_error(memory_read_u64(&process->memory, (uint64_t)(uintptr_t)&pages, "pages", &word),
		     MEMTOOL_ERROR_NO_PROCESS, "ended");
	assert_error(process_check(process), MEMTOOL_ERROR_NO_PROCESS, "ended");
	assert_error(stop_threads(process, &stop), MEMTOOL_ERROR_NO_PROCESS, "ended");
}

static void test_end_of_process(void **state)
{
	(void)state;
	struct child child = child_start(wait_for_ever);
	struct process *process;
	uint64_t word;

	assert_success(process_open(child.pid, &process));
	assert_success(
		memory_read_u64(&process->memory, (uint64_t)(uintptr_t)&pages, "pages", &word));
	assert_int_equal(word, (uint64_t)(uintptr_t)pages);
	kill(child.pid, SIGKILL);
	await_state(child.pid, 'Z');
	assert_gone(process);
	child_end(&child);
	assert_gone(process);
	process_close(process);
}

/* Another process with the same memory and the same pid is still another process. */
static void test_pid_that_comes_again(void **state)
{
	(void)state;
	struct child child = child_start(wait_for_ever);
	struct process *process;
	pid_t pid = child.pid;
	struct clone_args arguments = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&pid,
		.set_tid_size = 1,
	};

	assert_success(process_open(pid, &process));
	child_end(&child);
	long result = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (result == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	/* Not allowed to choose one, or somebody else has it. */
	if (result < 0) {
		process_close(process);
		skip();
	}
	assert_int_equal(result, pid);
	await_state(pid, 'S');
	assert_gone(process);
	/* Without a pidfd, too. */
	close(process->pidfd);
	process->pidfd = -1;
	assert_gone(process);
	process_close(process);
	assert_int_equal(thread_state(pid), 'S');
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void have_a_bad_name(struct shared *shared)
{
	prctl(PR_SET_NAME, "a\nb) Z 1 (\x1b[1m");
	wait_for_ever(shared);
}

static void test_names(void **state)
{
	(void)state;
	struct child child = child_start(have_a_bad_name);
	struct process *process;
	char name[16];

	assert_success(process_open(child.pid, &process));
	process_thread_name(process, child.pid, name);
	assert_string_equal(name, "a?b) Z 1 (?[1m");
	/* A thread, but none of its. */
	process_thread_name(process, getpid(), name);
	assert_string_equal(name, "?");
	process_close(process);
	child_end(&child);
}

static void test_stat(void **state)
{
	(void)state;
	static const char line[] =
		"7 (a) R (b) S 5 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 123456789012 1 2 3 4 5 "
		"140728162516320 0 0";
	struct procfs_stat stat;
	char text[sizeof(line)];

	assert_true(procfs_stat_parse(line, &stat));
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.parent, 5);
	assert_int_equal(stat.flags, 4194560);
	assert_int_equal(stat.start_time, 123456789012);
	assert_int_equal(stat.start_stack, 140728162516320);
	for (const char *end = line; end < strstr(line, "140728162516320"); end++) {
		snprintf(text, end - line + 1, "%s", line);
		assert_false(procfs_stat_parse(text, &stat));
	}
}

int main(void)
{
	map_pages();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_such_process),
		cmocka_unit_test(test_ends_while_opened),
		cmocka_unit_test(test_kernel_thread),
		cmocka_unit_test(test_32_bit_program),
		cmocka_unit_test(test_other_user),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_holes_without_vm_readv),
		cmocka_unit_test(test_end_of_process),
		cmocka_unit_test(test_pid_that_comes_again),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_stat),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
