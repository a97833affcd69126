/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/struct_by_name.h"

#include "symbols/dwarf_fields.h"
#include "symbols/module_files.h"

/* *with_dwarf is set if there is debug information, and else left alone. */
static struct memtool_error *search_file(const struct elf_file *file, const char *name,
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

static struct memtool_error *search_module(struct module *module, const char *name,
					   bool *with_dwarf, bool *ret_found,
					   struct struct_type *ret)
{
	const struct elf_file *file = module_file(module);
	bool own = false;
	struct memtool_error *error = NULL;

	*ret_found = false;
	if (file)
		error = search_file(file, name, &own, ret_found, ret);
	if (!error && !own && (file = module_debug_file(module)))
		error = search_file(file, name, &own, ret_found, ret);
	*with_dwarf |= own;
	return error;
}

/* Modules that cannot be read do not hide others; without memory there is no going on. */
static struct memtool_error *search_all(const struct modules *modules, bool programs,
					const char *name, bool *with_dwarf,
					const struct module **ret_module, struct struct_type *ret)
{
	for (size_t i = 0; i < modules->count; i++) {
		struct module *module = modules->data[i];
		bool found;

		if (module->executable != programs)
			continue;
		struct memtool_error *error = search_module(module, name, with_dwarf, &found, ret);
		if (error && error->code == MEMTOOL_ERROR_NO_MEMORY)
			return error;
		memtool_error_destroy(error);
		if (!error && found) {
			*ret_module = module;
			return NULL;
		}
	}
	return NULL;
}

struct memtool_error *struct_by_name(const struct modules *modules, const char *name,
				     const struct module **ret_module, struct struct_type *ret)
{
	const struct module *module = NULL;
	bool with_dwarf = false;
	struct memtool_error *error = search_all(modules, true, name, &with_dwarf, &module, ret);

	if (!error && !module)
		error = search_all(modules, false, name, &with_dwarf, &module, ret);
	if (error)
		return error;
	if (!module && !with_dwarf)
		return memtool_error_create(MEMTOOL_ERROR_NO_SYMBOLS,
					    "no module of process %d has debug information; a "
					    "program has it that is compiled with -g, libc where "
					    "libc6-dbg is installed",
					    (int)modules->process->pid);
	if (!module)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "no debug information of process %d defines a struct "
					    "or union %s",
					    (int)modules->process->pid, name);
	*ret_module = module;
	return NULL;
}
