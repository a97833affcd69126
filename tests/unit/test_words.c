/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of the shell as words.
 *
 * Link: libcli, cmocka.
 */
#include "cli/shell/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const struct {
	const char *line;
	const char *words[4]; /* NULL behind the last */
} lines[] = {
	{ "", { NULL } },
	{ " \t\r\n", { NULL } },
	{ "one", { "one" } },
	{ "one\n", { "one" } },
	{ "  one\ttwo  three ", { "one", "two", "three" } },
	{ "'a b' \"c d\"", { "a b", "c d" } },
	{ "a'b'\"c\"d", { "abcd" } },
	{ "''", { "" } },
	{ "'' \"\"", { "", "" } },
	{ "a\\ b", { "a b" } },
	{ "\\'a\\\"", { "'a\"" } },
	{ "'a\\b'", { "a\\b" } },
	{ "\"a\\\"b\"", { "a\"b" } },
	{ "\"it's\" 'say \"x\"'", { "it's", "say \"x\"" } },
	{ "# one", { "#", "one" } },
	{ "$HOME *", { "$HOME", "*" } },
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		_cleanup_words_ struct word_array words = { 0 };
		size_t count = 0;
		while (lines[i].words[count])
			count++;
		assert_null(words_split(lines[i].line, &words));
		assert_int_equal(words.count, count);
		for (size_t j = 0; j < count; j++)
			assert_string_equal(words.data[j], lines[i].words[j]);
	}
}

static void test_no_end(void **state)
{
	static const char *const unfinished[] = { "'",   "\"",      "a 'b", "a \"b'",
						  "a\\", "\"a\\\"", "'\\" };

	(void)state;
	for (size_t i = 0; i < sizeof(unfinished) / sizeof(unfinished[0]); i++) {
		struct word_array words = { .count = 77 };
		struct memtool_error *error = words_split(unfinished[i], &words);
		assert_non_null(error);
		assert_int_equal(error->code, MEMTOOL_ERROR_INVALID);
		assert_int_equal(words.count, 77);
		memtool_error_destroy(error);
	}
}

static void test_long(void **state)
{
	_cleanup_words_ struct word_array words = { 0 };
	char line[20001];

	(void)state;
	for (size_t i = 0; i < sizeof(line) - 1; i++)
		line[i] = i % 2 ? ' ' : 'x';
	line[sizeof(line) - 1] = '\0';
	assert_null(words_split(line, &words));
	assert_int_equal(words.count, sizeof(line) / 2);
	assert_string_equal(words.data[words.count - 1], "x");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_no_end),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests_name("words of the shell", tests, NULL, NULL);
}
