/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modules of the command: what needs a library that takes long to load, and is not needed
 * always. Each is linked to its library as usual, so that packagers see what it depends on, and is
 * loaded here when it is first asked for. The tests link the same parts: linked.c.
 */
#include "cli/own_file.h"
#include "cli/shell/edit.h"
#include "cli/table_format.h"
#include "symbols/dwarf.h"

#include <dlfcn.h>
#include <stdio.h>

#define BUILD_TREE_PATH_MAX 64

/* What file, the name of a module, exports as symbol. It stays loaded. */
static struct memtool_error *load(const char *file, const char *symbol, const void **ret)
{
	char in_build_tree[BUILD_TREE_PATH_MAX];
	_cleanup_free_ char *path = NULL;

	snprintf(in_build_tree, sizeof(in_build_tree), ".libs/%s", file);
	struct memtool_error *error = own_file_find(in_build_tree, file, &path);
	if (error)
		return error;
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const void *found = module ? dlsym(module, symbol) : NULL;
	if (!found)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "a part of memtool cannot be loaded: %s", dlerror());
	*ret = found;
	return NULL;
}

struct memtool_error *dwarf_load(const struct dwarf **ret)
{
	return load("libmemtool-dwarf.so", "memtool_dwarf", (const void **)ret);
}

struct memtool_error *line_editor_load(const struct line_editor **ret)
{
	return load("libmemtool-edit.so", "memtool_line_editor", (const void **)ret);
}

struct memtool_error *table_formatter_load(const struct table_formatter **ret)
{
	return load("libmemtool-table.so", "memtool_table_formatter", (const void **)ret);
}
