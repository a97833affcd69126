/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs out of debug information: this program's own, and the same when it lies.
 *
 * Link: the reader, cmocka. Compiled with -g.
 */
#include "symbols/dwarf_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MUTATIONS 300

struct test_ring {
	struct test_ring *next;
	struct {
		unsigned char grid[4][40];
	} cells[20];
	unsigned int flag : 1;
};

/* In the debug information, as something uses it. */
static struct test_ring ring;

static struct memtool_error *describe(int fd, bool *ret_found, struct struct_type *ret)
{
	_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;
	_cleanup_dwarf_reader_ struct dwarf_reader reader = { 0 };
	Dwarf_Die die;
	bool found;

	*ret_found = false;
	if (!elf_file_open(fd, &file))
		return NULL;
	struct memtool_error *error = dwarf_reader_open(&file, &found, &reader);
	if (error || !found || !dwarf_find_type(&reader, "test_ring", &die))
		return error;
	*ret_found = true;
	return dwarf_describe(&reader, &die, ret);
}

static int open_self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_own(void **state)
{
	_cleanup_struct_type_ struct struct_type type = { 0 };
	const struct struct_field *last;
	bool found;

	(void)state;
	ring.flag = 1;
	assert_null(describe(open_self(), &found, &type));
	assert_true(found);
	assert_int_equal(type.size, sizeof(ring));
	assert_false(type.cut);
	/* next, 16 cells with 4 rows of 16 bytes and a rest each, the other cells, flag */
	assert_string_equal(type.fields.data[0].type, "struct test_ring *");
	last = &type.fields.data[type.fields.count - 1];
	assert_string_equal(last->name, "flag");
	assert_int_equal(last->bits, 1);
	assert_string_equal((last - 1)->name, "cells[16...19]");
	assert_int_equal((last - 1)->size, 4 * sizeof(ring.cells[0]));
	assert_int_equal((last - 1)->offset, offsetof(struct test_ring, cells[16]));
}

static void test_name_of_none(void **state)
{
	_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;
	_cleanup_dwarf_reader_ struct dwarf_reader reader = { 0 };
	Dwarf_Die die;
	bool found;

	(void)state;
	assert_true(elf_file_open(open_self(), &file));
	assert_null(dwarf_reader_open(&file, &found, &reader));
	assert_true(found);
	assert_false(dwarf_find_type(&reader, "no_such_struct", &die));
	assert_false(dwarf_find_type(&reader, "test_ring::next", &die));
	assert_false(dwarf_find_type(&reader, "", &die));
	assert_false(dwarf_find_type(&reader, "::", &die));
}

/* A copy of this program in memory, and where its .debug_info and .debug_abbrev are. */
struct copy {
	int fd;
	size_t size;
	struct range {
		size_t at, size;
	} sections[2];
};

static void note_sections(struct copy *copy)
{
	_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;
	static const char *const names[] = { ".debug_info", ".debug_abbrev" };

	assert_true(elf_file_open(open_self(), &file));
	for (size_t i = 0; i < 2; i++) {
		const struct elf_section *section = elf_file_find_name(&file, names[i]);
		assert_non_null(section);
		copy->sections[i] =
			(struct range){ section->header.sh_offset, section->header.sh_size };
	}
	assert_true(copy->sections[0].size && copy->sections[1].size);
}

/* Whatever comes out is bounded, and inside of what a struct may be. */
static void check(const struct struct_type *type)
{
	assert_true(type->fields.count <= DWARF_FIELDS_MAX);
	for (size_t i = 0; i < type->fields.count; i++) {
		const struct struct_field *field = &type->fields.data[i];
		assert_true(field->bits + field->first_bit <= 64);
		assert_true(field->kind == FIELD_CHARACTERS || field->kind == FIELD_BYTES ||
			    field->size <= 8);
	}
}

static void test_lies(void **state)
{
	struct copy copy = { .fd = -1 };
	struct stat status;
	uint64_t random = 88172645463325252u;

	(void)state;
	note_sections(&copy);
	int self = open_self();
	assert_int_equal(fstat(self, &status), 0);
	copy.size = (size_t)status.st_size;
	uint8_t *original = mmap(NULL, copy.size, PROT_READ, MAP_PRIVATE, self, 0);
	assert_true(original != MAP_FAILED);
	copy.fd = memfd_create("lies", MFD_CLOEXEC);
	for (size_t i = 0; i < MUTATIONS; i++) {
		_cleanup_struct_type_ struct struct_type type = { 0 };
		bool found;
		assert_int_equal(pwrite(copy.fd, original, copy.size, 0), copy.size);
		for (size_t j = 0; j < 1 + i % 20; j++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			const struct range *section = &copy.sections[random >> 8 & 1];
			size_t at = section->at + (size_t)(random >> 16) % section->size;
			uint8_t byte = (uint8_t)random;
			assert_int_equal(pwrite(copy.fd, &byte, 1, (off_t)at), 1);
		}
		struct memtool_error *error = describe(dup(copy.fd), &found, &type);
		memtool_error_destroy(error);
		check(&type);
	}
	munmap(original, copy.size);
	close(copy.fd);
	close(self);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_name_of_none),
		cmocka_unit_test(test_lies),
	};

	alarm(120);
	return cmocka_run_group_tests_name("structs of DWARF", tests, NULL, NULL);
}
