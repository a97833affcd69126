/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: mangled names, as a hostile file's symbol table has them.
 */
#include "symbols/demangle.h"
#include "symbols/demangle_rust.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* Of a name of DEMANGLE_MAX bytes; libstdc++ has its own bounds within that. */
#define MEMORY_MAX (8u << 20)

const char fuzz_target[] = "names";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = malloc(size + 1);

	if (!name)
		return 0;
	memcpy(name, data, size);
	name[size] = '\0';
	fuzz_meter_start();
	char *rust = demangle_rust_legacy(name);
	if (rust && strlen(rust) > 2 * strlen(name))
		fuzz_fail("a Rust name grew to more than twice its length");
	free(rust);
	free(demangle(name));
	if (fuzz_meter_peak() > MEMORY_MAX)
		fuzz_fail("a name of %zu bytes takes too much memory", size);
	free(name);
	return 0;
}
