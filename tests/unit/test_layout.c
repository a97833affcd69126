/* SPDX-License-Identifier: Apache-2.0 */
/* The table of layouts against what the structs' own text implies, and the ways to choose a row. */
#include "common/glibc_layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct glibc_layout *row_of(const char *name)
{
	size_t count;
	const struct glibc_layout *rows = glibc_layout_table(&count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	fail_msg("there is no row %s", name);
	return NULL;
}

static const struct glibc_layout *find(unsigned int version, uint64_t state, uint64_t par)
{
	const struct glibc_traits traits = {
		.version = version,
		.malloc_state_size = state,
		.malloc_par_size = par,
	};

	return glibc_layout_find(&traits);
}

/* Sizes and offsets measured in, or compiled from, each release: reference by release. */
static const struct {
	unsigned int version;
	uint16_t state_size, fastbins, top, next, system_mem;
	uint16_t par_size, hp_pagesize, n_mmaps, mmapped_mem, sbrk_base, tcache_count;
	uint16_t heap_info, tcache_size, entries;
} known[] = {
	{ 226, 2192, 8, 88, 2152, 2176, 112, GLIBC_ABSENT, 40, 56, 72, 96, 32, 576, 64 },
	{ 227, 2200, 16, 96, 2160, 2184, 112, GLIBC_ABSENT, 40, 56, 72, 96, 32, 576, 64 },
	{ 228, 2200, 16, 96, 2160, 2184, 112, GLIBC_ABSENT, 40, 56, 72, 96, 32, 576, 64 },
	{ 229, 2200, 16, 96, 2160, 2184, 112, GLIBC_ABSENT, 40, 56, 72, 96, 32, 576, 64 },
	{ 230, 2200, 16, 96, 2160, 2184, 112, GLIBC_ABSENT, 40, 56, 72, 96, 32, 640, 128 },
	{ 231, 2200, 16, 96, 2160, 2184, 112, GLIBC_ABSENT, 40, 56, 72, 96, 32, 640, 128 },
	{ 232, 2200, 16, 96, 2160, 2184, 112, GLIBC_ABSENT, 40, 56, 72, 96, 32, 640, 128 },
	{ 233, 2200, 16, 96, 2160, 2184, 112, GLIBC_ABSENT, 40, 56, 72, 96, 32, 640, 128 },
	{ 234, 2200, 16, 96, 2160, 2184, 112, GLIBC_ABSENT, 40, 56, 72, 96, 32, 640, 128 },
	{ 235, 2200, 16, 96, 2160, 2184, 136, 48, 60, 80, 96, 120, 48, 640, 128 },
	{ 236, 2200, 16, 96, 2160, 2184, 136, 48, 60, 80, 96, 120, 48, 640, 128 },
	{ 237, 2200, 16, 96, 2160, 2184, 136, 48, 60, 80, 96, 120, 48, 640, 128 },
	{ 238, 2200, 16, 96, 2160, 2184, 136, 48, 60, 80, 96, 120, 48, 640, 128 },
	{ 239, 2200, 16, 96, 2160, 2184, 136, 48, 60, 80, 96, 120, 48, 640, 128 },
	{ 240, 2200, 16, 96, 2160, 2184, 136, 48, 60, 80, 96, 120, 48, 640, 128 },
	{ 241, 2200, 16, 96, 2160, 2184, 136, 48, 60, 80, 96, 120, 48, 640, 128 },
	{ 242, 2200, 16, 96, 2160, 2184, 136, 48, 60, 80, 96, 120, 48, 760, 152 },
	{ 243, 2112, GLIBC_ABSENT, 8, 2072, 2096, 144, 56, 68, 88, 104, 128, 48, 760, 152 },
	{ 244, 2112, GLIBC_ABSENT, 8, 2072, 2096, 136, 56, 68, 88, 104, 128, 48, 760, 152 },
};

static void test_known_offsets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct glibc_layout *row = find(known[i].version, 0, 0);

		assert_non_null(row);
		assert_int_equal(row->malloc_state.size, known[i].state_size);
		assert_int_equal(row->malloc_state.fastbinsY, known[i].fastbins);
		assert_int_equal(row->malloc_state.top, known[i].top);
		assert_int_equal(row->malloc_state.next, known[i].next);
		assert_int_equal(row->malloc_state.system_mem, known[i].system_mem);
		assert_int_equal(row->malloc_par.size, known[i].par_size);
		assert_int_equal(row->malloc_par.mmap_threshold, 16);
		assert_int_equal(row->malloc_par.hp_pagesize, known[i].hp_pagesize);
		assert_int_equal(row->malloc_par.n_mmaps, known[i].n_mmaps);
		assert_int_equal(row->malloc_par.mmapped_mem, known[i].mmapped_mem);
		assert_int_equal(row->malloc_par.sbrk_base, known[i].sbrk_base);
		assert_int_equal(row->malloc_par.tcache_count, known[i].tcache_count);
		assert_int_equal(row->heap_info.size, known[i].heap_info);
		assert_int_equal(row->tcache.size, known[i].tcache_size);
		assert_int_equal(row->tcache.entries, known[i].entries);
	}
}

