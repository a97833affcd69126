/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/dwarf_layout.h"

#include "symbols/dwarf_types.h"

#include <string.h>

enum { MALLOC_STATE, MALLOC_PAR, HEAP_INFO, MALLOC_CHUNK, TCACHE_PERTHREAD, TCACHE_ENTRY, STRUCTS };

struct field {
	unsigned int type; /* in which struct */
	const char *member;
	const char *later_name; /* of the member, since some release; or NULL */
	size_t target; /* of a uint16_t in struct glibc_layout */
	bool optional; /* GLIBC_ABSENT if it is not there */
};

#define TARGET(path) offsetof(struct glibc_layout, path)

static const struct field fields[] = {
	{ MALLOC_STATE, "mutex", NULL, TARGET(malloc_state.mutex), false },
	{ MALLOC_STATE, "flags", NULL, TARGET(malloc_state.flags), false },
	{ MALLOC_STATE, "have_fastchunks", NULL, TARGET(malloc_state.have_fastchunks), true },
	{ MALLOC_STATE, "fastbinsY", NULL, TARGET(malloc_state.fastbinsY), true },
	{ MALLOC_STATE, "top", NULL, TARGET(malloc_state.top), false },
	{ MALLOC_STATE, "last_remainder", NULL, TARGET(malloc_state.last_remainder), false },
	{ MALLOC_STATE, "bins", NULL, TARGET(malloc_state.bins), false },
	{ MALLOC_STATE, "binmap", NULL, TARGET(malloc_state.binmap), false },
	{ MALLOC_STATE, "next", NULL, TARGET(malloc_state.next), false },
	{ MALLOC_STATE, "next_free", NULL, TARGET(malloc_state.next_free), false },
	{ MALLOC_STATE, "attached_threads", NULL, TARGET(malloc_state.attached_threads), false },
	{ MALLOC_STATE, "system_mem", NULL, TARGET(malloc_state.system_mem), false },
	{ MALLOC_STATE, "max_system_mem", NULL, TARGET(malloc_state.max_system_mem), false },
	{ MALLOC_PAR, "mmap_threshold", NULL, TARGET(malloc_par.mmap_threshold), false },
	{ MALLOC_PAR, "hp_pagesize", NULL, TARGET(malloc_par.hp_pagesize), true },
	{ MALLOC_PAR, "n_mmaps", NULL, TARGET(malloc_par.n_mmaps), false },
	{ MALLOC_PAR, "n_mmaps_max", NULL, TARGET(malloc_par.n_mmaps_max), false },
	{ MALLOC_PAR, "mmapped_mem", NULL, TARGET(malloc_par.mmapped_mem), false },
	{ MALLOC_PAR, "sbrk_base", NULL, TARGET(malloc_par.sbrk_base), false },
	{ MALLOC_PAR, "tcache_bins", "tcache_small_bins", TARGET(malloc_par.tcache_bins), false },
	{ MALLOC_PAR, "tcache_max_bytes", NULL, TARGET(malloc_par.tcache_max_bytes), false },
	{ MALLOC_PAR, "tcache_count", NULL, TARGET(malloc_par.tcache_count), false },
	{ HEAP_INFO, "ar_ptr", NULL, TARGET(heap_info.ar_ptr), false },
	{ HEAP_INFO, "prev", NULL, TARGET(heap_info.prev), false },
	{ HEAP_INFO, "size", NULL, TARGET(heap_info.size_field), false },
	{ HEAP_INFO, "mprotect_size", NULL, TARGET(heap_info.mprotect_size), false },
	{ TCACHE_PERTHREAD, "counts", "num_slots", TARGET(tcache.counts), false },
	{ TCACHE_PERTHREAD, "entries", NULL, TARGET(tcache.entries), false },
};

