/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message.h"

#include "cli/output.h"
#include "cli/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* In one write(2), so that lines of several programs do not mix. */
static void write_line(const char *prefix, const char *message)
{
	_cleanup_output_ struct output *output = NULL;
	_cleanup_error_ struct memtool_error *error =
		output_of_fd(STDERR_FILENO, "standard error", &output);
	if (error)
		return;
	output_text(output, prefix);
	utf8_write_printable(output, message);
	output_char(output, '\n');
	/* Nobody is left to be told of a failure. */
	memtool_error_destroy(output_finish(output));
}

void message_error(const struct memtool_error *error)
{
	write_line("memtool: ", error->message);
}

void message_note(const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	if (message)
		write_line("memtool: note: ", message);
}
