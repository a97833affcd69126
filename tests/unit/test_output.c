/* SPDX-License-Identifier: Apache-2.0 */
/* The buffered writer, numbers and units, and what options are parsed by. */
#include "cli/csv.h"
#include "cli/digits.h"
#include "cli/groups.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/units.h"
#include "cli/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct output *open_fd(int fd)
{
	struct output *output = NULL;

	assert_true(fd >= 0);
	assert_null(output_of_fd(fd, "a test", &output));
	return output;
}

static void assert_content(int fd, const char *expected)
{
	char text[256];
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

	assert_true(length >= 0);
	text[length] = '\0';
	assert_string_equal(text, expected);
}

static void assert_error(struct memtool_error *error, int errnum)
{
	assert_non_null(error);
	assert_int_equal(error->code, MEMTOOL_ERROR_OS);
	assert_int_equal(error->errnum, errnum);
	memtool_error_destroy(error);
}

static void test_pieces(void **state)
{
	_cleanup_close_ int fd = memfd_create("written", MFD_CLOEXEC);
	_cleanup_output_ struct output *output = open_fd(fd);

	(void)state;
	output_text(output, "a ");
	output_decimal(output, 42);
	output_char(output, ' ');
	output_hex(output, 0xabc);
	output_printf(output, " %s", "b");
	char *p = output_reserve(output, 10);
	memcpy(p, " c", 2);
	output_commit(output, p + 2);
	assert_content(fd, "");
	assert_null(output_finish(output));
	assert_content(fd, "a 42 0xabc b c");
}

/* More than the buffer holds, in pieces of all sizes. */
static void test_order_is_kept(void **state)
{
	_cleanup_close_ int fd = memfd_create("written", MFD_CLOEXEC);
	_cleanup_output_ struct output *output = open_fd(fd);
	static char piece[300000], found[300000];
	size_t total = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = (char)('a' + i % 23);
	for (size_t length = 1; length <= sizeof(piece); length = length * 3 + 1) {
		output_write(output, piece, length);
		total += length;
		char *p = output_reserve(output, OUTPUT_RESERVE_MAX);
		memset(p, 'Z', OUTPUT_RESERVE_MAX);
		output_commit(output, p + OUTPUT_RESERVE_MAX);
		total += OUTPUT_RESERVE_MAX;
	}
	assert_null(output_finish(output));
	struct stat status;
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, total);

	off_t offset = 0;
	for (size_t length = 1; length <= sizeof(piece); length = length * 3 + 1) {
		assert_int_equal(pread(fd, found, length, offset), length);
		assert_memory_equal(found, piece, length);
		offset += (off_t)length + OUTPUT_RESERVE_MAX;
	}
}

static void test_full_disk(void **state)
{
	_cleanup_output_ struct output *output = NULL;

	(void)state;
	assert_null(output_open("/dev/full", &output));
	output_text(output, "x");
	assert_false(output_failed(output));
	assert_error(output_finish(output), ENOSPC);
}

static void test_failure_is_seen_early(void **state)
{
	_cleanup_output_ struct output *output = NULL;
	static char piece[1 << 20];

	(void)state;
	assert_null(output_open("/dev/full", &output));
	output_write(output, piece, sizeof(piece));
	assert_true(output_failed(output));
	output_text(output, "dropped");
	assert_error(output_finish(output), ENOSPC);
}

static void test_broken_pipe(void **state)
{
	int ends[2];
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;

	(void)state;
	assert_int_equal(sigaction(SIGPIPE, &ignore, &before), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	_cleanup_output_ struct output *output = open_fd(ends[1]);
	close(ends[0]);
	output_text(output, "x");
	assert_error(output_finish(output), EPIPE);
	close(ends[1]);
	assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
}

static void test_read_only_descriptor(void **state)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_output_ struct output *output = open_fd(fd);

	(void)state;
	output_text(output, "x");
	assert_error(output_finish(output), EBADF);
}

static void test_no_such_directory(void **state)
{
	struct output *output = NULL;

	(void)state;
	assert_error(output_open("/proc/self/no/such/file", &output), ENOENT);
	assert_null(output);
}

static void test_file_is_replaced(void **state)
{
	char path[64];
	_cleanup_close_ int fd = memfd_create("file", MFD_CLOEXEC);
	_cleanup_output_ struct output *output = NULL;

	(void)state;
	assert_int_equal(write(fd, "longer than the new", 19), 19);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_null(output_open(path, &output));
	output_text(output, "new");
	assert_null(output_finish(output));
	assert_content(fd, "new");
}

