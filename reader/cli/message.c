/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message.h"

#include "cli/output.h"
#include "cli/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* What does without memory: only ASCII, and not much of it. */
static void write_short_line(const char *prefix, const char *message)
{
	char line[256];
	size_t length = (size_t)snprintf(line, sizeof(line) - 1, "%s%s", prefix, message);

	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	for (size_t i = 0; i < length; i++) {
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	}
	line[length++] = '\n';
	/* Nobody is left to be told of a failure. */
	if (write(STDERR_FILENO, line, length) < 0)
		return;
}

/* In one write(2), so that lines of several programs do not mix. */
static void write_line(const char *prefix, const char *message)
{
	_cleanup_output_ struct output *output = NULL;
	_cleanup_error_ struct memtool_error *error =
		output_of_fd(STDERR_FILENO, "standard error", &output);
	if (error) {
		write_short_line(prefix, message);
		return;
	}
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
