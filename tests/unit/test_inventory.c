/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glibc/inventory.h on pages that are right, old, new, cut off, changed in one bit, and hostile.
 */
#include "glibc/inventory.h"

#include "inventory_page.h"

#include "support/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * A page of version 1.0 as it must be read for ever, made without the code of this tree: the one
 * that inventory_page.h describes.
 */
/* clang-format off */
static const uint8_t golden[PAGE] = {
	0x4d, 0x45, 0x4d, 0x54, 0x4f, 0x4f, 0x4c, 0x49, /* 0 */
	0x01, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, /* 8 */
	0x40, 0x01, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, /* 16 */
	0x04, 0x00, 0x00, 0x00, 0x92, 0x10, 0x00, 0x00, /* 24 */
	0x15, 0xcd, 0x5b, 0x07, 0x00, 0x00, 0x00, 0x00, /* 32 */
	0x00, 0x00, 0x00, 0x10, 0x2a, 0x7f, 0x00, 0x00, /* 40 */
	0x60, 0x6c, 0xdd, 0x0f, 0x2a, 0x7f, 0x00, 0x00, /* 48 */
	0x40, 0x63, 0xdd, 0x0f, 0x2a, 0x7f, 0x00, 0x00, /* 56 */
	0xb8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* 64 */
	0xc8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* 72 */
	0x70, 0x08, 0x00, 0x00, 0x54, 0x00, 0x00, 0x00, /* 80 */
	0x32, 0x2e, 0x33, 0x36, 0x00, 0x00, 0x00, 0x00, /* 88 */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 96 */
	0xf0, 0x8f, 0xc3, 0x96, 0xdb, 0x1f, 0x8b, 0xac, /* 104 */
	0x02, 0x00, 0xfd, 0xff, 0x03, 0x00, 0xfc, 0xff, /* 112 */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 120 */
	0x45, 0x56, 0x49, 0x4c, 0x92, 0x10, 0x00, 0x00, /* 128 */
	0x40, 0x77, 0xbe, 0x0f, 0x2a, 0x7f, 0x00, 0x00, /* 136 */
	0xf8, 0x76, 0xbe, 0x0f, 0x2a, 0x7f, 0x00, 0x00, /* 144 */
	0xf3, 0xc9, 0xfb, 0x85, 0x86, 0x6d, 0x4c, 0x2c, /* 152 */
	0x00, 0x00, 0x00, 0x00, 0x93, 0x10, 0x00, 0x00, /* 160 */
	0xc0, 0x66, 0x3e, 0x0f, 0x2a, 0x7f, 0x00, 0x00, /* 168 */
	0x78, 0x66, 0x3e, 0x0f, 0x2a, 0x7f, 0x00, 0x00, /* 176 */
	0x08, 0xc0, 0x3e, 0xcb, 0x5a, 0x50, 0x51, 0x45, /* 184 */
	0x45, 0x56, 0x49, 0x4c, 0x9a, 0x10, 0x00, 0x00, /* 192 */
	0xc0, 0x56, 0xbe, 0x0e, 0x2a, 0x7f, 0x00, 0x00, /* 200 */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 208 */
	0xd9, 0xb1, 0x80, 0xb3, 0xad, 0xe1, 0x71, 0x0d, /* 216 */
	/* and zeros */
};
/* clang-format on */

