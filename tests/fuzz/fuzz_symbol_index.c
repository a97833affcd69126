/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: looking up what is in the symbol tables of an ELF file. What is found at an address
 * begins there or before; each symbol has a name and a version that end, and is found by its name;
 * and names that look like Rust's are undone. Then the same for what the file's bytes give as a
 * module in memory.
 */
#include "symbols/demangle_rust.h"
#include "symbols/memory_symbols.h"
#include "symbols/module_symbols.h"
#include "symbols/symbol_index.h"
#include "symbols/symbol_version.h"
#include "tests/fuzz/fuzz.h"

#include <elf.h>
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

/* Where the module lies; it is mapped as one piece. */
#define BIAS UINT64_C(0x7f5500000000)

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

static void check_tables(const struct elf_file *file, size_t size)
{
	struct symtab table;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (!symtab_load(file, tables[i], &table))
			continue;
		check_index(file, &table, INDEX_ADDRESSES, size);
		check_index(file, &table, INDEX_TLS, size);
		for (size_t j = 0; j < table.count && j < SYMBOLS_MAX; j++)
			check_symbol(file, &table, j);
	}
}

/* Where the file says that the dynamic section is; none of it if that is not in the file. */
static struct range find_dynamic(const Elf64_Ehdr *file, const uint8_t *data, size_t size)
{
	const struct range range = { BIAS, BIAS + size };
	Elf64_Phdr header;

	for (unsigned int i = 0; i < file->e_phnum; i++) {
		uint64_t at = BIAS + file->e_phoff + i * sizeof(header);
		if (!range_covers(range, at, sizeof(header)))
			break;
		memcpy(&header, data + (at - BIAS), sizeof(header));
		if (header.p_type == PT_DYNAMIC &&
		    range_covers(range, BIAS + header.p_offset, header.p_filesz))
			return (struct range){ BIAS + header.p_offset,
					       BIAS + header.p_offset + header.p_filesz };
	}
	return (struct range){ BIAS, BIAS };
}

static void check_in_memory(const struct elf_file *file, const uint8_t *data, size_t size)
{
	const struct memory_region region = { BIAS, size, data };
	struct memory_buffer memory = memory_buffer(&region, 1);
	struct mapping mapping = { .range = { BIAS, BIAS + size }, .inode = 1, .name = "" };
	const struct maps maps = { .data = &mapping, .count = 1 };
	const struct module module = { .range = mapping.range,
				       .bias = BIAS,
				       .dynamic = find_dynamic(&file->header, data, size) };
	struct elf_file made;
	bool found;

	fuzz_meter_start();
	if (memory_symbols_make(&module, &maps, &memory.memory, &found, &made))
		fuzz_fail("the bytes cannot be read");
	if (fuzz_meter_peak() > MEMORY_FACTOR * size + MEMORY_FIXED)
		fuzz_fail("symbols of %zu bytes take too much memory", size);
	if (!found)
		return;
	check_tables(&made, size);
	elf_file_close(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_file file;

	if (!open_input(data, size, &file))
		return 0;
	check_tables(&file, size);
	check_in_memory(&file, data, size);
	elf_file_close(&file);
	return 0;
}
