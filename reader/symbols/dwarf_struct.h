/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any struct, by its name, of one file with debug information.
 */
#ifndef SYMBOLS_DWARF_STRUCT_H
#define SYMBOLS_DWARF_STRUCT_H

#include "support/struct_field.h"
#include "symbols/elf_file.h"

/*
 * As struct_by_name() of the file's debug information. *with_dwarf is set if there is any, and
 * else left alone.
 */
struct memtool_error *dwarf_struct_read(const struct elf_file *file, const char *name,
					bool *with_dwarf, bool *ret_found, struct struct_type *ret);

#endif