static void test_width_of_a_file(void **state)
{
	_cleanup_close_ int fd = memfd_create("written", MFD_CLOEXEC);
	_cleanup_output_ struct output *output = open_fd(fd);

	(void)state;
	assert_int_equal(output_width(output), 80);
	assert_false(output_is_terminal(output));
	assert_false(output_has_colors(output));
}

static void test_printable(void **state)
{
	_cleanup_close_ int fd = memfd_create("written", MFD_CLOEXEC);
	_cleanup_output_ struct output *output = open_fd(fd);

	/* In the C locale, which main() asks for, all but ASCII is shown as bytes. */
	(void)state;
	utf8_write_printable(output, "a\x1b[31m\n\x7f\xc3\xa9z");
	assert_null(output_finish(output));
	assert_content(fd, "a\\x1b[31m\\x0a\\x7f\\xc3\\xa9z");
}

/* Where a terminal might act on them, characters are not passed on: in CSV there is no escape. */
static void test_controls(void **state)
{
	_cleanup_close_ int fd = memfd_create("written", MFD_CLOEXEC);
	_cleanup_output_ struct output *output = open_fd(fd);

	(void)state;
	struct csv csv = csv_start(output, "name");
	csv_string(&csv, "a\tb\x1b[1m\x7f\xc2\x9b"
			 "c\xe2\x80\xae\xc3\xa9");
	csv_end_row(&csv);
	assert_null(output_finish(output));
	assert_content(fd, "name\na\tb" UTF8_REPLACEMENT "[1m" UTF8_REPLACEMENT UTF8_REPLACEMENT
			   "c" UTF8_REPLACEMENT "\xc3\xa9\n");
}

static void test_printable_utf8(void **state)
{
	_cleanup_close_ int fd = memfd_create("written", MFD_CLOEXEC);
	_cleanup_output_ struct output *output = open_fd(fd);

	(void)state;
	utf8_use_locale();
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	utf8_write_printable(output, "\xc3\xa9\xe2\x80\xae\xc2\x9b\xe2\x81\xa6z");
	setlocale(LC_CTYPE, "C");
	assert_null(output_finish(output));
	assert_content(fd, "\xc3\xa9\\xe2\\x80\\xae\\xc2\\x9b\\xe2\\x81\\xa6z");
}

static void assert_decimal(uint64_t value, const char *expected)
{
	char text[DECIMAL_MAX + 1];

	*put_decimal(text, value) = '\0';
	assert_string_equal(text, expected);
}

static void assert_hex(uint64_t value, const char *expected)
{
	char text[HEX_MAX + 1];

	*put_hex(text, value) = '\0';
	assert_string_equal(text, expected);
}

static void test_digits(void **state)
{
	(void)state;
	assert_decimal(0, "0");
	assert_decimal(9, "9");
	assert_decimal(10, "10");
	assert_decimal(1234567890, "1234567890");
	assert_decimal(UINT64_MAX, "18446744073709551615");
	assert_hex(0, "0x0");
	assert_hex(0xf, "0xf");
	assert_hex(0x10, "0x10");
	assert_hex(0x7fffffffe000, "0x7fffffffe000");
	assert_hex(UINT64_MAX, "0xffffffffffffffff");
}

static void test_bytes(void **state)
{
	(void)state;
	assert_string_equal(units_bytes(0).text, "0 B");
	assert_string_equal(units_bytes(1023).text, "1023 B");
	assert_string_equal(units_bytes(1024).text, "1.0 KiB");
	assert_string_equal(units_bytes(1536).text, "1.5 KiB");
	/* Rounded to the nearest tenth. */
	assert_string_equal(units_bytes(1075).text, "1.0 KiB");
	assert_string_equal(units_bytes(1076).text, "1.1 KiB");
	assert_string_equal(units_bytes(1048524).text, "1023.9 KiB");
	assert_string_equal(units_bytes(1048525).text, "1.0 MiB");
	assert_string_equal(units_bytes(UINT64_C(1) << 30).text, "1.0 GiB");
	assert_string_equal(units_bytes(UINT64_C(5) << 39).text, "2.5 TiB");
	assert_string_equal(units_bytes(UINT64_MAX).text, "16.0 EiB");
}

static void test_count(void **state)
{
	(void)state;
	assert_string_equal(units_count(0).text, "0");
	assert_string_equal(units_count(999).text, "999");
	assert_string_equal(units_count(1000).text, "1,000");
	assert_string_equal(units_count(1234567).text, "1,234,567");
	assert_string_equal(units_count(UINT64_MAX).text, "18,446,744,073,709,551,615");
}

