/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols by name in one ELF file: one pass over a table, whatever many names are asked for.
 */
#ifndef SYMBOLS_SYMTAB_H
#define SYMBOLS_SYMTAB_H

#include "symbols/elf_file.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

/* Sets of symbol types, of 1 << STT_x. */
#define SYMTAB_OBJECT   (1u << STT_OBJECT)
#define SYMTAB_TLS      (1u << STT_TLS)
#define SYMTAB_FUNCTION (1u << STT_FUNC | 1u << STT_GNU_IFUNC)
/* Assembler code often gives its symbols no type. */
#define SYMTAB_ANY \
	(SYMTAB_OBJECT | SYMTAB_TLS | SYMTAB_FUNCTION | 1u << STT_COMMON | 1u << STT_NOTYPE)

/* Where several symbols have a name, the one of highest rank is meant; the first of equals. */
enum symbol_rank {
	SYMBOL_NOT_FOUND,
	SYMBOL_OLD_VERSION, /* global, but not the default version of its name */
	SYMBOL_LOCAL,
	SYMBOL_GLOBAL,
	SYMBOL_LOCAL_OF_FILE, /* local, and of the source file that was asked for */
};

/*
 * A table of one file, and the strings it names. Points into what was read of the file: valid
 * as long as that is open.
 */
struct symtab {
	const Elf64_Sym *symbols;
	size_t count;
	const char *strings;
	size_t strings_size;
	const Elf64_Half *versions; /* one a symbol, or NULL */
};

/* The table of section_type (SHT_SYMTAB or SHT_DYNSYM); false if the file has no such one. */
bool symtab_load(const struct elf_file *file, Elf64_Word section_type, struct symtab *ret);

/*
 * The name of a symbol without its version, and its length, of which no more than max is looked at.
 * NULL where it has none, or one that lies outside of the strings.
 */
const char *symtab_name(const struct symtab *table, const Elf64_Sym *symbol, size_t max,
			size_t *ret_length);

/*
 * Whether symbols[index] has a version that is not the default one of its name, which is what
 * symtab_name() gave.
 */
bool symtab_is_old_version(const struct symtab *table, size_t index, const char *name,
			   size_t length);

/* The definitions of versions (SHT_GNU_verdef), and the strings they name. */
struct symtab_section {
	const char *bytes;
	size_t size;
	const char *strings;
	size_t strings_size;
};

bool symtab_version_definitions(const struct elf_file *file, struct symtab_section *ret);

struct symbol_query {
	const char *name; /* not empty */
	const char *source_file; /* as in STT_FILE; NULL: no matter which */
	unsigned int types;
	/* The answer. */
	enum symbol_rank rank;
	Elf64_Sym symbol;
};

/*
 * Searches the table of section_type (SHT_SYMTAB or SHT_DYNSYM). A query that was answered before
 * keeps its answer unless a better one is found. False if the file has no such table.
 */
bool symtab_search(const struct elf_file *file, Elf64_Word section_type,
		   struct symbol_query *queries, size_t count);

bool symtab_exists(const struct elf_file *file, Elf64_Word section_type);

#endif
