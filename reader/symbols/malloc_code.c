/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/malloc_code.h"

#include "symbols/module_files.h"
#include "symbols/module_symbols.h"

/* The functions of malloc.c take 20 to 24 KiB in 2.31 to 2.44. */
#define CODE_MAX (UINT64_C(128) << 10)

/*
 * gcc puts the static functions, which .dynsym does not name, before the exported ones that call
 * them: 16 to 19 KiB in 2.31 to 2.44. If others lie there, a thread in them costs a moment's wait.
 */
#define STATIC_CODE (UINT64_C(20) << 10)

/* The first two are the ones to find: a name of .symtab alone, and one that is exported. */
static const char *const names[] = {
	"_int_malloc",
	"__libc_malloc",
	"__libc_free",
	"__libc_calloc",
	"__libc_realloc",
	"__libc_memalign",
	"malloc_trim",
	"malloc_info",
	"_int_free",
	"_int_free_chunk",
	"_int_free_merge_chunk",
	"_int_realloc",
	"_int_memalign",
	"sysmalloc",
	"malloc_consolidate",
	"munmap_chunk",
	"malloc_printerr",
	"tcache_init",
	"__libc_malloc2",
	"__libc_calloc2",
	"__malloc_arena_thread_freeres",
	"__malloc_fork_lock_parent",
};

#define INTERNAL 0
#define EXPORTED 1
#define NAMES    (sizeof(names) / sizeof(names[0]))

_Static_assert(NAMES <= MALLOC_CODE_FUNCTIONS, "each has its place");

/* Appends what lies with the functions that are there already. */
static void add_function(struct malloc_code *code, const char *name, struct range range)
{
	struct range wider = code->range;

	if (code->count == 0)
		wider = range;
	if (range.start < wider.start)
		wider.start = range.start;
	if (range.end > wider.end)
		wider.end = range.end;
	if (range.end <= range.start || range_size(wider) > CODE_MAX)
		return;
	code->range = wider;
	code->functions[code->count].name = name;
	code->functions[code->count++].range = range;
}

struct malloc_code libc_malloc_code(const struct libc *libc, bool symtab)
{
	struct symbol_query queries[NAMES];
	struct module *module = libc->module;
	struct malloc_code code = { 0 };

	for (size_t i = 0; i < NAMES; i++)
		queries[i] =
			(struct symbol_query){ names[i], "malloc.c", SYMTAB_FUNCTION, .rank = 0 };
	if (symtab)
		module_search_symtab(module, queries, NAMES);
	const struct elf_file *file = module_file(module);
	if (!queries[INTERNAL].rank && file)
		symtab_search(file, SHT_DYNSYM, queries, NAMES);

	for (size_t i = queries[INTERNAL].rank ? INTERNAL : EXPORTED; i < NAMES; i++) {
		struct module_symbol symbol = module_symbol(module, &queries[i].symbol);
		if (queries[i].rank && range_covers(module->range, symbol.address, symbol.size))
			add_function(
				&code, names[i],
				(struct range){ symbol.address, symbol.address + symbol.size });
	}
	if (code.count && !queries[INTERNAL].rank)
		code.range.start -= STATIC_CODE;
	return code;
}

const char *malloc_code_name(const struct malloc_code *code, uint64_t pc)
{
	for (size_t i = 0; i < code->count; i++) {
		if (range_contains(code->functions[i].range, pc))
			return code->functions[i].name;
	}
	return NULL;
}
