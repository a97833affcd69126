/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of loaded modules that ld.so keeps for debuggers (struct r_debug and struct link_map of
 * <link.h>). It is that of the base namespace: what dlmopen(3) loaded elsewhere is not in it.
 */
#ifndef SYMBOLS_LINK_MAP_H
#define SYMBOLS_LINK_MAP_H

#include "support/error.h"
#include "symbols/module.h"
#include "target/memory.h"

/*
 * Which of the candidates, modules all, comes first in the list of the program; NULL if none is in
 * it, or there is no list. Fails only when nothing can be read any more.
 */
struct memtool_error *link_map_first(const struct modules *modules, struct memory *memory,
				     struct module *const *candidates, size_t count,
				     struct module **ret);

/*
 * The address of the struct link_map of a module; 0 if it is in no list. Fails only when nothing
 * can be read any more.
 */
struct memtool_error *link_map_of(const struct modules *modules, struct memory *memory,
				  const struct module *module, uint64_t *ret);

#endif
