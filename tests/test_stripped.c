/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libc of which nobody has symbols, a static program without, files that are gone, and a version
 * text that says something else: read without a word of how, with every chunk and arena as the
 * program knows them.
 *
 * Link: tests/test_stripped.c tests/libc_copy.c tests/truth.c tests/agent_page.c tests/command.c
 * tests/spawn.c, the reader, cmocka.
 * Needs at run time: memtool, its agent, tests/fixtures, MEMTOOL_BUILDDIR; strip(1), and root for
 * another user, else those cases are skipped; libc6-dbg.
 */
#include "tests/agent_page.h"
#include "tests/command.h"
#include "tests/libc_copy.h"
#include "tests/truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct libc_copy libc;
static char program[300]; /* a stripped copy of one; "" if there is none */

static int setup(void **state)
{
	(void)state;
	libc_copy_make(&libc);
	return 0;
}

static int teardown(void **state)
{
	spawn_teardown(state);
	if (program[0])
		unlink(program);
	program[0] = '\0';
	libc_copy_remove(&libc);
	return 0;
}

static struct spawned *ready(struct spawned *child)
{
	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	return child;
}

static void expect_sources(const char *json, size_t structure, size_t symbols, size_t inventory)
{
	if (command_count(json, "\"source\": \"structure\"") != structure ||
	    command_count(json, "\"source\": \"symbols\"") != symbols ||
	    command_count(json, "\"source\": \"inventory\"") != inventory)
		fail_msg("not the expected sources: %s", json);
	command_expect(json, "\"ok\": true");
}

/* All that the fixture tells of itself, read with that source. */
static void expect_truth(struct spawned *child, enum root_source source)
{
	struct session *session;
	struct heap *heap;

	truth_read(child->pid, &(struct session_options){ .source = source }, &session, &heap);
	truth_check_shape(heap);
	truth_check(child->text, heap, &session->process->memory);
	truth_check_audit(heap);
	heap_destroy(heap);
	session_close(session);
}

struct fixture {
	const char *name, *first, *second;
};

static const struct fixture fixtures[] = {
	{ "pattern", "tcache", "0" }, { "pattern", "tcache", "3" }, { "pattern", "fastbin", "2" },
	{ "bins", NULL, NULL },       { "bins", "thread", NULL },   { "multi_heap", "20", NULL },
	{ "ended", "2", NULL },       { "cross", NULL, NULL },      { "empty", NULL, NULL },
};

static struct spawned *start(const struct fixture *fixture)
{
	return ready(libc_copy_start(&libc, 0, fixture->name, fixture->first, fixture->second));
}

static void test_stripped_libc(void **state)
{
	(void)state;
	libc_copy_change_build_id(&libc);
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		struct spawned *child = start(&fixtures[i]);
		expect_sources(command_answer("info --format=json", child->pid), 5, 0, 0);
		expect_truth(child, ROOT_UNKNOWN);
		spawn_end(child);
	}
}

/* Without a stop, the threads are known from glibc's list. */
static void test_running(void **state)
{
	static const struct fixture fixture = { "pattern", "tcache", "3" };

	(void)state;
	libc_copy_change_build_id(&libc);
	struct spawned *child = start(&fixture);
	expect_sources(command_answer("info --format=json --no-stop", child->pid), 5, 0, 0);
	char *stopped = strdup(command_answer("chunks --format=csv", child->pid));
	assert_string_equal(command_answer("chunks --format=csv --no-stop", child->pid), stopped);
	free(stopped);
}

static const char *text_of(struct spawned *child, const char *command)
{
	return command_answer(command, child->pid);
}

/* Of no thread there is anything to tell before its first malloc; that is told, and no doubt. */
static void test_unset(void **state)
{
	static const struct fixture fixture = { "empty", NULL, NULL };

	(void)state;
	libc_copy_change_build_id(&libc);
	struct spawned *child = start(&fixture);
	const char *text = text_of(child, "info");
	const char *line = strstr(text, "thread_arena");
	assert_non_null(line);
	if (!strstr(line, "fs_base-"))
		command_expect(line, "set in no thread yet");
	command_expect(text, "every byte accounted for");
}

/* Root can still have a deleted file from the kernel; others see what is in memory by now. */
static void expect_same_without_file(struct spawned *child)
{
	static const char *const commands[] = { "chunks", "threads", "arenas" };
	char words[64];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(words, sizeof(words), "%s --format=csv", commands[i]);
		char *with = strdup(command_answer(words, child->pid));
		const struct spawn_result *without = command_run_as_nobody(words, child->pid);
		if (spawn_exit_code(without) != 0 || without->err[0])
			fail_msg("%s", without->err);
		assert_string_equal(without->out, with);
		free(with);
	}
}

