/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All names that a line of the shell can begin with.
 */
#ifndef CLI_SHELL_NAMES_H
#define CLI_SHELL_NAMES_H

#include "cli/command.h"
#include "cli/shell/shell.h"

/* One of the three is not NULL. */
struct shell_name {
	const char *name;
	const struct builtin *builtin;
	const struct alias *alias;
	const struct command *command;
};

/* By its whole name, or by a beginning that only one has; else MEMTOOL_ERROR_INVALID. */
struct memtool_error *shell_find_name(const char *text, struct shell_name *ret);

/* The name at index, from 0 on; false behind the last. In the order of help. */
bool shell_name_at(size_t index, struct shell_name *ret);

#endif
