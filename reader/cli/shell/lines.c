/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where lines come from: a file or a pipe, without a prompt, or a terminal.
 */
#include "cli/shell/complete.h"
#include "cli/shell/edit.h"
#include "cli/shell/shell.h"
#include "cli/utf8.h"

#include <stdio.h>
#include <stdlib.h>

void shell_read_lines(struct shell *shell)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	/* Children must not find a part of the input in a buffer, nor lose one. */
	setvbuf(stdin, NULL, _IONBF, 0);
	while (!shell->done && getline(&line, &size, stdin) >= 0)
		shell_execute(shell, line);
}

struct memtool_error *shell_edit_lines(struct shell *shell)
{
	const struct line_editor *editor;

	struct memtool_error *error = line_editor_load(&editor);
	if (error)
		return error;
	utf8_use_locale();
	const struct edit_host host = {
		.shell = shell,
		.completer = completer_create(),
		.complete = complete,
		.completion_deinit = completion_deinit,
		.execute = shell_execute,
	};
	bool enough = host.completer && editor->edit(&host);
	completer_destroy(host.completer);
	return enough ? NULL : memtool_error_no_memory;
}
