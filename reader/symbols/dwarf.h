/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of this room needs libelf and libdw: DWARF, and debug files from a server.
 *
 * These and what they link take longer to load than a small heap takes to read, and by far most
 * readings need none of it. So it stands apart, behind these functions, and who links the reader
 * decides: libmemtool links them (dwarf_linked.c); the command has a module of its own with them,
 * and loads that when one of them is first asked for (cli/modules.c).
 */
#ifndef SYMBOLS_DWARF_H
#define SYMBOLS_DWARF_H

#include "common/glibc_layout.h"
#include "support/error.h"
#include "support/struct_field.h"
#include "symbols/elf_file.h"
#include "symbols/module.h"

struct dwarf {
	/* dwarf_layout_read() */
	struct memtool_error *(*read_layout)(const struct elf_file *file, unsigned int version,
					     bool *ret_found, struct glibc_layout *ret);
	/* dwarf_struct_read() */
	struct memtool_error *(*read_struct)(const struct elf_file *file, const char *name,
					     bool *with_dwarf, bool *ret_found,
					     struct struct_type *ret);
	/* debuginfod_fetch() */
	int (*fetch_file)(const struct module *module);
};

/* The functions; they last as long as the program. */
struct memtool_error *dwarf_load(const struct dwarf **ret);

/* The one there is, for dwarf_load(): what a module exports has this name. */
extern const struct dwarf memtool_dwarf;

#endif
