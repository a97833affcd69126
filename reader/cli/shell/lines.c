/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines from a file or a pipe, without a prompt.
 */
#include "cli/shell/shell.h"

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
