/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symbols of one table by the addresses they cover: made once, then searched in O(log n).
 *
 * Of the symbols that cover an address the one that begins last counts; of those that begin there,
 * in this order: a global (or weak) one before a local one, one with a type before one without, a
 * symbol without a version or with its default one before an old version, the shortest name, the
 * first in the table. A symbol without a size, as assembler code has them, reaches to the next
 * symbol or to the end of its section, and counts only where none with a size does.
 *
 * Takes 12 bytes for each stretch of addresses of one symbol: at most two a symbol. The first 8
 * million symbols count.
 */
#ifndef SYMBOLS_SYMBOL_INDEX_H
#define SYMBOLS_SYMBOL_INDEX_H

#include "support/range.h"
#include "symbols/symtab.h"

struct symbol_index;

enum symbol_index_kind {
	INDEX_ADDRESSES, /* by virtual address of the file */
	INDEX_TLS, /* TLS variables, by offset in the TLS block */
};

/* What lies outside of range is cut off. NULL when out of memory. Needs table no longer. */
struct symbol_index *symbol_index_create(const struct elf_file *file, const struct symtab *table,
					 enum symbol_index_kind kind, struct range range);

/* NULL is fine. */
void symbol_index_destroy(struct symbol_index *index);

/* The symbol at value, as its index in the table; false if there is none. */
bool symbol_index_find(const struct symbol_index *index, uint64_t value, size_t *ret);

#endif
