/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changes the shell itself.
 */
#include "cli/command.h"
#include "cli/output.h"
#include "cli/shell/names.h"
#include "cli/shell/shell.h"
#include "cli/units.h"
#include "cli/utf8.h"
#include "session.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct memtool_error *attach_pid(struct shell *shell, pid_t pid)
{
	struct process *process;
	struct memtool_error *error = process_open(pid, &process);

	if (error)
		return error;
	shell_detach(shell);
	shell->process = process;
	return NULL;
}

static struct memtool_error *attach(struct shell *shell, char **arguments, size_t count)
{
	uint64_t pid;

	(void)count;
	if (!units_parse_number(arguments[0], INT_MAX, &pid) || pid == 0)
		return memtool_error_create(MEMTOOL_ERROR_INVALID, "'%s' is not a process id",
					    arguments[0]);
	return attach_pid(shell, (pid_t)pid);
}

/* ld.so has to be done before there is anything to look at; a program without glibc never is. */
static void wait_until_loaded(pid_t pid)
{
	static const struct session_options options = { .source = ROOT_UNKNOWN };
	static const struct timespec nap = { .tv_nsec = 5000000 };

	for (int i = 0; i < 100; i++) {
		_cleanup_session_ struct session *session = NULL;
		struct memtool_error *error = session_open(pid, &options, &session);
		bool done = !error || error->code == MEMTOOL_ERROR_NO_PROCESS;

		memtool_error_destroy(error);
		if (done)
			break;
		nanosleep(&nap, NULL);
	}
}

static struct memtool_error *run_program(struct shell *shell, char **arguments, size_t count)
{
	pid_t pid;
	int input;
	struct memtool_error *error = shell_start_program(arguments, count, &pid, &input);

	if (error)
		return error;
	wait_until_loaded(pid);
	error = attach_pid(shell, pid);
	if (error) {
		close(input);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return error;
	}
	shell->child = pid;
	shell->child_input = input;
	return NULL;
}

void shell_detach(struct shell *shell)
{
	stop_resume(shell->stop, NULL);
	shell->stop = NULL;
	process_close(shell->process);
	shell->process = NULL;
	if (shell->child) {
		close(shell->child_input);
		kill(shell->child, SIGTERM);
		/* One that was stopped, say by SIGSTOP, takes it when it goes on. */
		kill(shell->child, SIGCONT);
		waitpid(shell->child, NULL, 0);
		shell->child = 0;
	}
}

static struct memtool_error *detach(struct shell *shell, char **arguments, size_t count)
{
	(void)arguments, (void)count;
	shell_detach(shell);
	return NULL;
}

static struct memtool_error *stop(struct shell *shell, char **arguments, size_t count)
{
	(void)arguments, (void)count;
	return shell->stop ? NULL : stop_threads(shell->process, &shell->stop);
}

static struct memtool_error *go_on(struct shell *shell, char **arguments, size_t count)
{
	(void)arguments, (void)count;
	stop_resume(shell->stop, NULL);
	shell->stop = NULL;
	return NULL;
}

/* Standard output, for a few lines of the shell's own. */
static struct memtool_error *begin_output(struct output **ret)
{
	return output_of_fd(STDOUT_FILENO, "standard output", ret);
}

static void describe(const struct shell *shell, struct output *output)
{
	char command[16];
	size_t threads;

	if (!shell->process) {
		output_text(output, "idle: no process is attached\n");
		return;
	}
	process_thread_name(shell->process, shell->process->pid, command);
	output_printf(output, "attached to %d, ", (int)shell->process->pid);
	utf8_write_printable(output, command);
	if (shell->child)
		output_text(output, ", which was started here");
	_cleanup_error_ struct memtool_error *gone = process_check(shell->process);
	if (gone) {
		output_text(output, ": it has ended, or runs another program\n");
	} else if (shell->stop) {
		stop_list(shell->stop, &threads);
		output_printf(output, ": stopped, all of its %zu threads\n", threads);
	} else {
		output_text(output, ": it runs\n");
	}
}

static struct memtool_error *status(struct shell *shell, char **arguments, size_t count)
{
	_cleanup_output_ struct output *output = NULL;
	struct memtool_error *error = begin_output(&output);

	(void)arguments, (void)count;
	if (error)
		return error;
	describe(shell, output);
	return output_finish(output);
}

static void help_line(struct output *output, const struct shell_name *name)
{
	const char *arguments = name->builtin ? name->builtin->arguments
				: name->alias ? name->alias->arguments
					      : "";
	const char *summary = name->builtin ? name->builtin->summary
			      : name->alias ? name->alias->summary
					    : name->command->summary;

	output_printf(output, "  %-8s %-18s %s\n", name->name, arguments, summary);
}

static struct memtool_error *list_names(void)
{
	_cleanup_output_ struct output *output = NULL;
	struct memtool_error *error = begin_output(&output);
	struct shell_name name;

	if (error)
		return error;
	for (size_t i = 0; shell_name_at(i, &name); i++) {
		if (i == 0)
			output_text(output, "The shell itself:\n");
		if (i == shell_builtin_count)
			output_text(output, "\nShort for other commands:\n");
		if (i == shell_builtin_count + shell_alias_count)
			output_text(output, "\nAs on the command line, without the PID; NAME "
					    "--help tells more:\n");
		help_line(output, &name);
	}
	output_text(output, "\nA name may be shortened as long as it is the only one that begins "
			    "so.\n");
	return output_finish(output);
}

static struct memtool_error *help(struct shell *shell, char **arguments, size_t count)
{
	_cleanup_output_ struct output *output = NULL;
	char option[] = "--help", *words[] = { NULL, option };
	struct shell_name name;

	if (count == 0)
		return list_names();
	struct memtool_error *error = shell_find_name(arguments[0], &name);
	if (error)
		return error;
	if (name.command) {
		words[0] = (char *)name.name;
		shell->status = shell_run_command(shell, words, 2);
		return NULL;
	}
	error = begin_output(&output);
	if (error)
		return error;
	help_line(output, &name);
	return output_finish(output);
}

static struct memtool_error *leave(struct shell *shell, char **arguments, size_t count)
{
	(void)arguments, (void)count;
	shell->done = true;
	return NULL;
}

const struct builtin shell_builtins[] = {
	{ "attach", "PID", "look at this process from now on", false, 1, 1, attach },
	{ "run", "PROGRAM [ARG...]", "start a program under the agent, and attach to it", false, 1,
	  SIZE_MAX, run_program },
	{ "detach", "", "forget the process; ends one that run started", true, 0, 0, detach },
	{ "stop", "", "stop the process until resume", true, 0, 0, stop },
	{ "resume", "", "let it run on", true, 0, 0, go_on },
	{ "status", "", "what is attached, and whether it runs", false, 0, 0, status },
	{ "help", "[NAME]", "this list, or more of one of it", false, 0, 1, help },
	{ "exit", "", "leave the shell", false, 0, 0, leave },
};

const size_t shell_builtin_count = sizeof(shell_builtins) / sizeof(shell_builtins[0]);
