/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include "cli/digits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BUFFER_SIZE (128 * 1024)

struct output {
	int fd;
	bool owned;
	const char *name;
	int errnum; /* of the first failure */
	size_t used;
	char buffer[BUFFER_SIZE];
};

struct memtool_error *output_of_fd(int fd, const char *name, struct output **ret)
{
	/* Not calloc(): the buffer need not be touched before it is used. */
	struct output *output = malloc(sizeof(*output));
	if (!output)
		return memtool_error_no_memory;
	output->fd = fd;
	output->owned = false;
	output->name = name;
	output->errnum = 0;
	output->used = 0;
	*ret = output;
	return NULL;
}

struct memtool_error *output_open(const char *path, struct output **ret)
{
	if (!path)
		return output_of_fd(STDOUT_FILENO, "standard output", ret);

	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return memtool_error_os(errno, "cannot open %s", path);
	struct memtool_error *error = output_of_fd(fd, path, ret);
	if (error)
		return error;
	(*ret)->owned = true;
	fd = -1;
	return NULL;
}

void output_destroy(struct output *output)
{
	if (!output)
		return;
	if (output->owned && output->fd >= 0)
		close(output->fd);
	free(output);
}

/* Whether another try makes sense. A descriptor that we share may be non-blocking. */
static bool wait_writable(int fd)
{
	if (errno == EINTR)
		return true;
	if (errno != EAGAIN)
		return false;
	struct pollfd poller = { .fd = fd, .events = POLLOUT };
	return poll(&poller, 1, -1) > 0 || errno == EINTR;
}

static void write_out(struct output *output, const char *bytes, size_t length)
{
	while (length > 0 && !output->errnum) {
		ssize_t count = write(output->fd, bytes, length);
		if (count > 0) {
			bytes += count;
			length -= (size_t)count;
		} else if (count == 0) {
			output->errnum = ENOSPC;
		} else if (!wait_writable(output->fd)) {
			output->errnum = errno;
		}
	}
}

static void flush(struct output *output)
{
	write_out(output, output->buffer, output->used);
	output->used = 0;
}

struct memtool_error *output_finish(struct output *output)
{
	flush(output);
	if (output->owned) {
		int result = close(output->fd);
		output->fd = -1;
		if (result < 0 && !output->errnum)
			output->errnum = errno;
	}
	if (output->errnum)
		return memtool_error_os(output->errnum, "cannot write to %s", output->name);
	return NULL;
}

bool output_failed(const struct output *output)
{
	return output->errnum != 0;
}

bool output_is_terminal(const struct output *output)
{
	return isatty(output->fd) == 1;
}

bool output_has_colors(const struct output *output)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return output_is_terminal(output) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

unsigned int output_width(const struct output *output)
{
	struct winsize size;

	if (output_is_terminal(output) && ioctl(output->fd, TIOCGWINSZ, &size) == 0 &&
	    size.ws_col > 0)
		return size.ws_col;
	return 80;
}

void output_write(struct output *output, const void *bytes, size_t length)
{
	if (length > sizeof(output->buffer) - output->used)
		flush(output);
	if (length > sizeof(output->buffer)) {
		write_out(output, bytes, length);
		return;
	}
	memcpy(output->buffer + output->used, bytes, length);
	output->used += length;
}

void output_text(struct output *output, const char *text)
{
	output_write(output, text, strlen(text));
}

void output_char(struct output *output, char c)
{
	output_write(output, &c, 1);
}

void output_decimal(struct output *output, uint64_t value)
{
	output_commit(output, put_decimal(output_reserve(output, DECIMAL_MAX), value));
}

void output_hex(struct output *output, uint64_t value)
{
	output_commit(output, put_hex(output_reserve(output, HEX_MAX), value));
}

void output_milliseconds(struct output *output, uint64_t nanoseconds)
{
	output_printf(output, "%llu.%03u", (unsigned long long)(nanoseconds / 1000000),
		      (unsigned int)(nanoseconds / 1000 % 1000));
}

void output_printf(struct output *output, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length >= 0) {
		output_write(output, text, (size_t)length);
		return;
	}
	text = NULL;
	if (!output->errnum)
		output->errnum = ENOMEM;
}

char *output_reserve(struct output *output, size_t length)
{
	if (length > sizeof(output->buffer) - output->used)
		flush(output);
	return output->buffer + output->used;
}

void output_commit(struct output *output, const char *end)
{
	output->used = (size_t)(end - output->buffer);
}
