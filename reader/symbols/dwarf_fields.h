/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A struct out of DWARF as a flat list of fields.
 *
 * Hostile debug information costs no more than a bounded walk: each DIE looked at, each field and
 * each level of nesting counts.
 */
#ifndef SYMBOLS_DWARF_FIELDS_H
#define SYMBOLS_DWARF_FIELDS_H

#include "support/struct_field.h"
#include "symbols/dwarf_types.h"

/* So many elements of an array are fields of their own. */
#define DWARF_ELEMENTS_SHOWN 16

#define DWARF_FIELDS_MAX 4096

/*
 * The definition of a struct, class or union of that name ("space::name" in a namespace), or of a
 * typedef of one.
 */
bool dwarf_find_type(const struct dwarf_reader *reader, const char *name, Dwarf_Die *ret);

struct memtool_error *dwarf_describe(const struct dwarf_reader *reader, Dwarf_Die *type,
				     struct struct_type *ret);

#define DWARF_TYPE_NAME_MAX 128

/* The name of the type of a DIE (its DW_AT_type) as in C, cut if it is longer. */
void dwarf_type_name(const struct dwarf_reader *reader, Dwarf_Die *die,
		     char ret[DWARF_TYPE_NAME_MAX]);

#endif
