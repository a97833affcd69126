/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/dwarf_struct.h"

#include "symbols/dwarf_fields.h"

struct memtool_error *dwarf_struct_read(const struct elf_file *file, const char *name,
					bool *with_dwarf, bool *ret_found, struct struct_type *ret)
{
	_cleanup_dwarf_reader_ struct dwarf_reader reader = { 0 };
	bool found;
	Dwarf_Die type;

	*ret_found = false;
	struct memtool_error *error = dwarf_reader_open(file, &found, &reader);
	if (error || !found)
		return error;
	*with_dwarf = true;
	if (!dwarf_find_type(&reader, name, &type))
		return NULL;
	error = dwarf_describe(&reader, &type, ret);
	*ret_found = !error;
	return error;
}
