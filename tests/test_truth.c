/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every chunk of programs that know what they allocated and freed (tests/fixtures).
 *
 * Link: tests/test_truth.c tests/truth.c tests/spawn.c, the reader, cmocka.
 * Needs at run time: all programs of tests/fixtures, MEMTOOL_BUILDDIR.
 */
#include "tests/spawn.h"
#include "tests/truth.h"

#include "session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* A program of tests/fixtures and its arguments; what has a '=' before it is for its environment. */
/* clang-format off */
static const char *const fixtures[] = {
	"empty",
	"empty 0x5000",
	"pattern no-frees 0",
	"pattern tcache 0",
	"pattern fastbin 0",
	"pattern bins 0",
	"pattern binned-small 0",
	"pattern no-frees 3",
	"pattern tcache 3",
	"pattern fastbin 3",
	"pattern bins 3",
	"pattern binned-small 3",
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=0 pattern fastbin 2 0",
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=0 pattern binned-small 2 0",
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=100 pattern fastbin 2 100",
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=100 pattern binned-small 2 100",
	"bins",
	"bins thread",
	"mmapped",
	"mmapped thread",
	"multi_heap",
	"multi_heap 20",
	"multi_heap 30",
	"multi_heap 40",
	"multi_heap 50",
	"ended 1",
	"ended 3",
	"cross",
	"shrink clear",
	"shrink clear thread",
	"shrink realloc 0x98 0x88",
	"shrink realloc 0x108 0x78",
	"shrink realloc 0x8000 0x6000",
	"shrink realloc 0x9000 0x8ff8",
	"shrink realloc 0x8000 0x6000 thread",
	"shrink grow 0x700",
	"shrink grow 0xde8",
	"shrink grow 0x700 thread",
	"shrink align 32 24",
	"shrink align 64 0x300",
	"shrink align 64 0x300 thread",
	"shrink align 128 0x98",
	"shrink align 256 0x500",
	"shrink align 4096 0x3000",
	"shrink align 4096 0x3000 thread",
	"shrink align 65536 1",
	"mallopt arena-max 1 5",
	"mallopt arena-max 2 5",
	"mallopt arena-max 3 8",
	"mallopt mxfast 0",
	"mallopt mxfast 160",
	"many 500",
	"brk before 0x1000",
	"brk before 0x1238",
	"brk between 0x1000",
	"brk between 0x1238",
	"brk between 0x300000",
	"brk blocked",
};
/* clang-format on */

/* What was overwritten in the heap of the fixture "damage". */
static const char *const damages[] = {
	"damage size-zero",     "damage size-odd",     "damage size-huge",
	"damage heap-end",      "damage tcache-cycle", "damage tcache-wild",
	"damage fastbin-cycle", "damage fastbin-wild", "damage unsorted-cycle",
	"damage unsorted-wild", "damage top-wild",     "damage ring-cycle",
	"damage ring-wild",     "damage prev-cycle",   "damage prev-wild",
	"damage heap-size",
};

static struct spawned *start(const char *command)
{
	char words[200], path[600];
	const char *argv[8] = { NULL }, *environment[2] = { NULL };
	char *rest = NULL;
	size_t count = 0;

	assert_true(strlen(command) < sizeof(words));
	strcpy(words, command);
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(count < 7);
		if (count == 0 && strchr(word, '='))
			environment[0] = word;
		else
			argv[count++] = word;
	}
	snprintf(path, sizeof(path), "tests/fixtures/%s", argv[0]);
	argv[0] = spawn_path(path);
	return spawn(&(struct spawn_how){ .argv = argv, .environment = environment });
}

static void test_fixture(void **state)
{
	struct spawned *child = start(*state);
	struct session *session;
	struct heap *heap;

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	truth_read(child->pid, &(struct session_options){ 0 }, &session, &heap);
	truth_check_shape(heap);
	truth_check(child->text, heap, &session->process->memory);
	truth_check_audit(heap);
	heap_destroy(heap);
	session_close(session);

	/* It was not harmed: it sees the end of its input and exits. */
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

/*
 * What is not malloc's but looks like it cannot always be told apart; then the audit has to say so
 * (DESIGN: no silent guess). The real ones are there in any case.
 */
static void test_decoy(void **state)
{
	struct spawned *child = start("decoy");
	struct session *session;
	struct heap *heap;

	(void)state;
	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	truth_read(child->pid, &(struct session_options){ 0 }, &session, &heap);
	truth_check_shape(heap);
	if (heap->audit.ok)
		truth_check(child->text, heap, &session->process->memory);
	else
		assert_true(heap->audit.counted[AUDIT_MMAPPED] > 0);
	heap_destroy(heap);
	session_close(session);
}

/*
 * A damaged heap is read to its end: what can be told is told, and the audit has a finding. First
 * by the command, which can be ended if it hangs.
 */
static void test_damage(void **state)
{
	struct spawned *child = start(*state);
	struct session *session;
	struct heap *heap;
	char pid[16];

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	snprintf(pid, sizeof(pid), "%d", child->pid);
	const char *const argv[] = { spawn_memtool(), "heap", "--format=json", pid, NULL };
	const struct spawn_result *result = spawn_run(&(struct spawn_how){ .argv = argv });
	if (spawn_exit_code(result) != 0)
		fail_msg("exit status %d: %s", spawn_exit_code(result), result->err);

	truth_read(child->pid, &(struct session_options){ 0 }, &session, &heap);
	truth_check_shape(heap);
	assert_false(heap->audit.ok);
	assert_true(heap->audit.findings.count > 0);
	heap_destroy(heap);
	session_close(session);
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

/* Read twice, with the other layout: the heap of a program at rest is the same. */
static void test_layouts_agree(void **state)
{
	static const enum layout_source sources[] = { LAYOUT_TABLE, LAYOUT_DWARF };
	struct spawned *child = start("bins thread");
	struct heap *heaps[2];

	(void)state;
	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	for (size_t i = 0; i < 2; i++) {
		struct session_options options = { .source = ROOT_SYMBOLS, .layout = sources[i] };
		struct session *session;
		truth_read(child->pid, &options, &session, &heaps[i]);
		assert_int_equal(session->layout_source, sources[i]);
		session_close(session);
	}
	assert_null(glibc_layout_difference(&heaps[0]->layout, &heaps[1]->layout));
	assert_int_equal(heaps[0]->chunk_count, heaps[1]->chunk_count);
	assert_memory_equal(heaps[0]->chunks, heaps[1]->chunks,
			    heaps[0]->chunk_count * sizeof(struct chunk));
	heap_destroy(heaps[0]);
	heap_destroy(heaps[1]);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void)
{
	struct CMUnitTest tests[COUNT(fixtures) + COUNT(damages) + 2];
	size_t count = 0;

	spawn_watchdog(600);
	for (size_t i = 0; i < COUNT(fixtures); i++)
		tests[count++] = (struct CMUnitTest){ fixtures[i], test_fixture, NULL,
						      spawn_teardown, (void *)fixtures[i] };
	for (size_t i = 0; i < COUNT(damages); i++)
		tests[count++] = (struct CMUnitTest){ damages[i], test_damage, NULL, spawn_teardown,
						      (void *)damages[i] };
	tests[count++] = (struct CMUnitTest){ "decoy", test_decoy, NULL, spawn_teardown, NULL };
	tests[count++] = (struct CMUnitTest){ "layouts agree", test_layouts_agree, NULL,
					      spawn_teardown, NULL };
	return cmocka_run_group_tests_name("truth", tests, NULL, NULL);
}