static void test_conventions(void **state)
{
	(void)state;
	for (unsigned int version = 226; version <= 244; version++) {
		const struct glibc_layout *row = find(version, 0, 0);

		assert_int_equal(row->safe_linking, version >= 232);
		assert_int_equal(row->tcache.key, version >= 229);
		assert_int_equal(row->tcache.counts_down, version >= 242);
		assert_int_equal(row->tcache.dummy, version >= 243);
		assert_int_equal(row->tcache.bins, version >= 242 ? 76 : 64);
		assert_int_equal(row->tcache.count_size, version >= 230 ? 2 : 1);
		assert_int_equal(row->mmapped_header_apart, version >= 243);
		assert_int_equal(row->heap_max_follows_hugetlb, version >= 235 && version <= 241);
		assert_int_equal(row->malloc_state.have_fastchunks,
				 version >= 227 && version <= 242 ? 8 : GLIBC_ABSENT);
	}
}

/* What lies next to what in the structs of every release. */
static void test_rows_are_consistent(void **state)
{
	size_t count;
	const struct glibc_layout *rows = glibc_layout_table(&count);

	(void)state;
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		const struct glibc_layout *row = &rows[i];

		assert_int_equal(row->malloc_state.mutex, 0);
		assert_int_equal(row->malloc_state.flags, 4);
		assert_int_equal(row->malloc_state.top, row->malloc_state.bins - 16);
		assert_int_equal(row->malloc_state.last_remainder, row->malloc_state.bins - 8);
		assert_int_equal(row->malloc_state.binmap, row->malloc_state.bins + 254 * 8);
		assert_int_equal(row->malloc_state.next, row->malloc_state.binmap + 16);
		assert_int_equal(row->malloc_state.next_free, row->malloc_state.next + 8);
		assert_int_equal(row->malloc_state.attached_threads, row->malloc_state.next + 16);
		assert_int_equal(row->malloc_state.system_mem, row->malloc_state.next + 24);
		assert_int_equal(row->malloc_state.max_system_mem, row->malloc_state.next + 32);
		assert_int_equal(row->malloc_state.size, row->malloc_state.next + 40);
		if (row->malloc_state.fastbinsY != GLIBC_ABSENT)
			assert_int_equal(row->malloc_state.top,
					 row->malloc_state.fastbinsY + GLIBC_NFASTBINS * 8);
		assert_int_equal(row->malloc_par.n_mmaps_max, row->malloc_par.n_mmaps + 4);
		assert_int_equal(row->malloc_par.sbrk_base, row->malloc_par.mmapped_mem + 16);
		assert_int_equal(row->malloc_par.tcache_bins, row->malloc_par.sbrk_base + 8);
		assert_int_equal(row->malloc_par.tcache_max_bytes, row->malloc_par.sbrk_base + 16);
		assert_int_equal(row->malloc_par.tcache_count, row->malloc_par.sbrk_base + 24);
		assert_true(row->malloc_par.tcache_count + 8 <= row->malloc_par.size);
		assert_int_equal(row->heap_info.ar_ptr, 0);
		assert_int_equal(row->heap_info.prev, 8);
		assert_int_equal(row->heap_info.size_field, 16);
		assert_int_equal(row->heap_info.mprotect_size, 24);
		assert_int_equal(row->tcache.counts, 0);
		assert_int_equal(row->tcache.entries, row->tcache.bins * row->tcache.count_size);
		assert_int_equal(row->tcache.size, row->tcache.entries + row->tcache.bins * 8);
		assert_true(row->tcache.bins <= GLIBC_TCACHE_MAX_BINS);
		assert_true(row->malloc_state.size <= GLIBC_MALLOC_STATE_MAX);
		assert_true(row->malloc_par.size <= GLIBC_MALLOC_PAR_MAX);
		assert_true(row->tcache.size <= GLIBC_TCACHE_STRUCT_MAX);
		assert_true(row->first_version <= row->last_version);
	}
}

