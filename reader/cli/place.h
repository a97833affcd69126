/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places in the target as users name them: 0x7f00 (or 32512), SYMBOL, SYMBOL@VERSION, and any of
 * these with +OFFSET behind.
 */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "cli/inspection.h"

/* What the options of a command say of places; to be put into its help. */
#define PLACE_HELP                                                                              \
	"ADDRESS is hexadecimal behind 0x, else decimal, or the name of a symbol; +OFFSET may " \
	"follow."

struct place {
	const char *symbol; /* NULL: offset is the address itself */
	size_t symbol_length;
	uint64_t offset;
};

/* False if text can be none. text must outlive the result. */
bool place_parse(const char *text, struct place *ret);

/* The ADDRESSes that stand behind the pid; room for max of them, which is the caller's. */
struct place_operands {
	struct place *data;
	size_t count;
	size_t max;
};

/* What a command's own parser does with them: for the keys that it does not know itself. */
error_t place_operands_parse(int key, const char *argument, struct argp_state *state,
			     const struct common_options *common, struct place_operands *operands);

/*
 * The address. Where several modules have the symbol, the program's own counts, else the one that
 * is the only global one. An error names what else to do where it is in no module, in several, or
 * thread-local. Loads the modules if they are needed.
 */
struct memtool_error *place_find(const struct place *place, struct inspection *inspection,
				 uint64_t *ret);

#endif
