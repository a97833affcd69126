/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/malloc_provider.h"

#include "support/array.h"
#include "symbols/dynamic_symbol.h"
#include "symbols/link_map.h"
#include "symbols/module_files.h"
#include "symbols/symtab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* malloc/Makefile of glibc. */
#define DEBUG_SONAME "libc_malloc_debug.so.0"

/* Of one module's data; a recorder has some KiB. */
#define DATA_MAX (UINT64_C(32) << 20)

/* A module, and where its malloc is. */
struct definition {
	struct module *module;
	uint64_t address;
	bool visited;
};

DEFINE_ARRAY(definitions, struct definition)

static struct memtool_error *list_definitions(const struct modules *modules, struct memory *memory,
					      struct definitions *ret)
{
	for (size_t i = 0; i < modules->count; i++) {
		struct definition definition = { .module = modules->data[i] };
		struct dynamic_symbol symbol;
		struct dynamic dynamic;
		bool found = false;

		struct memtool_error *error = dynamic_read(definition.module, memory, &dynamic);
		if (!error)
			error = dynamic_find_function(definition.module, memory, &dynamic, "malloc",
						      &found, &symbol);
		if (error)
			return error;
		definition.address = found ? symbol.address : 0;
		if (found && !definitions_append(ret, &definition))
			return memtool_error_no_memory;
	}
	return NULL;
}

/* Whether found is a better answer than best: what is only libc's is passed on to last. */
static bool is_nearer(const struct definition *found, const struct definition *best,
		      const struct libc *libc)
{
	return !found->visited && (!best || best->module == libc->module);
}

static void search_words(const uint64_t *words, size_t count, const struct definitions *definitions,
			 const struct libc *libc, struct definition **best)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; words[i] && j < definitions->count; j++) {
			struct definition *definition = &definitions->data[j];
			if (definition->address == words[i] && is_nearer(definition, *best, libc))
				*best = definition;
		}
	}
}

/* The malloc of another module whose address is among the data of this one, or NULL. */
static struct memtool_error *find_next(const struct modules *modules, struct memory *memory,
				       const struct libc *libc,
				       const struct definitions *definitions,
				       const struct module *module, struct definition **ret)
{
	uint64_t words[1024], left = DATA_MAX;

	*ret = NULL;
	for (size_t i = 0; i < modules->maps->count && left; i++) {
		const struct mapping *mapping = &modules->maps->data[i];
		struct range range = mapping->range;

		if (!range_contains(module->range, range.start) || mapping->executable)
			continue;
		while (range_size(range) && left) {
			size_t size = sizeof(words), count;
			if (size > range_size(range))
				size = range_size(range);
			struct memtool_error *error =
				memory_read_some(memory, range.start, words, size, &count);
			if (error)
				return error;
			search_words(words, count / sizeof(words[0]), definitions, libc, ret);
			if (count < size)
				break;
			range.start += size;
			left -= size < left ? size : left;
		}
	}
	return NULL;
}

/* Marks the definition of module as met. */
static void visit(struct definitions *definitions, const struct module *module)
{
	for (size_t i = 0; i < definitions->count; i++) {
		if (definitions->data[i].module == module)
			definitions->data[i].visited = true;
	}
}

static struct memtool_error *is_debug_library(const struct module *module, struct memory *memory,
					      bool *ret)
{
	struct dynamic dynamic;
	struct memtool_error *error = dynamic_read(module, memory, &dynamic);

	*ret = !error && strcmp(dynamic.soname, DEBUG_SONAME) == 0;
	return error;
}

/* From the module that is called on to the one that serves. */
static struct memtool_error *follow(const struct modules *modules, struct memory *memory,
				    const struct libc *libc, struct definitions *definitions,
				    struct module *first, struct malloc_provider *provider)
{
	struct memtool_error *error = NULL;
	struct module *module = first;
	bool debug = false;

	while (!error && module != libc->module) {
		struct definition *next = NULL;

		error = is_debug_library(module, memory, &debug);
		if (!error && !debug)
			error = allocator_recognise(module, memory, &provider->allocator);
		if (error || debug || provider->allocator)
			break;
		visit(definitions, module);
		error = find_next(modules, memory, libc, definitions, module, &next);
		if (error || !next)
			break;
		module = next->module;
	}
	if (error)
		return error;
	provider->debug = debug ? module : NULL;
	provider->other = module != libc->module && !debug;
	provider->module = provider->other ? module : libc->module;
	provider->through = module == first ? NULL : first;
	return NULL;
}

