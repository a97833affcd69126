/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any struct, class, union, or typedef of one, of the modules by its name, as the debug information
 * of their files has it.
 */
#ifndef SYMBOLS_STRUCT_BY_NAME_H
#define SYMBOLS_STRUCT_BY_NAME_H

#include "support/struct_field.h"
#include "symbols/module.h"

/*
 * The first definition there is: in the program, then in the others by address. In C++ the name is
 * "space::name". Elements of an array beyond some are one field of FIELD_BYTES. *ret_module is the
 * module. MEMTOOL_ERROR_NO_SYMBOLS if no module has debug information, MEMTOOL_ERROR_INVALID if
 * none has the struct.
 */
struct memtool_error *struct_by_name(const struct modules *modules, const char *name,
				     const struct module **ret_module, struct struct_type *ret);

#endif
