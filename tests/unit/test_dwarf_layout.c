/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout that DWARF gives for this machine's glibc is the one in the table.
 *
 * Link: tests/unit/test_dwarf_layout.c tests/spawn.c, the reader, cmocka.
 * Needs at run time: tests/fixtures/idle-static, MEMTOOL_BUILDDIR, and the debug file of libc
 * (libc6-dbg on Debian).
 */
#include "look.h"
#include "tests/spawn.h"

#include "symbols/libc.h"

#include <string.h>
#include <unistd.h>

static struct libc libc;
static struct malloc_roots roots;

static void look_at_libc_of(pid_t pid)
{
	look_at(pid);
	no_error(libc_find(modules, &process->memory, &libc));
	no_error(libc_find_roots(&libc, &process->memory, &roots));
}

static int teardown(void **state)
{
	look_away();
	return spawn_teardown(state);
}

static void test_as_in_table(void **state)
{
	struct glibc_layout layout;

	(void)state;
	look_at_libc_of(getpid());
	const struct glibc_layout *row = glibc_layout_find(&libc.traits);
	assert_non_null(row);
	no_error(libc_dwarf_layout(&libc, &layout));
	assert_string_equal(layout.name, "dwarf");
	assert_int_equal(layout.first_version, libc.traits.version);
	const char *difference = glibc_layout_difference(row, &layout);
	if (difference)
		fail_msg("DWARF and row %s of the table differ in %s", row->name, difference);
	/* The sizes are not DWARF's, but those of the symbols. */
	assert_int_equal(layout.malloc_state.size, libc.traits.malloc_state_size);
	assert_int_equal(layout.malloc_par.size, libc.traits.malloc_par_size);
}

/* Types show all but, up to 2.34, the version's own secret: then memory must tell. */
static void test_without_version(void **state)
{
	struct glibc_layout with, without;

	(void)state;
	look_at_libc_of(getpid());
	no_error(libc_dwarf_layout(&libc, &with));
	libc.traits.version = 0;
	no_error(libc_dwarf_layout(&libc, &without));
	if (with.malloc_par.hp_pagesize == GLIBC_ABSENT)
		without.safe_linking = with.safe_linking;
	assert_null(glibc_layout_difference(&with, &without));
}

/* Distributions ship libc.a without debug information. */
static void test_static_has_none(void **state)
{
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/idle-static"));
	struct glibc_layout layout = { .name = "untouched" };

	(void)state;
	spawn_expect(child, "ready");
	look_at_libc_of(child->pid);
	struct memtool_error *error = libc_dwarf_layout(&libc, &layout);
	assert_non_null(error);
	assert_int_equal(error->code, MEMTOOL_ERROR_NO_SYMBOLS);
	assert_non_null(strstr(error->message, "--layout=table"));
	assert_string_equal(layout.name, "untouched");
	memtool_error_destroy(error);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_as_in_table, teardown),
		cmocka_unit_test_teardown(test_without_version, teardown),
		cmocka_unit_test_teardown(test_static_has_none, teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("DWARF layout", tests, NULL, NULL);
}
