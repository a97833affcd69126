/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc_find(): which of the modules is the glibc that the program uses.
 */
#include "symbols/libc.h"

#include "support/array.h"
#include "symbols/allocator.h"
#include "symbols/dynamic.h"
#include "symbols/libc_structure.h"
#include "symbols/libc_version.h"
#include "symbols/link_map.h"
#include "symbols/module_files.h"
#include "symbols/module_symbols.h"

#include <string.h>

/* shlib-versions of glibc, for x86-64; musl and bionic call theirs libc.so. */
#define GLIBC_SONAME "libc.so.6"

DEFINE_ARRAY(module_list, struct module *)

/* Modules by their SONAME, which does not change when a file is renamed. */
static struct memtool_error *find_by_soname(const struct modules *modules, struct memory *memory,
					    struct module_list *list)
{
	struct dynamic dynamic;

	for (size_t i = 0; i < modules->count; i++) {
		struct memtool_error *error = dynamic_read(modules->data[i], memory, &dynamic);
		if (error)
			return error;
		if (strcmp(dynamic.soname, GLIBC_SONAME) == 0 &&
		    !module_list_append(list, &modules->data[i]))
			return memtool_error_no_memory;
	}
	return NULL;
}

/* The program, if it is static: nothing interprets it, and ld.so, which it is not, has a SONAME. */
static struct memtool_error *find_static_program(const struct modules *modules,
						 struct memory *memory, struct module **ret)
{
	struct dynamic dynamic;

	*ret = NULL;
	for (size_t i = 0; i < modules->count; i++) {
		if (!modules->data[i]->executable || modules->data[i]->interpreted)
			continue;
		struct memtool_error *error = dynamic_read(modules->data[i], memory, &dynamic);
		if (!error && !*dynamic.soname)
			*ret = modules->data[i];
		return error;
	}
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Debian's musl is .../x86_64-linux-musl/libc.so; the first two names are Alpine's. */
static bool is_musl(const char *name)
{
	return strncmp(base_name(name), "ld-musl-", 8) == 0 ||
	       strncmp(base_name(name), "libc.musl-", 10) == 0 ||
	       (strcmp(base_name(name), "libc.so") == 0 && strstr(name, "musl"));
}

static bool is_bionic(const char *name)
{
	return strcmp(base_name(name), "linker64") == 0 || strstr(name, "/bionic/");
}

/* What a process without a libc.so.6 has instead, or NULL if that does not show. */
static const char *foreign_libc(const struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++) {
		if (is_musl(modules->data[i]->name))
			return "musl";
		if (is_bionic(modules->data[i]->name))
			return "bionic";
	}
	return NULL;
}

/* glibc's dynamic linker maps the libc before it does anything else of note. */
static bool has_glibc_linker(const struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++) {
		if (strncmp(base_name(modules->data[i]->name), "ld-linux-", 9) == 0)
			return true;
	}
	return false;
}

static struct memtool_error *not_glibc(const struct modules *modules)
{
	const char *foreign = foreign_libc(modules);

	if (foreign)
		return memtool_error_create(MEMTOOL_ERROR_NOT_GLIBC,
					    "the C library of this process is %s, not glibc",
					    foreign);
	if (has_glibc_linker(modules))
		return memtool_error_create(MEMTOOL_ERROR_NOT_GLIBC,
					    "no %s in this process, which the dynamic linker has "
					    "yet to load if it was started just now: try again",
					    GLIBC_SONAME);
	return memtool_error_create(MEMTOOL_ERROR_NOT_GLIBC,
				    "no glibc in this process: none of its %zu modules is %s",
				    modules->count, GLIBC_SONAME);
}

/*
 * A static program is glibc's if it has main_arena, by name or by its structure; whether by name.
 */
static bool has_main_arena(struct module *program, bool *ret_symtab)
{
	struct symbol_query query = { .name = "main_arena", .types = SYMTAB_OBJECT };

	*ret_symtab = module_search_symtab(program, &query, 1);
	return query.rank != SYMBOL_NOT_FOUND;
}

