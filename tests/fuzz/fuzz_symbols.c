/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the symbol tables and debug information of an ELF file that is a target's.
 */
#include "support/cleanup.h"
#include "symbols/dwarf_layout.h"
#include "symbols/symtab.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME_MAX_READ 256

const char fuzz_target[] = "symbols";

static void read_names(const struct elf_file *file, Elf64_Word type)
{
	struct symtab table;

	if (!symtab_load(file, type, &table))
		return;
	for (size_t i = 0; i < table.count; i++) {
		size_t length;
		const char *name = symtab_name(&table, &table.symbols[i], NAME_MAX_READ, &length);
		if (!name)
			continue;
		if (name < table.strings || length > NAME_MAX_READ ||
		    length > (size_t)(table.strings + table.strings_size - name))
			fuzz_fail("a name is not in the strings");
		symtab_is_old_version(&table, i, name, length);
	}
}

static void search(const struct elf_file *file, Elf64_Word type)
{
	struct symbol_query queries[] = {
		{ .name = "main_arena", .source_file = "malloc.c", .types = SYMTAB_OBJECT },
		{ .name = "mp_", .types = SYMTAB_OBJECT },
		{ .name = "tcache", .types = SYMTAB_TLS },
		{ .name = "malloc", .types = SYMTAB_ANY },
	};

	symtab_search(file, type, queries, sizeof(queries) / sizeof(queries[0]));
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		unsigned int symbol_type = ELF64_ST_TYPE(queries[i].symbol.st_info);
		if (queries[i].rank != SYMBOL_NOT_FOUND && !(queries[i].types & 1u << symbol_type))
			fuzz_fail("a symbol of another type was found");
	}
}

static void read_layout(const struct elf_file *file)
{
	struct glibc_layout layout;
	bool found;

	struct memtool_error *error = dwarf_layout_read(file, 236, &found, &layout);
	if (!error && found &&
	    (layout.malloc_state.size > GLIBC_MALLOC_STATE_MAX ||
	     layout.malloc_par.size > GLIBC_MALLOC_PAR_MAX ||
	     layout.tcache.size > GLIBC_TCACHE_STRUCT_MAX ||
	     layout.tcache.bins > GLIBC_TCACHE_MAX_BINS))
		fuzz_fail("a layout for which there is no room was taken");
	memtool_error_destroy(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t build_id[20] = { 1 };
	_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;
	struct symtab_section versions;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		fuzz_fail("no file for the input");
	if (!elf_file_open(fd, &file))
		return 0;
	elf_file_match(&file, build_id, sizeof(build_id));
	symtab_version_definitions(&file, &versions);
	read_names(&file, SHT_SYMTAB);
	read_names(&file, SHT_DYNSYM);
	search(&file, SHT_SYMTAB);
	search(&file, SHT_DYNSYM);
	read_layout(&file);
	return 0;
}
