/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols of a module, several at once; the room's own side of module_find_symbol().
 */
#ifndef SYMBOLS_MODULE_SYMBOLS_H
#define SYMBOLS_MODULE_SYMBOLS_H

#include "symbols/module.h"
#include "symbols/symbol.h"
#include "symbols/symtab.h"

/* Where a symbol of the module's file or debug file is in the target. */
struct module_symbol module_symbol(const struct module *module, const Elf64_Sym *symbol);

/* All that table, one of the module's file or debug file, tells of its symbols[index]. */
struct memtool_error *symbol_from_table(struct module *module, const struct elf_file *file,
					const struct symtab *table, size_t index,
					struct symbol *ret);

/*
 * Answers the queries from .symtab of the file, and, where that leaves the first of them
 * unanswered, of the debug file. False if there is neither. count is not 0.
 */
bool module_search_symtab(struct module *module, struct symbol_query *queries, size_t count);

#endif