static void test_deleted_libc(void **state)
{
	(void)state;
	command_skip_without_nobody();
	libc_copy_change_build_id(&libc);
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		const struct fixture *fixture = &fixtures[i];
		struct spawned *child = ready(libc_copy_start(&libc, COMMAND_NOBODY, fixture->name,
							      fixture->first, fixture->second));
		libc_copy_remove(&libc);
		expect_same_without_file(child);
		libc_copy_make(&libc);
		libc_copy_change_build_id(&libc);
	}
}

/* mp_ with hardly an initial value left. */
static void test_deleted_and_tuned(void **state)
{
	const char *const argv[] = { libc.loader, "--library-path",
				     libc.dir,    spawn_path("tests/fixtures/pattern"),
				     "bins",      "2",
				     NULL };
	const char *const environment[] = {
		"GLIBC_TUNABLES=glibc.malloc.mmap_threshold=300000:glibc.malloc.top_pad=65536:"
		"glibc.malloc.tcache_count=20:glibc.malloc.mmap_max=1000",
		NULL
	};

	(void)state;
	command_skip_without_nobody();
	libc_copy_change_build_id(&libc);
	struct spawned *child = ready(spawn(&(struct spawn_how){
		.argv = argv, .environment = environment, .uid = COMMAND_NOBODY }));
	libc_copy_unlink(&libc);
	expect_same_without_file(child);
}

static void strip(const char *original)
{
	snprintf(program, sizeof(program), "%s/program", libc.dir);
	if (libc_copy_strip(spawn_path(original), program))
		return;
	program[0] = '\0';
	print_message("  needs strip(1)\n");
	skip();
}

/* Without symbols it is the same as with them. */
static void expect_same_as_symbols(struct spawned *child)
{
	static const char *const commands[] = { "chunks", "threads" };
	char words[64];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(words, sizeof(words), "%s --format=csv --quiet --source=symbols",
			 commands[i]);
		char *symbols = strdup(command_answer(words, child->pid));
		snprintf(words, sizeof(words), "%s --format=csv --quiet --source=structure",
			 commands[i]);
		assert_string_equal(command_answer(words, child->pid), symbols);
		free(symbols);
	}
}

/* The truth of a static program is not whole: its libc has allocated before main(). */
static void test_static(void **state)
{
	static const char *const cases[] = { "tcache", "fastbin", "bins", "no-frees" };
	const char *original = *state;

	strip(original);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spawned *child = ready(spawn_program(program, cases[i], "2"));
		const char *json = command_answer("info --format=json", child->pid);
		expect_sources(json, 5, 0, 0);
		command_expect(json, "\"threads\": 3");
		command_expect(json, "\"arenas\": 3");
		command_expect(json,
			       "\"layout_note\": \"the version is not known; malloc's structs are "
			       "those of ");
		command_refused("info --source=symbols", child->pid, "not stripped");
		spawn_end(child);
		expect_same_as_symbols(ready(spawn_program(spawn_path(original), cases[i], "2")));
	}
}

/* A heap that is damaged is recognised all the same: what is damaged is for the audit to tell. */
static void test_damaged(void **state)
{
	static const char *const damages[] = {
		"size-zero",     "heap-end",     "tcache-cycle",   "tcache-wild",
		"fastbin-cycle", "fastbin-wild", "unsorted-cycle", "unsorted-wild",
		"top-wild",      "ring-cycle",   "ring-wild",      "prev-wild",
	};
	int minor = atoi(gnu_get_libc_version() + 2);

	(void)state;
	if (minor < 35 || minor > 41)
		skip();
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct spawned *child =
			ready(spawn_program(spawn_path("tests/fixtures/damage"), damages[i]));
		expect_same_as_symbols(child);
		spawn_end(child);
	}
}

static void test_deleted_static(void **state)
{
	const char *original = *state;

	command_skip_without_nobody();
	strip(original);
	const char *const argv[] = { program, "tcache", "2", NULL };
	struct spawned *child =
		ready(spawn(&(struct spawn_how){ .argv = argv, .uid = COMMAND_NOBODY }));
	unlink(program);
	expect_same_without_file(child);
}

