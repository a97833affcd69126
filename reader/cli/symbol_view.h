/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A symbol's name as it is shown.
 */
#ifndef CLI_SYMBOL_VIEW_H
#define CLI_SYMBOL_VIEW_H

#include "symbols/symbol.h"

/*
 * "name", "name@VERSION" or, of the default version where with_default, "name@@VERSION". demangled:
 * the name as people write it, if it can be undone. To be freed; NULL when out of memory.
 */
char *symbol_view_name(const struct symbol *symbol, bool demangled, bool with_default);

#endif
