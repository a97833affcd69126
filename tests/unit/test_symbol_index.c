/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which symbol an address is in: tables made by hand, of which each rule's outcome is known, and
 * every table of this process's own modules against a search that looks at all symbols.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbols/module_files.h"
#include "symbols/symbol_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NONE SIZE_MAX

static void no_error(struct memtool_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

/* This program: its .text is a section that symbols made by hand can be in. */
static struct elf_file own_file = ELF_FILE_NONE;
static size_t text_index;
static struct range text;

static int open_own_file(void **state)
{
	(void)state;
	FILE *file = fopen("/proc/self/exe", "re");
	assert_non_null(file);
	assert_true(elf_file_open(dup(fileno(file)), &own_file));
	fclose(file);
	const struct elf_section *section = elf_file_find_name(&own_file, ".text");
	assert_non_null(section);
	text_index = (size_t)(section - own_file.sections);
	text = (struct range){ section->header.sh_addr,
			       section->header.sh_addr + section->header.sh_size };
	assert_true(range_size(text) > 1024);
	return 0;
}

static int close_own_file(void **state)
{
	(void)state;
	elf_file_close(&own_file);
	return 0;
}

struct made {
	const char *name;
	uint64_t start; /* in .text */
	uint64_t size;
	unsigned char binding;
	unsigned char type;
};

#define MADE_MAX 16

struct table {
	struct symtab symtab;
	Elf64_Sym symbols[MADE_MAX];
	char strings[512];
};

static void make_table(struct table *table, const struct made *made, size_t count)
{
	size_t used = 1;

	memset(table, 0, sizeof(*table));
	for (size_t i = 0; i < count; i++) {
		table->symbols[i] = (Elf64_Sym){
			.st_name = (Elf64_Word)used,
			.st_info = ELF64_ST_INFO(made[i].binding, made[i].type),
			.st_shndx = (Elf64_Half)text_index,
			.st_value = text.start + made[i].start,
			.st_size = made[i].size,
		};
		strcpy(table->strings + used, made[i].name);
		used += strlen(made[i].name) + 1;
	}
	table->symtab = (struct symtab){
		.symbols = table->symbols,
		.count = count,
		.strings = table->strings,
		.strings_size = used,
	};
}

/* What is at an offset in .text, by name; "" for nothing. */
static const char *name_at(const struct table *table, uint64_t offset)
{
	struct symbol_index *index =
		symbol_index_create(&own_file, &table->symtab, INDEX_ADDRESSES, text);
	const char *name = "";
	size_t found;

	assert_non_null(index);
	if (symbol_index_find(index, text.start + offset, &found))
		name = table->strings + table->symbols[found].st_name;
	symbol_index_destroy(index);
	return name;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_nested(void **state)
{
	static const struct made made[] = {
		{ "outer", 100, 100, STB_LOCAL, STT_FUNC },
		{ "inner", 120, 20, STB_LOCAL, STT_FUNC },
		{ "innermost", 130, 5, STB_LOCAL, STT_FUNC },
		{ "overlapping", 190, 20, STB_LOCAL, STT_FUNC },
	};
	struct table table;

	(void)state;
	make_table(&table, made, COUNT(made));
	assert_string_equal(name_at(&table, 99), "");
	assert_string_equal(name_at(&table, 100), "outer");
	assert_string_equal(name_at(&table, 119), "outer");
	assert_string_equal(name_at(&table, 120), "inner");
	assert_string_equal(name_at(&table, 130), "innermost");
	assert_string_equal(name_at(&table, 135), "inner");
	assert_string_equal(name_at(&table, 139), "inner");
	assert_string_equal(name_at(&table, 140), "outer");
	assert_string_equal(name_at(&table, 190), "overlapping");
	assert_string_equal(name_at(&table, 209), "overlapping");
	assert_string_equal(name_at(&table, 210), "");
}

static void test_without_size(void **state)
{
	static const struct made made[] = {
		{ "start", 100, 0, STB_GLOBAL, STT_NOTYPE },
		{ "sized", 120, 20, STB_LOCAL, STT_FUNC },
		{ "label_in_sized", 130, 0, STB_GLOBAL, STT_NOTYPE },
		{ "other", 200, 0, STB_LOCAL, STT_NOTYPE },
		{ "better", 200, 0, STB_GLOBAL, STT_NOTYPE },
		{ ".Llabel", 220, 0, STB_GLOBAL, STT_NOTYPE },
	};
	struct table table;

	(void)state;
	make_table(&table, made, COUNT(made));
	assert_string_equal(name_at(&table, 119), "start");
	assert_string_equal(name_at(&table, 130), "sized");
	/* Nothing says what is behind a function's end. */
	assert_string_equal(name_at(&table, 140), "");
	assert_string_equal(name_at(&table, 200), "better");
	assert_string_equal(name_at(&table, 230), "better");
	assert_string_equal(name_at(&table, range_size(text) - 1), "better");
}

static void test_aliases(void **state)
{
	static const struct made pairs[][2] = {
		{ { "global_one", 100, 8, STB_GLOBAL, STT_FUNC },
		  { "local", 100, 8, STB_LOCAL, STT_FUNC } },
		{ { "with_a_type", 100, 8, STB_WEAK, STT_OBJECT },
		  { "without", 100, 8, STB_GLOBAL, STT_NOTYPE } },
		{ { "current@@V2", 100, 8, STB_GLOBAL, STT_FUNC },
		  { "old@V1", 100, 8, STB_GLOBAL, STT_FUNC } },
		{ { "no_version", 100, 8, STB_GLOBAL, STT_FUNC },
		  { "old@V1", 100, 8, STB_GLOBAL, STT_FUNC } },
		{ { "short", 100, 8, STB_GLOBAL, STT_FUNC },
		  { "__longer", 100, 8, STB_GLOBAL, STT_FUNC } },
		{ { "first", 100, 8, STB_GLOBAL, STT_FUNC },
		  { "other", 100, 8, STB_GLOBAL, STT_FUNC } },
	};
	struct table table;

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		make_table(&table, pairs[i], 2);
		assert_string_equal(name_at(&table, 104), pairs[i][0].name);
		if (strcmp(pairs[i][0].name, "first") == 0)
			continue;
		struct made turned[2] = { pairs[i][1], pairs[i][0] };
		make_table(&table, turned, 2);
		assert_string_equal(name_at(&table, 104), pairs[i][0].name);
	}
}

/* The longer of two that begin together counts where the better one has ended. */
static void test_aliases_of_other_size(void **state)
{
	static const struct made made[] = {
		{ "better", 100, 8, STB_GLOBAL, STT_FUNC },
		{ "longer", 100, 16, STB_LOCAL, STT_FUNC },
	};
	struct table table;

	(void)state;
	make_table(&table, made, COUNT(made));
	assert_string_equal(name_at(&table, 107), "better");
	assert_string_equal(name_at(&table, 108), "longer");
	assert_string_equal(name_at(&table, 116), "");
}

static void test_hostile(void **state)
{
	static const struct made made[] = {
		{ "wraps", 100, UINT64_MAX - 5, STB_GLOBAL, STT_FUNC },
		{ "outside", UINT64_MAX - 10, 1 << 20, STB_GLOBAL, STT_FUNC },
		{ "", 50, 8, STB_GLOBAL, STT_FUNC },
	};
	struct table table;

	(void)state;
	make_table(&table, made, COUNT(made));
	assert_string_equal(name_at(&table, 60), "");
	assert_string_equal(name_at(&table, 100), "wraps");
	assert_string_equal(name_at(&table, range_size(text) - 1), "wraps");
	assert_string_equal(name_at(&table, range_size(text)), "");
	/* Names out of the strings, and one that does not end. */
	table.symbols[0].st_name = UINT32_MAX;
	table.symbols[1].st_value = text.start + 10;
	table.symbols[1].st_size = 4;
	table.symtab.strings_size = table.symbols[1].st_name + 3;
	assert_string_equal(name_at(&table, 100), "");
	assert_string_equal(name_at(&table, 12), "outside");
	table.symtab.count = 0;
	assert_string_equal(name_at(&table, 12), "");
}

/* The start of the symbol that counts, by the header's rules, looking at all of them. */
static uint64_t search_all(const struct symtab *table, uint64_t value, bool *ret_found)
{
	uint64_t best = 0;

	*ret_found = false;
	for (size_t i = 0; i < table->count; i++) {
		const Elf64_Sym *symbol = &table->symbols[i];
		unsigned int type = ELF64_ST_TYPE(symbol->st_info);
		size_t length;
		const char *name = symtab_name(table, symbol, 255, &length);

		if (!name || strncmp(name, ".L", 2) == 0 || symbol->st_shndx == SHN_UNDEF ||
		    symbol->st_shndx == SHN_ABS || type == STT_SECTION || type == STT_FILE ||
		    type == STT_TLS || value < symbol->st_value ||
		    value - symbol->st_value >= symbol->st_size)
			continue;
		if (!*ret_found || symbol->st_value > best)
			best = symbol->st_value;
		*ret_found = true;
	}
	return best;
}

static void check_value(const struct symtab *table, const struct symbol_index *index,
			uint64_t value)
{
	bool expected;
	uint64_t start = search_all(table, value, &expected);
	size_t found;

	bool is_found = symbol_index_find(index, value, &found);
	if (expected) {
		assert_true(is_found);
		assert_int_equal(table->symbols[found].st_value, start);
		assert_true(value - start < table->symbols[found].st_size);
	} else if (is_found) {
		assert_int_equal(table->symbols[found].st_size, 0);
		assert_true(table->symbols[found].st_value <= value);
	}
}

static void check_table(const struct module *module, const struct elf_file *file, Elf64_Word type)
{
	struct range range = { module->range.start - module->bias,
			       module->range.end - module->bias };
	unsigned int random = 1;
	struct symtab table;

	if (!file || !symtab_load(file, type, &table))
		return;
	struct symbol_index *index = symbol_index_create(file, &table, INDEX_ADDRESSES, range);
	assert_non_null(index);
	for (int i = 0; i < 300; i++) {
		const Elf64_Sym *symbol = &table.symbols[(size_t)rand_r(&random) % table.count];
		uint64_t end = symbol->st_value + symbol->st_size;
		if (!range_contains(range, symbol->st_value) || end + 8 > range.end)
			continue;
		check_value(&table, index, symbol->st_value);
		check_value(&table, index, symbol->st_value + symbol->st_size / 2);
		check_value(&table, index, end);
		check_value(&table, index,
			    range.start + (uint64_t)rand_r(&random) % range_size(range));
	}
	symbol_index_destroy(index);
}

static void test_own_modules(void **state)
{
	struct process *process;
	struct maps maps;
	struct modules *modules;

	(void)state;
	no_error(process_open(getpid(), &process));
	no_error(maps_read(getpid(), &maps));
	no_error(modules_load(process, &maps, &modules));
	assert_true(modules->count > 2);
	for (size_t i = 0; i < modules->count; i++) {
		struct module *module = modules->data[i];
		check_table(module, module_file(module), SHT_SYMTAB);
		check_table(module, module_file(module), SHT_DYNSYM);
		check_table(module, module_installed_debug_file(module), SHT_SYMTAB);
	}
	modules_destroy(modules);
	maps_deinit(&maps);
	process_close(process);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested),  cmocka_unit_test(test_without_size),
		cmocka_unit_test(test_aliases), cmocka_unit_test(test_aliases_of_other_size),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_own_modules),
	};

	return cmocka_run_group_tests_name("symbol index", tests, open_own_file, close_own_file);
}
