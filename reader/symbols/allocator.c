/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/allocator.h"

#include "symbols/dynamic_symbol.h"
#include "symbols/module_files.h"
#include "symbols/symtab.h"

#include <string.h>

#define REPORTS    "for its heap there are its own reports, or build without -fsanitize="
#define STATISTICS "for its heap there is "
#define WITHOUT    "memtool reads glibc's only; start the program without that library"

/*
 * From the public headers of each, and from the symbols of Debian's packages of them. None is a
 * function that allocates: heaptrack defines mi_malloc() and the like to record their calls.
 */
static const struct allocator allocators[] = {
	{ "AddressSanitizer", "__asan_init", NULL, REPORTS "address" },
	{ "HWAddressSanitizer", "__hwasan_init", NULL, REPORTS "hwaddress" },
	{ "MemorySanitizer", "__msan_init", NULL, REPORTS "memory" },
	{ "ThreadSanitizer", "__tsan_init", NULL, REPORTS "thread" },
	{ "LeakSanitizer", "__lsan_init", NULL, REPORTS "leak" },
	{ "Scudo", "__scudo_print_stats", NULL, STATISTICS "__scudo_print_stats()" },
	{ "mozjemalloc", "jemalloc_ptr_info", NULL, STATISTICS "about:memory" },
	{ "jemalloc", "mallctl", NULL, STATISTICS "MALLOC_CONF=stats_print:true or prof:true" },
	/* Google's TCMalloc, then the one of gperftools. */
	{ "TCMalloc", "TCMallocInternalMalloc", NULL,
	  STATISTICS "MallocExtension::GetStats() and its profiles" },
	{ "tcmalloc", "tc_version", NULL,
	  STATISTICS "MallocExtension::GetStats() and pprof's heap profiles" },
	{ "mimalloc", "mi_version", NULL, STATISTICS "MIMALLOC_SHOW_STATS=1" },
	{ "rpmalloc", "rpmalloc_initialize", NULL, STATISTICS "rpmalloc_dump_statistics()" },
	{ "oneTBB's scalable allocator", "__TBB_malloc_proxy", NULL, WITHOUT },
	{ "hardened_malloc", "malloc_object_size_fast", NULL, WITHOUT },
	{ "snmalloc", NULL, "libsnmalloc", WITHOUT },
	{ "Hoard", NULL, "libhoard", WITHOUT },
	{ "musl's malloc", "__init_libc", NULL, "memtool reads programs that use glibc" },
};

#define ALLOCATORS (sizeof(allocators) / sizeof(allocators[0]))

static bool has_soname(const struct allocator *allocator, const struct dynamic *dynamic)
{
	return allocator->soname &&
	       strncmp(dynamic->soname, allocator->soname, strlen(allocator->soname)) == 0;
}

static struct memtool_error *search_memory(const struct module *module, struct memory *memory,
					   const struct allocator **ret)
{
	struct dynamic dynamic;
	struct memtool_error *error = dynamic_read(module, memory, &dynamic);

	for (size_t i = 0; i < ALLOCATORS && !error && !*ret; i++) {
		struct dynamic_symbol symbol;
		bool found = has_soname(&allocators[i], &dynamic);

		if (!found && allocators[i].symbol)
			error = dynamic_find_function(module, memory, &dynamic,
						      allocators[i].symbol, &found, &symbol);
		if (!error && found)
			*ret = &allocators[i];
	}
	return error;
}

/* Of one that is linked into a program, the program exports little more than malloc. */
static const struct allocator *search_file(struct module *module)
{
	const struct elf_file *file = module_file(module);
	struct symbol_query queries[ALLOCATORS] = { 0 };
	const struct allocator *owners[ALLOCATORS];
	size_t count = 0;

	for (size_t i = 0; i < ALLOCATORS; i++) {
		if (!allocators[i].symbol)
			continue;
		owners[count] = &allocators[i];
		queries[count++] = (struct symbol_query){ .name = allocators[i].symbol,
							  .types = SYMTAB_FUNCTION };
	}
	if (!file || !symtab_search(file, SHT_SYMTAB, queries, count))
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (queries[i].rank)
			return owners[i];
	}
	return NULL;
}

struct memtool_error *allocator_recognise(struct module *module, struct memory *memory,
					  const struct allocator **ret)
{
	const struct allocator *found = NULL;

	struct memtool_error *error = search_memory(module, memory, &found);
	if (error)
		return error;
	*ret = found ? found : search_file(module);
	return NULL;
}
