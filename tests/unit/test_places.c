/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the commands on addresses that need no target: how addresses are written, memory
 * with holes in it, and the fields of glibc's structs in every layout of the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/parts.h"
#include "cli/place.h"
#include "cli/units.h"
#include "glibc/item_field.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_addresses(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{ "0", 0 },
		{ "0x0", 0 },
		{ "0xffffffffffffffff", UINT64_MAX },
		{ "18446744073709551615", UINT64_MAX },
		{ "0X7fABcd", 0x7fabcd },
		{ "0x00000000000000000001", 1 },
	};
	static const char *const bad[] = { "",
					   "0x",
					   "x1",
					   "0xg",
					   "-1",
					   "+1",
					   "1 ",
					   " 1",
					   "0x 1",
					   "0x1_",
					   "12a",
					   "1+",
					   "0x10000000000000000",
					   "18446744073709551616" };
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_true(units_parse_address(good[i].text, &value));
		assert_int_equal(value, good[i].value);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(units_parse_address(bad[i], &value));
}

static void check_place(const char *text, const char *symbol, uint64_t offset)
{
	struct place place;

	assert_true(place_parse(text, &place));
	assert_int_equal(place.offset, offset);
	if (!symbol) {
		assert_null(place.symbol);
		return;
	}
	assert_int_equal(place.symbol_length, strlen(symbol));
	assert_memory_equal(place.symbol, symbol, strlen(symbol));
}

static void test_places(void **state)
{
	static const char *const bad[] = { "",
					   "+",
					   "+1",
					   "main+",
					   "main+x",
					   "main+-1",
					   "12x",
					   "1+0x",
					   "0x1+main",
					   "main++",
					   "18446744073709551615+1" };
	struct place place;

	(void)state;
	check_place("main", "main", 0);
	check_place("main+16", "main", 16);
	check_place("main+0x10", "main", 16);
	check_place("memcpy@GLIBC_2.2.5+3", "memcpy@GLIBC_2.2.5", 3);
	check_place("_ZNSt6vectorIiE", "_ZNSt6vectorIiE", 0);
	check_place("0x1000", NULL, 0x1000);
	check_place("0x1000+16", NULL, 0x1010);
	check_place("10+0x10", NULL, 26);
	check_place("18446744073709551614+1", NULL, UINT64_MAX);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(place_parse(bad[i], &place));
}

static void check_part(const struct part *part, uint64_t address, size_t length, char fill)
{
	assert_int_equal(part->address, address);
	assert_int_equal(part->length, length);
	if (!fill)
		assert_null(part->bytes);
	for (size_t i = 0; fill && i < length; i++)
		assert_int_equal(part->bytes[i], fill);
}

static void test_parts(void **state)
{
	static char a[4096], b[8192];
	const struct memory_region regions[] = { { 0x10000, sizeof(a), a },
						 { 0x14000, sizeof(b), b } };
	struct memory_buffer buffer = memory_buffer(regions, COUNT(regions));
	struct parts parts;

	(void)state;
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	assert_null(parts_read(&buffer.memory, 0x10ff0, 0x5000, &parts));
	assert_int_equal(parts.count, 3);
	check_part(&parts.data[0], 0x10ff0, 0x10, 'a');
	check_part(&parts.data[1], 0x11000, 0x3000, 0);
	check_part(&parts.data[2], 0x14000, 0x1ff0, 'b');
	parts_deinit(&parts);

	assert_null(parts_read(&buffer.memory, 0x11001, 1, &parts));
	assert_int_equal(parts.count, 1);
	check_part(&parts.data[0], 0x11001, 1, 0);
	parts_deinit(&parts);

	assert_null(parts_read(&buffer.memory, UINT64_MAX - 100, 100, &parts));
	assert_int_equal(parts.count, 1);
	check_part(&parts.data[0], UINT64_MAX - 100, 100, 0);
	parts_deinit(&parts);
}

static void check_field(const struct heap *heap, enum chunk_state item_state, uint64_t offset,
			const char *expected)
{
	const struct chunk item = { .state = item_state };
	char field[ITEM_FIELD_MAX];

	bool found = item_field(heap, &item, offset, field);
	assert_int_equal(found, expected != NULL);
	if (expected)
		assert_string_equal(field, expected);
}

static void test_fields(void **state)
{
	size_t count;
	const struct glibc_layout *table = glibc_layout_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct heap heap = { .layout = table[i] };
		uint64_t bins = table[i].malloc_state.bins;

		check_field(&heap, CHUNK_MALLOC_STATE, table[i].malloc_state.top + 7, "top");
		check_field(&heap, CHUNK_MALLOC_STATE, bins, "bins[0]");
		check_field(&heap, CHUNK_MALLOC_STATE, bins + 8 * 253, "bins[253]");
		check_field(&heap, CHUNK_MALLOC_STATE, table[i].malloc_state.binmap, "binmap[0]");
		check_field(&heap, CHUNK_MALLOC_STATE, table[i].malloc_state.max_system_mem,
			    "max_system_mem");
		check_field(&heap, CHUNK_MALLOC_STATE, table[i].malloc_state.size, NULL);
		check_field(&heap, CHUNK_HEAP_INFO, table[i].heap_info.prev, "prev");
		check_field(&heap, CHUNK_TCACHE_STRUCT, 8, NULL);
		check_field(&heap, CHUNK_TCACHE_STRUCT,
			    GLIBC_CHUNK_HDR_SZ + table[i].tcache.entries + 8, "entries[1]");
		check_field(&heap, CHUNK_IN_USE, 0, NULL);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