/*
 * The module of the malloc that is called, where address is what calls are bound to. If the module
 * there defines none, it is a program, not PIE, that takes malloc's address: for all modules that
 * is an entry of the program's PLT then, from where calls go on to the first definition there is.
 */
static struct memtool_error *find_called(const struct modules *modules, struct memory *memory,
					 const struct definitions *definitions, uint64_t address,
					 struct module **ret)
{
	_cleanup_free_ struct module **defining = NULL;
	struct module *bound = modules_find(modules, address), *first = NULL;

	*ret = bound;
	if (!bound || definitions->count == 0)
		return NULL;
	defining = calloc(definitions->count, sizeof(struct module *));
	if (!defining)
		return memtool_error_no_memory;
	for (size_t i = 0; i < definitions->count; i++) {
		defining[i] = definitions->data[i].module;
		if (defining[i] == bound)
			return NULL;
	}
	struct memtool_error *error =
		link_map_first(modules, memory, defining, definitions->count, &first);
	if (!error && first)
		*ret = first;
	return error;
}

/* A shared libc: what its GOT says. */
static struct memtool_error *find_bound(const struct modules *modules, struct memory *memory,
					const struct libc *libc, struct malloc_provider *provider)
{
	_cleanup_(definitions_deinit) struct definitions definitions = { 0 };
	struct module *module = NULL;
	struct dynamic_symbol own;
	struct dynamic dynamic;
	uint64_t bound = 0;
	bool found = false;

	struct memtool_error *error = dynamic_read(libc->module, memory, &dynamic);
	if (!error)
		error = dynamic_find_function(libc->module, memory, &dynamic, "malloc", &found,
					      &own);
	if (!error && found)
		error = dynamic_bound_to(libc->module, memory, &dynamic, own.index, &found, &bound);
	if (error || !found || bound == 0 || bound == own.address)
		return error;

	error = list_definitions(modules, memory, &definitions);
	if (!error)
		error = find_called(modules, memory, &definitions, bound, &module);
	if (error)
		return error;
	if (module)
		return follow(modules, memory, libc, &definitions, module, provider);
	provider->other = true;
	provider->module = NULL;
	return NULL;
}

/* A static program: in glibc's malloc.o the two names are of one function. */
static struct memtool_error *find_linked(struct memory *memory, const struct libc *libc,
					 struct malloc_provider *provider)
{
	struct symbol_query queries[] = {
		{ .name = "malloc", .types = SYMTAB_FUNCTION },
		{ .name = "__libc_malloc", .types = SYMTAB_FUNCTION },
	};
	const struct elf_file *file = module_file(libc->module);

	if (!file || !symtab_search(file, SHT_SYMTAB, queries, 2) || !queries[0].rank ||
	    !queries[1].rank || queries[0].symbol.st_value == queries[1].symbol.st_value)
		return NULL;
	provider->other = true;
	return allocator_recognise(libc->module, memory, &provider->allocator);
}

struct memtool_error *malloc_provider_find(const struct modules *modules, struct memory *memory,
					   const struct libc *libc, struct malloc_provider *ret)
{
	struct malloc_provider provider = { .module = libc->module };

	struct memtool_error *error = libc->module->executable
					      ? find_linked(memory, libc, &provider)
					      : find_bound(modules, memory, libc, &provider);
	if (error)
		return error;
	for (size_t i = 0; i < modules->count && !provider.go; i++)
		provider.go = modules->data[i]->go ? modules->data[i] : NULL;
	*ret = provider;
	return NULL;
}

char *malloc_provider_describe(const struct malloc_provider *provider)
{
	const char *file = provider->module ? provider->module->name : "no file";
	char *text;
	int length = provider->allocator
			     ? asprintf(&text, "%s (%s)", provider->allocator->name, file)
			     : asprintf(&text, "an unknown malloc in %s", file);

	return length < 0 ? NULL : text;
}
