/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN_MAX 64

/* Fixed, so that a signal handler can go through it. */
static struct spawned children[CHILDREN_MAX];
static struct spawn_result results[CHILDREN_MAX];
static size_t result_count;

uint64_t spawn_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t deadline_ns(void)
{
	return spawn_now_ns() + SPAWN_PATIENCE_S * UINT64_C(1000000000);
}

/* Between two looks at something in /proc, of which no event tells. */
static void look_again_until(uint64_t deadline, const char *what, pid_t pid)
{
	struct timespec pause = { .tv_nsec = 200000 };

	if (spawn_now_ns() > deadline)
		fail_msg("process %d: waited too long for %s", pid, what);
	nanosleep(&pause, NULL);
}

static struct spawned *new_child(void)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (!children[i].pid && !children[i].text) {
			children[i] = (struct spawned){ .in = -1, .out = -1 };
			children[i].text = calloc(1, 1);
			assert_non_null(children[i].text);
			return &children[i];
		}
	}
	fail_msg("more than %d programs at once", CHILDREN_MAX);
	return NULL;
}

/* In the child, between fork and exec. */
static void become(const struct spawn_how *how, int in, int out, int err)
{
	signal(SIGPIPE, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || dup2(in, 0) < 0 || dup2(out, 1) < 0)
		_exit(126);
	if (how->mute && dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 1) < 0)
		_exit(126);
	if (err >= 0 && dup2(err, 2) < 0)
		_exit(126);
	for (const char *const *entry = how->environment; entry && *entry; entry++)
		putenv((char *)*entry);
	if (how->root && (chroot(how->root) || chdir("/")))
		_exit(126);
	if (how->uid && (setgroups(0, NULL) || setgid(how->uid) || setuid(how->uid)))
		_exit(126);
	if (how->exec_fd)
		fexecve(how->exec_fd, (char *const *)how->argv, environ);
	else
		execvp(how->argv[0], (char *const *)how->argv);
	_exit(errno == ENOEXEC ? SPAWN_SKIP : 127);
}

static struct spawned *start(const struct spawn_how *how, int *ret_err)
{
	struct spawned *child = new_child();
	int in[2], out[2], err[2] = { -1, -1 };

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	if (ret_err)
		assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		become(how, in[0], out[1], err[1]);
	child->pid = pid;
	child->in = in[1];
	if (how->mute)
		close(out[0]);
	else
		child->out = out[0];
	close(in[0]);
	close(out[1]);
	if (ret_err) {
		close(err[1]);
		*ret_err = err[0];
	}
	return child;
}

struct spawned *spawn(const struct spawn_how *how)
{
	return start(how, NULL);
}

/* Appends what can be read from *fd to *text; at its end closes it and sets it to -1. */
static void drain(int *fd, char **text, size_t *length)
{
	char buffer[65536];
	ssize_t count = read(*fd, buffer, sizeof(buffer));

	if (count < 0 && errno == EINTR)
		return;
	assert_true(count >= 0);
	if (count == 0) {
		close(*fd);
		*fd = -1;
		return;
	}
	char *longer = realloc(*text, *length + (size_t)count + 1);
	assert_non_null(longer);
	memcpy(longer + *length, buffer, (size_t)count);
	*text = longer;
	*length += (size_t)count;
	longer[*length] = '\0';
}

/* The rest of the first whole line that begins with start, or NULL. */
static const char *find_line(const char *text, const char *start)
{
	size_t length = strlen(start);

	for (const char *line = text; strchr(line, '\n'); line = strchr(line, '\n') + 1) {
		if (strncmp(line, start, length) == 0)
			return line + length;
	}
	return NULL;
}

