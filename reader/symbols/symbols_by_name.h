/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All symbols of one name, or whose name contains a text, over all modules of a target.
 */
#ifndef SYMBOLS_SYMBOLS_BY_NAME_H
#define SYMBOLS_SYMBOLS_BY_NAME_H

#include "support/error.h"
#include "symbols/symbol.h"

/*
 * Appends every defined symbol of that exact name to ret, in the order of the modules: from .dynsym
 * and .symtab of each module's file (where that cannot be had: from .dynsym in memory) and, if that
 * has no .symtab, of an installed debug file (debuginfod is not asked). name may end in "@VERSION"
 * or "@@VERSION": then only that version counts. What stands in two tables is told once. None at
 * all is no error.
 */
struct memtool_error *symbols_by_name(const struct modules *modules, const char *name,
				      struct symbol_array *ret);

/*
 * The same for names that begin with text, or have it anywhere; their versions do not count. At
 * most 65,536 are found.
 */
enum symbol_match { SYMBOL_BEGINS, SYMBOL_CONTAINS };
struct memtool_error *symbols_by_text(const struct modules *modules, const char *text,
				      enum symbol_match match, struct symbol_array *ret);

#endif
