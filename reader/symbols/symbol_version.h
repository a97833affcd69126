/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The version of a defined symbol: behind its name in .symtab ("name@@VERSION"), or, of a symbol in
 * .dynsym, by number in .gnu.version_d (the Linux Standard Base, "Symbol Versioning").
 */
#ifndef SYMBOLS_SYMBOL_VERSION_H
#define SYMBOLS_SYMBOL_VERSION_H

#include "symbols/symtab.h"

/*
 * NULL if it has none. tail is what follows the name in the table's strings. The result is not a
 * string: *ret_length bytes of it count.
 */
const char *symbol_version(const struct elf_file *file, const struct symtab *table, size_t index,
			   const char *tail, size_t *ret_length);

#endif
