/* SPDX-License-Identifier: Apache-2.0 */
/* target/maps.h, on recorded and on hostile texts. */
#include "child.h"

#include "target/maps.h"

#include <sys/sysmacros.h>

static struct memtool_error *parse(const char *text, struct maps *ret)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	return maps_parse(copy, ret);
}

static const char recorded[] =
	"55d0c8a00000-55d0c8a02000 r--p 00000000 fe:01 1573466                    /usr/bin/cat\n"
	"55d0c8a02000-55d0c8a07000 r-xp 00002000 fe:01 1573466                    /usr/bin/cat\n"
	"55d0c9d5e000-55d0c9d7f000 rw-p 00000000 00:00 0                          [heap]\n"
	"7f0000000000-7f0000021000 rw-p 00000000 00:00 0 \n"
	"7f0000021000-7f0004000000 ---p 00000000 00:00 0 \n"
	"7f2a10000000-7f2a10001000 rw-s 00000000 00:01 1034                       "
	"/memfd:memtool-inventory (deleted)\n"
	"7f2a10200000-7f2a10201000 r--p 1fff000 103:a1b 18446744073709551615      "
	"/opt/a b/c  d.so\n"
	"7f2a10201000-7f2a10202000 r--p 00000000 00:00 7                          /x\\012y "
	"(deleted)\n"
	"7f2a10300000-7f2a10301000 rw-p 00000000 00:00 0                          "
	"[anon:a (deleted)]\n"
	"7ffc3c4f9000-7ffc3c51a000 rw-p 00000000 00:00 0                          [stack]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

static void test_recorded(void **state)
{
	(void)state;
	struct maps maps;

	assert_success(parse(recorded, &maps));
	assert_int_equal(maps.count, 11);
	const struct mapping *m = maps.data;
	assert_int_equal(m[0].range.start, 0x55d0c8a00000);
	assert_int_equal(m[0].range.end, 0x55d0c8a02000);
	assert_true(m[0].readable && !m[0].writable && !m[0].executable && !m[0].shared);
	assert_int_equal(m[0].device, makedev(0xfe, 1));
	assert_int_equal(m[0].inode, 1573466);
	assert_string_equal(m[0].name, "/usr/bin/cat");
	assert_false(m[0].deleted);
	assert_true(m[1].executable);
	assert_int_equal(m[1].offset, 0x2000);
	assert_string_equal(m[2].name, "[heap]");
	assert_true(m[2].writable);
	assert_string_equal(m[3].name, "");
	assert_int_equal(m[3].inode, 0);
	assert_false(m[4].readable);
	assert_true(m[5].shared);
	assert_true(m[5].deleted);
	assert_string_equal(m[5].name, "/memfd:memtool-inventory");
	assert_int_equal(m[6].device, makedev(0x103, 0xa1b));
	assert_int_equal(m[6].inode, UINT64_MAX);
	assert_int_equal(m[6].offset, 0x1fff000);
	assert_string_equal(m[6].name, "/opt/a b/c  d.so");
	assert_string_equal(m[7].name, "/x\ny");
	assert_true(m[7].deleted);
	assert_string_equal(m[8].name, "[anon:a (deleted)]");
	assert_false(m[8].deleted);
	assert_int_equal(m[10].range.end, 0xffffffffff601000);
	assert_true(m[10].executable && !m[10].readable);
	maps_deinit(&maps);
	assert_int_equal(maps.count, 0);
}

static void test_find(void **state)
{
	(void)state;
	struct maps maps;

	assert_success(parse(recorded, &maps));
	for (size_t i = 0; i < maps.count; i++) {
		const struct range range = maps.data[i].range;
		assert_ptr_equal(maps_find(&maps, range.start), &maps.data[i]);
		assert_ptr_equal(maps_find(&maps, range.end - 1), &maps.data[i]);
		if (i + 1 == maps.count || maps.data[i + 1].range.start != range.end)
			assert_null(maps_find(&maps, range.end));
	}
	assert_null(maps_find(&maps, 0));
	assert_null(maps_find(&maps, UINT64_MAX));
	maps_deinit(&maps);

	assert_success(parse("", &maps));
	assert_int_equal(maps.count, 0);
	assert_null(maps_find(&maps, 0));
	maps_deinit(&maps);
}

