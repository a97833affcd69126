/* SPDX-License-Identifier: Apache-2.0 */
#include "target/memory.h"

#include <string.h>

struct memtool_error *memory_read_some(struct memory *memory, uint64_t address, void *buffer,
				       size_t length, size_t *ret)
{
	if (length > UINT64_MAX - address)
		length = UINT64_MAX - address;
	if (length == 0) {
		*ret = 0;
		return NULL;
	}
	return memory->ops->read(memory, address, buffer, length, ret);
}

struct memtool_error *memory_find_present(struct memory *memory, struct range within,
					  struct range *ret)
{
	if (memory->ops->find_present && within.start < within.end)
		return memory->ops->find_present(memory, within, ret);
	*ret = within;
	return NULL;
}

void memory_read_ahead(struct memory *memory, struct range range)
{
	if (memory->ops->read_ahead)
		memory->ops->read_ahead(memory, range);
}

struct memtool_error *memory_take_ahead(struct memory *memory, uint64_t address, size_t length,
					struct range *ret_range, const uint8_t **ret)
{
	*ret = NULL;
	if (!memory->ops->take_ahead)
		return NULL;
	return memory->ops->take_ahead(memory, address, length, ret_range, ret);
}

struct memtool_error *memory_read(struct memory *memory, uint64_t address, void *buffer,
				  size_t length, const char *what)
{
	size_t done = 0;

	while (done < length) {
		size_t count;
		struct memtool_error *error = memory_read_some(
			memory, address + done, (char *)buffer + done, length - done, &count);
		if (error)
			return error;
		if (count == 0)
			return memtool_error_fault(address + done, what);
		done += count;
	}
	return NULL;
}

struct memtool_error *memory_peek(struct memory *memory, uint64_t address, void *buffer,
				  size_t length, bool *ret_ok)
{
	size_t count;
	struct memtool_error *error = memory_read_some(memory, address, buffer, length, &count);

	*ret_ok = !error && count == length;
	return error;
}

struct memtool_error *memory_read_u64(struct memory *memory, uint64_t address, const char *what,
				      uint64_t *ret)
{
	uint64_t word;
	struct memtool_error *error = memory_read(memory, address, &word, sizeof(word), what);
	if (error)
		return error;
	*ret = word;
	return NULL;
}

static struct memtool_error *buffer_read(struct memory *memory, uint64_t address, void *buffer,
					 size_t length, size_t *ret)
{
	struct memory_buffer *self = (struct memory_buffer *)memory;
	size_t done = 0;

	/* Regions that touch are one run of readable bytes. */
	for (size_t i = 0; i < self->region_count && done < length; i++) {
		const struct memory_region *region = &self->regions[i];
		uint64_t offset = address + done - region->address;
		if (address + done < region->address || offset >= region->length)
			continue;

		size_t count = region->length - offset;
		if (count > length - done)
			count = length - done;
		memcpy((char *)buffer + done, (const char *)region->bytes + offset, count);
		done += count;
	}
	*ret = done;
	return NULL;
}

struct memory_buffer memory_buffer(const struct memory_region *regions, size_t region_count)
{
	static const struct memory_ops ops = { .read = buffer_read };

	return (struct memory_buffer){
		.memory.ops = &ops,
		.regions = regions,
		.region_count = region_count,
	};
}
