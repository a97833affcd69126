/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a line to what it stands for: a builtin, an alias, a command, or the beginning of one name.
 */
#include "cli/shell/shell.h"

#include "cli/command.h"
#include "cli/message.h"
#include "cli/shell/names.h"

#include <string.h>

static struct memtool_error *usage_of(const char *name, const char *arguments)
{
	return memtool_error_create(MEMTOOL_ERROR_INVALID, "usage: %s%s%s", name,
				    *arguments ? " " : "", arguments);
}

static struct memtool_error *needs_target(void)
{
	return memtool_error_create(MEMTOOL_ERROR_INVALID,
				    "no process is attached: attach PID, or run PROGRAM");
}

static struct memtool_error *run_builtin(struct shell *shell, const struct builtin *builtin,
					 char **arguments, size_t count)
{
	if (count < builtin->least || count > builtin->most)
		return usage_of(builtin->name, builtin->arguments);
	if (builtin->needs_target && !shell->process)
		return needs_target();
	shell->status = STATUS_ANSWERED;
	return builtin->run(shell, arguments, count);
}

/* words[0] is the command's full name. */
static struct memtool_error *run_command(struct shell *shell, char **words, size_t count)
{
	bool free_standing =
		strcmp(words[0], "ps") == 0 || (count > 1 && strcmp(words[1], "--help") == 0);

	if (!shell->process && !free_standing)
		return needs_target();
	shell->status = shell_run_command(shell, words, count);
	return NULL;
}

static struct memtool_error *run_alias(struct shell *shell, const struct alias *alias,
				       char **arguments, size_t count)
{
	_cleanup_words_ struct word_array words = { 0 };

	if (count < alias->least || count > alias->most)
		return usage_of(alias->name, alias->arguments);
	struct memtool_error *error = alias->expand(arguments, count, &words);
	return error ? error : run_command(shell, words.data, words.count);
}

static struct memtool_error *run_words(struct shell *shell, char **words, size_t count)
{
	struct shell_name name;
	struct memtool_error *error = shell_find_name(words[0], &name);

	if (error)
		return error;
	if (name.builtin)
		return run_builtin(shell, name.builtin, words + 1, count - 1);
	if (name.alias)
		return run_alias(shell, name.alias, words + 1, count - 1);
	/* Messages and --help show the whole name. */
	free(words[0]);
	words[0] = strdup(name.command->name);
	return words[0] ? run_command(shell, words, count) : memtool_error_no_memory;
}

/* A target that was killed while we held it stays a zombie, to its parent too, until we let go. */
static void let_go_of_dead(struct shell *shell)
{
	if (!shell->stop)
		return;
	_cleanup_error_ struct memtool_error *gone = process_check(shell->process);
	if (!gone)
		return;
	stop_resume(shell->stop, NULL);
	shell->stop = NULL;
}

void shell_execute(struct shell *shell, const char *line)
{
	_cleanup_words_ struct word_array words = { 0 };
	_cleanup_error_ struct memtool_error *error = words_split(line, &words);

	/* A comment makes a script of lines readable. */
	if (!error && (words.count == 0 || words.data[0][0] == '#'))
		return;
	let_go_of_dead(shell);
	if (!error)
		error = run_words(shell, words.data, words.count);
	if (!error)
		return;
	message_error(error);
	shell->status = error->code == MEMTOOL_ERROR_INVALID ? STATUS_USAGE : STATUS_FAILED;
}
