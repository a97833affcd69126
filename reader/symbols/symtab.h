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