const char *spawn_expect(struct spawned *child, const char *start)
{
	uint64_t deadline = deadline_ns();
	const char *rest;

	while (!(rest = find_line(child->text, start))) {
		if (child->out < 0)
			fail_msg("process %d ended before it printed \"%s\"; it printed:\n%s",
				 child->pid, start, child->text);
		struct pollfd wait = { .fd = child->out, .events = POLLIN };
		int ready = poll(&wait, 1, 1000);
		if (ready > 0)
			drain(&child->out, &child->text, &child->length);
		else if (spawn_now_ns() > deadline)
			fail_msg("process %d: waited too long for \"%s\"", child->pid, start);
	}
	return rest;
}

/* The whole of a small file in /proc, NUL-terminated; false if it is gone. */
static bool read_proc(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t count = read(fd, buffer, size - 1);
	close(fd);
	if (count < 0)
		return false;
	buffer[count] = '\0';
	return true;
}

/* In a system call; the main thread in read(2) of standard input. */
static bool is_at_rest(pid_t pid, pid_t tid)
{
	char path[64], text[256];
	long number;
	unsigned long argument;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	/* "running", or "-1 ..." outside a system call, or the call's number and arguments. */
	if (!read_proc(path, text, sizeof(text)) ||
	    sscanf(text, "%ld %lx", &number, &argument) != 2 || number < 0)
		return false;
	return tid != pid || (number == SYS_read && argument == 0);
}

void spawn_wait_at_rest(pid_t pid)
{
	uint64_t deadline = deadline_ns();

	for (;;) {
		size_t count, resting = 0;
		pid_t *tids = spawn_threads(pid, &count);
		while (resting < count && is_at_rest(pid, tids[resting]))
			resting++;
		free(tids);
		if (count && resting == count)
			return;
		look_again_until(deadline, "it to come to rest", pid);
	}
}

void spawn_wait_state(pid_t pid, char state)
{
	uint64_t deadline = deadline_ns();

	for (;;) {
		size_t count, in_state = 0;
		pid_t *tids = spawn_threads(pid, &count);
		for (size_t i = 0; i < count; i++)
			in_state += spawn_thread_state(pid, tids[i]) == state;
		free(tids);
		if (count && in_state == count)
			return;
		look_again_until(deadline, "its threads to come to a state", pid);
	}
}

void spawn_write(struct spawned *child, const char *text)
{
	size_t length = strlen(text);

	while (length) {
		ssize_t count = write(child->in, text, length);
		if (count < 0 && errno == EINTR)
			continue;
		assert_true(count > 0);
		text += count;
		length -= (size_t)count;
	}
}

void spawn_close_input(struct spawned *child)
{
	if (child->in >= 0)
		close(child->in);
	child->in = -1;
}

static void forget(struct spawned *child)
{
	spawn_close_input(child);
	if (child->out >= 0)
		close(child->out);
	free(child->text);
	*child = (struct spawned){ .in = -1, .out = -1 };
}

void spawn_end(struct spawned *child)
{
	if (child->pid) {
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
		child->pid = 0;
	}
	forget(child);
}

int spawn_wait(struct spawned *child)
{
	uint64_t deadline = deadline_ns();
	int status;

	for (;;) {
		pid_t ended = waitpid(child->pid, &status, WNOHANG);
		if (ended == child->pid)
			break;
		assert_true(ended == 0 || errno == EINTR);
		look_again_until(deadline, "its end", child->pid);
	}
	child->pid = 0;
	forget(child);
	return status;
}

int spawn_teardown(void **state)
{
	(void)state;
	/* All before the first is waited for: one that is traced by another ends after that. */
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (children[i].pid)
			kill(children[i].pid, SIGKILL);
	}
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (children[i].pid || children[i].text)
			spawn_end(&children[i]);
	}
	for (size_t i = 0; i < result_count; i++) {
		free(results[i].out);
		free(results[i].err);
	}
	result_count = 0;
	return 0;
}

