/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/memory_symbols.h"

#include "symbols/dynamic.h"

#include <elf.h>
#include <string.h>

#define SYMBOLS_MAX     (UINT64_C(1) << 20)
#define STRINGS_MAX     (UINT64_C(64) << 20)
#define DEFINITIONS_MAX (UINT64_C(64) << 10) /* libc has some 40, in less than 2 KiB */
#define MAPPINGS_MAX    64

enum { NONE, DYNSYM, DYNSTR, VERSYM, VERDEF, TABLES };

struct source {
	const struct module *module;
	const struct maps *maps;
	struct memory *memory;
	struct dynamic dynamic;
	/* Those of the module, which are sections here. */
	const struct mapping *mappings;
	size_t mapping_count;
};

/* A table in the target, and its place in the file that is made. */
struct table {
	uint64_t address; /* 0: there is none */
	uint64_t size;
	size_t offset;
};

/* As memory_read_some(), but nothing outside of the module. */
static struct memtool_error *read_some(const struct source *source, uint64_t address, void *buffer,
				       uint64_t size, size_t *ret)
{
	struct range range = source->module->range;

	*ret = 0;
	if (!range_contains(range, address))
		return NULL;
	if (size > range.end - address)
		size = range.end - address;
	return memory_read_some(source->memory, address, buffer, size, ret);
}

/* The number of chains is that of symbols (System V ABI, "Hash Table"). */
static struct memtool_error *count_by_hash(const struct source *source, uint64_t *ret)
{
	uint32_t sizes[2]; /* of buckets and of chains */
	size_t count;
	struct memtool_error *error =
		read_some(source, source->dynamic.hash, sizes, sizeof(sizes), &count);

	if (!error && count == sizeof(sizes))
		*ret = sizes[1];
	return error;
}

#define WORDS 1024

/* The highest of count words; 0 where they cannot be read. */
static struct memtool_error *find_highest(const struct source *source, uint64_t at, uint64_t count,
					  uint32_t *ret)
{
	uint32_t words[WORDS], highest = 0;
	size_t size;

	while (count > 0) {
		uint64_t wanted = count < WORDS ? count : WORDS;
		struct memtool_error *error =
			read_some(source, at, words, wanted * sizeof(words[0]), &size);
		if (error)
			return error;
		for (size_t i = 0; i < size / sizeof(words[0]); i++)
			highest = words[i] > highest ? words[i] : highest;
		if (size < wanted * sizeof(words[0]))
			break;
		at += size;
		count -= wanted;
	}
	*ret = highest;
	return NULL;
}

/* How many words there are up to one with bit 0 set, that included, or to what cannot be read. */
static struct memtool_error *measure_chain(const struct source *source, uint64_t at, uint64_t *ret)
{
	uint32_t words[WORDS];
	uint64_t length = 0;
	size_t size;

	do {
		struct memtool_error *error = read_some(source, at, words, sizeof(words), &size);
		if (error)
			return error;
		for (size_t i = 0; i < size / sizeof(words[0]); i++) {
			length++;
			if (words[i] & 1) {
				*ret = length;
				return NULL;
			}
		}
		at += size;
	} while (size == sizeof(words) && length < SYMBOLS_MAX);
	*ret = length;
	return NULL;
}

/*
 * Symbols are in the order of their buckets, so the last ones are the chain of the bucket that
 * begins last (what ld and lld write, and ld.so reads in elf/dl-lookup.c). Those before
 * table.first are in no chain: they are not defined here.
 */
static struct memtool_error *count_by_gnu_hash(const struct source *source, uint64_t *ret)
{
	struct {
		uint32_t buckets, first, bloom_words, bloom_shift;
	} table;
	uint64_t at = source->dynamic.gnu_hash, length;
	uint32_t last;
	size_t count;

	struct memtool_error *error = read_some(source, at, &table, sizeof(table), &count);
	if (error || count < sizeof(table) || table.buckets > SYMBOLS_MAX)
		return error;
	at += sizeof(table) + (uint64_t)table.bloom_words * sizeof(uint64_t);
	error = find_highest(source, at, table.buckets, &last);
	if (error || last < table.first || last >= SYMBOLS_MAX)
		return error;
	at += (table.buckets + (uint64_t)(last - table.first)) * sizeof(uint32_t);
	error = measure_chain(source, at, &length);
	if (!error)
		*ret = last + length;
	return error;
}

/* 0 where it cannot be told. */
static struct memtool_error *count_symbols(const struct source *source, uint64_t *ret)
{
	const struct dynamic *dynamic = &source->dynamic;
	struct memtool_error *error = NULL;
	uint64_t count = 0;

	if (dynamic->hash)
		error = count_by_hash(source, &count);
	else if (dynamic->gnu_hash)
		error = count_by_gnu_hash(source, &count);
	if (!error)
		*ret = count < SYMBOLS_MAX ? count : SYMBOLS_MAX;
	return error;
}

/* Not past the end of the module, nor more than max. */
static struct table make_table(const struct source *source, uint64_t address, uint64_t size,
			       uint64_t max)
{
	struct range range = source->module->range;

	if (!range_contains(range, address))
		return (struct table){ 0 };
	if (size > range.end - address)
		size = range.end - address;
	return (struct table){ .address = address, .size = size < max ? size : max };
}

static void find_mappings(struct source *source)
{
	const struct mapping *first = maps_find(source->maps, source->module->range.start);
	const struct mapping *end = source->maps->data + source->maps->count;
	size_t count = 0;

	while (first && count < MAPPINGS_MAX && first + count < end &&
	       range_contains(source->module->range, first[count].range.start))
		count++;
	source->mappings = first;
	source->mapping_count = count;
}

