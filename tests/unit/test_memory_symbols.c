/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dynamic symbols out of memory: those of this process's modules, which are in their files too, and
 * those of an image that is built here, and lies.
 *
 * Link: tests/unit/test_memory_symbols.c, the reader, cmocka. Needs nothing at run time.
 */
#include "symbols/memory_symbols.h"
#include "symbols/module_files.h"
#include "symbols/module_symbols.h"
#include "symbols/symbol_at.h"
#include "symbols/symbol_index.h"
#include "symbols/symbols_by_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void no_error(struct memtool_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

/* Of a table: symbols[index], as memtool symbol shows it. */
static struct symbol tell(struct module *module, const struct elf_file *file,
			  const struct symtab *table, size_t index)
{
	struct symbol symbol;

	no_error(symbol_from_table(module, file, table, index, &symbol));
	return symbol;
}

static void expect_same(struct symbol a, struct symbol b)
{
	assert_string_equal(a.name, b.name);
	assert_int_equal(!a.version, !b.version);
	if (a.version)
		assert_string_equal(a.version, b.version);
	assert_int_equal(a.default_version, b.default_version);
	assert_int_equal(a.address, b.address);
	assert_int_equal(a.size, b.size);
	assert_int_equal(a.type, b.type);
	assert_int_equal(a.binding, b.binding);
	symbol_deinit(&a);
	symbol_deinit(&b);
}

static struct symbol_index *make_index(const struct module *module, const struct elf_file *file,
				       const struct symtab *table, enum symbol_index_kind kind)
{
	struct range range = { module->range.start - module->bias,
			       module->range.end - module->bias };
	if (kind == INDEX_TLS)
		range = (struct range){ 0, module->tls_size };
	struct symbol_index *index = symbol_index_create(file, table, kind, range);

	assert_non_null(index);
	return index;
}

/* What is at the addresses of all symbols, and in the middle of each. */
static void expect_same_index(const struct module *module, const struct elf_file *files[2],
			      const struct symtab tables[2], enum symbol_index_kind kind)
{
	struct symbol_index *indexes[2];

	for (size_t i = 0; i < 2; i++)
		indexes[i] = make_index(module, files[i], &tables[i], kind);
	for (size_t i = 0; i < tables[1].count; i++) {
		const Elf64_Sym *symbol = &tables[1].symbols[i];
		for (size_t half = 0; half < 2; half++) {
			uint64_t value = symbol->st_value + half * (symbol->st_size / 2);
			size_t found[2] = { 0 };
			bool is_found[2];
			for (size_t j = 0; j < 2; j++)
				is_found[j] = symbol_index_find(indexes[j], value, &found[j]);
			assert_int_equal(is_found[0], is_found[1]);
			assert_int_equal(found[0], found[1]);
		}
	}
	symbol_index_destroy(indexes[0]);
	symbol_index_destroy(indexes[1]);
}

/* Returns how many symbols were compared. */
static size_t compare(struct module *module, const struct maps *maps, struct memory *memory)
{
	_cleanup_elf_file_ struct elf_file made = ELF_FILE_NONE;
	const struct elf_file *files[2] = { module_file(module), &made };
	struct symtab tables[2] = { 0 };
	bool found;

	no_error(memory_symbols_make(module, maps, memory, &found, &made));
	if (!files[0] || !symtab_load(files[0], SHT_DYNSYM, &tables[0])) {
		assert_false(found);
		return 0;
	}
	if (found)
		assert_true(symtab_load(&made, SHT_DYNSYM, &tables[1]));
	assert_true(tables[1].count <= tables[0].count);
	/* A program that defines none has no hashes of any. */
	for (size_t i = tables[1].count; i < tables[0].count; i++)
		assert_int_equal(tables[0].symbols[i].st_shndx, SHN_UNDEF);
	for (size_t i = 0; i < tables[1].count; i++) {
		assert_int_equal(tables[0].symbols[i].st_shndx == SHN_UNDEF,
				 tables[1].symbols[i].st_shndx == SHN_UNDEF);
		expect_same(tell(module, files[0], &tables[0], i),
			    tell(module, files[1], &tables[1], i));
	}
	if (found) {
		expect_same_index(module, files, tables, INDEX_ADDRESSES);
		expect_same_index(module, files, tables, INDEX_TLS);
	}
	return tables[1].count;
}

