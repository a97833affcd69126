/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/parts.h"

#include "support/array.h"

/* What cannot be read begins at a page, and ends at one. */
#define PAGE 4096

DEFINE_ARRAY(part_array, struct part)

static bool add_part(struct part_array *array, const struct part *part)
{
	struct part *last = array->count ? &array->data[array->count - 1] : NULL;

	if (!last || !last->bytes != !part->bytes)
		return part_array_append(array, part);
	last->length += part->length;
	return true;
}

struct memtool_error *parts_read(struct memory *memory, uint64_t address, size_t length,
				 struct parts *ret)
{
	_cleanup_(part_array_deinit) struct part_array array = { 0 };
	_cleanup_free_ uint8_t *bytes = malloc(length);
	size_t done = 0;

	if (!bytes)
		return memtool_error_no_memory;
	while (done < length) {
		struct part part = { .address = address + done };
		struct memtool_error *error = memory_read_some(memory, part.address, bytes + done,
							       length - done, &part.length);
		if (error)
			return error;
		if (part.length > 0) {
			part.bytes = bytes + done;
		} else {
			part.length = PAGE - part.address % PAGE;
			if (part.length > length - done)
				part.length = length - done;
		}
		if (!add_part(&array, &part))
			return memtool_error_no_memory;
		done += part.length;
	}
	*ret = (struct parts){ no_cleanup_ptr(array.data), array.count, no_cleanup_ptr(bytes) };
	return NULL;
}

void parts_deinit(struct parts *parts)
{
	free(parts->data);
	free(parts->bytes);
	*parts = (struct parts){ 0 };
}
