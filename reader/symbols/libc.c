/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/libc.h"

#include "symbols/dwarf.h"
#include "symbols/module_files.h"
#include "symbols/module_symbols.h"

#include <stdio.h>

/* "/lib/x86_64-linux-gnu/libc.so.6 (build-id 93ac...)"; the caller frees it. NULL: no memory. */
static char *describe(const struct module *module)
{
	char build_id[2 * BUILD_ID_MAX + 1] = "none";
	char *text;

	for (size_t i = 0; i < module->build_id_size; i++)
		sprintf(build_id + 2 * i, "%02x", module->build_id[i]);
	return asprintf(&text, "%s (build-id %s)", module->name, build_id) < 0 ? NULL : text;
}

/* How a shared libc's debug file is had. */
static const char *debug_file_remedy(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	return urls && *urls
		       ? "install the debug package of that very build (libc6-dbg on Debian and "
			 "Ubuntu), as DEBUGINFOD_URLS did not bring it"
		       : "install the debug package of that very build (libc6-dbg on Debian and "
			 "Ubuntu), or set DEBUGINFOD_URLS to a server that has it";
}

/* what: the symbol that is missing from those that are there, or NULL if there are none. */
static struct memtool_error *no_symbols(const struct libc *libc, const char *what)
{
	_cleanup_free_ char *module = describe(libc->module);

	if (!module)
		return memtool_error_no_memory;
	return memtool_error_create(MEMTOOL_ERROR_NO_SYMBOLS, "%s has no %s: %s", module,
				    what ? what : "symbol table and no debug file was found",
				    libc->module->executable
					    ? "it is static, so only a build of it that was not "
					      "stripped has them"
					    : debug_file_remedy());
}

static struct memtool_error *no_dwarf(const struct libc *libc)
{
	_cleanup_free_ char *module = describe(libc->module);

	if (!module)
		return memtool_error_no_memory;
	if (libc->module->executable)
		return memtool_error_create(
			MEMTOOL_ERROR_NO_SYMBOLS,
			"%s is static and was linked with a glibc without debug "
			"information of malloc; --layout=table does without",
			module);
	return memtool_error_create(MEMTOOL_ERROR_NO_SYMBOLS,
				    "no debug information of malloc for %s: %s; --layout=table "
				    "does without",
				    module, debug_file_remedy());
}

enum { MAIN_ARENA, MP, TCACHE, THREAD_ARENA, PTMALLOC_INIT, TCACHE_KEY, QUERIES };

/* What a static program's symbols tell of the version; each of them is in malloc.c or arena.c. */
static unsigned int version_from_symbols(const struct symbol_query *queries)
{
	/* 2.42 made ptmalloc_init global, under this name. */
	if (queries[PTMALLOC_INIT].rank)
		return queries[MAIN_ARENA].symbol.st_size == 2200 ? 242 : 0;
	/* tcache_key is of 2.34; malloc_par grew in 2.35. */
	if (queries[TCACHE_KEY].rank)
		return queries[MP].symbol.st_size == 112 ? 234 : 241;
	return 0;
}

/* A TLS variable as its offset from fs_base, which is below 0. */
static struct memtool_error *tls_root(const struct module *module, const struct symbol_query *query,
				      uint64_t tls_offset, struct root *ret)
{
	if (query->symbol.st_value > module->tls_size ||
	    module->tls_size - query->symbol.st_value < sizeof(uint64_t))
		return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
					    "the symbol %s lies outside of the TLS of %s",
					    query->name, module->name);
	*ret = (struct root){ query->symbol.st_value - tls_offset, ROOT_SYMBOLS };
	return NULL;
}

static struct memtool_error *static_root(const struct module *module,
					 const struct symbol_query *query, struct root *ret)
{
	struct module_symbol symbol = module_symbol(module, &query->symbol);

	if (symbol.size == 0 || !range_covers(module->range, symbol.address, symbol.size))
		return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
					    "the symbol %s lies outside of %s", query->name,
					    module->name);
	*ret = (struct root){ symbol.address, ROOT_SYMBOLS };
	return NULL;
}

static struct memtool_error *take_roots(struct libc *libc, struct memory *memory,
					const struct symbol_query *queries,
					struct malloc_roots *roots)
{
	struct module *module = libc->module;
	uint64_t offset;
	struct memtool_error *error = static_root(module, &queries[MAIN_ARENA], &roots->main_arena);

	if (!error)
		error = static_root(module, &queries[MP], &roots->mp);
	if (!error)
		error = module_tls_offset(module, memory, &offset);
	if (!error)
		error = tls_root(module, &queries[THREAD_ARENA], offset, &roots->thread_arena);
	if (!error && queries[TCACHE].rank)
		error = tls_root(module, &queries[TCACHE], offset, &roots->tcache);
	return error;
}

struct memtool_error *libc_find_roots(struct libc *libc, struct memory *memory,
				      struct malloc_roots *ret)
{
	/* All are of malloc.c (arena.c is included there); a program can have others so named. */
	struct symbol_query queries[QUERIES] = {
		[MAIN_ARENA] = { "main_arena", "malloc.c", SYMTAB_OBJECT, .rank = 0 },
		[MP] = { "mp_", "malloc.c", SYMTAB_OBJECT, .rank = 0 },
		[TCACHE] = { "tcache", "malloc.c", SYMTAB_TLS, .rank = 0 },
		[THREAD_ARENA] = { "thread_arena", "malloc.c", SYMTAB_TLS, .rank = 0 },
		[PTMALLOC_INIT] = { "__ptmalloc_init", "malloc.c", SYMTAB_FUNCTION, .rank = 0 },
		[TCACHE_KEY] = { "tcache_key", "malloc.c", SYMTAB_OBJECT, .rank = 0 },
	};
	struct malloc_roots roots = *ret;

	if (!module_search_symtab(libc->module, queries, QUERIES))
		return no_symbols(libc, NULL);
	for (size_t i = MAIN_ARENA; i <= THREAD_ARENA; i++) {
		if (i != TCACHE && !queries[i].rank)
			return no_symbols(libc, queries[i].name);
	}
	struct memtool_error *error = take_roots(libc, memory, queries, &roots);
	if (error)
		return error;

	libc->traits.malloc_state_size = queries[MAIN_ARENA].symbol.st_size;
	libc->traits.malloc_par_size = queries[MP].symbol.st_size;
	if (libc->module->executable)
		libc->traits.version = version_from_symbols(queries);
	*ret = roots;
	return NULL;
}

struct memtool_error *libc_dwarf_layout(struct libc *libc, struct glibc_layout *ret)
{
	const struct elf_file *files[2] = { module_file(libc->module), NULL };
	const struct dwarf *dwarf;
	bool found = false;

	struct memtool_error *error = dwarf_load(&dwarf);
	if (error)
		return error;
	for (size_t i = 0; i < 2; i++) {
		if (i == 1)
			files[i] = module_debug_file(libc->module);
		if (!files[i])
			continue;
		error = dwarf->read_layout(files[i], libc->traits.version, &found, ret);
		if (error || found)
			return error;
	}
	return no_dwarf(libc);
}
