/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/symtab.h"

#include <string.h>

/* Of a table or its strings; a hostile file can be sparse and of any size. */
#define TABLE_MAX (UINT64_C(256) << 20)

#define VERSION_HIDDEN 0x8000 /* in .gnu.version: not the default version */

/* The bytes of a section, or NULL. */
static const void *section_data(const struct elf_file *file, struct elf_section *section,
				size_t *ret_size)
{
	const void *bytes = section ? elf_section_bytes(file, section, TABLE_MAX) : NULL;

	if (bytes)
		*ret_size = section->header.sh_size;
	return bytes;
}

/* All but the symbols, which are in *ret_section. */
static bool open_table(const struct elf_file *file, Elf64_Word type, struct symtab *ret,
		       struct elf_section **ret_section)
{
	struct elf_section *section = elf_file_find_type(file, type);
	struct symtab table = { 0 };
	size_t size;

	if (!section || section->header.sh_size > TABLE_MAX ||
	    section->header.sh_entsize != sizeof(Elf64_Sym))
		return false;
	table.count = section->header.sh_size / sizeof(Elf64_Sym);
	table.strings = section_data(file, elf_file_section(file, section->header.sh_link),
				     &table.strings_size);
	if (!table.strings)
		return false;

	struct elf_section *versions = elf_file_find_type(file, SHT_GNU_versym);
	if (versions && elf_file_section(file, versions->header.sh_link) == section) {
		table.versions = section_data(file, versions, &size);
		if (table.versions && size / sizeof(Elf64_Half) < table.count)
			table.versions = NULL;
	}
	*ret = table;
	*ret_section = section;
	return true;
}

bool symtab_load(const struct elf_file *file, Elf64_Word type, struct symtab *ret)
{
	struct elf_section *section;
	struct symtab table;

	if (!open_table(file, type, &table, &section))
		return false;
	table.symbols = elf_section_bytes(file, section, TABLE_MAX);
	if (!table.symbols)
		return false;
	*ret = table;
	return true;
}

bool symtab_version_definitions(const struct elf_file *file, struct symtab_section *ret)
{
	struct elf_section *section = elf_file_find_type(file, SHT_GNU_verdef);

	ret->bytes = section_data(file, section, &ret->size);
	if (!ret->bytes)
		return false;
	ret->strings = section_data(file, elf_file_section(file, section->header.sh_link),
				    &ret->strings_size);
	return ret->strings != NULL;
}

const char *symtab_name(const struct symtab *table, const Elf64_Sym *symbol, size_t max,
			size_t *ret_length)
{
	if (symbol->st_name == 0 || symbol->st_name >= table->strings_size)
		return NULL;
	const char *name = table->strings + symbol->st_name;
	size_t left = table->strings_size - symbol->st_name;
	size_t length = strnlen(name, left < max ? left : max);
	/* In .symtab the linker writes a version behind the name. */
	const char *version = memchr(name, '@', length);

	*ret_length = version ? (size_t)(version - name) : length;
	return *ret_length ? name : NULL;
}

/*
 * The part of the symbol's name behind the wanted one, or NULL if it begins otherwise. The last
 * string may lack its NUL. name is not empty.
 */
static const char *match_name(const struct symtab *table, const Elf64_Sym *symbol, const char *name,
			      size_t *ret_rest)
{
	if (symbol->st_name >= table->strings_size)
		return NULL;

	size_t left = table->strings_size - symbol->st_name;
	size_t length = strlen(name);
	if (left <= length || memcmp(table->strings + symbol->st_name, name, length) != 0)
		return NULL;
	*ret_rest = left - length;
	return table->strings + symbol->st_name + length;
}

static bool is_named(const struct symtab *table, const Elf64_Sym *symbol, const char *name)
{
	size_t rest;
	const char *tail = match_name(table, symbol, name, &rest);

	return tail && *tail == '\0';
}

/*
 * symbol is the one of that index. source_file is the STT_FILE symbol that the local symbols here
 * belong to; without a name if there is none.
 */
static enum symbol_rank rank_symbol(const struct symtab *table, size_t index,
				    const Elf64_Sym *symbol, const Elf64_Sym *source_file,
				    const struct symbol_query *query)
{
	size_t rest;

	if (symbol->st_shndx == SHN_UNDEF || !(query->types & 1u << ELF64_ST_TYPE(symbol->st_info)))
		return SYMBOL_NOT_FOUND;
	const char *tail = match_name(table, symbol, query->name, &rest);
	/* In .symtab the linker writes a version behind the name: @@ before the default one. */
	if (!tail || (*tail != '\0' && *tail != '@'))
		return SYMBOL_NOT_FOUND;
	if (*tail == '@' && (rest < 2 || tail[1] != '@'))
		return SYMBOL_OLD_VERSION;
	if (table->versions && (table->versions[index] & VERSION_HIDDEN))
		return SYMBOL_OLD_VERSION;
	if (ELF64_ST_BIND(symbol->st_info) != STB_LOCAL)
		return SYMBOL_GLOBAL;
	if (query->source_file && source_file->st_name &&
	    is_named(table, source_file, query->source_file))
		return SYMBOL_LOCAL_OF_FILE;
	return SYMBOL_LOCAL;
}