/* No two rows are the same, or one of them is never needed. */
static void test_rows_differ(void **state)
{
	size_t count;
	const struct glibc_layout *rows = glibc_layout_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_null(glibc_layout_difference(&rows[i], &rows[i]));
		for (size_t other = 0; other < count; other++) {
			if (other != i)
				assert_non_null(glibc_layout_difference(&rows[i], &rows[other]));
		}
	}
}

static void test_find_by_version(void **state)
{
	(void)state;
	assert_ptr_equal(find(236, 0, 0), row_of("2.35-2.41"));
	assert_ptr_equal(find(236, 2200, 136), row_of("2.35-2.41"));
	assert_ptr_equal(find(242, 2200, 136), row_of("2.42"));
	assert_ptr_equal(find(243, 2112, 144), row_of("2.43"));
	assert_ptr_equal(find(244, 2112, 136), row_of("2.44"));
	/* The tag of 2.26 and its branch differ by size alone. */
	assert_ptr_equal(find(226, 2192, 0), row_of("2.26"));
	assert_int_equal(find(226, 2200, 112)->malloc_state.next, 2160);
	assert_int_equal(find(226, 0, 0)->malloc_state.next, 2152);
}

static void test_find_unknown(void **state)
{
	(void)state;
	assert_null(find(0, 0, 0));
	assert_null(find(200, 0, 0));
	assert_null(find(225, 0, 0));
	assert_null(find(245, 0, 0));
	assert_null(find(299, 2112, 136));
	assert_null(find(UINT32_MAX, 0, 0));
	/* The sizes are believed, not the version. */
	assert_null(find(236, 2112, 0));
	assert_null(find(243, 2112, 136));
	assert_null(find(244, 2112, 144));
	assert_null(find(236, 2200, 112));
	assert_null(find(236, 2201, 136));
	assert_null(find(236, 0, UINT64_MAX));
	assert_null(find(236, UINT64_C(0x100000000) + 2200, 136));
}

/* Without a version only sizes that one row alone has will do. */
static void test_find_by_sizes(void **state)
{
	(void)state;
	assert_ptr_equal(find(0, 2192, 112), row_of("2.26"));
	assert_ptr_equal(find(0, 2112, 144), row_of("2.43"));
	assert_ptr_equal(find(0, 2112, 136), row_of("2.44"));
	assert_null(find(0, 2200, 112));
	assert_null(find(0, 2200, 136)); /* 2.35 to 2.41, or 2.42 */
	assert_null(find(0, 2112, 0));
	assert_null(find(0, 1234, 0));
}

