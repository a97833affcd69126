/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stop costs the target: one that is caught inside malloc is let out of it
 * (tests/test_storm.c has that), but what no waiting changes, damage or a lock that is never
 * released, must not be waited for long. And that malloc's code is found, by which threads inside
 * it are told.
 *
 * Link: tests/test_settle.c tests/truth.c tests/spawn.c, the reader, cmocka.
 * Needs at run time: tests/fixtures/damage, bins, grow and idle, MEMTOOL_BUILDDIR, libc's debug
 * file.
 */
#include "tests/spawn.h"
#include "tests/truth.h"

#include "session.h"
#include "session_settle.h"
#include "support/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct session_options by_symbols = { .source = ROOT_SYMBOLS };

/* The same damage each time: it is read twice to see that, and no more. */
static void test_damage(void **state)
{
	static const char *const cases[] = { "size-zero",     "size-huge", "heap-end",
					     "fastbin-cycle", "top-wild",  "unsorted-wild" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spawned *child =
			spawn_program(spawn_path("tests/fixtures/damage"), cases[i]);
		struct session *session;
		struct heap *heap;
		spawn_expect(child, "ready");
		spawn_wait_at_rest(child->pid);
		truth_read(child->pid, &by_symbols, &session, &heap);
		print_message("  %s: %u stops\n", cases[i], session->stops);
		assert_false(heap->audit.ok);
		assert_null(strstr(audit_reason(&heap->audit), "a thread was inside"));
		assert_int_equal(session->stops, 2);
		heap_destroy(heap);
		session_close(session);
		spawn_end(child);
	}
}

static void write_u32(pid_t pid, uint64_t address, uint32_t value)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &value, sizeof(value), (off_t)address), sizeof(value));
}

/*
 * As of a thread that was blocked inside malloc for ever: the books add up, and one stop shows it.
 */
static void test_locked_for_ever(void **state)
{
	(void)state;
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/bins"), "thread");
	struct session *session;
	struct heap *heap;
	uint64_t ns;

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	truth_must(session_open(child->pid, &by_symbols, &session));
	write_u32(child->pid, session->roots.main_arena.value + session->layout.malloc_state.mutex,
		  1);
	truth_must(session_read_heap(session, &heap, &ns));
	assert_true(heap->audit.ok);
	assert_int_equal(heap->audit.findings.count, 1);
	assert_int_equal(heap->audit.findings.data[0].kind, AUDIT_LOCKED);
	assert_int_equal(session->stops, 1);
	heap_destroy(heap);
	session_close(session);
	spawn_end(child);
}

static void check_undamaged(const struct heap *heap)
{
	if (heap->audit.counted[AUDIT_BAD_CHUNK] || heap->audit.counted[AUDIT_BAD_ARENA])
		truth_check_audit(heap);
}

/*
 * A thread that stores to memory which nobody touched is stopped there nearly always, with a top
 * that has no header: that is not damage, and not worth another stop.
 */
static void test_growing(void **state)
{
	static const char *const cases[][2] = { { "5000", "0" }, { "5000", "2" }, { "1000", "1" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spawned *child =
			spawn_program(spawn_path("tests/fixtures/grow"), cases[i][0], cases[i][1]);
		spawn_expect(child, "ready");
		for (int readings = 0; readings < 20; readings++) {
			struct session *session;
			struct heap *heap;
			truth_read(child->pid, &by_symbols, &session, &heap);
			truth_check_shape(heap);
			check_undamaged(heap);
			assert_int_equal(heap->tally[CHUNK_TOP].count, heap->arena_count);
			heap_destroy(heap);
			session_close(session);
		}
		spawn_end(child);
	}
}

/* Where a function of the target's libc is; 0 if it has none of that name. */
static uint64_t function(struct session *session, const char *name)
{
	struct module_symbol symbol;

	return module_find_symbol(session->libc.module, name, &symbol) ? symbol.address : 0;
}

static void check_code(struct session *session, const struct malloc_code *code)
{
	static const char *const within[] = { "malloc",      "free",           "calloc",
					      "realloc",     "memalign",       "malloc_trim",
					      "_int_malloc", "sysmalloc",      "malloc_consolidate",
					      "_int_free",   "_int_free_chunk" };
	static const char *const without[] = { "memcpy", "printf", "read", "mmap", "sbrk", "fork" };

	assert_in_range(range_size(code->range), 8 << 10, 64 << 10);
	for (size_t i = 0; i < sizeof(within) / sizeof(within[0]); i++) {
		uint64_t address = function(session, within[i]);
		assert_true(!address || range_contains(code->range, address));
	}
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		assert_false(range_contains(code->range, function(session, without[i])));
	assert_string_equal(malloc_code_name(code, function(session, "malloc") + 1),
			    "__libc_malloc");
	assert_null(malloc_code_name(code, code->range.end));
	assert_string_equal(malloc_code_name(code, function(session, "sbrk") + 1), "sbrk");
	assert_true(malloc_code_has(code, function(session, "brk") + 1));
	assert_false(malloc_code_has(code, function(session, "read") + 1));
}

/*
 * With a symbol table and without: the file of a distribution names the exported functions alone.
 */
static void test_malloc_code(void **state)
{
	static const char *const programs[] = { "tests/fixtures/idle", "tests/fixtures/idle-static",
						"tests/fixtures/idle-static-pie" };

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct spawned *child = spawn_program(spawn_path(programs[i]));
		struct session *session;
		spawn_expect(child, "ready");
		truth_must(session_open(child->pid, &by_symbols, &session));
		struct malloc_code code = libc_malloc_code(&session->libc, true);
		check_code(session, &code);
		assert_string_equal(malloc_code_name(&code, function(session, "_int_malloc") + 1),
				    "_int_malloc");
		code = libc_malloc_code(&session->libc, false);
		if (!session->libc.module->executable)
			check_code(session, &code);
		session_close(session);
		spawn_end(child);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_damage, spawn_teardown),
		cmocka_unit_test_teardown(test_locked_for_ever, spawn_teardown),
		cmocka_unit_test_teardown(test_growing, spawn_teardown),
		cmocka_unit_test_teardown(test_malloc_code, spawn_teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("settle", tests, NULL, NULL);
}
