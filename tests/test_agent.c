/* SPDX-License-Identifier: Apache-2.0 */
/* The agent in a program: what it publishes is true, and its threads are in the page. */
#include "tests/agent_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* malloc_state: bin 1 is at bins - 16; bins are 2048 bytes before next. */
#define UNSORTED_TO_NEXT (2048 + 16)

static void test_start(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();
	static struct agent_page page;

	agent_read_page(child->pid, &page);
	assert_int_equal((uint16_t)page.header.flags, 0);
	assert_int_equal((uint16_t)page.header.thread_high, 1);
	assert_int_equal(page.anonymous, agent_is_filtered());
	assert_string_equal(page.header.glibc_version, gnu_get_libc_version());
	assert_int_equal(page.count, 1);
	assert_int_equal(page.threads[0].tid, child->pid);
	/* The TCB begins with its own address. */
	assert_int_equal(agent_word(child->pid, page.threads[0].fs_base), page.threads[0].fs_base);
}

static void test_globals(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();
	static struct agent_page page;

	agent_read_page(child->pid, &page);
	const struct inventory_header *header = &page.header;
	const char *text = agent_command(child, "values");
	assert_int_equal(header->main_arena,
			 agent_number(text, "unsorted", 16) -
				 (header->malloc_state_next - UNSORTED_TO_NEXT));
	assert_int_equal(agent_word(child->pid, header->main_arena + header->malloc_state_next),
			 header->main_arena);
	/*
	 * What the subject has set by mallopt(): trim_threshold, top_pad, mmap_threshold, mmap_max
	 */
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(agent_word(child->pid, header->mp + 8 * i), 0x30000 + i * 4096);
	assert_int_equal(
		(uint32_t)agent_word(child->pid, header->mp + header->malloc_par_n_mmaps_max),
		0x30000 + 3 * 4096);
}

/* Whether one of the list heads in the tcache is user. */
static bool tcache_has(pid_t pid, uint64_t tcache, uint64_t user)
{
	uint64_t words[608 / 8];

	agent_peek(pid, tcache, words, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i] == user)
			return true;
	}
	return false;
}

static void test_tls(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();
	static struct agent_page page;

	uint64_t freed = agent_number(agent_command(child, "values"), "freed", 16);
	agent_read_page(child->pid, &page);
	const struct inventory_header *header = &page.header;
	const struct inventory_thread *thread = &page.threads[0];
	assert_int_equal(thread->tcache_slot, thread->fs_base + (uint64_t)header->tcache_offset);
	assert_true(tcache_has(child->pid, agent_word(child->pid, thread->tcache_slot), freed));
	assert_int_equal(
		agent_word(child->pid, thread->fs_base + (uint64_t)header->thread_arena_offset),
		header->main_arena);
}

/* A thread with an arena of its own: its first block is in that arena's first heap. */
static void test_other_arena(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();
	static struct agent_page page;
	const uint64_t heap_max = UINT64_C(64) << 20;

	agent_command(child, "values");
	const char *text = agent_command(child, "busy");
	uint64_t user = agent_number(text, "user", 16);
	pid_t tid = (pid_t)agent_number(text, "thread", 10);
	agent_expect_threads(child->pid, text, true);
	agent_read_page(child->pid, &page);
	const struct inventory_thread *thread = agent_thread(&page, tid);
	uint64_t arena =
		agent_word(child->pid, thread->fs_base + (uint64_t)page.header.thread_arena_offset);
	uint64_t tcache = agent_word(child->pid, thread->tcache_slot);
	assert_int_equal(arena & -heap_max, user & -heap_max);
	assert_int_equal(tcache & -heap_max, user & -heap_max);
	assert_int_equal(
		agent_word(child->pid, page.header.main_arena + page.header.malloc_state_next),
		arena);
}

static void test_ends(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();

	agent_expect_threads(child->pid, agent_command(child, "start 5"), true);
	agent_command(child, "return");
	agent_expect_threads(child->pid, "", true);

	agent_expect_threads(child->pid, agent_command(child, "start 5"), true);
	agent_command(child, "exit");
	agent_expect_threads(child->pid, "", true);

	agent_expect_threads(child->pid, agent_command(child, "start 5"), true);
	agent_command(child, "cancel");
	agent_expect_threads(child->pid, "", true);
}

