/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct glibc_layout from the DWARF of malloc.c.
 *
 * The debug information may be hostile: work on it is bounded, as is what its sections inflate to.
 */
#ifndef SYMBOLS_DWARF_LAYOUT_H
#define SYMBOLS_DWARF_LAYOUT_H

#include "common/glibc_layout.h"
#include "support/error.h"
#include "symbols/elf_file.h"

/*
 * version (236, or 0) decides where no type does: safe-linking of 2.32 to 2.34. *ret_found is false
 * where file has no DWARF of glibc's malloc, and that is no failure; it fails if the DWARF cannot
 * be read or is of a malloc that struct glibc_layout cannot describe.
 */
struct memtool_error *dwarf_layout_read(const struct elf_file *file, unsigned int version,
					bool *ret_found, struct glibc_layout *ret);

#endif
