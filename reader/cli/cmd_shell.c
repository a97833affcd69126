/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool shell: the commands at a prompt, on one attached process.
 */
#include "cli/command.h"
#include "cli/message.h"
#include "cli/shell/shell.h"
#include "cli/units.h"

#include <argp.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

static error_t parse(int key, char *argument, struct argp_state *state)
{
	uint64_t pid;

	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "too many operands: '%s'", argument);
		if (!units_parse_number(argument, INT_MAX, &pid) || pid == 0)
			argp_error(state, "'%s' is not a process id", argument);
		*(pid_t *)state->input = (pid_t)pid;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What is piped in may be a script, which wants to know how its last command went. */
static enum exit_status run_shell(struct shell *shell)
{
	_cleanup_error_ struct memtool_error *error = NULL;

	if (shell->interactive)
		error = shell_edit_lines(shell);
	else
		shell_read_lines(shell);
	shell_detach(shell);
	if (error) {
		message_error(error);
		return STATUS_FAILED;
	}
	return shell->interactive ? STATUS_ANSWERED : (enum exit_status)shell->status;
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "[PID]",
		.doc = "Reads commands and answers them, on one process: PID, or what the command "
		       "attach names."
		       "\vThe commands are those of the command line, without the PID, and some of "
		       "the shell itself; help lists them. The process runs between them, unless "
		       "stop was given. Where standard input and output are a terminal, lines can "
		       "be edited, Tab completes names, options and symbols, and long output is "
		       "shown by $PAGER, or by less. Ctrl-C ends a command, and not the shell. "
		       "From a file or a pipe lines are read without a prompt, and the exit status "
		       "is that of the last command.",
	};
	struct shell shell = { .interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) };
	char text[32];
	pid_t pid = 0;

	argp_parse(&argp, argc, argv, 0, NULL, &pid);
	/* For the commands; a terminal sends it to all of its processes. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	if (pid) {
		snprintf(text, sizeof(text), "attach %d", (int)pid);
		shell_execute(&shell, text);
		if (!shell.process)
			return STATUS_FAILED;
	}
	return run_shell(&shell);
}

const struct command command_shell = { "shell", "the same commands at a prompt", run };
