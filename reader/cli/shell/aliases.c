/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the Swift memtool's shell, for what has another name here.
 */
#include "cli/shell/shell.h"

#include "cli/units.h"

#include <inttypes.h>
#include <string.h>

static struct memtool_error *add(struct word_array *words, const char *text)
{
	char *word = strdup(text);

	if (word && word_array_append(words, &word))
		return NULL;
	free(word);
	return memtool_error_no_memory;
}

/* A command, and the arguments as they are. */
static struct memtool_error *expand_to(const char *command, char **arguments, size_t count,
				       struct word_array *ret)
{
	struct memtool_error *error = add(ret, command);

	for (size_t i = 0; !error && i < count; i++)
		error = add(ret, arguments[i]);
	return error;
}

static struct memtool_error *expand_analyze(char **arguments, size_t count, struct word_array *ret)
{
	return expand_to("heap", arguments, count, ret);
}

static struct memtool_error *expand_addr(char **arguments, size_t count, struct word_array *ret)
{
	return expand_to("address", arguments, count, ret);
}

static struct memtool_error *expand_map(char **arguments, size_t count, struct word_array *ret)
{
	return expand_to("maps", arguments, count, ret);
}

static struct memtool_error *expand_tbss(char **arguments, size_t count, struct word_array *ret)
{
	return expand_to("symbol", arguments, count, ret);
}

/* -e TEXT is the name itself, else a part of it. */
static struct memtool_error *expand_lookup(char **arguments, size_t count, struct word_array *ret)
{
	bool exact = strcmp(arguments[0], "-e") == 0;

	if (exact != (count == 2))
		return memtool_error_create(MEMTOOL_ERROR_INVALID, "usage: lookup [-e] TEXT");
	struct memtool_error *error = add(ret, "symbol");
	if (!error && !exact)
		error = add(ret, "--part");
	return error ? error : add(ret, arguments[count - 1]);
}

static struct memtool_error *expand_errno(char **arguments, size_t count, struct word_array *ret)
{
	struct memtool_error *error = expand_to("symbol", arguments, count, ret);

	return error ? error : add(ret, "errno");
}

/* Of TID, or of every thread. */
static struct memtool_error *expand_tcb(char **arguments, size_t count, struct word_array *ret)
{
	char *option = NULL;

	if (count && asprintf(&option, "--thread=%s", arguments[0]) < 0)
		return memtool_error_no_memory;
	struct memtool_error *error = expand_to("peek", &option, count, ret);
	free(option);
	return error ? error : add(ret, "tcbhead");
}

/* COUNT ADDRESS, or COUNT ADDRESS -a for bytes and characters. */
static struct memtool_error *expand_word(char **arguments, size_t count, struct word_array *ret)
{
	bool characters = count == 3 && strcmp(arguments[2], "-a") == 0;
	uint64_t number;
	char length[32];

	if ((count == 3 && !characters) || !units_parse_number(arguments[0], UINT32_MAX, &number) ||
	    number == 0)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "usage: word COUNT ADDRESS [-a]");
	snprintf(length, sizeof(length), "%" PRIu64, characters ? number : 8 * number);
	struct memtool_error *error = add(ret, "peek");
	if (!error)
		error = add(ret, arguments[1]);
	if (!error)
		error = add(ret, length);
	if (!error && !characters)
		error = add(ret, "--words");
	return error;
}

const struct alias shell_aliases[] = {
	{ "analyze", "", "heap", expand_analyze, 0, SIZE_MAX },
	{ "addr", "ADDRESS...", "address", expand_addr, 1, SIZE_MAX },
	{ "map", "", "maps", expand_map, 0, SIZE_MAX },
	{ "lookup", "[-e] TEXT", "symbol --part; -e: symbol", expand_lookup, 1, 2 },
	{ "tbss", "NAME...", "symbol: of a TLS variable, where each thread has it", expand_tbss, 1,
	  SIZE_MAX },
	{ "errno", "", "symbol errno: where each thread has it", expand_errno, 0, SIZE_MAX },
	{ "tcb", "[TID]", "peek tcbhead: of one thread, or of each", expand_tcb, 0, 1 },
	{ "word", "COUNT ADDRESS [-a]", "peek --words; -a: COUNT bytes and characters", expand_word,
	  2, 3 },
};

const size_t shell_alias_count = sizeof(shell_aliases) / sizeof(shell_aliases[0]);
