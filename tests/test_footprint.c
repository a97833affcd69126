/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To look at a process does not make it larger: neither its memory nor its page tables. And a
 * snapshot of it takes no memory for what the process does not write to.
 *
 * Link: tests/test_footprint.c tests/truth.c tests/spawn.c, the reader, cmocka.
 * Needs at run time: tests/fixtures/sparse and subject, MEMTOOL_BUILDDIR.
 */
#include "tests/spawn.h"
#include "tests/truth.h"

#include "session.h"
#include "support/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a file of /proc/PID says, in kB. */
static long look_up(pid_t pid, const char *name, const char *field)
{
	char path[64], line[256];
	long kilobytes = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (kilobytes < 0 && fgets(line, sizeof(line), file)) {
		if (strncmp(line, field, strlen(field)) == 0)
			kilobytes = strtol(line + strlen(field), NULL, 10);
	}
	assert_true(kilobytes >= 0);
	return kilobytes;
}

/* Pages of files are not counted: libc's are everybody's. */
static long footprint(pid_t pid, const char *field)
{
	return look_up(pid, "status", field);
}

/*
 * A part of a page table for what was read of files, and nothing like the 128 MiB that 64 GiB need.
 */
#define TABLES_MORE 32
/* The pages of the stack that the frames of a snapshot are written to (target/inject_frame.h). */
#define STACK_MORE 20

/* more is what its memory may have grown by, in kB. */
static void check(const struct session_options *options, enum read_method method, long more)
{
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/sparse"));
	struct session *session;
	struct heap *heap;

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	long memory = footprint(child->pid, "RssAnon:"), tables = footprint(child->pid, "VmPTE:");
	truth_read(child->pid, options, &session, &heap);
	assert_int_equal(session->method, method);
	assert_in_range(footprint(child->pid, "RssAnon:"), memory, memory + more);
	assert_in_range(footprint(child->pid, "VmPTE:"), tables, tables + TABLES_MORE);
	truth_check_audit(heap);
	truth_check(child->text, heap, &session->process->memory);
	heap_destroy(heap);
	session_close(session);
	spawn_end(child);
}

static void test_stopped(void **state)
{
	(void)state;
	check(&(struct session_options){ 0 }, READ_STOPPED, 0);
}

static void test_running(void **state)
{
	(void)state;
	check(&(struct session_options){ .no_stop = true }, READ_RUNNING, 0);
}

static void test_snapshot(void **state)
{
	(void)state;
	check(&(struct session_options){ .snapshot = true }, READ_SNAPSHOT, STACK_MORE);
}

struct sharing {
	pid_t pid;
	int looks;
	long least; /* that the process has shared at any time, in kB */
};

static bool look(void *context, const struct memtool_progress *progress)
{
	struct sharing *sharing = context;
	long shared = look_up(sharing->pid, "smaps_rollup", "Shared_Dirty:");

	(void)progress;
	if (sharing->looks++ == 0 || shared < sharing->least)
		sharing->least = shared;
	return true;
}

/* While a snapshot is read, the process and its copy go on having the same pages. */
static void test_snapshot_shares(void **state)
{
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/subject"));
	struct sharing sharing = { .pid = child->pid };
	const struct session_options options = {
		.snapshot = true,
		.progress = look,
		.progress_context = &sharing,
	};
	struct session *session;
	struct heap *heap;

	(void)state;
	spawn_expect(child, "subject ");
	spawn_write(child, "fill 9000\n"); /* of 1000 bytes */
	spawn_expect(child, "fill");
	truth_read(child->pid, &options, &session, &heap);
	assert_int_equal(session->method, READ_SNAPSHOT);
	assert_true(sharing.looks > 1);
	assert_in_range(sharing.least, 8500, 20000);
	heap_destroy(heap);
	session_close(session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_stopped, spawn_teardown),
		cmocka_unit_test_teardown(test_running, spawn_teardown),
		cmocka_unit_test_teardown(test_snapshot, spawn_teardown),
		cmocka_unit_test_teardown(test_snapshot_shares, spawn_teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("footprint", tests, NULL, NULL);
}
