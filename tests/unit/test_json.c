/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON and CSV writers, byte for byte. */
#include "cli/csv.h"
#include "cli/json.h"
#include "cli/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

/* What was written is read back from a memory file. */
struct written {
	int fd;
	struct output *output;
	char text[4096];
};

static int setup(void **state)
{
	struct written *written = calloc(1, sizeof(*written));
	assert_non_null(written);
	written->fd = memfd_create("written", MFD_CLOEXEC);
	assert_true(written->fd >= 0);
	assert_null(output_of_fd(written->fd, "memory file", &written->output));
	*state = written;
	return 0;
}

static int teardown(void **state)
{
	struct written *written = *state;

	output_destroy(written->output);
	close(written->fd);
	free(written);
	return 0;
}

static void assert_written(struct written *written, const char *expected)
{
	assert_null(output_finish(written->output));
	ssize_t length = pread(written->fd, written->text, sizeof(written->text) - 1, 0);
	assert_true(length >= 0);
	written->text[length] = '\0';
	assert_string_equal(written->text, expected);
}

static void test_empty_containers(void **state)
{
	struct written *written = *state;
	struct json json = json_start(written->output, 0);

	json_object(&json, NULL);
	json_array(&json, "a");
	json_end(&json);
	json_object(&json, "o");
	json_end(&json);
	json_end(&json);
	assert_written(written, "{\"a\":[],\"o\":{}}\n");
}

static void test_values(void **state)
{
	struct written *written = *state;
	struct json json = json_start(written->output, 0);

	json_array(&json, NULL);
	json_uint(&json, NULL, UINT64_MAX);
	json_int(&json, NULL, INT64_MIN);
	json_int(&json, NULL, -1);
	json_int(&json, NULL, 7);
	json_bool(&json, NULL, true);
	json_bool(&json, NULL, false);
	json_null(&json, NULL);
	json_hex(&json, NULL, 0x55d0c8a012a0);
	json_milliseconds(&json, NULL, 1234567);
	json_milliseconds(&json, NULL, 5000);
	json_end(&json);
	assert_written(written, "[18446744073709551615,-9223372036854775808,-1,7,true,false,null,"
				"\"0x55d0c8a012a0\",1.234,0.005]\n");
}

static void test_nesting(void **state)
{
	struct written *written = *state;
	struct json json = json_start(written->output, 0);

	json_object(&json, NULL);
	json_array(&json, "rows");
	for (unsigned int i = 0; i < 2; i++) {
		json_object(&json, NULL);
		json_uint(&json, "i", i);
		json_array(&json, "l");
		json_uint(&json, NULL, i);
		json_uint(&json, NULL, i);
		json_end(&json);
		json_end(&json);
	}
	json_end(&json);
	json_uint(&json, "n", 2);
	json_end(&json);
	assert_written(written, "{\"rows\":[{\"i\":0,\"l\":[0,0]},{\"i\":1,\"l\":[1,1]}],"
				"\"n\":2}\n");
}

static void test_lines(void **state)
{
	struct written *written = *state;
	struct json json = json_start(written->output, 2);

	json_object(&json, NULL);
	json_uint(&json, "pid", 1);
	json_array(&json, "rows");
	json_object(&json, NULL);
	json_uint(&json, "i", 0);
	json_uint(&json, "j", 1);
	json_end(&json);
	json_end(&json);
	json_array(&json, "none");
	json_end(&json);
	json_end(&json);
	assert_written(written, "{\n\t\"pid\": 1,\n\t\"rows\": [\n\t\t{\"i\":0,\"j\":1}\n\t],\n"
				"\t\"none\": []\n}\n");
}

static void test_documents_in_a_row(void **state)
{
	struct written *written = *state;

	for (unsigned int i = 0; i < 2; i++) {
		struct json json = json_start(written->output, 0);
		json_object(&json, NULL);
		json_uint(&json, "i", i);
		json_end(&json);
	}
	assert_written(written, "{\"i\":0}\n{\"i\":1}\n");
}

static void assert_string(struct written *written, const char *value, const char *expected)
{
	struct json json = json_start(written->output, 0);

	json_array(&json, NULL);
	json_string(&json, NULL, value);
	json_end(&json);
	assert_written(written, expected);
}