/* A copy behind which nothing can be read: a step too far ends the test. */
static const void *at_the_edge(const void *bytes, size_t length)
{
	static uint8_t *area;
	const size_t room = 4096;

	assert_true(length <= room);
	if (!area) {
		area = mmap(NULL, 2 * room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
		assert_ptr_not_equal(area, MAP_FAILED);
		assert_int_equal(mprotect(area + room, room, PROT_NONE), 0);
	}
	return memcpy(area + room - length, bytes, length);
}

/* Whether it was taken; if not, into *ret_code why, and nothing was written to the result. */
static bool decode(const void *bytes, size_t length, struct inventory *ret,
		   enum memtool_error_code *ret_code)
{
	struct inventory untouched;

	memset(&untouched, 0xa5, sizeof(untouched));
	memcpy(ret, &untouched, sizeof(untouched));
	_cleanup_error_ struct memtool_error *error =
		inventory_decode(at_the_edge(bytes, length), length, ADDRESS, ret);
	if (!error)
		return true;
	assert_memory_equal(ret, &untouched, sizeof(untouched));
	assert_non_null(error->message);
	assert_null(strchr(error->message, '\n'));
	*ret_code = error->code;
	return false;
}

static void assert_refused(const void *bytes, size_t length, enum memtool_error_code expected)
{
	struct inventory inventory;
	enum memtool_error_code code;

	assert_false(decode(bytes, length, &inventory, &code));
	assert_int_equal(code, expected);
}

static void assert_thread(const struct inventory_thread *thread, int32_t tid, uint64_t fs_base,
			  uint64_t tcache_slot)
{
	assert_int_equal(thread->tid, tid);
	assert_int_equal(thread->fs_base, fs_base);
	assert_int_equal(thread->tcache_slot, tcache_slot);
}

/* What golden says, value by value. */
static void assert_golden(const struct inventory *inventory)
{
	const struct inventory_header *header = &inventory->header;

	assert_int_equal(inventory->flags, 2);
	assert_int_equal(header->pid, 4242);
	assert_int_equal(header->start_time, 123456789);
	assert_int_equal(header->address, 0x7f2a10000000);
	assert_int_equal(header->main_arena, 0x7f2a0fdd6c60);
	assert_int_equal(header->mp, 0x7f2a0fdd6340);
	assert_int_equal(header->tcache_offset, -72);
	assert_int_equal(header->thread_arena_offset, -56);
	assert_int_equal(header->malloc_state_next, 2160);
	assert_int_equal(header->malloc_par_n_mmaps_max, 84);
	assert_string_equal(header->glibc_version, "2.36");
	assert_int_equal(inventory->threads.count, 2);
	assert_thread(&inventory->threads.data[0], 4242, 0x7f2a0fbe7740, 0x7f2a0fbe76f8);
	assert_thread(&inventory->threads.data[1], 4250, 0x7f2a0ebe56c0, 0);
}

static void assert_reads_golden(const void *bytes, size_t length)
{
	struct inventory inventory;
	enum memtool_error_code code;

	assert_true(decode(bytes, length, &inventory, &code));
	assert_golden(&inventory);
	inventory_deinit(&inventory);
}

static void test_golden(void **state)
{
	struct inventory inventory;
	enum memtool_error_code code;

	(void)state;
	assert_reads_golden(golden, sizeof(golden));
	assert_true(decode(golden, sizeof(golden), &inventory, &code));
	const struct inventory_header *header = &inventory.header;
	assert_int_equal(header->magic, INVENTORY_MAGIC);
	assert_int_equal(header->abi_major, 1);
	assert_int_equal(header->abi_minor, 0);
	assert_int_equal(header->header_size, 128);
	assert_int_equal(header->map_size, 320);
	assert_int_equal(header->thread_size, 32);
	assert_int_equal(header->thread_capacity, 4);
	struct glibc_traits traits = inventory_traits(&inventory);
	assert_int_equal(traits.version, 236);
	assert_int_equal(traits.malloc_state_next, 2160);
	assert_int_equal(traits.malloc_par_n_mmaps_max, 84);
	assert_int_equal(traits.malloc_state_size, 0);
	assert_int_equal(traits.malloc_par_size, 0);
	inventory_deinit(&inventory);
}

/* The structs and checks of common/inventory.h make the same bytes. */
static void test_golden_made(void **state)
{
	struct page page = make_page();

	(void)state;
	assert_memory_equal(&page, golden, sizeof(golden));
}

/* Nothing says that the mapping ends where the page does. */
static void test_longer(void **state)
{
	uint8_t bytes[2 * PAGE];

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	memcpy(bytes, golden, sizeof(golden));
	assert_reads_golden(bytes, sizeof(bytes));
}

static void test_truncations(void **state)
{
	(void)state;
	for (size_t length = 0; length < PAGE; length++)
		assert_refused(golden, length, MEMTOOL_ERROR_CORRUPT);
}

/* What one changed bit must lead to, by where it is. */
enum fate { REFUSED, OTHER_VERSION, IGNORED };

static enum fate fate_of(size_t byte)
{
	const size_t table = byte - HEADER, entry = table / ENTRY, in_entry = table % ENTRY;

	if (byte < HEADER) {
		if (byte / 2 == offsetof(struct inventory_header, abi_major) / 2)
			return OTHER_VERSION;
		return byte < offsetof(struct inventory_header, reserved) ? REFUSED : IGNORED;
	}
	if (entry >= USED)
		return IGNORED;
	/* An entry that is free is nothing but its state. */
	return entry == 1 && in_entry >= offsetof(struct inventory_thread, tid) ? IGNORED : REFUSED;
}

static void test_bit_flips(void **state)
{
	uint8_t bytes[PAGE];

	(void)state;
	for (size_t bit = 0; bit < 8 * PAGE; bit++) {
		memcpy(bytes, golden, sizeof(golden));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		switch (fate_of(bit / 8)) {
		case REFUSED:
			assert_refused(bytes, sizeof(bytes), MEMTOOL_ERROR_CORRUPT);
			break;
		case OTHER_VERSION:
			assert_refused(bytes, sizeof(bytes), MEMTOOL_ERROR_UNSUPPORTED);
			break;
		case IGNORED:
			assert_reads_golden(bytes, sizeof(bytes));
		}
	}
}

/* The first free entry of a table, and one in use, with any other state at all. */
static void test_states(void **state)
{
	static const uint32_t states[] = { 1, 2, INVENTORY_THREAD_LIVE + 1, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		for (size_t j = 0; j < USED; j++) {
			struct page page = make_page();
			page.threads[j].state = states[i];
			assert_refused(&page, sizeof(page), MEMTOOL_ERROR_CORRUPT);
		}
	}
}

/* What another major means by its bytes, its check even, is not known. */
static void test_other_major(void **state)
{
	static const uint16_t majors[] = { 0, 2, 3, 256, UINT16_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(majors) / sizeof(majors[0]); i++) {
		struct page page = make_page();
		page.header.abi_major = majors[i];
		assert_refused(&page, sizeof(page), MEMTOOL_ERROR_UNSUPPORTED);
		seal(&page.header);
		assert_refused(&page, sizeof(page), MEMTOOL_ERROR_UNSUPPORTED);
	}
}

/* A later minor: a longer header, and longer entries, of which the new part means nothing here. */
static void test_newer_minor(void **state)
{
	enum { MORE = 24, LARGER = ENTRY + 16 };
	uint8_t bytes[HEADER + MORE + CAPACITY * LARGER];
	struct page page = make_page();

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	page.header.abi_minor = 7;
	page.header.header_size = HEADER + MORE;
	page.header.thread_size = LARGER;
	page.header.map_size = sizeof(bytes);
	memset(page.header.reserved, 0x77, sizeof(page.header.reserved));
	seal(&page.header);
	memcpy(bytes, &page.header, HEADER);
	for (size_t i = 0; i < USED; i++)
		memcpy(bytes + HEADER + MORE + i * LARGER, &page.threads[i], ENTRY);
	assert_reads_golden(bytes, sizeof(bytes));
}

static void test_empty_table(void **state)
{
	struct page page = make_page();
	struct inventory inventory;
	enum memtool_error_code code;

	(void)state;
	page.header.thread_high = inventory_guard(0);
	page.header.thread_capacity = 0;
	page.header.map_size = page.header.header_size;
	seal(&page.header);
	assert_true(decode(&page, HEADER, &inventory, &code));
	assert_int_equal(inventory.threads.count, 0);
	inventory_deinit(&inventory);
}

static void test_wrong_address(void **state)
{
	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		struct inventory inventory;
		struct memtool_error *error = inventory_decode(
			golden, sizeof(golden), ADDRESS ^ UINT64_C(1) << bit, &inventory);
		assert_non_null(error);
		assert_int_equal(error->code, MEMTOOL_ERROR_CORRUPT);
		memtool_error_destroy(error);
	}
}

