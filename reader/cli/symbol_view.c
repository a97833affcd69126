/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/symbol_view.h"

#include "symbols/demangle.h"

#include <stdio.h>
#include <string.h>

char *symbol_view_name(const struct symbol *symbol, bool demangled, bool with_default)
{
	char *name = demangled ? demangle(symbol->name) : NULL;
	char *text;

	if (!name)
		name = strdup(symbol->name);
	if (!name || !symbol->version || (symbol->default_version && !with_default))
		return name;
	if (asprintf(&text, "%s%s%s", name, symbol->default_version ? "@@" : "@", symbol->version) <
	    0)
		text = NULL;
	free(name);
	return text;
}
