/* SPDX-License-Identifier: Apache-2.0 */
#include "common/malloc_roots.h"

const char *root_source_name(enum root_source source)
{
	static const char *const names[] = {
		[ROOT_UNKNOWN] = "unknown",
		[ROOT_INVENTORY] = "inventory",
		[ROOT_SYMBOLS] = "symbols",
		[ROOT_STRUCTURE] = "structure",
	};
	return names[source];
}