static void fill_headers(const struct source *source, const struct table *tables, uint8_t *file)
{
	static const struct {
		Elf64_Word type, link;
		Elf64_Xword entry_size;
	} kinds[TABLES] = {
		[DYNSYM] = { SHT_DYNSYM, DYNSTR, sizeof(Elf64_Sym) },
		[DYNSTR] = { SHT_STRTAB, NONE, 0 },
		[VERSYM] = { SHT_GNU_versym, DYNSYM, sizeof(Elf64_Half) },
		[VERDEF] = { SHT_GNU_verdef, DYNSTR, 0 },
	};
	Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)file;
	Elf64_Shdr *sections = (Elf64_Shdr *)(void *)(file + sizeof(*header));

	*header = (Elf64_Ehdr){
		.e_ident = ELFMAG,
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(*header),
		.e_shoff = sizeof(*header),
		.e_shentsize = sizeof(*sections),
		.e_shnum = (Elf64_Half)(TABLES + source->mapping_count),
	};
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	for (size_t i = 0; i < TABLES; i++) {
		if (tables[i].size == 0)
			continue;
		sections[i] = (Elf64_Shdr){
			.sh_type = kinds[i].type,
			.sh_offset = tables[i].offset,
			.sh_size = tables[i].size,
			.sh_link = kinds[i].link,
			.sh_addralign = 8,
			.sh_entsize = kinds[i].entry_size,
		};
	}
	for (size_t i = 0; i < source->mapping_count; i++) {
		const struct range range = source->mappings[i].range;
		sections[TABLES + i] = (Elf64_Shdr){
			.sh_type = SHT_NOBITS,
			.sh_flags = SHF_ALLOC,
			.sh_addr = range.start - source->module->bias,
			.sh_size = range_size(range),
			.sh_addralign = 1,
		};
	}
}

/* The section of a symbol that is in one: its mapping, or one that has no addresses. */
static Elf64_Section section_of(const struct source *source, const Elf64_Sym *symbol)
{
	const uint64_t address = source->module->bias + symbol->st_value;

	for (size_t i = 0; i < source->mapping_count; i++) {
		if (range_contains(source->mappings[i].range, address))
			return (Elf64_Section)(TABLES + i);
	}
	return DYNSYM;
}

static void set_sections(const struct source *source, const struct table *table, uint8_t *file)
{
	Elf64_Sym *symbols = (Elf64_Sym *)(void *)(file + table->offset);

	for (size_t i = 0; i < table->size / sizeof(*symbols); i++) {
		if (symbols[i].st_shndx != SHN_UNDEF && symbols[i].st_shndx < SHN_LORESERVE)
			symbols[i].st_shndx = section_of(source, &symbols[i]);
	}
}

/* The tables as they are, each as far as it can be read. */
static struct memtool_error *fill_tables(const struct source *source, struct table *tables,
					 uint8_t *file)
{
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < TABLES && !error; i++) {
		size_t count = 0;
		if (tables[i].size)
			error = read_some(source, tables[i].address, file + tables[i].offset,
					  tables[i].size, &count);
		tables[i].size = count;
	}
	tables[DYNSYM].size -= tables[DYNSYM].size % sizeof(Elf64_Sym);
	return error;
}

static struct memtool_error *make_file(const struct source *source, struct table *tables,
				       bool *ret_found, struct elf_file *ret)
{
	size_t size = sizeof(Elf64_Ehdr) + (TABLES + source->mapping_count) * sizeof(Elf64_Shdr);

	for (size_t i = 0; i < TABLES; i++) {
		tables[i].offset = size;
		size += align_up(tables[i].size, sizeof(uint64_t));
	}
	_cleanup_free_ uint8_t *file = calloc(1, size);
	if (!file)
		return memtool_error_no_memory;
	struct memtool_error *error = fill_tables(source, tables, file);
	if (error)
		return error;
	set_sections(source, &tables[DYNSYM], file);
	fill_headers(source, tables, file);
	*ret_found = tables[DYNSYM].size && tables[DYNSTR].size &&
		     elf_file_of_bytes(no_cleanup_ptr(file), size, ret);
	return NULL;
}

struct memtool_error *memory_symbols_make(const struct module *module, const struct maps *maps,
					  struct memory *memory, bool *ret_found,
					  struct elf_file *ret)
{
	struct source source = { .module = module, .maps = maps, .memory = memory };
	const struct dynamic *dynamic = &source.dynamic;
	uint64_t count;

	*ret_found = false;
	struct memtool_error *error = dynamic_read(module, memory, &source.dynamic);
	if (!error)
		error = count_symbols(&source, &count);
	if (error || count == 0 || !dynamic->symtab || !dynamic->strtab)
		return error;

	struct table tables[TABLES] = {
		[DYNSYM] =
			make_table(&source, dynamic->symtab, count * sizeof(Elf64_Sym), UINT64_MAX),
		[DYNSTR] = make_table(&source, dynamic->strtab, dynamic->strtab_size, STRINGS_MAX),
		[VERSYM] = make_table(&source, dynamic->versym, count * sizeof(Elf64_Half),
				      UINT64_MAX),
		/* How long they are is not told: each leads to the next one, up to the last. */
		[VERDEF] = make_table(&source, dynamic->verdef, DEFINITIONS_MAX, DEFINITIONS_MAX),
	};
	find_mappings(&source);
	return make_file(&source, tables, ret_found, ret);
}