/* libc, ld.so, this program and what else there is: as in their files. */
static void test_as_in_file(void **state)
{
	struct process *process;
	struct modules *modules;
	struct maps maps;
	size_t most = 0;

	(void)state;
	no_error(process_open(getpid(), &process));
	no_error(maps_read(getpid(), &maps));
	no_error(modules_load(process, &maps, &modules));
	for (size_t i = 0; i < modules->count; i++) {
		size_t count = compare(modules->data[i], &maps, &process->memory);
		if (count > most)
			most = count;
	}
	assert_true(most > 2000); /* libc's */
	modules_destroy(modules);
	maps_deinit(&maps);
	process_close(process);
}

/*
 * libc of this process, but its first mapping has another length, so that the kernel does not tell
 * which file it is (/proc/PID/map_files), and that name.
 */
static struct module *hide_libc(struct maps *maps, const char *name, struct process *process,
				struct modules **ret)
{
	struct mapping *first = NULL;

	for (size_t i = 0; i < maps->count && !first; i++) {
		if (strstr(maps->data[i].name, "/libc.so.6"))
			first = &maps->data[i];
	}
	assert_non_null(first);
	first->range.end -= 4096;
	if (name)
		first->name = name;
	no_error(modules_load(process, maps, ret));
	return modules_find(*ret, first->range.start);
}

static void expect_symbols(struct modules *modules, struct module *libc)
{
	static const char version_function[] = "gnu_get_libc_version";
	void *handle = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_LAZY);
	uint64_t address = (uintptr_t)dlsym(handle, version_function);
	struct symbol_array symbols = { 0 };
	struct module_symbol simple;
	struct module_tables tables;
	struct symbol symbol;
	bool found;

	no_error(symbols_by_name(modules, "regexec@GLIBC_2.2.5", &symbols));
	assert_int_equal(symbols.count, 1);
	assert_ptr_equal(symbols.data[0].module, libc);
	assert_int_equal(symbols.data[0].address,
			 (uintptr_t)dlvsym(handle, "regexec", "GLIBC_2.2.5"));
	symbols_deinit(&symbols);

	assert_true(module_find_symbol(libc, version_function, &simple));
	assert_int_equal(simple.address, address);
	no_error(symbol_at(libc, address + 1, &found, &symbol));
	assert_true(found);
	assert_string_equal(symbol.name, version_function);
	symbol_deinit(&symbol);

	no_error(module_find_tables(libc, &tables));
	assert_true(tables.dynsym && !tables.symtab);
	assert_string_equal(tables.file_missing, module_file_missing(libc));
	free(tables.debug_path);
	dlclose(handle);
}

/* The file of the module is not there, or another one is: all is found in memory, and that told. */
static void test_lookups(void **state)
{
	static const struct {
		const char *name, *why;
	} cases[] = {
		{ "/no/such/file", "No such file or directory" },
		{ "/bin/sh", "another file is there now" },
		{ "/", "another file is there now" },
	};
	struct process *process;
	struct modules *modules;
	struct maps maps;

	(void)state;
	no_error(process_open(getpid(), &process));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		no_error(maps_read(getpid(), &maps));
		struct module *libc = hide_libc(&maps, cases[i].name, process, &modules);
		assert_string_equal(module_file_missing(libc), cases[i].why);
		assert_null(module_file(libc));
		assert_non_null(module_symbol_file(libc));
		expect_symbols(modules, libc);
		modules_destroy(modules);
		maps_deinit(&maps);
	}
	no_error(maps_read(getpid(), &maps));
	struct module *libc = hide_libc(&maps, NULL, process, &modules);
	assert_null(module_file_missing(libc));
	assert_ptr_equal(module_symbol_file(libc), module_file(libc));
	modules_destroy(modules);
	maps_deinit(&maps);
	process_close(process);
}

