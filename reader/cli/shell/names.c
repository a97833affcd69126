/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shell/names.h"

#include "support/error.h"

#include <string.h>

#define COMMAND_REFERENCE(name) &command_##name,
static const struct command *const commands[] = { COMMANDS(COMMAND_REFERENCE) };

/* A shell has its own way to run a program, and no shell within it. */
static bool is_ours(const struct command *command)
{
	return command == &command_run || command == &command_shell;
}

static const struct command *command_at(size_t index)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!is_ours(commands[i]) && index-- == 0)
			return commands[i];
	}
	return NULL;
}

bool shell_name_at(size_t index, struct shell_name *ret)
{
	*ret = (struct shell_name){ .name = NULL };
	if (index < shell_builtin_count) {
		ret->builtin = &shell_builtins[index];
		ret->name = ret->builtin->name;
		return true;
	}
	index -= shell_builtin_count;
	if (index < shell_alias_count) {
		ret->alias = &shell_aliases[index];
		ret->name = ret->alias->name;
		return true;
	}
	ret->command = command_at(index - shell_alias_count);
	if (ret->command)
		ret->name = ret->command->name;
	return ret->command != NULL;
}

struct memtool_error *shell_find_name(const char *text, struct shell_name *ret)
{
	struct shell_name name, found = { .name = NULL };
	const char *other = NULL;

	for (size_t i = 0; shell_name_at(i, &name); i++) {
		if (strcmp(name.name, text) == 0) {
			*ret = name;
			return NULL;
		}
		if (strncmp(name.name, text, strlen(text)) != 0)
			continue;
		other = found.name;
		found = name;
	}
	if (other)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "'%s' may be %s or %s, among others", text, other,
					    found.name);
	if (!found.name)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "there is no command '%s'; help lists them", text);
	*ret = found;
	return NULL;
}
