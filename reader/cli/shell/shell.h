/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell: the commands of the command line at a prompt, on one attached process.
 *
 * Being attached is to remember a process, no more: it runs on between the commands unless `stop`
 * was given. Each command of the command line runs in a child of the shell, so that nothing it does
 * (exit, Ctrl-C, memory taken for a large heap) harms the shell; the child inherits what the shell
 * knows of a stopped target. What changes the shell itself, a builtin, runs in it.
 */
#ifndef CLI_SHELL_SHELL_H
#define CLI_SHELL_SHELL_H

#include "cli/shell/words.h"
#include "target/process.h"
#include "target/stop.h"

#include <stdbool.h>
#include <sys/types.h>

struct shell {
	struct process *process; /* NULL: none is attached */
	struct stop *stop; /* NULL: the target runs */
	pid_t child; /* the target, if `run` started it, else 0 */
	int child_input; /* the other end of its standard input, which waits for nothing */
	bool interactive; /* both ends are terminals */
	bool done;
	int status; /* of the last command */
};

/* Splits a line and runs it. What goes wrong is told on standard error. */
void shell_execute(struct shell *shell, const char *line);

/* Lets the target go and forgets it; one that `run` started is ended. */
void shell_detach(struct shell *shell);

/* Something of the shell's own, by its full name. */
struct builtin {
	const char *name;
	const char *arguments; /* for help: "PID" */
	const char *summary;
	bool needs_target;
	size_t least, most; /* of arguments */
	struct memtool_error *(*run)(struct shell *shell, char **arguments, size_t count);
};

extern const struct builtin shell_builtins[];
extern const size_t shell_builtin_count;

/*
 * A name that the Swift memtool had for what is a command here: the words of the command, with the
 * target's pid behind the first.
 */
struct alias {
	const char *name;
	const char *arguments;
	const char *summary;
	/* Appends the words that stand for it. */
	struct memtool_error *(*expand)(char **arguments, size_t count, struct word_array *ret);
	size_t least, most;
};

extern const struct alias shell_aliases[];
extern const size_t shell_alias_count;

/*
 * Runs words as a command of the command line, in a child, its output through the pager if that is
 * a terminal. Returns its exit status; 128 and the signal's number if one ended it.
 */
int shell_run_command(struct shell *shell, char **words, size_t count);

/*
 * Starts a program under the agent; its pid, once it has been executed. Its standard input is a
 * pipe to which nothing is written, so that a program that reads it waits; *ret_input is the other
 * end.
 */
struct memtool_error *shell_start_program(char **words, size_t count, pid_t *ret, int *ret_input);

/* Reads lines and runs them until `exit` or the end of standard input. */
void shell_read_lines(struct shell *shell); /* any file */
struct memtool_error *shell_edit_lines(struct shell *shell); /* a terminal, by libedit */

#endif