/* An image of two mappings. */
#define PAGE  4096
#define BIAS  UINT64_C(0x7f0000000000)
#define NAMES "\0imported\0function\0variable\0label\0local\0V_1\0V_2"

enum { IMPORTED = 1, FUNCTION, VARIABLE, LABEL, LOCAL, SYMBOLS };

struct contents {
	Elf64_Dyn dynamic[10];
	Elf64_Sym symbols[SYMBOLS];
	struct {
		uint32_t buckets, first, bloom_words, bloom_shift;
		uint64_t bloom;
		uint32_t heads[2];
		uint32_t chains[SYMBOLS - FUNCTION];
	} gnu_hash;
	struct {
		uint32_t buckets, chains;
	} hash;
	Elf64_Half versions[SYMBOLS];
	struct {
		Elf64_Verdef definition;
		Elf64_Verdaux name;
	} definitions[2];
	char strings[sizeof(NAMES)];
};

static union {
	struct contents contents;
	uint8_t bytes[2 * PAGE];
} image;

static struct mapping mappings[] = {
	{ .range = { BIAS, BIAS + PAGE }, .readable = true, .inode = 1 },
	{ .range = { BIAS + PAGE, BIAS + 2 * PAGE }, .readable = true, .inode = 1 },
	{ .range = { BIAS + 2 * PAGE, BIAS + 3 * PAGE }, .readable = true },
};
static const struct maps built_maps = { .data = mappings, .count = 3 };
static struct module module;
static struct memory_region region;

static uint32_t name_at(const char *name)
{
	const char *found = memmem(NAMES, sizeof(NAMES), name, strlen(name) + 1);

	assert_non_null(found);
	return (uint32_t)(found - NAMES);
}

static void set_symbol(size_t index, const char *name, unsigned int type, uint64_t value,
		       uint64_t size, Elf64_Half version)
{
	image.contents.symbols[index] = (Elf64_Sym){
		.st_name = name_at(name),
		.st_info = ELF64_ST_INFO(STB_GLOBAL, type),
		.st_shndx = index == IMPORTED ? SHN_UNDEF : 7,
		.st_value = value,
		.st_size = size,
	};
	image.contents.versions[index] = version;
}

#define AT(member) offsetof(struct contents, member)

static void build(void)
{
	struct contents *c = &image.contents;
	const Elf64_Dyn dynamic[] = {
		{ DT_SYMTAB, { AT(symbols) } },  { DT_STRTAB, { AT(strings) } },
		{ DT_STRSZ, { sizeof(NAMES) } }, { DT_GNU_HASH, { AT(gnu_hash) } },
		{ DT_VERSYM, { AT(versions) } }, { DT_VERDEF, { AT(definitions) } },
		{ DT_VERDEFNUM, { 2 } },         { DT_NULL, { 0 } },
	};

	memset(&image, 0, sizeof(image));
	memcpy(c->dynamic, dynamic, sizeof(dynamic));
	memcpy(c->strings, NAMES, sizeof(NAMES));
	set_symbol(IMPORTED, "imported", STT_FUNC, 0, 0, 0);
	set_symbol(FUNCTION, "function", STT_FUNC, PAGE + 16, 32, 2);
	set_symbol(VARIABLE, "variable", STT_OBJECT, PAGE + 64, 8, 3 | 0x8000);
	set_symbol(LABEL, "label", STT_NOTYPE, PAGE + 128, 0, 1);
	set_symbol(LOCAL, "local", STT_TLS, 8, 4, 2);
	c->gnu_hash.buckets = 2;
	c->gnu_hash.first = FUNCTION;
	c->gnu_hash.bloom_words = 1;
	c->gnu_hash.heads[0] = VARIABLE;
	c->gnu_hash.heads[1] = FUNCTION;
	c->gnu_hash.chains[0] = 1;
	c->gnu_hash.chains[SYMBOLS - 1 - FUNCTION] = 1;
	c->hash.buckets = 1;
	c->hash.chains = SYMBOLS;
	for (size_t i = 0; i < 2; i++) {
		c->definitions[i].definition = (Elf64_Verdef){
			.vd_version = 1,
			.vd_ndx = (Elf64_Half)(i + 2),
			.vd_cnt = 1,
			.vd_aux = sizeof(Elf64_Verdef),
			.vd_next = i == 0 ? sizeof(c->definitions[0]) : 0,
		};
		c->definitions[i].name.vda_name = name_at(i == 0 ? "V_1" : "V_2");
	}
	region = (struct memory_region){ BIAS, sizeof(image), &image };
	module = (struct module){
		.name = "built",
		.range = { BIAS, BIAS + 3 * PAGE },
		.bias = BIAS,
		.dynamic = { BIAS, BIAS + sizeof(c->dynamic) },
		.tls_size = 64,
	};
}

