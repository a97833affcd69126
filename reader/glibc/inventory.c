/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc/inventory.h"

#include "glibc/chunk.h"

#include <inttypes.h>

/* Far more than any agent will publish. */
#define MAP_SIZE_MAX (UINT32_C(16) << 20)

static struct memtool_error *refuse(const char *why)
{
	return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
				    "the agent's inventory page is damaged: %s", why);
}

static struct memtool_error *check_header(const struct inventory_header *header, size_t length,
					  uint64_t address)
{
	if (header->magic != INVENTORY_MAGIC)
		return refuse("it has no magic number");
	if (header->abi_major != INVENTORY_ABI_MAJOR)
		return memtool_error_create(
			MEMTOOL_ERROR_UNSUPPORTED,
			"the agent's inventory page has version %u.%u, but this "
			"memtool reads %u",
			header->abi_major, header->abi_minor, INVENTORY_ABI_MAJOR);
	if (header->check != inventory_header_check(header))
		return refuse("its checksum does not hold");
	if (!inventory_guard_holds(header->flags) || !inventory_guard_holds(header->thread_high))
		return refuse("a guarded word does not hold");
	if (header->header_size < sizeof(*header) ||
	    header->thread_size < sizeof(struct inventory_thread) || header->map_size > length ||
	    header->header_size > header->map_size ||
	    (uint64_t)header->thread_size * header->thread_capacity >
		    header->map_size - header->header_size ||
	    (uint16_t)header->thread_high > header->thread_capacity)
		return refuse("its sizes contradict each other");
	if (header->address != address)
		return refuse("it was made for another address");
	return NULL;
}

struct memtool_error *inventory_decode(const void *bytes, size_t length, uint64_t address,
				       struct inventory *ret)
{
	_cleanup_(inventory_deinit) struct inventory inventory = { 0 };

	if (length < sizeof(inventory.header))
		return refuse("it is too short");
	memcpy(&inventory.header, bytes, sizeof(inventory.header));
	struct memtool_error *error = check_header(&inventory.header, length, address);
	if (error)
		return error;
	inventory.flags = (uint16_t)inventory.header.flags;

	for (uint32_t i = 0; i < (uint16_t)inventory.header.thread_high; i++) {
		struct inventory_thread thread;
		memcpy(&thread,
		       (const char *)bytes + inventory.header.header_size +
			       (size_t)i * inventory.header.thread_size,
		       sizeof(thread));
		if (thread.state == INVENTORY_THREAD_FREE)
			continue;
		if (thread.state != INVENTORY_THREAD_LIVE ||
		    thread.check != inventory_thread_check(&thread))
			return refuse("an entry of its thread table does not hold");
		if (!inventory_threads_append(&inventory.threads, &thread))
			return memtool_error_no_memory;
	}
	*ret = inventory;
	inventory.threads = (struct inventory_threads){ 0 };
	return NULL;
}

/* The ring goes on at an aligned address, and few threads are attached: so it may be an arena. */
static struct memtool_error *check_arena(struct memory *memory,
					 const struct inventory_header *header)
{
	uint64_t words[3]; /* next, next_free, attached_threads */

	if (header->malloc_state_next > GLIBC_MALLOC_STATE_MAX - sizeof(words))
		return refuse("its malloc_state is of no known kind");
	struct memtool_error *error =
		memory_read(memory, header->main_arena + header->malloc_state_next, words,
			    sizeof(words), "main_arena");
	if (memtool_error_catch(&error, MEMTOOL_ERROR_FAULT))
		return refuse("its main_arena is not in memory");
	if (error)
		return error;
	if (words[0] == 0 || words[0] % GLIBC_MALLOC_ALIGNMENT || words[2] > UINT32_MAX)
		return refuse("its main_arena is no arena");
	return NULL;
}

/* Up to the end of what was used of the table: the rest of the mapping has no pages yet. */
static uint64_t used_size(const struct inventory_header *header)
{
	return header->header_size + (uint64_t)(uint16_t)header->thread_high * header->thread_size;
}

struct memtool_error *inventory_read(struct memory *memory, uint64_t address, pid_t namespace_pid,
				     uint64_t start_time, struct inventory *ret)
{
	_cleanup_(inventory_deinit) struct inventory inventory = { 0 };
	_cleanup_free_ uint8_t *bytes = NULL;
	struct inventory_header header;

	struct memtool_error *error =
		memory_read(memory, address, &header, sizeof(header), "inventory page");
	if (error)
		return error;
	if (header.map_size < sizeof(header) || header.map_size > MAP_SIZE_MAX)
		return refuse("its size makes no sense");

	uint64_t used = used_size(&header);
	if (used > header.map_size || used < sizeof(header))
		return refuse("its sizes contradict each other");
	const size_t map_size = header.map_size;
	bytes = malloc(map_size);
	if (!bytes)
		return memtool_error_no_memory;
	error = memory_read(memory, address, bytes, used, "inventory page");
	if (error)
		return error;
	/* An entry that was added meanwhile was not read, and is as if it were free. */
	memcpy(&header, bytes, sizeof(header));
	if (used_size(&header) > used && used_size(&header) <= map_size)
		memset(bytes + used, 0, used_size(&header) - used);
	error = inventory_decode(bytes, map_size, address, &inventory);
	if (error)
		return error;
	/* vfork(2), or clone(2) without fork(3): the agent has had no say in it. */
	if (inventory.header.pid != namespace_pid)
		return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
					    "the agent's inventory page is of process %d, whose "
					    "memory this one shares or has a copy of",
					    inventory.header.pid);
	if (inventory.header.start_time && inventory.header.start_time != start_time)
		return refuse("it is of a process that started at another time");
	error = check_arena(memory, &inventory.header);
	if (error)
		return error;
	*ret = inventory;
	inventory.threads = (struct inventory_threads){ 0 };
	return NULL;
}

void inventory_deinit(struct inventory *inventory)
{
	inventory_threads_deinit(&inventory->threads);
}

struct glibc_traits inventory_traits(const struct inventory *inventory)
{
	const struct inventory_header *header = &inventory->header;
	struct glibc_traits traits = {
		.version = glibc_version_parse(
			header->glibc_version,
			strnlen(header->glibc_version, sizeof(header->glibc_version))),
		.malloc_state_next = header->malloc_state_next,
		.malloc_par_n_mmaps_max = header->malloc_par_n_mmaps_max,
	};
	return traits;
}