bool symtab_is_old_version(const struct symtab *table, size_t index, const char *name,
			   size_t length)
{
	if (table->versions && (table->versions[index] & VERSION_HIDDEN))
		return true;
	/* "@@" stands before the default version. */
	return name + length + 1 < table->strings + table->strings_size && name[length] == '@' &&
	       name[length + 1] != '@';
}

/*
 * Which queries a name can answer, by its first bytes: a bit for each, or for several where there
 * are more than 64. Nearly all names of a table fit none, and each is looked at for every query.
 */
#define SIEVE_BYTES 8

struct sieve {
	uint64_t queries[SIEVE_BYTES][256];
	unsigned int types; /* of any query */
};

#define SIEVE_BITS 64

static void sieve_add(struct sieve *sieve, const struct symbol_query *query, uint64_t bit)
{
	size_t length = strlen(query->name);

	for (size_t i = 0; i < length && i < SIEVE_BYTES; i++)
		sieve->queries[i][(uint8_t)query->name[i]] |= bit;
	/* Behind the name is its end or a version. */
	if (length < SIEVE_BYTES) {
		sieve->queries[length]['\0'] |= bit;
		sieve->queries[length]['@'] |= bit;
	}
	for (size_t i = length + 1; i < SIEVE_BYTES; i++) {
		for (size_t byte = 0; byte < 256; byte++)
			sieve->queries[i][byte] |= bit;
	}
	sieve->types |= query->types;
}

/* The queries that a symbol can be an answer to. */
static uint64_t sieve_symbol(const struct sieve *sieve, const struct symtab *table,
			     const Elf64_Sym *symbol)
{
	uint64_t left = UINT64_MAX;

	if (symbol->st_name >= table->strings_size ||
	    !(sieve->types & 1u << ELF64_ST_TYPE(symbol->st_info)))
		return 0;
	const uint8_t *name = (const uint8_t *)table->strings + symbol->st_name;
	size_t size = table->strings_size - symbol->st_name;
	for (size_t i = 0; i < SIEVE_BYTES && i < size && left; i++)
		left &= sieve->queries[i][name[i]];
	return left;
}

struct table_search {
	const struct symtab *table; /* without the symbols */
	struct sieve sieve;
	struct symbol_query *queries;
	size_t count;
	Elf64_Sym source_file; /* the last STT_FILE, to which local symbols belong */
};

/* symbol is that of the table with that index. */
static void take_symbol(struct table_search *search, size_t index, const Elf64_Sym *symbol)
{
	if (ELF64_ST_TYPE(symbol->st_info) == STT_FILE) {
		search->source_file = *symbol;
		return;
	}
	uint64_t fitting = sieve_symbol(&search->sieve, search->table, symbol);
	for (size_t i = 0; fitting && i < search->count; i++) {
		struct symbol_query *query = &search->queries[i];
		if (!(fitting >> i % SIEVE_BITS & 1))
			continue;
		enum symbol_rank rank =
			rank_symbol(search->table, index, symbol, &search->source_file, query);
		if (rank > query->rank) {
			query->rank = rank;
			query->symbol = *symbol;
		}
	}
}

/* The symbols are read in pieces, into the same pages: new ones take longer than the search. */
#define PIECE 1024

bool symtab_search(const struct elf_file *file, Elf64_Word section_type,
		   struct symbol_query *queries, size_t count)
{
	struct elf_section *section;
	struct symtab table;
	struct table_search search = { .table = &table, .queries = queries, .count = count };
	Elf64_Sym piece[PIECE];

	if (!open_table(file, section_type, &table, &section) || table.count == 0)
		return false;
	for (size_t i = 0; i < count; i++)
		sieve_add(&search.sieve, &queries[i], UINT64_C(1) << i % SIEVE_BITS);
	for (size_t at = 0; at < table.count; at += PIECE) {
		size_t here = table.count - at < PIECE ? table.count - at : PIECE;
		if (!elf_section_read(file, section, at * sizeof(*piece), piece,
				      here * sizeof(*piece)))
			return false;
		for (size_t i = 0; i < here; i++)
			take_symbol(&search, at + i, &piece[i]);
	}
	return true;
}

bool symtab_exists(const struct elf_file *file, Elf64_Word section_type)
{
	return elf_file_find_type(file, section_type) != NULL;
}