static void test_share(void **state)
{
	(void)state;
	assert_string_equal(units_share(0, 0).text, "-");
	assert_string_equal(units_share(0, 5).text, "0.0%");
	assert_string_equal(units_share(1, 8).text, "12.5%");
	assert_string_equal(units_share(8, 8).text, "100.0%");
}

static void assert_size(const char *text, uint64_t expected)
{
	uint64_t value = ~expected;

	assert_true(units_parse_size(text, &value));
	assert_int_equal(value, expected);
}

static void test_parse_size(void **state)
{
	static const char *const wrong[] = { "",
					     "K",
					     "-1",
					     "+1",
					     " 1",
					     "1 ",
					     "1KK",
					     "1KiB",
					     "0x10",
					     "1.5K",
					     "1T",
					     "1k1",
					     "18446744073709551616",
					     "18014398509481984K",
					     "17179869184G" };

	(void)state;
	assert_size("0", 0);
	assert_size("4096", 4096);
	assert_size("64K", 65536);
	assert_size("64k", 65536);
	assert_size("1M", 1048576);
	assert_size("2G", UINT64_C(2) << 30);
	assert_size("2g", UINT64_C(2) << 30);
	assert_size("18446744073709551615", UINT64_MAX);
	assert_size("17179869183G", UINT64_C(17179869183) << 30);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint64_t value = 77;
		assert_false(units_parse_size(wrong[i], &value));
		assert_int_equal(value, 77);
	}
}

static void test_parse_number(void **state)
{
	uint64_t value = 77;

	(void)state;
	assert_true(units_parse_number("12", 12, &value));
	assert_int_equal(value, 12);
	assert_false(units_parse_number("13", 12, &value));
	assert_false(units_parse_number("1K", UINT64_MAX, &value));
	assert_false(units_parse_number("", UINT64_MAX, &value));
	assert_false(units_parse_number("-1", UINT64_MAX, &value));
	assert_false(units_parse_number("99999999999999999999", UINT64_MAX, &value));
	assert_int_equal(value, 12);
}

static void test_parse_states(void **state)
{
	uint32_t states = 0;

	(void)state;
	for (unsigned int i = 0; i < CHUNK_STATES; i++) {
		assert_true(options_parse_states(chunk_state_name(i), &states));
		assert_int_equal(states, UINT32_C(1) << i);
	}
	assert_true(options_parse_states("top,in-use,top", &states));
	assert_int_equal(states, 1u << CHUNK_TOP | 1u << CHUNK_IN_USE);

	static const char *const wrong[] = { "",      ",",       "top,",   ",top", "top,,top",
					     "in-us", "in-use ", "In-Use", "all" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(options_parse_states(wrong[i], &states));
	assert_int_equal(states, 1u << CHUNK_TOP | 1u << CHUNK_IN_USE);
}

static void test_groups(void **state)
{
	const uint32_t group_of[] = { 2, 0, 2, 9, 2, 3 };
	struct groups groups = { 0 };

	(void)state;
	assert_null(groups_make(group_of, 6, 4, &groups));
	assert_int_equal(groups_size(&groups, 0), 1);
	assert_int_equal(groups_member(&groups, 0, 0), 1);
	assert_int_equal(groups_size(&groups, 1), 0);
	assert_int_equal(groups_size(&groups, 2), 3);
	assert_int_equal(groups_member(&groups, 2, 0), 0);
	assert_int_equal(groups_member(&groups, 2, 1), 2);
	assert_int_equal(groups_member(&groups, 2, 2), 4);
	assert_int_equal(groups_size(&groups, 3), 1);
	assert_int_equal(groups_member(&groups, 3, 0), 5);
	groups_deinit(&groups);

	assert_null(groups_make(NULL, 0, 1, &groups));
	assert_int_equal(groups_size(&groups, 0), 0);
	groups_deinit(&groups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_order_is_kept),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_failure_is_seen_early),
		cmocka_unit_test(test_broken_pipe),
		cmocka_unit_test(test_read_only_descriptor),
		cmocka_unit_test(test_no_such_directory),
		cmocka_unit_test(test_file_is_replaced),
		cmocka_unit_test(test_width_of_a_file),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_printable_utf8),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_parse_size),
		cmocka_unit_test(test_parse_number),
		cmocka_unit_test(test_parse_states),
		cmocka_unit_test(test_groups),
	};
	setenv("LC_ALL", "C", 1);
	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
