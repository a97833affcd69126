/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/malloc_code.h"

#include "symbols/module_files.h"
#include "symbols/module_symbols.h"

/* The functions of malloc.c take 20 to 31 KiB in 2.31 to 2.44, by -O2 and -O3. */
#define CODE_MAX (UINT64_C(128) << 10)

/*
 * gcc puts the static functions, which .dynsym does not name, before the exported ones that call
 * them: 16 to 21 KiB in 2.31 to 2.44. If others lie there, a thread in them costs a moment's wait.
 */
#define STATIC_CODE (UINT64_C(22) << 10)

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

/*
 * What malloc calls to get memory and to give it back; systrim(), say, has not told its books yet
 * when sbrk() returns. The first is of up to 2.33; later it is one of malloc.c's own.
 */
static const char *const callees[] = {
	"__default_morecore", "sbrk", "brk", "mmap", "munmap", "mremap", "mprotect", "madvise",
};

#define CALLEES (sizeof(callees) / sizeof(callees[0]))

_Static_assert(NAMES + CALLEES <= MALLOC_CODE_FUNCTIONS, "each has its place");

static void add_function(struct malloc_code *code, const char *name, struct range range)
{
	code->functions[code->count].name = name;
	code->functions[code->count++].range = range;
}

/* Adds what lies with the functions that are there already. */
static void add_own(struct malloc_code *code, const char *name, struct range range)
{
	struct range wider = code->range;

	if (code->count == 0)
		wider = range;
	if (range.start < wider.start)
		wider.start = range.start;
	if (range.end > wider.end)
		wider.end = range.end;
	if (range_size(wider) > CODE_MAX)
		return;
	code->range = wider;
	add_function(code, name, range);
}

/* Where the function is that was found; false if there is none. */
static bool function_range(const struct module *module, const struct symbol_query *query,
			   struct range *ret)
{
	if (!query->rank)
		return false;
	struct module_symbol symbol = module_symbol(module, &query->symbol);
	*ret = (struct range){ symbol.address, symbol.address + symbol.size };
	return symbol.size > 0 && range_covers(module->range, symbol.address, symbol.size);
}

struct malloc_code libc_malloc_code(const struct libc *libc, bool symtab)
{
	struct symbol_query queries[NAMES + CALLEES];
	struct module *module = libc->module;
	struct malloc_code code = { 0 };
	struct range range;

	for (size_t i = 0; i < NAMES; i++)
		queries[i] =
			(struct symbol_query){ names[i], "malloc.c", SYMTAB_FUNCTION, .rank = 0 };
	for (size_t i = 0; i < CALLEES; i++)
		queries[NAMES + i] =
			(struct symbol_query){ callees[i], NULL, SYMTAB_FUNCTION, .rank = 0 };
	if (symtab)
		module_search_symtab(module, queries, NAMES + CALLEES);
	const struct elf_file *file = module_symbol_file(module);
	if (!queries[INTERNAL].rank && file)
		symtab_search(file, SHT_DYNSYM, queries, NAMES + CALLEES);

	for (size_t i = queries[INTERNAL].rank ? INTERNAL : EXPORTED; i < NAMES; i++) {
		if (function_range(module, &queries[i], &range))
			add_own(&code, names[i], range);
	}
	if (code.count && !queries[INTERNAL].rank)
		code.range.start -= STATIC_CODE;
	for (size_t i = 0; i < CALLEES; i++) {
		if (function_range(module, &queries[NAMES + i], &range))
			add_function(&code, callees[i], range);
	}
	return code;
}

bool malloc_code_has(const struct malloc_code *code, uint64_t pc)
{
	return range_contains(code->range, pc) || malloc_code_name(code, pc);
}

const char *malloc_code_name(const struct malloc_code *code, uint64_t pc)
{
	for (size_t i = 0; i < code->count; i++) {
		if (range_contains(code->functions[i].range, pc))
			return code->functions[i].name;
	}
	return NULL;
}