static void test_escapes(void **state)
{
	assert_string(*state, "a\"b\\c/\b\f\n\r\t\x01\x1f",
		      "[\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\"]\n");
}

static void test_terminal_controls(void **state)
{
	/* ESC, DEL, and CSI as a C1 control, which is well-formed UTF-8. */
	assert_string(*state, "\x1b[2J\x7f\xc2\x9b", "[\"\\u001b[2J\\u007f\\u009b\"]\n");
}

static void test_utf8_is_kept(void **state)
{
	assert_string(*state, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		      "[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]\n");
}

static void test_invalid_utf8(void **state)
{
	/* A stray continuation, a cut sequence, and bytes that are never used. */
	assert_string(*state, "a\x80z\xe2\x82z\xff\xc3",
		      "[\"a\\ufffdz\\ufffd\\ufffdz\\ufffd\\ufffd\"]\n");
}

static void assert_decodes(const char *text, size_t length, uint32_t code)
{
	uint32_t found = 0;

	assert_int_equal(utf8_decode(text, &found), length);
	assert_int_equal(found, code);
}

static void test_utf8_bounds(void **state)
{
	(void)state;
	assert_decodes("\x7f", 1, 0x7f);
	assert_decodes("\xc2\x80", 2, 0x80);
	assert_decodes("\xdf\xbf", 2, 0x7ff);
	assert_decodes("\xe0\xa0\x80", 3, 0x800);
	assert_decodes("\xed\x9f\xbf", 3, 0xd7ff);
	assert_decodes("\xee\x80\x80", 3, 0xe000);
	assert_decodes("\xef\xbf\xbf", 3, 0xffff);
	assert_decodes("\xf0\x90\x80\x80", 4, 0x10000);
	assert_decodes("\xf4\x8f\xbf\xbf", 4, 0x10ffff);
}

static void test_utf8_is_refused(void **state)
{
	/* Longer than need be, a surrogate, above 10FFFF, and the end of the text. */
	static const char *const texts[] = { "\xc0\x80",         "\xc1\xbf",     "\xe0\x9f\xbf",
					     "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					     "\xf5\x80\x80\x80", "\xe2\x82",     "" };
	uint32_t code;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(utf8_decode(texts[i], &code), 0);
}

static void test_csv_fields(void **state)
{
	struct written *written = *state;
	struct csv csv = csv_start(written->output, "a,b,c,d,e,f");

	csv_uint(&csv, 1);
	csv_hex(&csv, 0xff0);
	csv_bool(&csv, true);
	csv_string(&csv, "plain text");
	csv_milliseconds(&csv, 1999999);
	csv_empty(&csv);
	csv_end_row(&csv);
	csv_empty(&csv);
	csv_empty(&csv);
	csv_end_row(&csv);
	assert_written(written, "a,b,c,d,e,f\n1,0xff0,true,plain text,1.999,\n,\n");
}

static void test_csv_quotes(void **state)
{
	struct written *written = *state;
	struct csv csv = csv_start(written->output, "a");

	csv_string(&csv, "a,b");
	csv_string(&csv, "say \"no\"");
	csv_string(&csv, "\"");
	csv_string(&csv, "two\nlines");
	csv_string(&csv, "return\r");
	csv_string(&csv, "bad \xff,");
	csv_string(&csv, "");
	csv_end_row(&csv);
	assert_written(written, "a\n\"a,b\",\"say \"\"no\"\"\",\"\"\"\",\"two\nlines\","
				"\"return\r\",\"bad \xef\xbf\xbd,\",\n");
}

#define WITH_OUTPUT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_OUTPUT(test_empty_containers),
		WITH_OUTPUT(test_values),
		WITH_OUTPUT(test_nesting),
		WITH_OUTPUT(test_lines),
		WITH_OUTPUT(test_documents_in_a_row),
		WITH_OUTPUT(test_escapes),
		WITH_OUTPUT(test_terminal_controls),
		WITH_OUTPUT(test_utf8_is_kept),
		WITH_OUTPUT(test_invalid_utf8),
		cmocka_unit_test(test_utf8_bounds),
		cmocka_unit_test(test_utf8_is_refused),
		WITH_OUTPUT(test_csv_fields),
		WITH_OUTPUT(test_csv_quotes),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