/* With a right check, as from an agent gone mad. */
static void test_absurd_sizes(void **state)
{
	static const struct {
		uint32_t header_size, map_size, thread_size, thread_capacity;
		uint16_t thread_high;
	} cases[] = {
		{ HEADER - 1, PAGE, ENTRY, CAPACITY, USED },
		{ 0, PAGE, ENTRY, CAPACITY, USED },
		{ HEADER - 1, PAGE, ENTRY, CAPACITY, 0 },
		{ 0, PAGE, ENTRY, CAPACITY, 0 },
		{ PAGE + 1, PAGE, ENTRY, 0, 0 },
		{ UINT32_MAX, PAGE, ENTRY, CAPACITY, USED },
		{ UINT32_MAX - 127, PAGE, ENTRY, 8, 8 },
		{ HEADER + TAIL + 1, PAGE, ENTRY, CAPACITY, USED },
		{ HEADER, 0, ENTRY, CAPACITY, USED },
		{ HEADER, HEADER - 1, ENTRY, 0, 0 },
		{ HEADER, PAGE - TAIL - 1, ENTRY, CAPACITY, USED },
		{ HEADER, PAGE + 1, ENTRY, CAPACITY, USED },
		{ HEADER, UINT32_MAX, ENTRY, CAPACITY, USED },
		{ HEADER, PAGE, 0, CAPACITY, USED },
		{ HEADER, PAGE, 1, CAPACITY, USED },
		{ HEADER, PAGE, ENTRY - 1, CAPACITY, USED },
		{ HEADER, PAGE, ENTRY + 17, CAPACITY, USED },
		{ HEADER, PAGE, UINT32_MAX, CAPACITY, USED },
		{ HEADER, PAGE, 1 << 30, 4, 4 }, /* 0 in 32 bits */
		{ HEADER, PAGE, 1 << 16, 1 << 16, USED }, /* the same */
		{ HEADER, PAGE, UINT32_MAX, UINT32_MAX, UINT16_MAX },
		{ HEADER, PAGE, ENTRY, 7, USED }, /* one more than there is room for */
		{ HEADER, PAGE, ENTRY, UINT32_MAX, USED },
		{ HEADER, PAGE, ENTRY, CAPACITY, CAPACITY + 1 },
		{ HEADER, PAGE, ENTRY, CAPACITY, UINT16_MAX },
		{ HEADER, PAGE, ENTRY, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct page page = make_page();
		page.header.header_size = cases[i].header_size;
		page.header.map_size = cases[i].map_size;
		page.header.thread_size = cases[i].thread_size;
		page.header.thread_capacity = cases[i].thread_capacity;
		page.header.thread_high = inventory_guard(cases[i].thread_high);
		seal(&page.header);
		assert_refused(&page, sizeof(page), MEMTOOL_ERROR_CORRUPT);
	}
}

/* 16 bytes without an end, and what is no version. */
static void test_versions(void **state)
{
	static const struct {
		const char *text;
		unsigned int version;
	} cases[] = { { "2.36.9000-abcdef", 236 }, { "", 0 },       { "2222222222222222", 0 },
		      { "\xff\xfe", 0 },           { "2.17", 217 }, { "2.", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct page page = make_page();
		struct inventory inventory;
		enum memtool_error_code code;
		size_t length = strlen(cases[i].text);
		memset(page.header.glibc_version, 0, 16);
		memcpy(page.header.glibc_version, cases[i].text, length < 16 ? length : 16);
		seal(&page.header);
		assert_true(decode(&page, sizeof(page), &inventory, &code));
		assert_int_equal(inventory_traits(&inventory).version, cases[i].version);
		inventory_deinit(&inventory);
	}
}

/* xorshift64*, Vigna 2016 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Whatever was taken keeps to the page, and what it has of threads holds. */
static void decode_hostile(const void *bytes, size_t length)
{
	struct inventory inventory;
	enum memtool_error_code code;

	if (!decode(bytes, length, &inventory, &code))
		return;
	assert_true(inventory.threads.count <= inventory.header.thread_capacity);
	for (size_t i = 0; i < inventory.threads.count; i++) {
		const struct inventory_thread *thread = &inventory.threads.data[i];
		assert_int_equal(thread->state, INVENTORY_THREAD_LIVE);
		assert_int_equal(thread->check, inventory_thread_check(thread));
	}
	inventory_deinit(&inventory);
}

static void test_random_bytes(void **state)
{
	uint64_t random = 1;
	uint8_t bytes[PAGE];

	(void)state;
	for (size_t i = 0; i < 5000; i++) {
		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = (uint8_t)next_random(&random);
		decode_hostile(bytes, sizeof(bytes));
		/* Once more, with what leads further in. */
		memcpy(bytes, golden, 12);
		seal((struct inventory_header *)(void *)bytes);
		decode_hostile(bytes, next_random(&random) % sizeof(bytes));
	}
}

static void test_random_fields(void **state)
{
	uint64_t random = 2;

	(void)state;
	for (size_t i = 0; i < 20000; i++) {
		struct page page = make_page();
		uint8_t *bytes = (uint8_t *)&page;
		for (uint64_t changes = 1 + next_random(&random) % 4; changes; changes--)
			bytes[12 + next_random(&random) % (PAGE - 12)] =
				(uint8_t)next_random(&random);
		page.header.thread_high = inventory_guard((uint16_t)page.header.thread_high);
		page.header.flags = inventory_guard((uint16_t)page.header.flags);
		page.header.address = ADDRESS;
		seal(&page.header);
		decode_hostile(&page, sizeof(page));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),       cmocka_unit_test(test_golden_made),
		cmocka_unit_test(test_longer),       cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_bit_flips),    cmocka_unit_test(test_states),
		cmocka_unit_test(test_other_major),  cmocka_unit_test(test_newer_minor),
		cmocka_unit_test(test_empty_table),  cmocka_unit_test(test_wrong_address),
		cmocka_unit_test(test_absurd_sizes), cmocka_unit_test(test_versions),
		cmocka_unit_test(test_random_bytes), cmocka_unit_test(test_random_fields),
	};

	return cmocka_run_group_tests_name("inventory", tests, NULL, NULL);
}
