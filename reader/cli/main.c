/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool COMMAND [OPTIONS] PID: finds the command and hands over.
 */
#include "cli/command.h"
#include "cli/message.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *argp_program_version = PACKAGE_STRING;

#define COMMAND_REFERENCE(name) &command_##name,
static const struct command *const commands[] = { COMMANDS(COMMAND_REFERENCE) };

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* Ends the help with the list of commands; argp owns and frees what is returned. */
static char *filter_help(int key, const char *text, void *input __attribute__((__unused__)))
{
	size_t length;
	char *list = NULL;

	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	FILE *stream = open_memstream(&list, &length);
	if (!stream)
		return NULL;
	fputs("Commands:\n\n", stream);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(stream, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n'memtool COMMAND --help' tells more of each. Exit status: 0 answered, 2 could not,"
	      " 64 wrong usage.",
	      stream);
	fclose(stream);
	return list;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

struct choice {
	const struct command *command;
	int index; /* its place in argv */
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct choice *choice = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		choice->command = find_command(argument);
		if (!choice->command)
			argp_error(state, "there is no command '%s'", argument);
		choice->index = state->next - 1;
		/* The rest is the command's. */
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/*
 * Descriptors 0 to 2 that came closed would go to the next file opened, and what is meant for
 * standard output would end up in that. Reading from and writing to these here fails, and what
 * `memtool run` becomes has them closed again.
 */
static void hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

/* argp prints --help and --version by stdio and does not look whether they arrived. */
static void check_standard_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return;
	struct memtool_error *error = memtool_error_os(errno, "cannot write to standard output");
	message_error(error);
	_exit(STATUS_FAILED);
}

/* argv[0] becomes "memtool NAME", as messages and --help of the command show it. */
static enum exit_status run_command(const struct choice *choice, int argc, char **argv)
{
	_cleanup_free_ char *name = NULL;

	if (asprintf(&name, "memtool %s", choice->command->name) < 0) {
		message_error(memtool_error_no_memory);
		return STATUS_FAILED;
	}
	argv[choice->index] = name;
	return choice->command->run(argc - choice->index, argv + choice->index);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "COMMAND [OPTIONS] PID",
		.doc = "Reads the glibc malloc heap of a live process from outside.\v",
		.help_filter = filter_help,
	};
	struct choice choice = { 0 };

	hold_standard_descriptors();
	atexit(check_standard_output);
	argp_err_exit_status = STATUS_USAGE;
	if (argc > 0)
		argv[0] = (char *)"memtool"; /* as messages begin */
	/* Wrong usage ends the program in argp_error(): what comes back is an errno. */
	error_t errnum = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choice);
	if (errnum) {
		message_error(memtool_error_os(errnum, "the arguments could not be read"));
		return STATUS_FAILED;
	}
	return run_command(&choice, argc, argv);
}
