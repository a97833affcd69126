/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress_bar.h"

#include "cli/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define DELAY_NS    UINT64_C(500000000)
#define INTERVAL_NS UINT64_C(100000000)
#define BAR_MIN     8
#define BAR_MAX     30
#define LINE_MAX    512

static bool step_now(void *context, const struct memtool_progress *progress)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	progress_bar_step(context, progress,
			  (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec);
	return true;
}

void progress_bar_init(struct progress_bar *bar, int fd, struct session_options *options)
{
	const char *term = getenv("TERM");
	char path[32];

	*bar = (struct progress_bar){ .fd = -1 };
	if (options->progress || !isatty(fd) || !term || !*term || strcmp(term, "dumb") == 0)
		return;
	/* O_NONBLOCK belongs to what is open, and that is not ours alone. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bar->fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (bar->fd < 0)
		return;
	options->progress = step_now;
	options->progress_context = bar;
}

/* What the terminal does not take now is lost; the next line comes soon. */
static void put(const struct progress_bar *bar, const char *text)
{
	if (write(bar->fd, text, strlen(text)) < 0)
		return;
}

static void erase(struct progress_bar *bar)
{
	if (bar->drawn_ns)
		put(bar, "\r\033[K");
	bar->drawn_ns = 0;
}

void progress_bar_deinit(struct progress_bar *bar)
{
	if (bar->fd < 0)
		return;
	erase(bar);
	close(bar->fd);
	bar->fd = -1;
}

/*
 * A background job may be stopped for writing (stty tostop); another terminal than ours does not.
 */
static bool is_in_foreground(int fd)
{
	pid_t group = tcgetpgrp(fd);

	return group < 0 ? errno == ENOTTY : group == getpgrp();
}

static size_t width(int fd)
{
	struct winsize size;
	size_t columns = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;

	/* At the last column some terminals go to the next line. */
	return (columns < LINE_MAX ? columns : LINE_MAX) - 1;
}

/* Of whole, as far as that is known: an estimate may be exceeded. */
static double share(const struct memtool_progress *progress)
{
	if (progress->bytes_total == 0 || progress->bytes_read > progress->bytes_total)
		return -1;
	return (double)progress->bytes_read / (double)progress->bytes_total;
}

static void describe(const struct memtool_progress *progress, double seconds, char *line,
		     size_t size)
{
	double done = share(progress);
	size_t length;

	snprintf(line, size, "%s", units_bytes(progress->bytes_read).text);
	length = strlen(line);
	if (done >= 0)
		length += (size_t)snprintf(line + length, size - length, " of %s",
					   units_bytes(progress->bytes_total).text);
	length += (size_t)snprintf(
		line + length, size - length, ", %s/s, %s chunks",
		units_bytes((uint64_t)((double)progress->bytes_read / seconds)).text,
		units_count(progress->chunks).text);
	if (done > 0)
		snprintf(line + length, size - length, ", %.1f s left", seconds / done - seconds);
}

/* "[####    ] " in front, where there is room and an end in sight. */
static void draw(struct progress_bar *bar, const struct memtool_progress *progress, double seconds)
{
	char text[256], line[LINE_MAX + 16];
	size_t columns = width(bar->fd), length = 0;
	double done = share(progress);

	describe(progress, seconds, text, sizeof(text));
	line[length++] = '\r';
	if (done >= 0 && strlen(text) + BAR_MIN + 3 <= columns) {
		size_t cells = columns - strlen(text) - 3;
		cells = cells < BAR_MAX ? cells : BAR_MAX;
		line[length++] = '[';
		for (size_t i = 0; i < cells; i++)
			line[length++] = (double)i < done * (double)cells ? '#' : ' ';
		line[length++] = ']';
		line[length++] = ' ';
	}
	snprintf(line + length, columns + 2 - length, "%s", text);
	strcat(line, "\033[K");
	put(bar, line);
}

void progress_bar_step(struct progress_bar *bar, const struct memtool_progress *progress,
		       uint64_t now_ns)
{
	/* Less than before: it is read once more, from the start. */
	if (bar->start_ns == 0 || progress->bytes_read < bar->bytes_read)
		bar->start_ns = now_ns;
	bar->bytes_read = progress->bytes_read;
	if (bar->drawn_ns ? now_ns - bar->drawn_ns < INTERVAL_NS
			  : now_ns - bar->start_ns < DELAY_NS)
		return;
	if (!is_in_foreground(bar->fd) || now_ns == bar->start_ns)
		return;
	draw(bar, progress, (double)(now_ns - bar->start_ns) / 1e9);
	bar->drawn_ns = now_ns;
}
