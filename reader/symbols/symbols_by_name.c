/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/symbols_by_name.h"

#include "symbols/module_files.h"
#include "symbols/module_symbols.h"

#include <string.h>

/* A hostile table can have a million symbols of one name. */
#define FOUND_MAX 65536

enum how { IS, BEGINS, CONTAINS };

struct search {
	const char *name;
	size_t length;
	enum how how;
	size_t looked_at; /* how much of a name decides */
	const char *version; /* NULL: any */
	size_t first; /* of the module that is searched, among the symbols found */
	struct symbol_array *found;
};

static bool is_kind_of_interest(const Elf64_Sym *symbol)
{
	return symbol->st_shndx != SHN_UNDEF && (SYMTAB_ANY & 1u << ELF64_ST_TYPE(symbol->st_info));
}

/*
 * Whether the symbol was found in the module's other table: .dynsym, which comes first, has the
 * versions, and .symtab may be without. One address can have several versions of a name.
 */
static bool is_known(const struct search *search, const struct symbol *symbol)
{
	for (size_t i = search->first; i < search->found->count; i++) {
		const struct symbol *known = &search->found->data[i];
		if (known->address == symbol->address && known->type == symbol->type &&
		    (search->how == IS || strcmp(known->name, symbol->name) == 0) &&
		    (!symbol->version || !known->version ||
		     strcmp(symbol->version, known->version) == 0))
			return true;
	}
	return false;
}

static struct memtool_error *take(struct search *search, struct module *module,
				  const struct elf_file *file, const struct symtab *table,
				  size_t index)
{
	_cleanup_symbol_ struct symbol symbol = { 0 };
	struct memtool_error *error = symbol_from_table(module, file, table, index, &symbol);

	if (error)
		return error;
	if (search->version && (!symbol.version || strcmp(symbol.version, search->version) != 0))
		return NULL;
	if (search->found->count >= FOUND_MAX || is_known(search, &symbol))
		return NULL;
	if (!symbol_array_append(search->found, &symbol))
		return memtool_error_no_memory;
	symbol = (struct symbol){ 0 };
	return NULL;
}

static bool matches(const struct search *search, const char *name, size_t length)
{
	switch (search->how) {
	case IS:
		return length == search->length && memcmp(name, search->name, length) == 0;
	case BEGINS:
		return length >= search->length && memcmp(name, search->name, search->length) == 0;
	case CONTAINS:
		return memmem(name, length, search->name, search->length) != NULL;
	}
	return false;
}

/* *ret_exists: whether the file has that table. */
static struct memtool_error *search_table(struct search *search, struct module *module,
					  const struct elf_file *file, Elf64_Word section_type,
					  bool *ret_exists)
{
	struct symtab table;

	*ret_exists = file && symtab_load(file, section_type, &table);
	for (size_t i = 0; *ret_exists && i < table.count; i++) {
		const Elf64_Sym *symbol = &table.symbols[i];
		size_t length;

		if (!is_kind_of_interest(symbol))
			continue;
		const char *name = symtab_name(&table, symbol, search->looked_at, &length);
		if (!name || !matches(search, name, length))
			continue;
		struct memtool_error *error = take(search, module, file, &table, i);
		if (error)
			return error;
	}
	return NULL;
}

static struct memtool_error *search_module(struct search *search, struct module *module)
{
	const struct elf_file *file = module_symbol_file(module);
	bool exists;

	search->first = search->found->count;
	struct memtool_error *error = search_table(search, module, file, SHT_DYNSYM, &exists);
	if (!error)
		error = search_table(search, module, file, SHT_SYMTAB, &exists);
	if (!error && !exists)
		error = search_table(search, module, module_installed_debug_file(module),
				     SHT_SYMTAB, &exists);
	return error;
}

static struct memtool_error *search_modules(struct search *search, const struct modules *modules)
{
	struct memtool_error *error = NULL;

	if (search->length == 0 || search->length > SYMBOL_NAME_MAX)
		return NULL;
	for (size_t i = 0; !error && i < modules->count; i++)
		error = search_module(search, modules->data[i]);
	return error;
}

struct memtool_error *symbols_by_name(const struct modules *modules, const char *name,
				      struct symbol_array *ret)
{
	struct search search = { .name = name, .length = strcspn(name, "@"), .found = ret };

	/* One more, to see whether it goes on. */
	search.looked_at = search.length + 1;
	if (name[search.length] == '@')
		search.version = name + search.length + strspn(name + search.length, "@");
	return search_modules(&search, modules);
}

struct memtool_error *symbols_by_text(const struct modules *modules, const char *text,
				      enum symbol_match match, struct symbol_array *ret)
{
	struct search search = {
		.name = text,
		.length = strlen(text),
		.how = match == SYMBOL_BEGINS ? BEGINS : CONTAINS,
		.looked_at = match == SYMBOL_BEGINS ? strlen(text) : SYMBOL_NAME_MAX,
		.found = ret,
	};

	return search_modules(&search, modules);
}
