/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shell/complete.h"

#include "cli/command.h"
#include "cli/shell/names.h"
#include "session.h"
#include "symbols/symbols_by_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What --help of a command says, and of which one. */
struct help_text {
	const struct command *command;
	char *text;
};

DEFINE_ARRAY(help_texts, struct help_text)

struct completer {
	struct help_texts helps;
	/* Of the process with that pid; NULL: not loaded, or in vain. */
	struct session *session;
	pid_t pid;
};

struct completer *completer_create(void)
{
	return calloc(1, sizeof(struct completer));
}

void completer_destroy(struct completer *completer)
{
	if (!completer)
		return;
	for (size_t i = 0; i < completer->helps.count; i++)
		free(completer->helps.data[i].text);
	help_texts_deinit(&completer->helps);
	session_close(completer->session);
	free(completer);
}

void completion_deinit(struct completion *completion)
{
	words_deinit(&completion->candidates);
	free(completion->tail);
}

static bool add(struct completion *completion, const char *text, size_t length)
{
	char *word = strndup(text, length);

	if (word && word_array_append(&completion->candidates, &word))
		return true;
	free(word);
	return false;
}

static bool add_names(struct completion *completion, const char *begun)
{
	struct shell_name name;

	for (size_t i = 0; shell_name_at(i, &name); i++) {
		if (strncmp(name.name, begun, strlen(begun)) == 0 &&
		    !add(completion, name.name, strlen(name.name)))
			return false;
	}
	return true;
}

/* All that a child prints for "NAME --help"; argp has no other list of a command's options. */
static char *ask_for_help(const struct command *command)
{
	char option[] = "--help", *argv[] = { (char *)command->name, option, NULL };
	char *text = NULL;
	size_t length = 0;
	char buffer[4096];
	ssize_t count;
	int fds[2];

	FILE *stream = open_memstream(&text, &length);
	if (!stream || pipe(fds) < 0) {
		if (stream)
			fclose(stream);
		free(text);
		return NULL;
	}
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		exit((int)command->run(2, argv));
	}
	close(fds[1]);
	while (pid > 0 && (count = read(fds[0], buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, (size_t)count, stream);
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	fclose(stream);
	return text;
}

static const char *help_of(struct completer *completer, const struct command *command)
{
	for (size_t i = 0; i < completer->helps.count; i++) {
		if (completer->helps.data[i].command == command)
			return completer->helps.data[i].text;
	}
	const struct help_text help = { command, ask_for_help(command) };
	if (!help.text || !help_texts_append(&completer->helps, &help)) {
		free(help.text);
		return NULL;
	}
	return help.text;
}

/* The words in a help text that begin with two dashes; of "--limit=N" the N is for the user. */
static bool add_options(struct completion *completion, const char *help, const char *begun)
{
	for (const char *at = help; (at = strstr(at, "--"));) {
		size_t length = 2;

		while (isalnum((unsigned char)at[length]) || at[length] == '-')
			length++;
		length += at[length] == '=';
		bool starts = at > help && isspace((unsigned char)at[-1]);
		if (starts && length > 2 && strncmp(at, begun, strlen(begun)) == 0 &&
		    !add(completion, at, length))
			return false;
		at += length;
	}
	return true;
}

/* A session of its own, as what is loaded once serves all later symbols. */
static struct modules *modules_of(struct completer *completer, const struct shell *shell)
{
	static const struct session_options options = { .source = ROOT_UNKNOWN };

	if (!shell->process)
		return NULL;
	if (completer->pid != shell->process->pid || !completer->session) {
		session_close(completer->session);
		completer->session = NULL;
		completer->pid = shell->process->pid;
		_cleanup_error_ struct memtool_error *error =
			session_attach(completer->pid, &options, &completer->session);
		if (!error)
			error = session_load_modules(completer->session);
		if (error)
			return NULL;
	}
	return completer->session->modules;
}

static bool add_symbols(struct completer *completer, const struct shell *shell,
			struct completion *completion, const char *begun)
{
	_cleanup_(symbols_deinit) struct symbol_array symbols = { 0 };
	const struct modules *modules = modules_of(completer, shell);

	if (!modules || !*begun)
		return true;
	_cleanup_error_ struct memtool_error *error =
		symbols_by_text(modules, begun, SYMBOL_BEGINS, &symbols);
	for (size_t i = 0; !error && i < symbols.count; i++) {
		if (!add(completion, symbols.data[i].name, strlen(symbols.data[i].name)))
			return false;
	}
	return !error;
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_once(struct word_array *words)
{
	size_t kept = 0;

	if (words->count)
		qsort(words->data, words->count, sizeof(*words->data), compare_words);
	for (size_t i = 0; i < words->count; i++) {
		if (kept && strcmp(words->data[kept - 1], words->data[i]) == 0)
			free(words->data[i]);
		else
			words->data[kept++] = words->data[i];
	}
	words->count = kept;
}

/* Whether a blank is next, or the value of an option. */
static bool is_whole(const char *word)
{
	return word[strlen(word) - 1] != '=';
}

/* What all candidates go on with behind what has been typed. */
static bool set_tail(struct completion *completion, size_t typed)
{
	const struct word_array *words = &completion->candidates;
	size_t common = words->count ? strlen(words->data[0]) : typed;

	for (size_t i = 1; i < words->count; i++) {
		size_t same = 0;
		while (same < common && words->data[0][same] == words->data[i][same])
			same++;
		common = same;
	}
	return asprintf(&completion->tail, "%.*s%s", (int)(common - typed),
			words->count ? words->data[0] + typed : "",
			words->count == 1 && is_whole(words->data[0]) ? " " : "") >= 0;
}

/* By the command that the line begins with, of which the word is an argument. */
static bool add_arguments(struct completer *completer, struct shell *shell, const char *line,
			  struct completion *completion, const char *begun)
{
	_cleanup_words_ struct word_array words = { 0 };
	struct shell_name name;
	_cleanup_error_ struct memtool_error *error = words_split(line, &words);

	if (!error)
		error = shell_find_name(words.data[0], &name);
	if (error)
		return true;
	if (*begun == '-' && name.command) {
		const char *help = help_of(completer, name.command);
		return !help || add_options(completion, help, begun);
	}
	if (name.builtin && strcmp(name.name, "help") == 0)
		return add_names(completion, begun);
	return name.builtin || add_symbols(completer, shell, completion, begun);
}

bool complete(struct completer *completer, struct shell *shell, const char *text,
	      struct completion *ret)
{
	struct completion completion = { .tail = NULL };
	const char *begun = text + strlen(text);

	while (begun > text && !isspace((unsigned char)begun[-1]))
		begun--;
	bool first = strspn(text, " \t") == (size_t)(begun - text);
	bool enough = first ? add_names(&completion, begun)
			    : add_arguments(completer, shell, text, &completion, begun);
	sort_once(&completion.candidates);
	if (!enough || !set_tail(&completion, strlen(begun))) {
		completion_deinit(&completion);
		return false;
	}
	*ret = completion;
	return true;
}
