/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/dynamic_symbol.h"

#include <elf.h>
#include <string.h>

/* Longer than any chain of a hash table that a linker makes. */
#define CHAIN_MAX 4096
#define NAME_MAX_ 64

/* One look for a name in a module. */
struct lookup {
	const struct module *module;
	struct memory *memory;
	const struct dynamic *dynamic;
	const char *name;
	bool found;
	struct dynamic_symbol symbol;
};

/* Reads from the module; *ret_ok is false for what lies outside of it or cannot be read. */
static struct memtool_error *peek(const struct lookup *lookup, uint64_t address, void *buffer,
				  size_t size, bool *ret_ok)
{
	*ret_ok = range_covers(lookup->module->range, address, size);
	return *ret_ok ? memory_peek(lookup->memory, address, buffer, size, ret_ok) : NULL;
}

static bool is_definition(const Elf64_Sym *symbol)
{
	unsigned int type = ELF64_ST_TYPE(symbol->st_info);
	unsigned int binding = ELF64_ST_BIND(symbol->st_info);

	return symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0 &&
	       (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
	       (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

/* Takes symbol index if it is what is looked for. */
static struct memtool_error *try_symbol(struct lookup *lookup, uint32_t index)
{
	size_t length = strlen(lookup->name) + 1;
	char name[NAME_MAX_];
	Elf64_Sym symbol;
	bool ok;

	struct memtool_error *error = peek(lookup, lookup->dynamic->symtab + index * sizeof(symbol),
					   &symbol, sizeof(symbol), &ok);
	if (error || !ok || !is_definition(&symbol))
		return error;
	error = peek(lookup, lookup->dynamic->strtab + symbol.st_name, name, length, &ok);
	if (error || !ok || memcmp(name, lookup->name, length) != 0)
		return error;
	lookup->found = true;
	lookup->symbol = (struct dynamic_symbol){ index, lookup->module->bias + symbol.st_value };
	return NULL;
}

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (uint8_t)*name;
	return hash;
}

/* Through the Bloom filter, then down one chain, whose last hash has bit 0 set. */
static struct memtool_error *search_gnu_hash(struct lookup *lookup)
{
	struct {
		uint32_t buckets, first, bloom_words, bloom_shift;
	} table;
	uint64_t at = lookup->dynamic->gnu_hash;
	uint32_t hash = gnu_hash_of(lookup->name), index, chained = 0;
	uint64_t word;
	bool ok;

	struct memtool_error *error = peek(lookup, at, &table, sizeof(table), &ok);
	if (error || !ok || table.buckets == 0 || table.bloom_words == 0)
		return error;
	at += sizeof(table);
	error = peek(lookup, at + hash / 64 % table.bloom_words * sizeof(word), &word, sizeof(word),
		     &ok);
	if (error || !ok || !(word >> hash % 64 & 1) ||
	    !(word >> (hash >> table.bloom_shift % 32) % 64 & 1))
		return error;
	at += table.bloom_words * sizeof(word);
	error = peek(lookup, at + hash % table.buckets * sizeof(index), &index, sizeof(index), &ok);
	if (error || !ok || index < table.first)
		return error;
	at += table.buckets * sizeof(index);
	for (size_t i = 0; i < CHAIN_MAX && !lookup->found && !(chained & 1); i++, index++) {
		error = peek(lookup, at + (uint64_t)(index - table.first) * sizeof(chained),
			     &chained, sizeof(chained), &ok);
		if (!error && ok && (chained | 1) == (hash | 1))
			error = try_symbol(lookup, index);
		if (error || !ok)
			return error;
	}
	return NULL;
}

/* The hash function of the System V ABI. */
static uint32_t sysv_hash_of(const char *name)
{
	uint32_t hash = 0;

	for (; *name; name++) {
		hash = (hash << 4) + (uint8_t)*name;
		hash ^= hash >> 24 & 0xf0;
		hash &= 0x0fffffff;
	}
	return hash;
}

static struct memtool_error *search_sysv_hash(struct lookup *lookup)
{
	uint64_t at = lookup->dynamic->hash;
	uint32_t sizes[2] = { 0 }, index = 0; /* of buckets and of chains */
	bool ok;

	struct memtool_error *error = peek(lookup, at, sizes, sizeof(sizes), &ok);
	if (error || !ok || sizes[0] == 0)
		return error;
	at += sizeof(sizes);
	error = peek(lookup, at + sysv_hash_of(lookup->name) % sizes[0] * sizeof(index), &index,
		     sizeof(index), &ok);
	at += sizes[0] * sizeof(index);
	for (size_t i = 0; i < CHAIN_MAX && !error && ok && index != STN_UNDEF; i++) {
		error = try_symbol(lookup, index);
		if (error || lookup->found)
			return error;
		error = peek(lookup, at + (uint64_t)index * sizeof(index), &index, sizeof(index),
			     &ok);
	}
	return error;
}

struct memtool_error *dynamic_find_function(const struct module *module, struct memory *memory,
					    const struct dynamic *dynamic, const char *name,
					    bool *ret_found, struct dynamic_symbol *ret)
{
	struct lookup lookup = {
		.module = module, .memory = memory, .dynamic = dynamic, .name = name
	};
	struct memtool_error *error = NULL;

	if (dynamic->symtab && dynamic->strtab && strlen(name) < NAME_MAX_) {
		if (dynamic->gnu_hash)
			error = search_gnu_hash(&lookup);
		else if (dynamic->hash)
			error = search_sysv_hash(&lookup);
	}
	if (error)
		return error;
	*ret_found = lookup.found;
	if (lookup.found)
		*ret = lookup.symbol;
	return NULL;
}

struct memtool_error *dynamic_bound_to(const struct module *module, struct memory *memory,
				       const struct dynamic *dynamic, uint32_t index,
				       bool *ret_found, uint64_t *ret)
{
	const struct lookup lookup = { .module = module, .memory = memory, .dynamic = dynamic };
	const uint64_t wanted = ELF64_R_INFO((uint64_t)index, R_X86_64_GLOB_DAT);
	Elf64_Rela entries[512];
	uint64_t at = dynamic->rela.start;

	*ret_found = false;
	while (dynamic->rela.end - at >= sizeof(entries[0])) {
		size_t count;
		size_t size = sizeof(entries);
		if (size > dynamic->rela.end - at)
			size = dynamic->rela.end - at;
		struct memtool_error *error = memory_read_some(memory, at, entries, size, &count);
		if (error || count < size)
			return error;
		for (size_t i = 0; i < size / sizeof(entries[0]); i++) {
			if (entries[i].r_info == wanted)
				return peek(&lookup, module->bias + entries[i].r_offset, ret,
					    sizeof(*ret), ret_found);
		}
		at += size / sizeof(entries[0]) * sizeof(entries[0]);
	}
	return NULL;
}