static void use_hash(void)
{
	image.contents.dynamic[3] = (Elf64_Dyn){ DT_HASH, { AT(hash) } };
}

/* All that can be asked of what is made; it has at most that many symbols, of which it returns. */
static size_t ask(void)
{
	_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;
	struct memory_buffer memory = memory_buffer(&region, 1);
	struct symtab table;
	bool found;
	size_t at;

	no_error(memory_symbols_make(&module, &built_maps, &memory.memory, &found, &file));
	if (!found) {
		assert_false(elf_file_is_open(&file));
		return 0;
	}
	assert_true(symtab_load(&file, SHT_DYNSYM, &table));
	assert_false(symtab_exists(&file, SHT_SYMTAB));
	assert_true(table.count * sizeof(Elf64_Sym) <= sizeof(image));
	for (size_t i = 0; i < table.count; i++) {
		struct symbol symbol = tell(&module, &file, &table, i);
		symbol_deinit(&symbol);
	}
	for (size_t kind = INDEX_ADDRESSES; kind <= INDEX_TLS; kind++) {
		struct symbol_index *index = make_index(&module, &file, &table, kind);
		for (size_t i = 0; i < table.count; i++)
			symbol_index_find(index, table.symbols[i].st_value, &at);
		symbol_index_destroy(index);
	}
	return table.count;
}

static void expect(struct module *of, const struct elf_file *file, const struct symtab *table,
		   size_t index, const struct symbol *wanted)
{
	struct symbol symbol = tell(of, file, table, index), copy = *wanted;

	copy.name = strdup(wanted->name);
	copy.version = wanted->version ? strdup(wanted->version) : NULL;
	expect_same(symbol, copy);
}

static const struct symbol truth[SYMBOLS] = {
	[FUNCTION] = { .name = (char *)"function",
		       .version = (char *)"V_1",
		       .default_version = true,
		       .address = BIAS + PAGE + 16,
		       .size = 32,
		       .type = SYMBOL_FUNCTION,
		       .binding = SYMBOL_BOUND_GLOBAL },
	[VARIABLE] = { .name = (char *)"variable",
		       .version = (char *)"V_2",
		       .address = BIAS + PAGE + 64,
		       .size = 8,
		       .type = SYMBOL_OBJECT,
		       .binding = SYMBOL_BOUND_GLOBAL },
	[LABEL] = { .name = (char *)"label",
		    .address = BIAS + PAGE + 128,
		    .type = SYMBOL_NOTYPE,
		    .binding = SYMBOL_BOUND_GLOBAL },
	[LOCAL] = { .name = (char *)"local",
		    .version = (char *)"V_1",
		    .default_version = true,
		    .address = 8,
		    .size = 4,
		    .type = SYMBOL_TLS,
		    .binding = SYMBOL_BOUND_GLOBAL },
};

static void test_built(void **state)
{
	(void)state;
	build();
	for (int kind = 0; kind < 2; kind++) {
		_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;
		struct memory_buffer memory = memory_buffer(&region, 1);
		struct symtab table;
		size_t at = 0;
		bool found;

		no_error(memory_symbols_make(&module, &built_maps, &memory.memory, &found, &file));
		assert_true(found && symtab_load(&file, SHT_DYNSYM, &table));
		assert_int_equal(table.count, SYMBOLS);
		for (size_t i = FUNCTION; i < SYMBOLS; i++)
			expect(&module, &file, &table, i, &truth[i]);
		/* What has no size ends with its mapping. */
		struct symbol_index *index = make_index(&module, &file, &table, INDEX_ADDRESSES);
		assert_true(symbol_index_find(index, 2 * PAGE - 1, &at));
		assert_int_equal(at, LABEL);
		assert_false(symbol_index_find(index, 2 * PAGE, &at));
		symbol_index_destroy(index);
		use_hash();
	}
}