/* Every one of these follows a good line, so that the one that is named is line 2. */
static const char *const hostile[] = {
	"\n",
	"x\n",
	"-\n",
	"2000\n",
	"2000-\n",
	"2000-3000\n",
	"2000-3000 \n",
	"2000-3000 r\n",
	"2000-3000 r--p\n",
	"2000-3000 r--p 0\n",
	"2000-3000 r--p 0 0:0\n",
	"2000-3000 r--p 0 0:0 0\n",
	"2000-3000 r--p 0 0:0 0 ", /* cut short */
	"2000-3000 r--p 0 0:0 1 /usr/lib/libc.so", /* and so */
	"2000-2000 r--p 0 0:0 0 \n", /* empty */
	"3000-2000 r--p 0 0:0 0 \n", /* backwards */
	"0-1000 r--p 0 0:0 0 \n", /* not in order */
	"2000-3000 q--p 0 0:0 0 \n",
	"2000-3000 r--x 0 0:0 0 \n",
	"2000-3000 r--pp 0 0:0 0 \n",
	"2000-3000 r--p g 0:0 0 \n",
	"2000-3000 r--p 0 0.0 0 \n",
	"2000-3000 r--p 0 0: 0 \n",
	"2000-3000 r--p 0 :0 0 \n",
	"2000-3000 r--p 0 0:0 a \n", /* inodes are decimal */
	"2000-3000 r--p 0 100000000:0 0 \n",
	"2000-3000 r--p 0 0:0 18446744073709551616 \n",
	"2000-10000000000000000 r--p 0 0:0 0 \n", /* 2^64 */
	" 2000-3000 r--p 0 0:0 0 \n",
	"2000-3000  r--p 0 0:0 0 \n",
	"0x2000-0x3000 r--p 0 0:0 0 \n",
	"-2000-3000 r--p 0 0:0 0 \n",
	"\x1b[2J\xff\xfe\n",
};

/* One that grew while the list was read is listed again, from its start. */
static void test_listed_twice(void **state)
{
	struct maps maps;

	(void)state;
	assert_null(parse("1000-3000 rw-p 0 0:0 0 \n1000-5000 rw-p 0 0:0 0 \n"
			  "5000-6000 r--p 0 8:1 7 /f\n5000-8000 r--p 0 8:1 7 /f\n",
			  &maps));
	assert_int_equal(maps.count, 4);
	assert_int_equal(maps.data[1].range.start, 0x3000);
	assert_int_equal(maps.data[1].range.end, 0x5000);
	assert_int_equal(maps.data[1].offset, 0);
	assert_int_equal(maps.data[3].range.start, 0x6000);
	assert_int_equal(maps.data[3].range.end, 0x8000);
	assert_int_equal(maps.data[3].offset, 0x1000);
	maps_deinit(&maps);
}

static void test_hostile(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		struct maps maps = { .count = 77 };
		char text[256];
		snprintf(text, sizeof(text), "1000-2000 r--p 0 0:0 0 \n%s", hostile[i]);
		struct memtool_error *error = parse(text, &maps);
		if (!error)
			fail_msg("taken for good: %s", hostile[i]);
		for (const char *c = error->message; *c; c++)
			assert_in_range(*c, ' ', '~');
		assert_error(error, MEMTOOL_ERROR_CORRUPT, "line 2 ");
		assert_int_equal(maps.count, 77);
	}
}

/* Whatever prefix of a good text: an error, or the lines that are whole. */
static void test_cut_anywhere(void **state)
{
	(void)state;
	for (size_t length = 0; length < sizeof(recorded); length++) {
		struct maps maps;
		char *text = strndup(recorded, length);
		struct memtool_error *error = maps_parse(text, &maps);
		bool whole = length == 0 || recorded[length - 1] == '\n' ||
			     length == sizeof(recorded) - 1;
		assert_int_equal(!error, whole);
		if (!error)
			maps_deinit(&maps);
		memtool_error_destroy(error);
	}
}

static void test_long_name(void **state)
{
	(void)state;
	enum { LENGTH = 100000 };
	static char text[LENGTH * 4 + 64];
	struct maps maps;
	int used = sprintf(text, "1000-2000 r--p 0 0:0 1 /");

	for (int i = 0; i < LENGTH; i++)
		used += sprintf(text + used, "\\012");
	strcpy(text + used, " (deleted)\n");
	assert_success(parse(text, &maps));
	assert_int_equal(strlen(maps.data[0].name), LENGTH + 1);
	assert_true(maps.data[0].deleted);
	maps_deinit(&maps);

	/* Too short to be a suffix. */
	assert_success(
		parse("1000-2000 r--p 0 0:0 1  (deleted)\n2000-3000 r--p 0 0:0 1 \\012\n", &maps));
	assert_string_equal(maps.data[0].name, "(deleted)");
	assert_string_equal(maps.data[1].name, "\n");
	maps_deinit(&maps);
}

static void test_ourselves(void **state)
{
	(void)state;
	struct maps maps;

	assert_success(maps_read(getpid(), &maps));
	const struct mapping *code = maps_find(&maps, (uint64_t)(uintptr_t)test_ourselves);
	const struct mapping *stack = maps_find(&maps, (uint64_t)(uintptr_t)&maps);
	assert_true(code && code->executable && code->inode != 0);
	assert_true(stack && stack->writable);
	assert_string_equal(stack->name, "[stack]");
	maps_deinit(&maps);
}

static void test_no_process(void **state)
{
	(void)state;
	struct maps maps;

	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_error(maps_read(pid, &maps), MEMTOOL_ERROR_NO_PROCESS, "no process");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),     cmocka_unit_test(test_find),
		cmocka_unit_test(test_hostile),      cmocka_unit_test(test_listed_twice),
		cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_ourselves),    cmocka_unit_test(test_no_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
