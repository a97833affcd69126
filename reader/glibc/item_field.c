/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc/item_field.h"

#include "glibc/malloc_structs.h"

#include <stdio.h>

static bool name_field(const struct glibc_layout *layout, enum malloc_struct which, uint64_t offset,
		       char ret[ITEM_FIELD_MAX])
{
	struct malloc_field fields[MALLOC_FIELDS_MAX];
	size_t count = malloc_struct_fields(layout, which, fields);

	for (size_t i = 0; i < count; i++) {
		const struct malloc_field *field = &fields[i];
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

bool item_field(const struct heap *heap, const struct chunk *item, uint64_t offset,
		char ret[ITEM_FIELD_MAX])
{
	switch (item->state) {
	case CHUNK_MALLOC_STATE:
		return name_field(&heap->layout, MALLOC_STRUCT_STATE, offset, ret);
	case CHUNK_HEAP_INFO:
		return name_field(&heap->layout, MALLOC_STRUCT_HEAP_INFO, offset, ret);
	case CHUNK_TCACHE_STRUCT:
		return offset >= GLIBC_CHUNK_HDR_SZ &&
		       name_field(&heap->layout, MALLOC_STRUCT_TCACHE, offset - GLIBC_CHUNK_HDR_SZ,
				  ret);
	default:
		return false;
	}
}