/* Without one of these there is nothing to be told. */
static void test_not_there(void **state)
{
	static const Elf64_Sxword needed[] = { DT_SYMTAB, DT_STRTAB, DT_STRSZ, DT_GNU_HASH };

	(void)state;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		build();
		for (size_t j = 0; j < 8; j++) {
			if (image.contents.dynamic[j].d_tag == needed[i])
				image.contents.dynamic[j].d_tag = DT_BIND_NOW;
		}
		assert_int_equal(ask(), 0);
	}
	build();
	module.dynamic = (struct range){ 0, 0 };
	assert_int_equal(ask(), 0);
	/* Nor is there anything where nothing is mapped any more. */
	build();
	region.length = sizeof(image.contents.dynamic);
	assert_int_equal(ask(), 0);
}

/* Of all that is read, wherever it ends. */
static void test_cut_off(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		build();
		if (kind)
			use_hash();
		for (region.length = 0; region.length <= sizeof(image.contents); region.length++)
			ask();
		assert_int_equal(ask(), SYMBOLS);
		for (module.range.end = BIAS + 1; module.range.end <= BIAS + sizeof(image.contents);
		     module.range.end++)
			ask();
		assert_int_equal(ask(), SYMBOLS);
	}
}

static void test_any_byte(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		build();
		if (kind)
			use_hash();
		for (size_t i = 0; i < sizeof(image.contents); i++) {
			const uint8_t good = image.bytes[i];
			const uint8_t bad[] = { 0, 0x7f, 0x80, 0xff, good ^ 1 };
			for (size_t j = 0; j < sizeof(bad); j++) {
				image.bytes[i] = bad[j];
				ask();
			}
			image.bytes[i] = good;
		}
		assert_int_equal(ask(), SYMBOLS);
	}
}

/* No more symbols than lie in the module, whatever the tables say. */
static void test_counts(void **state)
{
	const size_t room = (sizeof(image) - AT(symbols)) / sizeof(Elf64_Sym);

	(void)state;
	build();
	use_hash();
	image.contents.hash.chains = UINT32_MAX;
	assert_int_equal(ask(), room);
	module.range.end = BIAS + (UINT64_C(1) << 40);
	image.contents.dynamic[2].d_un.d_val = UINT64_MAX;
	assert_int_equal(ask(), room);

	build();
	image.contents.gnu_hash.buckets = UINT32_MAX;
	assert_int_equal(ask(), 0);
	build();
	image.contents.gnu_hash.bloom_words = UINT32_MAX;
	assert_int_equal(ask(), 0);
	build();
	image.contents.gnu_hash.first = UINT32_MAX;
	assert_int_equal(ask(), 0);
	build();
	image.contents.gnu_hash.heads[0] = UINT32_MAX;
	assert_int_equal(ask(), 0);
	build();
	image.contents.gnu_hash.buckets = 0;
	assert_int_equal(ask(), 0);
}

/* One that never ends ends with the module, or with what can be read. */
static void test_endless_chain(void **state)
{
	(void)state;
	build();
	memset(image.bytes + AT(gnu_hash.chains), 0, sizeof(image) - AT(gnu_hash.chains));
	memcpy(image.contents.strings, NAMES, sizeof(NAMES));
	assert_true(ask() > SYMBOLS);
	module.range.end = BIAS + (UINT64_C(1) << 40);
	assert_true(ask() > SYMBOLS);
}

/* Memory that goes on for ever, with zeros behind the image; nobody looks outside of the module. */
static uint64_t bytes_read;

static struct memtool_error *read_endless(struct memory *memory, uint64_t address, void *buffer,
					  size_t length, size_t *ret)
{
	(void)memory;
	assert_true(range_covers(module.range, address, length));
	memset(buffer, 0, length);
	if (address - BIAS < sizeof(image)) {
		size_t left = sizeof(image) - (size_t)(address - BIAS);
		memcpy(buffer, image.bytes + (address - BIAS), length < left ? length : left);
	}
	bytes_read += length;
	*ret = length;
	return NULL;
}