const struct spawn_result *spawn_run(const struct spawn_how *how)
{
	uint64_t deadline = deadline_ns();
	struct spawn_result *result = &results[result_count];
	size_t err_length = 0;
	int err;

	if (result_count == CHILDREN_MAX)
		fail_msg("more than %d results in one test", CHILDREN_MAX);
	*result = (struct spawn_result){ .err = calloc(1, 1) };
	assert_non_null(result->err);
	result_count++;
	struct spawned *child = start(how, &err);
	spawn_close_input(child);
	while (child->out >= 0 || err >= 0) {
		struct pollfd wait[] = { { .fd = child->out, .events = POLLIN },
					 { .fd = err, .events = POLLIN } };
		int ready = poll(wait, 2, 1000);
		if (ready > 0 && wait[0].revents)
			drain(&child->out, &child->text, &child->length);
		if (ready > 0 && wait[1].revents)
			drain(&err, &result->err, &err_length);
		if (spawn_now_ns() > deadline)
			fail_msg("%s: took too long", how->argv[0]);
	}
	result->out = child->text;
	result->out_length = child->length;
	child->text = NULL;
	result->status = spawn_wait(child);
	return result;
}

int spawn_exit_code(const struct spawn_result *result)
{
	return WIFEXITED(result->status) ? WEXITSTATUS(result->status)
					 : 128 + WTERMSIG(result->status);
}

const char *spawn_path(const char *path_from_root)
{
	static char paths[32][512];
	static size_t next;
	const char *root = getenv("MEMTOOL_BUILDDIR");
	char *path = paths[next++ % 32];

	int length = snprintf(path, sizeof(paths[0]), "%s/%s", root ? root : ".", path_from_root);
	assert_true(length > 0 && (size_t)length < sizeof(paths[0]));
	return path;
}

const char *spawn_recorder(void)
{
	static char variable[600];
	char *path = realpath(spawn_path("tests/oracle/.libs/recorder.so"), NULL);

	if (!path)
		path = realpath(spawn_path("tests/oracle/recorder.so"), NULL);
	if (!path)
		fail_msg("the recorder is not built");
	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s", path);
	free(path);
	return variable;
}

bool spawn_has_program(const char *name)
{
	const char *path = getenv("PATH");
	char *copy = strdup(path ? path : ""), *rest = NULL, file[512];
	bool found = false;

	assert_non_null(copy);
	for (char *dir = strtok_r(copy, ":", &rest); dir && !found;
	     dir = strtok_r(NULL, ":", &rest)) {
		snprintf(file, sizeof(file), "%s/%s", dir, name);
		found = access(file, X_OK) == 0;
	}
	free(copy);
	return found;
}

const char *spawn_memtool(void)
{
	const char *command = getenv("MEMTOOL_COMMAND");

	return command ? command : spawn_path("memtool");
}

char spawn_thread_state(pid_t pid, pid_t tid)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (!read_proc(path, text, sizeof(text)))
		return 0;
	/* The name stands in parentheses and may hold any byte. */
	const char *end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

pid_t spawn_tracer(pid_t tid)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	assert_true(read_proc(path, text, sizeof(text)));
	const char *field = strstr(text, "\nTracerPid:");
	assert_non_null(field);
	return atoi(field + strlen("\nTracerPid:"));
}

void spawn_wait_ended(pid_t pid, pid_t tid)
{
	uint64_t deadline = deadline_ns();

	while (spawn_thread_state(pid, tid) != 'Z')
		look_again_until(deadline, "a thread to end", pid);
}

pid_t *spawn_threads(pid_t pid, size_t *ret_count)
{
	char path[64];
	pid_t *tids = NULL;
	size_t count = 0;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		tids = realloc(tids, (count + 1) * sizeof(*tids));
		assert_non_null(tids);
		tids[count++] = atoi(entry->d_name);
	}
	if (dir)
		closedir(dir);
	*ret_count = count;
	return tids;
}

static void on_alarm(int signal_number)
{
	static const char message[] = "the test took too long as a whole; ended\n";

	(void)signal_number;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (children[i].pid)
			kill(children[i].pid, SIGKILL);
	}
	if (write(2, message, sizeof(message) - 1) < 0)
		_exit(98);
	_exit(99);
}

void spawn_watchdog(unsigned int seconds)
{
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	alarm(seconds);
}
