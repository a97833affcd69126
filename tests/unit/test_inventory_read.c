/* SPDX-License-Identifier: Apache-2.0 */
/* inventory_read(): the page against its process, out of memory that a test made. */
#include "glibc/inventory.h"

#include "inventory_page.h"
#include "support/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* From malloc_state.next on, of a process whose one arena is main_arena. */
struct arena_words {
	uint64_t next, next_free, attached_threads;
};

struct target {
	struct page page;
	struct arena_words arena;
	struct memory_region regions[2];
	struct memory_buffer memory;
};

static void make_target(struct target *target)
{
	target->page = make_page();
	target->arena = (struct arena_words){ MAIN_ARENA, 0, 1 };
	target->regions[0] =
		(struct memory_region){ MAIN_ARENA + NEXT, sizeof(target->arena), &target->arena };
	/* The rest of the page is not there: it was never touched. */
	target->regions[1] =
		(struct memory_region){ ADDRESS, HEADER + USED * ENTRY, &target->page };
	target->memory = memory_buffer(target->regions, 2);
}

static struct memtool_error *read_page(struct memory *memory, struct inventory *ret)
{
	return inventory_read(memory, ADDRESS, PID, START_TIME, ret);
}

static void assert_error(struct memtool_error *error, enum memtool_error_code expected)
{
	assert_non_null(error);
	enum memtool_error_code code = error->code;
	memtool_error_destroy(error);
	assert_int_equal(code, expected);
}

/* Nothing is written to the result either. */
static void assert_refused(struct memory *memory, enum memtool_error_code expected)
{
	struct inventory inventory, untouched;

	memset(&untouched, 0xa5, sizeof(untouched));
	memcpy(&inventory, &untouched, sizeof(untouched));
	assert_error(read_page(memory, &inventory), expected);
	assert_memory_equal(&inventory, &untouched, sizeof(untouched));
}

static void assert_taken(struct memory *memory)
{
	struct inventory inventory;

	assert_null(read_page(memory, &inventory));
	assert_int_equal(inventory.flags, INVENTORY_LATE);
	assert_int_equal(inventory.header.main_arena, MAIN_ARENA);
	assert_int_equal(inventory.threads.count, 2);
	assert_int_equal(inventory.threads.data[0].tid, 4242);
	assert_int_equal(inventory.threads.data[1].tid, 4250);
	inventory_deinit(&inventory);
}

static void test_read(void **state)
{
	struct target target;

	(void)state;
	make_target(&target);
	assert_taken(&target.memory.memory);
}

static void test_other_process(void **state)
{
	struct target target;
	struct inventory inventory;

	(void)state;
	make_target(&target);
	struct memory *memory = &target.memory.memory;
	assert_error(inventory_read(memory, ADDRESS, PID + 1, START_TIME, &inventory),
		     MEMTOOL_ERROR_CORRUPT);
	assert_error(inventory_read(memory, ADDRESS, -PID, START_TIME, &inventory),
		     MEMTOOL_ERROR_CORRUPT);
	assert_error(inventory_read(memory, ADDRESS, PID, START_TIME + 1, &inventory),
		     MEMTOOL_ERROR_CORRUPT);
	assert_error(inventory_read(memory, ADDRESS, PID, 0, &inventory), MEMTOOL_ERROR_CORRUPT);
	assert_taken(memory);
}

/* An agent that could not read /proc says 0, and then the pid must do. */
static void test_start_time_not_known(void **state)
{
	struct target target;
	struct inventory inventory;

	(void)state;
	make_target(&target);
	target.page.header.start_time = 0;
	seal(&target.page.header);
	assert_taken(&target.memory.memory);
	assert_error(
		inventory_read(&target.memory.memory, ADDRESS, PID + 1, START_TIME, &inventory),
		MEMTOOL_ERROR_CORRUPT);
}

static void test_other_address(void **state)
{
	struct target target;
	struct inventory inventory;

	(void)state;
	make_target(&target);
	target.regions[1].address = ADDRESS + 4096;
	assert_error(
		inventory_read(&target.memory.memory, ADDRESS + 4096, PID, START_TIME, &inventory),
		MEMTOOL_ERROR_CORRUPT);
	assert_refused(&target.memory.memory, MEMTOOL_ERROR_FAULT);
}

/* The mapping is shorter than what is used of the page. */
static void test_cut_off(void **state)
{
	struct target target;

	(void)state;
	make_target(&target);
	for (size_t length = 0; length < HEADER + USED * ENTRY; length++) {
		target.regions[1].length = length;
		assert_refused(&target.memory.memory, MEMTOOL_ERROR_FAULT);
	}
}

static void test_no_arena(void **state)
{
	static const struct arena_words wrong[] = {
		{ 0, 0, 1 },
		{ MAIN_ARENA + 8, 0, 1 },
		{ MAIN_ARENA + 1, 0, 1 },
		{ MAIN_ARENA, 0, UINT64_C(1) << 32 },
		{ MAIN_ARENA, 0, UINT64_MAX },
	};
	struct target target;

	(void)state;
	make_target(&target);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		target.arena = wrong[i];
		assert_refused(&target.memory.memory, MEMTOOL_ERROR_CORRUPT);
	}
}