static void test_c11_ends(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();

	agent_expect_threads(child->pid, agent_command(child, "start11 5"), true);
	agent_command(child, "return");
	agent_expect_threads(child->pid, "", true);

	agent_expect_threads(child->pid, agent_command(child, "start11 5"), true);
	agent_command(child, "exit");
	agent_expect_threads(child->pid, "", true);
}

/* While the destructors of a thread's keys run, which may use malloc, it is still in the page. */
static void test_destructors(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();
	char text[64];

	spawn_write(child, "destroy\n");
	snprintf(text, sizeof(text), "thread %.32s", spawn_expect(child, "thread "));
	agent_expect_threads(child->pid, text, true);
	spawn_write(child, "\n");
	spawn_expect(child, "destroy");
	agent_expect_threads(child->pid, "", true);
}

/* The first thread may end before the others. */
static void test_first_thread_ends(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();

	spawn_write(child, "leave\n");
	spawn_expect(child, "pid ");
	spawn_wait_ended(child->pid, child->pid);
	size_t count;
	pid_t *tids = spawn_threads(child->pid, &count);
	assert_int_equal(count, 2);
	pid_t other = tids[0] == child->pid ? tids[1] : tids[0];
	free(tids);
	static struct agent_page page;
	agent_read_page_of(child->pid, other, &page);
	assert_int_equal(page.count, 1);
	assert_int_equal(page.threads[0].tid, other);
}

/* Room for 2,044; and what is missing from the page is said. */
static void test_many(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();
	static struct agent_page page;

	agent_expect_threads(child->pid, agent_command(child, "start 2000"), true);
	agent_read_page(child->pid, &page);
	assert_int_equal((uint16_t)page.header.flags, 0);

	agent_command(child, "start 100");
	agent_read_page(child->pid, &page);
	assert_int_equal((uint16_t)page.header.flags, INVENTORY_OVERFLOW);
	assert_int_equal(page.count, INVENTORY_THREADS);

	agent_command(child, "return");
	agent_read_page(child->pid, &page);
	assert_int_equal((uint16_t)page.header.flags, INVENTORY_OVERFLOW);
	assert_int_equal(page.count, 1);
	assert_int_equal(page.threads[0].tid, child->pid);

	agent_expect_threads(child->pid, agent_command(child, "start 10"), true);
}

/* Threads come and go while the page is read. */
static void test_churn(void **state)
{
	(void)state;
	struct spawned *child = agent_subject();
	static struct agent_page page;

	agent_command(child, "churn 4");
	for (int i = 0; i < 2000; i++) {
		agent_read_page(child->pid, &page);
		assert_int_equal((uint16_t)page.header.flags, 0);
		assert_non_null(agent_thread(&page, child->pid));
		/* The four, and one more of each. */
		assert_in_range(page.count, 1, 1 + 4 + 4 + 4);
	}
	const char *text = agent_command(child, "calm");
	assert_in_range(agent_number(text, "churned", 10), 100, UINT32_MAX);
	agent_expect_threads(child->pid, "", true);
	agent_read_page(child->pid, &page);
	assert_int_equal((uint16_t)page.header.flags, 0);
	assert_in_range((uint16_t)page.header.thread_high, 2, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_start, spawn_teardown),
		cmocka_unit_test_teardown(test_globals, spawn_teardown),
		cmocka_unit_test_teardown(test_tls, spawn_teardown),
		cmocka_unit_test_teardown(test_other_arena, spawn_teardown),
		cmocka_unit_test_teardown(test_ends, spawn_teardown),
		cmocka_unit_test_teardown(test_c11_ends, spawn_teardown),
		cmocka_unit_test_teardown(test_destructors, spawn_teardown),
		cmocka_unit_test_teardown(test_first_thread_ends, spawn_teardown),
		cmocka_unit_test_teardown(test_many, spawn_teardown),
		cmocka_unit_test_teardown(test_churn, spawn_teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
