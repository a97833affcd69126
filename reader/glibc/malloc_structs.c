/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc/malloc_structs.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define POINTER(type) type " *", FIELD_POINTER
#define CHUNK         POINTER("struct malloc_chunk")
#define ARENA         POINTER("struct malloc_state")
#define SIZE          "size_t", FIELD_UNSIGNED
#define INT           "int", FIELD_SIGNED

static size_t state_fields(const struct glibc_layout *layout, struct malloc_field *ret)
{
	/* bins has fd and bk of each bin but bin 0; binmap is of 32-bit words. */
	const struct malloc_field fields[] = {
		{ "mutex", INT, layout->malloc_state.mutex, 4, 0 },
		{ "flags", INT, layout->malloc_state.flags, 4, 0 },
		{ "have_fastchunks", INT, layout->malloc_state.have_fastchunks, 4, 0 },
		{ "fastbinsY", CHUNK, layout->malloc_state.fastbinsY, 8, GLIBC_NFASTBINS },
		{ "top", CHUNK, layout->malloc_state.top, 8, 0 },
		{ "last_remainder", CHUNK, layout->malloc_state.last_remainder, 8, 0 },
		{ "bins", CHUNK, layout->malloc_state.bins, 8, GLIBC_NBINS * 2 - 2 },
		{ "binmap", "unsigned int", FIELD_HEX, layout->malloc_state.binmap, 4,
		  GLIBC_NBINS / 32 },
		{ "next", ARENA, layout->malloc_state.next, 8, 0 },
		{ "next_free", ARENA, layout->malloc_state.next_free, 8, 0 },
		{ "attached_threads", SIZE, layout->malloc_state.attached_threads, 8, 0 },
		{ "system_mem", SIZE, layout->malloc_state.system_mem, 8, 0 },
		{ "max_system_mem", SIZE, layout->malloc_state.max_system_mem, 8, 0 },
	};

	_Static_assert(COUNT(fields) <= MALLOC_FIELDS_MAX, "room for the fields of malloc_state");
	memcpy(ret, fields, sizeof(fields));
	return COUNT(fields);
}

/* The same in all releases; the last four where a free chunk has them. */
static size_t chunk_fields(struct malloc_field *ret)
{
	static const struct malloc_field fields[] = {
		{ "mchunk_prev_size", SIZE, 0, 8, 0 },
		{ "mchunk_size", "size_t", FIELD_HEX, 8, 8, 0 },
		{ "fd", CHUNK, 16, 8, 0 },
		{ "bk", CHUNK, 24, 8, 0 },
		{ "fd_nextsize", CHUNK, 32, 8, 0 },
		{ "bk_nextsize", CHUNK, 40, 8, 0 },
	};

	memcpy(ret, fields, sizeof(fields));
	return COUNT(fields);
}

static size_t heap_info_fields(const struct glibc_layout *layout, struct malloc_field *ret)
{
	const struct malloc_field fields[] = {
		{ "ar_ptr", ARENA, layout->heap_info.ar_ptr, 8, 0 },
		{ "prev", POINTER("struct _heap_info"), layout->heap_info.prev, 8, 0 },
		{ "size", SIZE, layout->heap_info.size_field, 8, 0 },
		{ "mprotect_size", SIZE, layout->heap_info.mprotect_size, 8, 0 },
	};

	memcpy(ret, fields, sizeof(fields));
	return COUNT(fields);
}