static void test_no_memory_at_arena(void **state)
{
	static const struct {
		uint64_t main_arena;
		uint32_t next;
	} wrong[] = {
		{ 0, NEXT },
		{ MAIN_ARENA + 8, NEXT },
		{ MAIN_ARENA - 8, NEXT },
		{ UINT64_MAX, NEXT },
		{ UINT64_MAX - NEXT - 8, NEXT }, /* wraps in the midst of the words */
		{ MAIN_ARENA, NEXT + 8 },
		{ MAIN_ARENA, 0 },
		{ MAIN_ARENA, UINT32_MAX },
		{ MAIN_ARENA, INT32_MAX },
	};
	struct target target;

	(void)state;
	make_target(&target);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		target.page.header.main_arena = wrong[i].main_arena;
		target.page.header.malloc_state_next = wrong[i].next;
		seal(&target.page.header);
		assert_refused(&target.memory.memory, MEMTOOL_ERROR_CORRUPT);
	}
}

/* Whatever is in memory there, no release has a malloc_state as long as that. */
static void test_arena_too_long(void **state)
{
	static const uint32_t wrong[] = { GLIBC_MALLOC_STATE_MAX - 16, GLIBC_MALLOC_STATE_MAX,
					  1 << 20 };
	struct target target;

	(void)state;
	make_target(&target);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		target.regions[0].address = MAIN_ARENA + wrong[i];
		target.page.header.malloc_state_next = wrong[i];
		seal(&target.page.header);
		assert_refused(&target.memory.memory, MEMTOOL_ERROR_CORRUPT);
	}
}

/* Before the check is looked at, a size decides how much is allocated and read. */
static void test_sizes(void **state)
{
	static const uint32_t sizes[] = { 0, 1, HEADER - 1, (16 << 20) + 1, INT32_MAX, UINT32_MAX };
	struct target target;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_target(&target);
		target.page.header.map_size = sizes[i];
		seal(&target.page.header);
		assert_refused(&target.memory.memory, MEMTOOL_ERROR_CORRUPT);

		make_target(&target);
		target.page.header.header_size = sizes[i];
		seal(&target.page.header);
		assert_refused(&target.memory.memory, MEMTOOL_ERROR_CORRUPT);

		make_target(&target);
		target.page.header.thread_size = sizes[i];
		seal(&target.page.header);
		assert_refused(&target.memory.memory, MEMTOOL_ERROR_CORRUPT);
	}
	make_target(&target);
	target.page.header.thread_high = inventory_guard(UINT16_MAX);
	assert_refused(&target.memory.memory, MEMTOOL_ERROR_CORRUPT);
}

/* Each bit, as inventory_decode() has it: the same, or refused. */
static void test_bit_flips(void **state)
{
	struct target target;

	(void)state;
	for (size_t bit = 0; bit < 8 * (HEADER + USED * ENTRY); bit++) {
		struct inventory inventory;
		make_target(&target);
		((uint8_t *)&target.page)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		struct memtool_error *error = read_page(&target.memory.memory, &inventory);
		if (!error) {
			inventory_deinit(&inventory);
			assert_taken(&target.memory.memory);
			continue;
		}
		/* A larger page than there is, a version of the future, or plain damage. */
		if (error->code != MEMTOOL_ERROR_FAULT && error->code != MEMTOOL_ERROR_UNSUPPORTED)
			assert_int_equal(error->code, MEMTOOL_ERROR_CORRUPT);
		memtool_error_destroy(error);
	}
}

/* The page is written while it is read: each reading finds another one, and each is whole. */
struct changing {
	struct memory memory;
	struct target *targets;
	size_t reads;
};

static struct memtool_error *read_changing(struct memory *memory, uint64_t address, void *buffer,
					   size_t length, size_t *ret)
{
	struct changing *changing = (struct changing *)memory;
	struct memory *now = &changing->targets[changing->reads > 0].memory.memory;

	changing->reads++;
	return memory_read_some(now, address, buffer, length, ret);
}

static const struct memory_ops changing_ops = { .read = read_changing };

static void test_changing(void **state)
{
	struct target targets[2];
	struct changing changing = { { &changing_ops }, targets, 0 };
	struct inventory inventory;

	(void)state;
	/* A thread more: it is in what was not read. */
	make_target(&targets[0]);
	make_target(&targets[1]);
	targets[1].page.threads[USED] = live(4251, 0x1000, 0);
	targets[1].page.header.thread_high = inventory_guard(USED + 1);
	struct memtool_error *error = read_page(&changing.memory, &inventory);
	assert_null(error);
	assert_int_equal(inventory.threads.count, 2);
	inventory_deinit(&inventory);

	/* A page that is larger than what was made room for. */
	make_target(&targets[1]);
	targets[1].page.header.map_size = 1 << 20;
	targets[1].page.header.thread_capacity = 30000;
	targets[1].page.header.thread_high = inventory_guard(30000);
	seal(&targets[1].page.header);
	changing.reads = 0;
	assert_refused(&changing.memory, MEMTOOL_ERROR_CORRUPT);
	assert_true(changing.reads > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_other_process),
		cmocka_unit_test(test_start_time_not_known),
		cmocka_unit_test(test_other_address),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_no_arena),
		cmocka_unit_test(test_no_memory_at_arena),
		cmocka_unit_test(test_arena_too_long),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_changing),
	};

	return cmocka_run_group_tests_name("inventory_read", tests, NULL, NULL);
}
