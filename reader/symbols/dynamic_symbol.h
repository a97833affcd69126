/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dynamic symbols of a module by name, and what the dynamic linker has bound them to: read from the
 * target's memory alone, by hash (DT_GNU_HASH or DT_HASH), in some ten small reads. Stripping
 * leaves them in place, and no file is opened.
 *
 * What lies in the tables is hostile: all addresses are checked against the module, chains are
 * bounded, and what does not fit is as if it were not there.
 */
#ifndef SYMBOLS_DYNAMIC_SYMBOL_H
#define SYMBOLS_DYNAMIC_SYMBOL_H

#include "support/error.h"
#include "symbols/dynamic.h"
#include "symbols/module.h"
#include "target/memory.h"

#include <stdbool.h>
#include <stdint.h>

struct dynamic_symbol {
	uint32_t index; /* in the module's DT_SYMTAB */
	uint64_t address; /* runtime */
};

/*
 * A global function that the module defines, whatever its version. dynamic is the module's, of
 * dynamic_read(). Fails only when nothing can be read any more.
 */
struct memtool_error *dynamic_find_function(const struct module *module, struct memory *memory,
					    const struct dynamic *dynamic, const char *name,
					    bool *ret_found, struct dynamic_symbol *ret);

/*
 * What the module's own references to one of its symbols are bound to: the word of its GOT that a
 * R_X86_64_GLOB_DAT of DT_RELA stands for, which ld.so fills in before the program starts; 0 before
 * that. *ret_found is false if there is no such word.
 */
struct memtool_error *dynamic_bound_to(const struct module *module, struct memory *memory,
				       const struct dynamic *dynamic, uint32_t index,
				       bool *ret_found, uint64_t *ret);

#endif
