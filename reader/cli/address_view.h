/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is at an address, put together from all that is known of the target: the mapping, the module
 * and symbol, the item of the heap and the field in it, and the thread whose memory it is.
 */
#ifndef CLI_ADDRESS_VIEW_H
#define CLI_ADDRESS_VIEW_H

#include "cli/inspection.h"
#include "glibc/item_field.h"
#include "symbols/symbol.h"

struct address_view {
	uint64_t address;
	const struct mapping *mapping; /* NULL: it is not mapped, and nothing else is known */
	const struct module *module;
	bool has_symbol;
	struct symbol symbol; /* begins at or before address */
	const struct chunk *chunk;
	char field[ITEM_FIELD_MAX + 32]; /* "main_arena.top", or "" */
	/* In its TCB or a TLS block of a thread, or NULL. */
	const struct thread_block *block;
	bool has_variable;
	struct symbol variable; /* of the TLS block; its address is the offset there */
	const struct root_thread *stack; /* the thread on whose stack it is, or NULL */
};

struct memtool_error *address_view_make(const struct inspection *inspection, uint64_t address,
					struct address_view *ret);

void address_view_deinit(struct address_view *view);

#define _cleanup_address_view_ _cleanup_(address_view_deinit)

/*
 * In short: "main_arena+96", "chunk 0x55d0c8a012a0+16 in-use 48", "stack of 4711". To be freed;
 * NULL when out of memory; "" if there is nothing to tell.
 */
char *address_view_brief(const struct address_view *view, bool demangled);

/* That of an address, to be freed; NULL if nothing is mapped there. */
struct memtool_error *address_brief(const struct inspection *inspection, uint64_t address,
				    bool demangled, char **ret);

#endif