static struct memtool_error *not_static_glibc(struct module *program, struct memory *memory,
					      bool symtab)
{
	const struct elf_file *file = module_file(program);
	const struct allocator *allocator;
	const char *why = "a static program without symbols, in which glibc's malloc is not "
			  "recognised";

	if (!file)
		why = "a static program whose file is gone or may not be read, and in whose memory "
		      "glibc's malloc is not recognised; run memtool as root";
	else if (elf_file_find_name(file, ".note.go.buildid") ||
		 elf_file_find_name(file, ".go.buildinfo"))
		why = "a Go program: it has no C heap";
	else if (symtab)
		why = "a static program with another malloc than glibc's: it has no main_arena";
	struct memtool_error *error = allocator_recognise(program, memory, &allocator);
	if (error)
		return error;
	if (allocator)
		return memtool_error_create(MEMTOOL_ERROR_NOT_GLIBC,
					    "%s is a static program that uses %s, not glibc's "
					    "malloc: %s",
					    program->name, allocator->name, allocator->remedy);
	return memtool_error_create(MEMTOOL_ERROR_NOT_GLIBC, "%s is %s", program->name, why);
}

/* One of the libcs that are there: dlmopen(3) loads a second one, the program never uses it. */
static struct memtool_error *choose_libc(const struct modules *modules, struct memory *memory,
					 const struct module_list *libcs, struct module **ret)
{
	struct module *chosen = libcs->data[0];
	struct memtool_error *error = NULL;

	if (libcs->count > 1)
		error = link_map_first(modules, memory, libcs->data, libcs->count, &chosen);
	if (!error && !chosen)
		return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
					    "which of %zu loaded glibcs the program uses cannot "
					    "be told: ld.so's list of modules has none of them",
					    libcs->count);
	if (!error)
		*ret = chosen;
	return error;
}

static struct memtool_error *find_module(struct modules *modules, struct memory *memory,
					 struct module **ret)
{
	_cleanup_(module_list_deinit) struct module_list libcs = { 0 };
	struct module *program;
	bool symtab;
	struct memtool_error *error = find_static_program(modules, memory, &program);

	if (error)
		return error;
	/* First: a static program can load a libc.so.6 for its plug-ins, but does not use it. */
	if (program) {
		bool found = has_main_arena(program, &symtab);
		if (!found)
			error = libc_has_structure(program, memory, &found);
		if (error)
			return error;
		if (found) {
			*ret = program;
			return NULL;
		}
		/* musl is its own ld.so, and can be what the kernel started. */
		return foreign_libc(modules) ? not_glibc(modules)
					     : not_static_glibc(program, memory, symtab);
	}
	error = find_by_soname(modules, memory, &libcs);
	if (error)
		return error;
	if (libcs.count == 0)
		return not_glibc(modules);
	return choose_libc(modules, memory, &libcs, ret);
}

static struct memtool_error *take_version(const struct modules *modules, struct memory *memory,
					  struct libc *libc)
{
	struct memtool_error *error =
		libc_version_read(libc->module, modules->maps, memory, libc->version);

	if (!error)
		libc->traits.version = glibc_version_parse(libc->version, strlen(libc->version));
	return error;
}

struct memtool_error *libc_find(struct modules *modules, struct memory *memory, struct libc *ret)
{
	struct libc libc = { 0 };
	struct memtool_error *error = find_module(modules, memory, &libc.module);

	/* A static program has no version text, and may be large: do not look. */
	if (!error && !libc.module->executable)
		error = take_version(modules, memory, &libc);
	if (error)
		return error;
	*ret = libc;
	return NULL;
}

struct memtool_error *libc_find_others(struct modules *modules, struct memory *memory,
				       const struct libc *libc, struct libc_array *ret)
{
	_cleanup_(module_list_deinit) struct module_list list = { 0 };
	struct memtool_error *error = find_by_soname(modules, memory, &list);

	for (size_t i = 0; i < list.count && !error; i++) {
		struct libc other = { .module = list.data[i] };

		if (other.module == libc->module)
			continue;
		error = take_version(modules, memory, &other);
		if (!error && !libc_array_append(ret, &other))
			error = memtool_error_no_memory;
	}
	return error;
}
