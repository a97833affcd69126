/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/symbol.h"

#include "symbols/module_files.h"
#include "symbols/module_symbols.h"
#include "symbols/symbol_version.h"

#include <string.h>

void symbol_deinit(struct symbol *symbol)
{
	free(symbol->name);
	free(symbol->version);
	*symbol = (struct symbol){ 0 };
}

void symbols_deinit(struct symbol_array *symbols)
{
	for (size_t i = 0; i < symbols->count; i++)
		symbol_deinit(&symbols->data[i]);
	symbol_array_deinit(symbols);
}

const char *symbol_type_name(enum symbol_type type)
{
	static const char *const names[] = {
		[SYMBOL_FUNCTION] = "function", [SYMBOL_IFUNC] = "ifunc",
		[SYMBOL_OBJECT] = "object",     [SYMBOL_TLS] = "tls",
		[SYMBOL_NOTYPE] = "notype",
	};
	return names[type];
}

const char *symbol_binding_name(enum symbol_binding binding)
{
	static const char *const names[] = {
		[SYMBOL_BOUND_LOCAL] = "local",
		[SYMBOL_BOUND_GLOBAL] = "global",
		[SYMBOL_BOUND_WEAK] = "weak",
		[SYMBOL_UNIQUE] = "unique",
	};
	return names[binding];
}

static enum symbol_type type_of(const Elf64_Sym *symbol)
{
	switch (ELF64_ST_TYPE(symbol->st_info)) {
	case STT_FUNC:
		return SYMBOL_FUNCTION;
	case STT_GNU_IFUNC:
		return SYMBOL_IFUNC;
	case STT_OBJECT:
	case STT_COMMON:
		return SYMBOL_OBJECT;
	case STT_TLS:
		return SYMBOL_TLS;
	default:
		return SYMBOL_NOTYPE;
	}
}

static enum symbol_binding binding_of(const Elf64_Sym *symbol)
{
	switch (ELF64_ST_BIND(symbol->st_info)) {
	case STB_LOCAL:
		return SYMBOL_BOUND_LOCAL;
	case STB_WEAK:
		return SYMBOL_BOUND_WEAK;
	case STB_GNU_UNIQUE:
		return SYMBOL_UNIQUE;
	default:
		return SYMBOL_BOUND_GLOBAL;
	}
}

struct memtool_error *symbol_from_table(struct module *module, const struct elf_file *file,
					const struct symtab *table, size_t index,
					struct symbol *ret)
{
	const Elf64_Sym *found = &table->symbols[index];
	struct module_symbol place = module_symbol(module, found);
	const char *version = NULL;
	size_t length = 0, version_length = 0;
	const char *name = symtab_name(table, found, SYMBOL_NAME_MAX, &length);

	_cleanup_symbol_ struct symbol symbol = {
		.module = module,
		.address = place.address,
		.size = place.size,
		.type = type_of(found),
		.binding = binding_of(found),
	};
	symbol.name = strndup(name ? name : "", length);
	if (!symbol.name)
		return memtool_error_no_memory;
	if (name)
		version = symbol_version(file, table, index, name + length, &version_length);
	if (version) {
		symbol.default_version = !symtab_is_old_version(table, index, name, length);
		symbol.version = strndup(version, version_length);
		if (!symbol.version)
			return memtool_error_no_memory;
	}
	*ret = symbol;
	symbol = (struct symbol){ 0 };
	return NULL;
}