/* What the version text says does not decide, and that it was not believed is told. */
static void test_other_version(void **state)
{
	static const struct fixture fixture = { "pattern", "fastbin", "2" };
	static const char *const versions[] = { "2.99", "2.26", "x.yz" };

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		char note[64] = "\"layout_note\": \"the version is not known; ";
		if (i < 2)
			snprintf(note, sizeof(note), "\"layout_note\": \"the version says %s, but ",
				 versions[i]);
		libc_copy_change_build_id(&libc);
		libc_copy_set_version(&libc, versions[i]);
		struct spawned *child = start(&fixture);
		const char *json = command_answer("info --format=json", child->pid);
		expect_sources(json, 5, 0, 0);
		command_expect(json, "\"layout\": \"table\"");
		command_expect(json, note);
		command_expect(json, "borne out in memory by main_arena heap_info tcache links");
		command_expect(text_of(child, "info"), strchr(note + 15, '"') + 1);
		expect_truth(child, ROOT_UNKNOWN);
		libc_copy_remove(&libc);
		libc_copy_make(&libc);
	}
}

/* With debug information for that build, it is asked, and memory bears it out. */
static void test_other_version_dwarf(void **state)
{
	static const struct fixture fixture = { "pattern", "fastbin", "2" };

	(void)state;
	libc_copy_set_version(&libc, "2.99");
	struct spawned *child = start(&fixture);
	const char *json = command_answer("info --format=json", child->pid);
	if (!strstr(json, "\"source\": \"symbols\"")) {
		print_message("  needs libc6-dbg\n");
		skip();
	}
	command_expect(json, "\"layout\": \"dwarf\"");
	command_expect(
		json,
		"but malloc's structs are taken from debug information, borne out in memory by "
		"main_arena heap_info tcache links");
	expect_truth(child, ROOT_UNKNOWN);
	json = command_answer("info --format=json --layout=table", child->pid);
	command_expect(json, "\"layout\": \"table\"");
}

/* The version is right, and nothing is to be said. */
static void test_no_note(void **state)
{
	static const struct fixture fixture = { "pattern", "fastbin", "2" };

	(void)state;
	libc_copy_change_build_id(&libc);
	struct spawned *child = start(&fixture);
	assert_null(strstr(command_answer("info --format=json", child->pid), "layout_note"));
}

static void poke(pid_t pid, uint64_t address, const void *bytes, size_t size)
{
	struct iovec local = { (void *)bytes, size }, remote = { (void *)address, size };

	assert_int_equal(process_vm_writev(pid, &local, 1, &remote, 1, 0), (ssize_t)size);
}

/* A page that lacks what it could not find is filled in, address by address. */
static void test_mixed(void **state)
{
	const char *const argv[] = { libc.loader, "--library-path",
				     libc.dir,    spawn_path("tests/fixtures/pattern"),
				     "tcache",    "2",
				     NULL };
	static struct agent_page page;

	(void)state;
	for (int symbols = 1; symbols >= 0; symbols--) {
		if (!symbols)
			libc_copy_change_build_id(&libc);
		struct spawned *child = ready(spawn(&(struct spawn_how){
			.argv = argv,
			.environment = (const char *const[]){ agent_preload(NULL, NULL), NULL } }));
		agent_read_page(child->pid, &page);
		expect_sources(command_answer("info --format=json", child->pid), 0, 0, 5);

		struct inventory_header header = page.header;
		header.thread_arena_offset = 0;
		header.check = inventory_header_check(&header);
		poke(child->pid, header.address, &header, sizeof(header));
		const char *json = command_answer("info --format=json", child->pid);
		if (symbols && !strstr(json, "\"source\": \"symbols\""))
			continue; /* no libc6-dbg here */
		expect_sources(json, !symbols, symbols, 3);
		command_expect(json, "\"source\": \"mixed\"");
		expect_truth(child, ROOT_UNKNOWN);

		header.tcache_offset = 0;
		header.check = inventory_header_check(&header);
		poke(child->pid, header.address, &header, sizeof(header));
		expect_sources(command_answer("info --format=json", child->pid), symbols ? 0 : 2,
			       symbols ? 2 : 0, 2);
		expect_truth(child, ROOT_UNKNOWN);
	}
}

int main(void)
{
	static const char of_static[] = "tests/fixtures/pattern-static";
	static const char of_static_pie[] = "tests/fixtures/pattern-static-pie";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stripped_libc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_running, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deleted_libc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deleted_and_tuned, setup, teardown),
		{ "test_static", test_static, setup, teardown, (void *)of_static },
		{ "test_static_pie", test_static, setup, teardown, (void *)of_static_pie },
		{ "test_deleted_static", test_deleted_static, setup, teardown, (void *)of_static },
		{ "test_deleted_static_pie", test_deleted_static, setup, teardown,
		  (void *)of_static_pie },
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_version, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_version_dwarf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_note, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mixed, setup, teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("stripped", tests, NULL, NULL);
}