/* struct malloc_state and its like go into buffers of these sizes. */
static const struct {
	unsigned int type;
	size_t target;
	uint64_t max;
} sizes[] = {
	{ MALLOC_STATE, TARGET(malloc_state.size), GLIBC_MALLOC_STATE_MAX },
	{ MALLOC_PAR, TARGET(malloc_par.size), GLIBC_MALLOC_PAR_MAX },
	{ HEAP_INFO, TARGET(heap_info.size), 4096 },
	{ TCACHE_PERTHREAD, TARGET(tcache.size), GLIBC_TCACHE_STRUCT_MAX },
};

/* What no release changed, and the rest of memtool takes for granted. */
static const struct {
	unsigned int type;
	const char *member;
	struct dwarf_member expected;
} constants[] = {
	{ MALLOC_CHUNK, "mchunk_prev_size", { 0, 1, 8 } },
	{ MALLOC_CHUNK, "mchunk_size", { 8, 1, 8 } },
	{ MALLOC_CHUNK, "fd", { 16, 1, 8 } },
	{ MALLOC_CHUNK, "bk", { 24, 1, 8 } },
	{ MALLOC_CHUNK, "fd_nextsize", { 32, 1, 8 } },
	{ TCACHE_ENTRY, "next", { 0, 1, 8 } },
};

static struct memtool_error *unknown(const struct dwarf_struct *type, const char *what)
{
	return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
				    "struct %s of this glibc is of no known form: %s", type->name,
				    what);
}

static void set(struct glibc_layout *layout, size_t target, uint16_t value)
{
	memcpy((char *)layout + target, &value, sizeof(value));
}

static uint16_t get(const struct glibc_layout *layout, size_t target)
{
	uint16_t value;

	memcpy(&value, (const char *)layout + target, sizeof(value));
	return value;
}

static struct memtool_error *take_sizes(const struct dwarf_struct *structs,
					struct glibc_layout *layout)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const struct dwarf_struct *type = &structs[sizes[i].type];
		uint64_t size;
		if (!dwarf_struct_size(type, &size) || size > sizes[i].max)
			return unknown(type, "its size");
		set(layout, sizes[i].target, (uint16_t)size);
	}
	return NULL;
}

/* The size that a struct was found to have. */
static uint64_t size_of(const struct glibc_layout *layout, unsigned int type)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (sizes[i].type == type)
			return get(layout, sizes[i].target);
	}
	return 0;
}

static struct memtool_error *take_fields(const struct dwarf_reader *reader,
					 const struct dwarf_struct *structs,
					 struct glibc_layout *layout)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct field *field = &fields[i];
		const struct dwarf_struct *type = &structs[field->type];
		struct dwarf_member member;

		if (!dwarf_find_member(reader, type, field->member, &member) &&
		    !(field->later_name &&
		      dwarf_find_member(reader, type, field->later_name, &member))) {
			if (!field->optional)
				return unknown(type, field->member);
			member.offset = GLIBC_ABSENT;
		} else if (member.offset >= size_of(layout, field->type)) {
			return unknown(type, field->member);
		}
		set(layout, field->target, (uint16_t)member.offset);
	}
	return NULL;
}

static struct memtool_error *check_constants(const struct dwarf_reader *reader,
					     const struct dwarf_struct *structs)
{
	struct dwarf_member member;

	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		const struct dwarf_struct *type = &structs[constants[i].type];
		const struct dwarf_member *expected = &constants[i].expected;
		if (!dwarf_find_member(reader, type, constants[i].member, &member) ||
		    member.offset != expected->offset || member.count != expected->count ||
		    member.element_size != expected->element_size)
			return unknown(type, constants[i].member);
	}
	if (!dwarf_find_member(reader, &structs[MALLOC_STATE], "bins", &member) ||
	    member.count != 2 * GLIBC_NBINS - 2 || member.element_size != 8)
		return unknown(&structs[MALLOC_STATE], "bins");
	return NULL;
}

