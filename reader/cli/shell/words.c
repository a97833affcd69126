/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shell/words.h"

#include <string.h>

void words_deinit(struct word_array *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->data[i]);
	word_array_deinit(words);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct memtool_error *unfinished(char quote)
{
	return memtool_error_create(MEMTOOL_ERROR_INVALID, "the line ends within %s",
				    quote == '\\' ? "a backslash's pair" : "a quotation");
}

/* Copies the word at *line to word, without what quotes it; *line goes on to its end. */
static struct memtool_error *take_word(const char **line, char *word)
{
	const char *at = *line;
	char quote = '\0';

	for (; *at && (quote || !is_blank(*at)); at++) {
		if (*at == quote) {
			quote = '\0';
		} else if (!quote && (*at == '\'' || *at == '"')) {
			quote = *at;
		} else if (*at == '\\' && quote != '\'') {
			if (!*++at)
				return unfinished('\\');
			*word++ = *at;
		} else {
			*word++ = *at;
		}
	}
	if (quote)
		return unfinished(quote);
	*word = '\0';
	*line = at;
	return NULL;
}

struct memtool_error *words_split(const char *line, struct word_array *ret)
{
	_cleanup_words_ struct word_array words = { 0 };

	for (;;) {
		while (is_blank(*line))
			line++;
		if (!*line)
			break;
		/* No word is longer than what is left of the line. */
		_cleanup_free_ char *word = malloc(strlen(line) + 1);
		if (!word)
			return memtool_error_no_memory;
		struct memtool_error *error = take_word(&line, word);
		if (error)
			return error;
		if (!word_array_append(&words, &word))
			return memtool_error_no_memory;
		word = NULL;
	}
	*ret = words;
	words = (struct word_array){ 0 };
	return NULL;
}