/* Returns how many symbols are made of it; what is read of it is bounded, too. */
static size_t ask_endless(uint64_t size)
{
	static const struct memory_ops ops = { .read = read_endless };
	_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;
	struct memory memory = { .ops = &ops };
	struct symtab table = { 0 };
	bool found;

	module.range.end = BIAS + size;
	image.contents.dynamic[2].d_un.d_val = UINT64_MAX;
	bytes_read = 0;
	no_error(memory_symbols_make(&module, &built_maps, &memory, &found, &file));
	assert_true(bytes_read < (UINT64_C(100) << 20));
	if (found)
		assert_true(symtab_load(&file, SHT_DYNSYM, &table));
	return table.count;
}

static void test_endless_memory(void **state)
{
	const uint64_t endless = UINT64_C(1) << 40;
	const size_t most = 1 << 20;

	(void)state;
	build();
	assert_int_equal(ask_endless(endless), SYMBOLS);
	build();
	use_hash();
	image.contents.hash.chains = UINT32_MAX;
	assert_int_equal(ask_endless(endless), most);
	build();
	memset(image.contents.gnu_hash.chains, 0, sizeof(image.contents.gnu_hash.chains));
	image.contents.gnu_hash.heads[0] = LOCAL;
	memset(image.bytes + AT(hash), 0, sizeof(image) - AT(hash));
	assert_int_equal(ask_endless(endless), most);
	build();
	image.contents.gnu_hash.buckets = UINT32_MAX;
	assert_int_equal(ask_endless(endless), 0);
	build();
	image.contents.dynamic[0].d_un.d_ptr = UINT64_C(1) << 41;
	assert_int_equal(ask_endless(endless), 0);
	build();
	image.contents.gnu_hash.bloom_words = UINT32_MAX;
	assert_int_equal(ask_endless(2 * PAGE), 0);
}

/* The last one: it ends where they do. */
static void test_name_without_end(void **state)
{
	(void)state;
	build();
	image.contents.dynamic[2].d_un.d_val = name_at("local") + 3;
	_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;
	struct memory_buffer memory = memory_buffer(&region, 1);
	struct symtab table;
	bool found;

	no_error(memory_symbols_make(&module, &built_maps, &memory.memory, &found, &file));
	assert_true(found && symtab_load(&file, SHT_DYNSYM, &table));
	struct symbol symbol = tell(&module, &file, &table, LOCAL);
	assert_string_equal(symbol.name, "loc");
	assert_null(symbol.version); /* its name is gone, too */
	symbol_deinit(&symbol);
	for (image.contents.dynamic[2].d_un.d_val = 1;
	     image.contents.dynamic[2].d_un.d_val < sizeof(NAMES);
	     image.contents.dynamic[2].d_un.d_val++)
		assert_int_equal(ask(), SYMBOLS);
}

/* Definitions that lead to themselves, or nowhere. */
static void test_definitions(void **state)
{
	static const Elf64_Word nexts[] = { 0, 1, 4, UINT32_MAX, UINT32_MAX - 27 };

	(void)state;
	for (size_t i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++) {
		build();
		image.contents.definitions[0].definition.vd_ndx = 77;
		image.contents.definitions[0].definition.vd_next = nexts[i];
		image.contents.definitions[1].definition.vd_next = nexts[i];
		image.contents.definitions[1].definition.vd_aux = nexts[i];
		assert_int_equal(ask(), SYMBOLS);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_in_file),     cmocka_unit_test(test_lookups),
		cmocka_unit_test(test_built),          cmocka_unit_test(test_not_there),
		cmocka_unit_test(test_cut_off),        cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_counts),         cmocka_unit_test(test_endless_chain),
		cmocka_unit_test(test_endless_memory), cmocka_unit_test(test_name_without_end),
		cmocka_unit_test(test_definitions),
	};

	return cmocka_run_group_tests_name("symbols from memory", tests, NULL, NULL);
}
