/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool_walk_heap(): the walk on memory, symbols and threads that the caller provides. This file
 * includes no header of target/, but memory.h, and none of symbols/: a static program that calls
 * nothing else of the library needs neither libelf nor libdw.
 */
#include "api/heap.h"
#include "glibc/read.h"
#include "support/array.h"

#include <stdlib.h>
#include <string.h>

DEFINE_ARRAY(walk_ranges, struct range)
DEFINE_ARRAY(walk_threads, struct root_thread)

struct walk_memory {
	struct memory memory;
	const struct memtool_walk *walk;
};

static struct memtool_error *read_memory(struct memory *memory, uint64_t address, void *buffer,
					 size_t length, size_t *ret)
{
	const struct memtool_walk *walk = ((struct walk_memory *)memory)->walk;
	size_t count = walk->read(walk->context, address, buffer, length);

	/* The caller's word is not taken for more than was asked for. */
	*ret = count <= length ? count : length;
	return NULL;
}

struct found_symbol {
	uint64_t address, size;
	bool found;
};

static struct found_symbol find(const struct memtool_walk *walk, const char *name)
{
	struct found_symbol symbol = { 0 };

	symbol.found = walk->find_symbol(walk->context, name, &symbol.address, &symbol.size);
	return symbol;
}

static struct memtool_error *must_find(const struct memtool_walk *walk, const char *name,
				       struct found_symbol *ret)
{
	struct found_symbol symbol = find(walk, name);

	if (!symbol.found)
		return memtool_error_create(MEMTOOL_ERROR_NO_SYMBOLS, "%s was not provided", name);
	*ret = symbol;
	return NULL;
}

static struct root root_of(struct found_symbol symbol)
{
	return (struct root){ symbol.address, symbol.found ? ROOT_SYMBOLS : ROOT_UNKNOWN };
}

/* The addresses, and the layout that goes with the sizes. */
static struct memtool_error *find_roots(const struct memtool_walk *walk, const char *glibc,
					struct malloc_roots *ret_roots,
					const struct glibc_layout **ret_layout)
{
	struct found_symbol main_arena, mp;
	struct memtool_error *error = must_find(walk, "main_arena", &main_arena);

	if (!error)
		error = must_find(walk, "mp_", &mp);
	if (error)
		return error;
	const struct glibc_traits traits = {
		.version = glibc_version_parse(glibc, strlen(glibc)),
		.malloc_state_size = main_arena.size,
		.malloc_par_size = mp.size,
	};
	const struct glibc_layout *layout = glibc_layout_find(&traits);
	if (!layout)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "no layout fits glibc '%s' with a main_arena of %llu "
					    "and an mp_ of %llu bytes",
					    glibc, (unsigned long long)main_arena.size,
					    (unsigned long long)mp.size);
	ret_roots->main_arena = root_of(main_arena);
	ret_roots->mp = root_of(mp);
	ret_roots->tcache = root_of(find(walk, "tcache"));
	ret_roots->thread_arena = root_of(find(walk, "thread_arena"));
	*ret_layout = layout;
	return NULL;
}

static struct memtool_error *list_threads(const struct memtool_walk *walk, struct walk_threads *ret)
{
	for (size_t i = 0; i < walk->thread_count; i++) {
		const struct root_thread thread = {
			.tid = walk->threads[i].tid,
			.fs_base = walk->threads[i].fs_base,
		};
		if (i > 0 && thread.tid <= walk->threads[i - 1].tid)
			return memtool_error_create(MEMTOOL_ERROR_INVALID,
						    "the threads are not in the order of tids");
		if (!walk_threads_append(ret, &thread))
			return memtool_error_no_memory;
	}
	return NULL;
}

static struct memtool_error *list_ranges(const struct memtool_walk *walk, struct walk_ranges *ret)
{
	for (size_t i = 0; i < walk->anonymous_count; i++) {
		const struct range range = { walk->anonymous[i].start, walk->anonymous[i].end };
		struct range *last = ret->count ? &ret->data[ret->count - 1] : NULL;

		if (range.start >= range.end || (last && range.start < last->end))
			return memtool_error_create(MEMTOOL_ERROR_INVALID,
						    "the ranges are not in order, or overlap");
		/* malloc's memory may be of several mappings side by side. */
		if (last && last->end == range.start)
			last->end = range.end;
		else if (!walk_ranges_append(ret, &range))
			return memtool_error_no_memory;
	}
	return NULL;
}

struct memtool_error *memtool_walk_heap(const struct memtool_walk *walk, struct memtool_heap **ret)
{
	static const struct memory_ops ops = { .read = read_memory };
	_cleanup_(walk_ranges_deinit) struct walk_ranges ranges = { 0 };
	_cleanup_(walk_threads_deinit) struct walk_threads threads = { 0 };
	struct walk_memory memory = { { &ops }, walk };
	struct malloc_roots roots = { 0 };
	const struct glibc_layout *layout;
	const char *glibc;
	struct heap_copy *copy;
	struct heap *heap;

	if (walk->size < sizeof(*walk))
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "the size of struct memtool_walk is not set");
	glibc = walk->glibc ? walk->glibc : "";
	struct memtool_error *error = find_roots(walk, glibc, &roots, &layout);
	if (!error)
		error = list_threads(walk, &threads);
	if (!error)
		error = list_ranges(walk, &ranges);
	if (error)
		return error;

	roots.threads = threads.data;
	roots.thread_count = threads.count;
	const struct heap_source source = {
		.memory = &memory.memory,
		.layout = layout,
		.roots = &roots,
		.anonymous = ranges.data,
		.anonymous_count = ranges.count,
	};
	error = heap_copy(&source, &copy);
	if (!error)
		error = heap_finish(copy, &heap);
	return error ? error : api_heap_create(heap, glibc, ret);
}
