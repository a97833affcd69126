/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a line may go on with: names of commands, their options, and symbols of the target.
 */
#ifndef CLI_SHELL_COMPLETE_H
#define CLI_SHELL_COMPLETE_H

#include "cli/shell/shell.h"

/* So many candidates are shown, and no more symbols are looked for than a few times that. */
#define COMPLETION_SHOWN 200

struct completion {
	struct word_array candidates; /* whole words, sorted, each once */
	/*
	 * What all of them have behind what is there; with a blank if there is one,
	 * unless it awaits "=VALUE".
	 */
	char *tail;
};

void completion_deinit(struct completion *completion);

/* Remembers the options of commands, which are asked for once. */
struct completer;

struct completer *completer_create(void);
void completer_destroy(struct completer *completer);

/* text is the line up to the cursor. False if that could not be told; *ret is untouched then. */
bool complete(struct completer *completer, struct shell *shell, const char *text,
	      struct completion *ret);

#endif
