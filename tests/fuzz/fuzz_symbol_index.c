/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: looking up what is in the symbol tables of an ELF file. What is found at an address
 * begins there or before; each symbol has a name and a version that end, and is found by its name;
 * and names that look like Rust's are undone.
 */
#include "symbols/demangle_rust.h"
#include "symbols/module_symbols.h"
#include "symbols/symbol_index.h"
#include "symbols/symbol_version.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Of a symbol's 24 bytes: an entry while the index is made, in an array that doubles, and a copy of
 * it while that is sorted; and what is read of the file.
 */
#define MEMORY_FACTOR 16
#define MEMORY_FIXED  (256 << 10)
#define SYMBOLS_MAX   300 /* looked at one by one */

const char fuzz_target[] = "symbol_index";

static const Elf64_Word tables[] = { SHT_SYMTAB, SHT_DYNSYM };

static bool open_input(const uint8_t *data, size_t size, struct elf_file *ret)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, data, size) != (ssize_t)size)
		fuzz_fail("the input cannot be written to memory");
	return elf_file_open(fd, ret);
}

static void check_address(const struct symbol_index *index, const struct symtab *table,
			  uint64_t value)
{
	size_t found;

	if (!symbol_index_find(index, value, &found))
		return;
	if (found >= table->count)
		fuzz_fail("what is found is not in the table");
	const Elf64_Sym *symbol = &table->symbols[found];
	if (symbol->st_value > value ||
	    (symbol->st_size && value - symbol->st_value >= symbol->st_size))
		fuzz_fail("the symbol found at 0x%llx does not cover it",
			  (unsigned long long)value);
}

static void check_index(const struct elf_file *file, const struct symtab *table,
			enum symbol_index_kind kind, size_t size)
{
	const struct range range = { 0, UINT64_MAX };

	fuzz_meter_start();
	struct symbol_index *index = symbol_index_create(file, table, kind, range);
	if (!index)
		fuzz_fail("no index could be made");
	if (fuzz_meter_peak() > MEMORY_FACTOR * size + MEMORY_FIXED)
		fuzz_fail("the index of %zu bytes takes too much memory", size);
	for (size_t i = 0; i < table->count && i < SYMBOLS_MAX; i++) {
		const Elf64_Sym *symbol = &table->symbols[i];
		check_address(index, table, symbol->st_value - 1);
		check_address(index, table, symbol->st_value);
		check_address(index, table, symbol->st_value + symbol->st_size / 2);
		check_address(index, table, symbol->st_value + symbol->st_size);
	}
	symbol_index_destroy(index);
}

static void check_symbol(const struct elf_file *file, const struct symtab *table, size_t index)
{
	static struct module module;
	struct symbol symbol;
	size_t length;
	struct memtool_error *error = symbol_from_table(&module, file, table, index, &symbol);

	if (error)
		fuzz_fail("%s", error->message);
	if (strchr(symbol.name, '@'))
		fuzz_fail("a version is left in the name");
	if (symbol.version && !*symbol.version)
		fuzz_fail("a version is empty");
	const char *name =
		symtab_name(table, &table->symbols[index], strlen(symbol.name) + 1, &length);
	if (name && length != strlen(symbol.name))
		fuzz_fail("the name has two lengths");
	free(demangle_rust_legacy(symbol.name));
	symbol_deinit(&symbol);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_file file;
	struct symtab table;

	if (!open_input(data, size, &file))
		return 0;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (!symtab_load(&file, tables[i], &table))
			continue;
		check_index(&file, &table, INDEX_ADDRESSES, size);
		check_index(&file, &table, INDEX_TLS, size);
		for (size_t j = 0; j < table.count && j < SYMBOLS_MAX; j++)
			check_symbol(&file, &table, j);
	}
	elf_file_close(&file);
	return 0;
}