/* The two arrays: as many counters as lists. */
static struct memtool_error *take_tcache(const struct dwarf_reader *reader,
					 const struct dwarf_struct *structs,
					 struct glibc_layout *layout)
{
	const struct dwarf_struct *tcache = &structs[TCACHE_PERTHREAD];
	struct dwarf_member counts, entries, key;

	layout->tcache.counts_down = dwarf_find_member(reader, tcache, "num_slots", &counts);
	if (!layout->tcache.counts_down && !dwarf_find_member(reader, tcache, "counts", &counts))
		return unknown(tcache, "counts");
	if (!dwarf_find_member(reader, tcache, "entries", &entries) || entries.element_size != 8 ||
	    entries.count != counts.count || entries.count == 0 ||
	    entries.count > GLIBC_TCACHE_MAX_BINS ||
	    (counts.element_size != 1 && counts.element_size != 2))
		return unknown(tcache, "entries");
	if (counts.offset + counts.count * counts.element_size > layout->tcache.size ||
	    entries.offset + entries.count * entries.element_size > layout->tcache.size)
		return unknown(tcache, "its size");

	layout->tcache.bins = (uint16_t)entries.count;
	layout->tcache.count_size = (uint8_t)counts.element_size;
	layout->tcache.key = dwarf_find_member(reader, &structs[TCACHE_ENTRY], "key", &key);
	return NULL;
}

/*
 * What no type shows by itself came or went with something that does: fastbins went in 2.43,
 * hp_pagesize came in 2.35, and counters of free slots in 2.42, which made HEAP_MAX_SIZE constant
 * again. Only safe-linking (2.32) came with no change of a type: without hp_pagesize it is as right
 * as the version.
 */
static void take_conventions(unsigned int version, struct glibc_layout *layout)
{
	bool huge_pages = layout->malloc_par.hp_pagesize != GLIBC_ABSENT;
	bool fastbins = layout->malloc_state.fastbinsY != GLIBC_ABSENT;

	layout->safe_linking = huge_pages || version >= 232;
	layout->heap_max_follows_hugetlb = huge_pages && !layout->tcache.counts_down;
	layout->mmapped_header_apart = !fastbins;
	layout->tcache.dummy = !fastbins;
}

static struct memtool_error *read_layout(const struct dwarf_reader *reader,
					 const struct dwarf_struct *structs, unsigned int version,
					 struct glibc_layout *ret)
{
	struct glibc_layout layout = { .name = "dwarf",
				       .first_version = (uint16_t)version,
				       .last_version = (uint16_t)version };
	struct memtool_error *error = take_sizes(structs, &layout);

	if (!error)
		error = take_fields(reader, structs, &layout);
	if (!error)
		error = check_constants(reader, structs);
	if (!error)
		error = take_tcache(reader, structs, &layout);
	if (error)
		return error;
	take_conventions(version, &layout);
	*ret = layout;
	return NULL;
}

struct memtool_error *dwarf_layout_read(const struct elf_file *file, unsigned int version,
					bool *ret_found, struct glibc_layout *ret)
{
	struct dwarf_struct structs[STRUCTS] = {
		[MALLOC_STATE].name = "malloc_state",
		[MALLOC_PAR].name = "malloc_par",
		[HEAP_INFO].name = "_heap_info",
		[MALLOC_CHUNK].name = "malloc_chunk",
		[TCACHE_PERTHREAD].name = "tcache_perthread_struct",
		[TCACHE_ENTRY].name = "tcache_entry",
	};
	_cleanup_dwarf_reader_ struct dwarf_reader reader = { 0 };
	bool found;
	struct memtool_error *error = dwarf_reader_open(file, &found, &reader);

	if (!error && found)
		found = dwarf_find_structs(&reader, "malloc.c", structs, STRUCTS) ||
			dwarf_find_structs(&reader, NULL, structs, STRUCTS);
	if (!error && found)
		error = read_layout(&reader, structs, version, ret);
	if (!error)
		*ret_found = found;
	return error;
}