static size_t par_fields(const struct glibc_layout *layout, struct malloc_field *ret)
{
	bool small_bins = layout->tcache.counts_down; /* both came with 2.42 */
	const struct malloc_field fields[] = {
		{ "mmap_threshold", SIZE, layout->malloc_par.mmap_threshold, 8, 0 },
		{ "hp_pagesize", SIZE, layout->malloc_par.hp_pagesize, 8, 0 },
		{ "n_mmaps", INT, layout->malloc_par.n_mmaps, 4, 0 },
		{ "n_mmaps_max", INT, layout->malloc_par.n_mmaps_max, 4, 0 },
		{ "mmapped_mem", SIZE, layout->malloc_par.mmapped_mem, 8, 0 },
		{ "sbrk_base", POINTER("char"), layout->malloc_par.sbrk_base, 8, 0 },
		{ small_bins ? "tcache_small_bins" : "tcache_bins", SIZE,
		  layout->malloc_par.tcache_bins, 8, 0 },
		{ "tcache_max_bytes", SIZE, layout->malloc_par.tcache_max_bytes, 8, 0 },
		{ "tcache_count", SIZE, layout->malloc_par.tcache_count, 8, 0 },
	};

	memcpy(ret, fields, sizeof(fields));
	return COUNT(fields);
}

static size_t tcache_fields(const struct glibc_layout *layout, struct malloc_field *ret)
{
	const struct malloc_field fields[] = {
		{ layout->tcache.counts_down ? "num_slots" : "counts",
		  layout->tcache.count_size == 1 ? "char" : "uint16_t", FIELD_UNSIGNED,
		  layout->tcache.counts, layout->tcache.count_size, layout->tcache.bins },
		{ "entries", POINTER("tcache_entry"), layout->tcache.entries, 8,
		  layout->tcache.bins },
	};

	memcpy(ret, fields, sizeof(fields));
	return COUNT(fields);
}

size_t malloc_struct_fields(const struct glibc_layout *layout, enum malloc_struct which,
			    struct malloc_field ret[MALLOC_FIELDS_MAX])
{
	switch (which) {
	case MALLOC_STRUCT_STATE:
		return state_fields(layout, ret);
	case MALLOC_STRUCT_CHUNK:
		return chunk_fields(ret);
	case MALLOC_STRUCT_HEAP_INFO:
		return heap_info_fields(layout, ret);
	case MALLOC_STRUCT_PAR:
		return par_fields(layout, ret);
	case MALLOC_STRUCT_TCACHE:
		return tcache_fields(layout, ret);
	}
	return 0;
}

static uint64_t size_of(const struct glibc_layout *layout, enum malloc_struct which)
{
	switch (which) {
	case MALLOC_STRUCT_STATE:
		return layout->malloc_state.size;
	case MALLOC_STRUCT_HEAP_INFO:
		return layout->heap_info.size;
	case MALLOC_STRUCT_PAR:
		return layout->malloc_par.size;
	case MALLOC_STRUCT_TCACHE:
		return layout->tcache.size;
	default:
		return 48; /* struct malloc_chunk */
	}
}

static bool describe_field(const struct malloc_field *field, struct struct_type *type)
{
	unsigned int count = field->count ? field->count : 1;
	char name[64];

	for (unsigned int i = 0; i < count; i++) {
		if (field->count)
			snprintf(name, sizeof(name), "%s[%u]", field->name, i);
		else
			snprintf(name, sizeof(name), "%s", field->name);
		const struct struct_field one = {
			.name = name,
			.type = (char *)field->type,
			.kind = field->kind,
			.offset = field->offset + (uint64_t)i * field->size,
			.size = field->size,
		};
		if (!struct_type_add(type, &one))
			return false;
	}
	return true;
}

struct memtool_error *malloc_struct_describe(const struct glibc_layout *layout,
					     enum malloc_struct which, struct struct_type *ret)
{
	_cleanup_struct_type_ struct struct_type type = { .size = size_of(layout, which) };
	struct malloc_field fields[MALLOC_FIELDS_MAX];
	size_t count = malloc_struct_fields(layout, which, fields);

	for (size_t i = 0; i < count; i++) {
		if (fields[i].offset != GLIBC_ABSENT && !describe_field(&fields[i], &type))
			return memtool_error_no_memory;
	}
	*ret = type;
	type = (struct struct_type){ 0 };
	return NULL;
}
