/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes and strings of the public header's targets.
 */
#include "api/target.h"

#include <string.h>

struct memtool_error *memtool_read(struct memtool_target *target, uint64_t address, void *buffer,
				   size_t length)
{
	return memory_read(&target->session->process->memory, address, buffer, length, "memory");
}

struct memtool_error *memtool_read_some(struct memtool_target *target, uint64_t address,
					void *buffer, size_t length, size_t *ret)
{
	return memory_read_some(&target->session->process->memory, address, buffer, length, ret);
}

struct memtool_error *memtool_string_length(struct memtool_target *target, uint64_t address,
					    uint64_t max, uint64_t *ret, bool *ret_ended)
{
	struct memory *memory = &target->session->process->memory;
	bool ended = false, more = true;
	uint64_t length = 0;
	char piece[4096];

	while (more && !ended && length < max) {
		/* To the end of the page, so that most strings take one read. */
		size_t wanted = sizeof(piece) - (address + length) % sizeof(piece), count;
		if (wanted > max - length)
			wanted = (size_t)(max - length);
		struct memtool_error *error =
			memory_read_some(memory, address + length, piece, wanted, &count);
		if (error)
			return error;
		const char *end = memchr(piece, '\0', count);
		ended = end != NULL;
		more = count == wanted;
		length += ended ? (uint64_t)(end - piece) : count;
	}
	*ret = length;
	if (ret_ended)
		*ret_ended = ended;
	return NULL;
}
