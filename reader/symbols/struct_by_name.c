/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/struct_by_name.h"

#include "symbols/dwarf.h"
#include "symbols/module_files.h"

static struct memtool_error *search_module(const struct dwarf *dwarf, struct module *module,
					   const char *name, bool *with_dwarf, bool *ret_found,
					   struct struct_type *ret)
{
	const struct elf_file *file = module_file(module);
	bool own = false;
	struct memtool_error *error = NULL;

	*ret_found = false;
	if (file)
		error = dwarf->read_struct(file, name, &own, ret_found, ret);
	if (!error && !own && (file = module_debug_file(module)))
		error = dwarf->read_struct(file, name, &own, ret_found, ret);
	*with_dwarf |= own;
	return error;
}

/* Modules that cannot be read do not hide others; without memory there is no going on. */
static struct memtool_error *search_all(const struct dwarf *dwarf, const struct modules *modules,
					bool programs, const char *name, bool *with_dwarf,
					const struct module **ret_module, struct struct_type *ret)
{
	for (size_t i = 0; i < modules->count; i++) {
		struct module *module = modules->data[i];
		bool found;

		if (module->executable != programs)
			continue;
		struct memtool_error *error =
			search_module(dwarf, module, name, with_dwarf, &found, ret);
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
	const struct dwarf *dwarf;
	bool with_dwarf = false;

	struct memtool_error *error = dwarf_load(&dwarf);
	if (!error)
		error = search_all(dwarf, modules, true, name, &with_dwarf, &module, ret);
	if (!error && !module)
		error = search_all(dwarf, modules, false, name, &with_dwarf, &module, ret);
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
