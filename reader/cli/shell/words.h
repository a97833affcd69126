/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of the shell as words: separated by blanks; '...' and "..." keep what is between them, and
 * a backslash, but for one within '...', the character behind it. No variables, no patterns.
 */
#ifndef CLI_SHELL_WORDS_H
#define CLI_SHELL_WORDS_H

#include "support/array.h"
#include "support/error.h"

DEFINE_ARRAY(word_array, char *)

/* MEMTOOL_ERROR_INVALID where a quotation does not end. */
struct memtool_error *words_split(const char *line, struct word_array *ret);

/* Ends the words in it, too. */
void words_deinit(struct word_array *words);

#define _cleanup_words_ _cleanup_(words_deinit)

#endif
