/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children of the shell: a command of the command line, its pager, and a program to look at.
 */
#include "cli/shell/shell.h"

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/shell/names.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* As a shell has it. */
static int status_of(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return STATUS_FAILED;
	}
	return status_of(status);
}

/* The shell itself ignores Ctrl-C while a child runs; the child ends by it. */
static void default_signals(void)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
}

static bool in_path(const char *program)
{
	_cleanup_free_ char *path = strdup(getenv("PATH") ? getenv("PATH") : "");
	char *rest = path, *directory, file[4096];

	while (rest && (directory = strsep(&rest, ":"))) {
		if (snprintf(file, sizeof(file), "%s/%s", directory, program) < (int)sizeof(file) &&
		    access(file, X_OK) == 0)
			return true;
	}
	return false;
}

/* What shows long output: PAGER, or less where that is not set; NULL: nothing. */
static const char *pager_command(void)
{
	const char *pager = getenv("PAGER");

	if (pager)
		return *pager && strcmp(pager, "cat") != 0 ? pager : NULL;
	return in_path("less") ? "less" : NULL;
}

/* *ret_fd is what to write to; the result is the pager's pid, 0 if there is none. */
static pid_t start_pager(int *ret_fd)
{
	const char *command = pager_command();
	int fds[2];

	if (!command || !isatty(STDOUT_FILENO) || pipe2(fds, O_CLOEXEC) < 0)
		return 0;
	pid_t pid = fork();
	if (pid == 0) {
		/* less, told nothing else, ends by itself if all fits on the screen. */
		setenv("LESS", "FRX", 0);
		default_signals();
		dup2(fds[0], STDIN_FILENO);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(STATUS_NOT_FOUND);
	}
	close(fds[0]);
	if (pid < 0) {
		close(fds[1]);
		return 0;
	}
	*ret_fd = fds[1];
	return pid;
}

/* In the child: never returns. Of a command on no process, pid is NULL. */
static void become_command(const struct command *command, const char *pid, char **words,
			   size_t count)
{
	char **argv = calloc(count + 3, sizeof(*argv)), *name;
	int argc = 0;

	if (!argv || asprintf(&name, "memtool %s", command->name) < 0) {
		message_error(memtool_error_no_memory);
		exit(STATUS_FAILED);
	}
	argv[argc++] = name;
	if (pid)
		argv[argc++] = (char *)pid;
	for (size_t i = 1; i < count; i++)
		argv[argc++] = words[i];
	enum exit_status status = command->run(argc, argv);
	free(name);
	free(argv);
	exit((int)status);
}

int shell_run_command(struct shell *shell, char **words, size_t count)
{
	struct shell_name name;
	char pid_text[16] = "";
	int output = -1;

	struct memtool_error *error = shell_find_name(words[0], &name);
	if (error) {
		message_error(error);
		memtool_error_destroy(error);
		return STATUS_USAGE;
	}
	if (shell->process && strcmp(name.name, "ps") != 0)
		snprintf(pid_text, sizeof(pid_text), "%d", (int)shell->process->pid);
	fflush(NULL);
	pid_t pager = shell->interactive ? start_pager(&output) : 0;
	pid_t pid = fork();
	if (pid == 0) {
		default_signals();
		if (pager)
			dup2(output, STDOUT_FILENO);
		common_session_defaults.held = shell->stop;
		become_command(name.command, *pid_text ? pid_text : NULL, words, count);
	}
	if (output >= 0)
		close(output);
	int status = pid < 0 ? STATUS_FAILED : wait_for(pid);
	if (pid < 0)
		message_note("no process could be started: %s", strerror(errno));
	if (pager)
		wait_for(pager);
	return status;
}

/*
 * As long as the shell holds a target it blocks Ctrl-Z (target/stop.h). Its commands leave it so:
 * they would stop alone. A program is on its own.
 */
static void unblock_suspend(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

/* In the child: never returns. */
static void become_program(char **words, size_t count, int input)
{
	char **argv = calloc(count + 3, sizeof(*argv));
	char name[] = "memtool run", dashes[] = "--";

	/* The terminal is the shell's, and so are its signals. */
	setpgid(0, 0);
	default_signals();
	unblock_suspend();
	if (!argv || dup2(input, STDIN_FILENO) < 0)
		_exit(STATUS_FAILED);
	argv[0] = name;
	argv[1] = dashes;
	memcpy(argv + 2, words, count * sizeof(*argv));
	enum exit_status status = command_run.run((int)count + 2, argv);
	free(argv);
	exit((int)status);
}

/* Until the child has executed the program, or exited: then the last writer of the pipe is gone. */
static void wait_for_end(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

struct memtool_error *shell_start_program(char **words, size_t count, pid_t *ret, int *ret_input)
{
	int alive[2], input[2];

	if (pipe2(alive, O_CLOEXEC) < 0)
		return memtool_error_os(errno, "no pipe");
	if (pipe2(input, O_CLOEXEC) < 0) {
		close(alive[0]);
		close(alive[1]);
		return memtool_error_os(errno, "no pipe");
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		become_program(words, count, input[0]);
	int errnum = errno;
	close(alive[1]);
	close(input[0]);
	if (pid > 0)
		wait_for_end(alive[0]);
	close(alive[0]);
	if (pid > 0 && !has_ended(pid)) {
		*ret = pid;
		*ret_input = input[1];
		return NULL;
	}
	close(input[1]);
	if (pid < 0)
		return memtool_error_os(errnum, "no process could be started");
	wait_for(pid);
	return memtool_error_create(MEMTOOL_ERROR_NO_PROCESS, "%s ended at once", words[0]);
}
