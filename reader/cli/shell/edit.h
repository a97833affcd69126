/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines from a terminal, by libedit: history, completion, and Ctrl-C that drops the line. A module
 * of the command, see cli/modules.c, to which the shell hands what it needs of it.
 */
#ifndef CLI_SHELL_EDIT_H
#define CLI_SHELL_EDIT_H

#include "cli/shell/complete.h"

struct edit_host {
	struct shell *shell;
	struct completer *completer;
	bool (*complete)(struct completer *completer, struct shell *shell, const char *text,
			 struct completion *ret);
	void (*completion_deinit)(struct completion *completion);
	void (*execute)(struct shell *shell, const char *line);
};

struct line_editor {
	/* Reads and executes lines until the shell is done or input ends; false: no memory. */
	bool (*edit)(const struct edit_host *host);
};

/* The function; it lasts as long as the program. */
struct memtool_error *line_editor_load(const struct line_editor **ret);

/* The one there is, for line_editor_load(): what the module exports has this name. */
extern const struct line_editor memtool_line_editor;

#endif
