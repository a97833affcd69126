/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/module_symbols.h"

#include "symbols/module_files.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

struct module_symbol module_symbol(const struct module *module, const Elf64_Sym *symbol)
{
	bool tls = ELF64_ST_TYPE(symbol->st_info) == STT_TLS;
	/* A TLS symbol is relative to its block, and an absolute one does not move. */
	bool moves = !tls && symbol->st_shndx != SHN_ABS;

	return (struct module_symbol){
		.address = symbol->st_value + (moves ? module->bias : 0),
		.size = symbol->st_size,
		.tls = tls,
	};
}

bool module_find_symbol(struct module *module, const char *name, struct module_symbol *ret)
{
	struct symbol_query query = { .name = name, .types = SYMTAB_ANY };
	const struct elf_file *file = module_symbol_file(module);

	if (file)
		symtab_search(file, SHT_SYMTAB, &query, 1);
	if (file && !query.rank)
		symtab_search(file, SHT_DYNSYM, &query, 1);
	if (!query.rank && (file = module_debug_file(module)))
		symtab_search(file, SHT_SYMTAB, &query, 1);

	if (query.rank)
		*ret = module_symbol(module, &query.symbol);
	return query.rank != SYMBOL_NOT_FOUND;
}

/* The kernel knows by what path a descriptor was opened. */
static struct memtool_error *path_of(const struct elf_file *file, char **ret)
{
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
	ssize_t length = readlink(link, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	*ret = strdup(path);
	return *ret ? NULL : memtool_error_no_memory;
}

struct memtool_error *module_find_tables(struct module *module, struct module_tables *ret)
{
	const struct elf_file *file = module_symbol_file(module), *debug = NULL;
	struct memtool_error *error = NULL;
	struct module_tables tables = {
		.file_missing = module_file_missing(module),
		.symtab = file && symtab_exists(file, SHT_SYMTAB),
		.dynsym = file && symtab_exists(file, SHT_DYNSYM),
	};

	if (!tables.symtab)
		debug = module_installed_debug_file(module);
	if (debug && symtab_exists(debug, SHT_SYMTAB))
		error = path_of(debug, &tables.debug_path);
	if (!error)
		*ret = tables;
	return error;
}

bool module_search_symtab(struct module *module, struct symbol_query *queries, size_t count)
{
	const struct elf_file *file = module_file(module);
	bool exists = file && symtab_search(file, SHT_SYMTAB, queries, count);

	if (!queries[0].rank && (file = module_debug_file(module)))
		exists |= symtab_search(file, SHT_SYMTAB, queries, count);
	return exists;
}
