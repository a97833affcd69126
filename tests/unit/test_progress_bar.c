/* SPDX-License-Identifier: Apache-2.0 */
/* The progress bar on a terminal: what it shows, and when it shows nothing at all. */
#include "cli/progress_bar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define MS  UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)

struct terminal {
	int screen; /* what was written to it is read here */
	int fd;
	char text[8192];
};

static void terminal_init(struct terminal *terminal, unsigned short columns)
{
	struct winsize size = { .ws_row = 24, .ws_col = columns };

	terminal->screen = posix_openpt(O_RDWR | O_NOCTTY);
	assert_true(terminal->screen >= 0);
	assert_int_equal(grantpt(terminal->screen), 0);
	assert_int_equal(unlockpt(terminal->screen), 0);
	terminal->fd = open(ptsname(terminal->screen), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal->fd >= 0);
	assert_int_equal(ioctl(terminal->fd, TIOCSWINSZ, &size), 0);
	setenv("TERM", "xterm", 1);
}

static void terminal_deinit(struct terminal *terminal)
{
	close(terminal->fd);
	close(terminal->screen);
}

/* All that was written since the last time: up to a mark that is written now. */
static const char *shown(struct terminal *terminal)
{
	size_t length = 0;

	assert_int_equal(write(terminal->fd, "|", 1), 1);
	do {
		assert_true(length < sizeof(terminal->text));
		assert_int_equal(read(terminal->screen, terminal->text + length, 1), 1);
	} while (terminal->text[length++] != '|');
	terminal->text[length - 1] = '\0';
	return terminal->text;
}

static void step(struct progress_bar *bar, uint64_t mib, uint64_t total_mib, uint64_t now_ms)
{
	const struct memtool_progress progress = {
		.bytes_read = mib * MIB,
		.bytes_total = total_mib * MIB,
		.chunks = mib * 1000,
	};
	progress_bar_step(bar, &progress, now_ms * MS);
}

/* A bar on a terminal of so many columns. */
struct view {
	struct session_options options;
	struct progress_bar bar;
	struct terminal terminal;
};

static void view_init(struct view *view, unsigned short columns)
{
	view->options = (struct session_options){ 0 };
	terminal_init(&view->terminal, columns);
	progress_bar_init(&view->bar, view->terminal.fd, &view->options);
	assert_non_null(view->options.progress);
}

static void test_shown(void **state)
{
	struct view view;

	(void)state;
	view_init(&view, 100);
	step(&view.bar, 2, 2048, 1000);
	step(&view.bar, 256, 2048, 1499);
	assert_string_equal(shown(&view.terminal), "");
	step(&view.bar, 512, 2048, 1500);
	assert_string_equal(shown(&view.terminal),
			    "\r[########                      ] 512.0 MiB of 2.0 GiB, 1.0 GiB/s, "
			    "512,000 chunks, 1.5 s left\033[K");
	step(&view.bar, 520, 2048, 1599);
	assert_string_equal(shown(&view.terminal), "");
	step(&view.bar, 1024, 2048, 1600);
	assert_non_null(strstr(shown(&view.terminal), "1.0 GiB of 2.0 GiB"));
	/* More than was expected: no end is told, nor half a bar. */
	step(&view.bar, 3072, 2048, 1800);
	assert_string_equal(shown(&view.terminal), "\r3.0 GiB, 3.8 GiB/s, 3,072,000 chunks\033[K");
	/* Read anew. */
	step(&view.bar, 2, 2048, 1900);
	assert_string_equal(shown(&view.terminal), "");
	step(&view.bar, 512, 2048, 2400);
	assert_non_null(strstr(shown(&view.terminal), "512.0 MiB of 2.0 GiB, 1.0 GiB/s"));
	progress_bar_deinit(&view.bar);
	assert_string_equal(shown(&view.terminal), "\r\033[K");
	terminal_deinit(&view.terminal);
}

static void test_narrow(void **state)
{
	struct view view;

	(void)state;
	view_init(&view, 20);
	step(&view.bar, 2, 2048, 1000);
	step(&view.bar, 512, 2048, 1500);
	assert_string_equal(shown(&view.terminal), "\r512.0 MiB of 2.0 Gi\033[K");
	progress_bar_deinit(&view.bar);
	terminal_deinit(&view.terminal);
}

/* What is quick leaves no trace. */
static void test_quick(void **state)
{
	struct view view;

	(void)state;
	view_init(&view, 80);
	step(&view.bar, 2, 2048, 1000);
	step(&view.bar, 2048, 2048, 1400);
	progress_bar_deinit(&view.bar);
	assert_string_equal(shown(&view.terminal), "");
	terminal_deinit(&view.terminal);
}

/* A terminal that takes nothing, as after Ctrl-S, or when nobody reads it, holds nobody up. */
static void test_halted(void **state)
{
	struct view view;

	(void)state;
	view_init(&view, 100);
	assert_int_equal(tcflow(view.terminal.fd, TCOOFF), 0);
	for (uint64_t i = 0; i < 1000; i++)
		step(&view.bar, 2 + i, 2048, 1000 + i * 500);
	assert_int_equal(tcflow(view.terminal.fd, TCOON), 0);
	for (uint64_t i = 0; i < 1000; i++)
		step(&view.bar, 1002 + i, 4096, 501000 + i * 500);
	progress_bar_deinit(&view.bar);
	terminal_deinit(&view.terminal);
}

static bool tell_nobody(void *context, const struct memtool_progress *progress)
{
	(void)context;
	(void)progress;
	return true;
}

static void expect_none(int fd, struct session_options *options)
{
	memtool_progress_fn before = options->progress;
	struct progress_bar bar;

	progress_bar_init(&bar, fd, options);
	assert_ptr_equal(options->progress, before);
	progress_bar_deinit(&bar);
}

static void test_none(void **state)
{
	struct session_options options = { 0 }, told = { .progress = tell_nobody };
	struct terminal terminal;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	terminal_init(&terminal, 80);
	expect_none(ends[1], &options);
	expect_none(terminal.fd, &told);
	setenv("TERM", "dumb", 1);
	expect_none(terminal.fd, &options);
	unsetenv("TERM");
	expect_none(terminal.fd, &options);
	assert_string_equal(shown(&terminal), "");
	terminal_deinit(&terminal);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown), cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_quick), cmocka_unit_test(test_halted),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
