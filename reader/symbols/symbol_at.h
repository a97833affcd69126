/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an address to the symbol that it lies in: symbol + offset.
 *
 * From .symtab of the module's file, else its .dynsym, be it the one in memory, and where that has
 * none with a size there, .symtab of an installed debug file. Debuginfod is not asked: who looks up
 * thousands of addresses must not wait for a download for each module. The index of each table is
 * made at the first question (symbols/symbol_index.h, which also says which of several symbols
 * counts) and kept with the module.
 */
#ifndef SYMBOLS_SYMBOL_AT_H
#define SYMBOLS_SYMBOL_AT_H

#include "support/error.h"
#include "symbols/symbol.h"

/*
 * address is a runtime one, and lies ret->address or behind. *ret_found is false, and *ret
 * untouched, where no symbol of the module is there.
 */
struct memtool_error *symbol_at(struct module *module, uint64_t address, bool *ret_found,
				struct symbol *ret);

/* The same for TLS variables: offset is that in the module's TLS block. */
struct memtool_error *symbol_at_tls(struct module *module, uint64_t offset, bool *ret_found,
				    struct symbol *ret);

/* For symbols/module.c alone; NULL is fine. */
void symbol_cache_destroy(struct symbol_cache *cache);

#endif