/* What a stripped libc shows of itself: where main_arena points to itself, and 65536 in mp_. */
static void test_find_by_structure(void **state)
{
	static const struct {
		unsigned int version;
		uint64_t next, n_mmaps_max;
		const char *row; /* NULL: none, or more than one */
	} cases[] = {
		{ 0, 2152, 44, "2.26" },
		{ 0, 2152, 0, "2.26" },
		{ 0, 2160, 44, NULL },
		{ 0, 2160, 64, NULL },
		{ 0, 2072, 72, NULL },
		{ 226, 2160, 44, "2.27-2.28" }, /* the branch of 2.26 */
		{ 231, 2160, 44, "2.30-2.31" },
		{ 236, 2160, 64, "2.35-2.41" },
		{ 242, 2160, 64, "2.42" },
		{ 243, 2072, 72, "2.43" },
		{ 244, 2072, 72, "2.44" },
		{ 236, 2072, 72, NULL },
		{ 236, 2160, 44, NULL },
		{ 243, 2160, 72, NULL },
		{ 243, 2072, 64, NULL },
		{ 0, 1, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct glibc_traits traits = {
			.version = cases[i].version,
			.malloc_state_next = cases[i].next,
			.malloc_par_n_mmaps_max = cases[i].n_mmaps_max,
		};
		assert_ptr_equal(glibc_layout_find(&traits),
				 cases[i].row ? row_of(cases[i].row) : NULL);
	}
}

/* difference() names the first field that differs. */
static void test_difference(void **state)
{
	struct glibc_layout other = *row_of("2.35-2.41");

	(void)state;
	other.name = "dwarf";
	other.first_version = 0;
	assert_null(glibc_layout_difference(&other, row_of("2.35-2.41")));

#define CHANGED(field)                                                                             \
	do {                                                                                       \
		other = *row_of("2.35-2.41");                                                      \
		other.field = !other.field;                                                        \
		assert_string_equal(glibc_layout_difference(&other, row_of("2.35-2.41")), #field); \
		assert_string_equal(glibc_layout_difference(row_of("2.35-2.41"), &other), #field); \
	} while (0)
	CHANGED(malloc_state.size);
	CHANGED(malloc_state.mutex);
	CHANGED(malloc_state.flags);
	CHANGED(malloc_state.have_fastchunks);
	CHANGED(malloc_state.fastbinsY);
	CHANGED(malloc_state.top);
	CHANGED(malloc_state.last_remainder);
	CHANGED(malloc_state.bins);
	CHANGED(malloc_state.binmap);
	CHANGED(malloc_state.next);
	CHANGED(malloc_state.next_free);
	CHANGED(malloc_state.attached_threads);
	CHANGED(malloc_state.system_mem);
	CHANGED(malloc_state.max_system_mem);
	CHANGED(malloc_par.size);
	CHANGED(malloc_par.mmap_threshold);
	CHANGED(malloc_par.hp_pagesize);
	CHANGED(malloc_par.n_mmaps);
	CHANGED(malloc_par.n_mmaps_max);
	CHANGED(malloc_par.mmapped_mem);
	CHANGED(malloc_par.sbrk_base);
	CHANGED(malloc_par.tcache_bins);
	CHANGED(malloc_par.tcache_max_bytes);
	CHANGED(malloc_par.tcache_count);
	CHANGED(heap_info.size);
	CHANGED(heap_info.ar_ptr);
	CHANGED(heap_info.prev);
	CHANGED(heap_info.size_field);
	CHANGED(heap_info.mprotect_size);
	CHANGED(tcache.size);
	CHANGED(tcache.counts);
	CHANGED(tcache.entries);
	CHANGED(tcache.bins);
	CHANGED(tcache.count_size);
	CHANGED(tcache.counts_down);
	CHANGED(tcache.dummy);
	CHANGED(tcache.key);
	CHANGED(safe_linking);
	CHANGED(mmapped_header_apart);
	CHANGED(heap_max_follows_hugetlb);
#undef CHANGED

	other = *row_of("2.44");
	other.malloc_state.next++;
	other.tcache.key = false;
	assert_string_equal(glibc_layout_difference(&other, row_of("2.44")), "malloc_state.next");
}

static unsigned int parse(const char *text)
{
	return glibc_version_parse(text, strlen(text));
}

static void test_version_parse(void **state)
{
	/* Not terminated: a byte too far is found by the sanitizers. */
	static const char whole[] = { '2', '.', '3', '6' };
	char *heap = test_malloc(4);

	(void)state;
	memcpy(heap, whole, 4);
	assert_int_equal(glibc_version_parse(heap, 4), 236);
	assert_int_equal(glibc_version_parse(heap, 3), 203);
	assert_int_equal(glibc_version_parse(heap, 2), 0);
	assert_int_equal(glibc_version_parse(heap, 1), 0);
	assert_int_equal(glibc_version_parse(heap, 0), 0);
	test_free(heap);

	assert_int_equal(parse("2.26"), 226);
	assert_int_equal(parse("2.44"), 244);
	assert_int_equal(parse("2.9"), 209);
	assert_int_equal(parse("2.36.9000"), 236);
	assert_int_equal(parse("2.41-12+deb13u4"), 241);
	assert_int_equal(glibc_version_parse("2.36\0junk", 9), 236);
	assert_int_equal(parse(""), 0);
	assert_int_equal(parse("2"), 0);
	assert_int_equal(parse("2."), 0);
	assert_int_equal(parse("2.x"), 0);
	assert_int_equal(parse("2.-1"), 0);
	assert_int_equal(parse("2. 36"), 0);
	assert_int_equal(parse("2.100"), 0);
	assert_int_equal(parse("2.1000"), 0);
	assert_int_equal(parse("2.4294967332"), 0);
	assert_int_equal(parse("3.36"), 0);
	assert_int_equal(parse("12.36"), 0);
	assert_int_equal(parse(" 2.36"), 0);
	assert_int_equal(parse("musl"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_offsets),
		cmocka_unit_test(test_conventions),
		cmocka_unit_test(test_rows_are_consistent),
		cmocka_unit_test(test_rows_differ),
		cmocka_unit_test(test_find_by_version),
		cmocka_unit_test(test_find_unknown),
		cmocka_unit_test(test_find_by_sizes),
		cmocka_unit_test(test_find_by_structure),
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_version_parse),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
