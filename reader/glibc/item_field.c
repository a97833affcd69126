/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc/item_field.h"

#include <stdio.h>

struct field {
	const char *name;
	uint64_t offset;
	uint64_t size; /* of one element */
	uint64_t count; /* 0: not an array */
};

static bool name_field(const struct field *fields, size_t count, uint64_t offset,
		       char ret[ITEM_FIELD_MAX])
{
	for (size_t i = 0; i < count; i++) {
		const struct field *field = &fields[i];
		uint64_t elements = field->count ? field->count : 1;

		if (field->offset == GLIBC_ABSENT || offset < field->offset ||
		    offset - field->offset >= elements * field->size)
			continue;
		if (field->count)
			snprintf(ret, ITEM_FIELD_MAX, "%s[%u]", field->name,
				 (unsigned int)((offset - field->offset) / field->size));
		else
			snprintf(ret, ITEM_FIELD_MAX, "%s", field->name);
		return true;
	}
	return false;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool malloc_state_field(const struct glibc_layout *layout, uint64_t offset,
			       char ret[ITEM_FIELD_MAX])
{
	/* bins has fd and bk of each bin but bin 0; binmap is of 32-bit words. */
	const struct field fields[] = {
		{ "mutex", layout->malloc_state.mutex, 4, 0 },
		{ "flags", layout->malloc_state.flags, 4, 0 },
		{ "have_fastchunks", layout->malloc_state.have_fastchunks, 4, 0 },
		{ "fastbinsY", layout->malloc_state.fastbinsY, 8, GLIBC_NFASTBINS },
		{ "top", layout->malloc_state.top, 8, 0 },
		{ "last_remainder", layout->malloc_state.last_remainder, 8, 0 },
		{ "bins", layout->malloc_state.bins, 8, GLIBC_NBINS * 2 - 2 },
		{ "binmap", layout->malloc_state.binmap, 4, GLIBC_NBINS / 32 },
		{ "next", layout->malloc_state.next, 8, 0 },
		{ "next_free", layout->malloc_state.next_free, 8, 0 },
		{ "attached_threads", layout->malloc_state.attached_threads, 8, 0 },
		{ "system_mem", layout->malloc_state.system_mem, 8, 0 },
		{ "max_system_mem", layout->malloc_state.max_system_mem, 8, 0 },
	};

	return name_field(fields, COUNT(fields), offset, ret);
}

static bool heap_info_field(const struct glibc_layout *layout, uint64_t offset,
			    char ret[ITEM_FIELD_MAX])
{
	const struct field fields[] = {
		{ "ar_ptr", layout->heap_info.ar_ptr, 8, 0 },
		{ "prev", layout->heap_info.prev, 8, 0 },
		{ "size", layout->heap_info.size_field, 8, 0 },
		{ "mprotect_size", layout->heap_info.mprotect_size, 8, 0 },
	};

	return name_field(fields, COUNT(fields), offset, ret);
}

static bool tcache_field(const struct glibc_layout *layout, uint64_t offset,
			 char ret[ITEM_FIELD_MAX])
{
	const struct field fields[] = {
		{ layout->tcache.counts_down ? "num_slots" : "counts", layout->tcache.counts,
		  layout->tcache.count_size, layout->tcache.bins },
		{ "entries", layout->tcache.entries, 8, layout->tcache.bins },
	};

	return name_field(fields, COUNT(fields), offset, ret);
}

bool item_field(const struct heap *heap, const struct chunk *item, uint64_t offset,
		char ret[ITEM_FIELD_MAX])
{
	switch (item->state) {
	case CHUNK_MALLOC_STATE:
		return malloc_state_field(&heap->layout, offset, ret);
	case CHUNK_HEAP_INFO:
		return heap_info_field(&heap->layout, offset, ret);
	case CHUNK_TCACHE_STRUCT:
		return offset >= GLIBC_CHUNK_HDR_SZ &&
		       tcache_field(&heap->layout, offset - GLIBC_CHUNK_HDR_SZ, ret);
	default:
		return false;
	}
}
