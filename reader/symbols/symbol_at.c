/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/symbol_at.h"

#include "symbols/module_files.h"
#include "symbols/module_symbols.h"
#include "symbols/symbol_index.h"

/* What the module's own file has, and the debug file, which is only looked at if need be. */
enum { TABLE_OWN, TABLE_DEBUG, TABLES };

struct table_index {
	bool tried;
	struct symtab table;
	struct symbol_index *index; /* NULL: there is no such table */
};

struct symbol_cache {
	struct table_index tables[TABLES][2]; /* by enum symbol_index_kind */
	bool own_is_symtab;
};

void symbol_cache_destroy(struct symbol_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < TABLES; i++)
		for (size_t kind = 0; kind < 2; kind++)
			symbol_index_destroy(cache->tables[i][kind].index);
	free(cache);
}

static const struct elf_file *file_of(struct module *module, int which)
{
	return which == TABLE_OWN ? module_symbol_file(module)
				  : module_installed_debug_file(module);
}

static struct memtool_error *load_table(struct module *module, int which,
					enum symbol_index_kind kind)
{
	struct symbol_cache *cache = module->symbols;
	struct table_index *table = &cache->tables[which][kind];
	const struct elf_file *file = file_of(module, which);
	struct range range = { module->range.start - module->bias,
			       module->range.end - module->bias };

	if (kind == INDEX_TLS)
		range = (struct range){ 0, module->tls_size };
	table->tried = true;
	if (!file)
		return NULL;
	if (!symtab_load(file, SHT_SYMTAB, &table->table)) {
		if (which != TABLE_OWN || !symtab_load(file, SHT_DYNSYM, &table->table))
			return NULL;
	} else if (which == TABLE_OWN) {
		cache->own_is_symtab = true;
	}
	table->index = symbol_index_create(file, &table->table, kind, range);
	return table->index ? NULL : memtool_error_no_memory;
}

/* *ret is NULL if there is no such table. */
static struct memtool_error *get_table(struct module *module, int which,
				       enum symbol_index_kind kind, struct table_index **ret)
{
	struct memtool_error *error = NULL;

	if (!module->symbols)
		module->symbols = calloc(1, sizeof(*module->symbols));
	if (!module->symbols)
		return memtool_error_no_memory;
	struct table_index *table = &module->symbols->tables[which][kind];
	if (!table->tried)
		error = load_table(module, which, kind);
	if (!error)
		*ret = table->index ? table : NULL;
	return error;
}

/* Whether nothing in the debug file can be better than that. */
static bool is_final(const struct module *module, const struct table_index *table, bool found,
		     size_t index)
{
	return module->symbols->own_is_symtab || (found && table->table.symbols[index].st_size);
}

static struct memtool_error *find(struct module *module, enum symbol_index_kind kind,
				  uint64_t value, bool *ret_found, struct symbol *ret)
{
	struct table_index *best = NULL;
	size_t index = 0;

	for (int which = 0; which < TABLES; which++) {
		struct table_index *table;
		size_t found = 0;
		struct memtool_error *error = get_table(module, which, kind, &table);
		if (error)
			return error;
		bool is_found = table && symbol_index_find(table->index, value, &found);
		if (is_found && (!best || table->table.symbols[found].st_size)) {
			best = table;
			index = found;
		}
		if (is_final(module, table, is_found, found))
			break;
	}
	*ret_found = best != NULL;
	if (!best)
		return NULL;
	int which = best == &module->symbols->tables[TABLE_OWN][kind] ? TABLE_OWN : TABLE_DEBUG;
	return symbol_from_table(module, file_of(module, which), &best->table, index, ret);
}

struct memtool_error *symbol_at(struct module *module, uint64_t address, bool *ret_found,
				struct symbol *ret)
{
	return find(module, INDEX_ADDRESSES, address - module->bias, ret_found, ret);
}

struct memtool_error *symbol_at_tls(struct module *module, uint64_t offset, bool *ret_found,
				    struct symbol *ret)
{
	return find(module, INDEX_TLS, offset, ret_found, ret);
}
