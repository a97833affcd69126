/* SPDX-License-Identifier: Apache-2.0 */
#include "process_inventory.h"

#include "target/tasks.h"

#include <string.h>

#define ATTEMPTS 4

static bool is_called(const struct mapping *mapping, const char *name)
{
	return mapping->offset == 0 && strcmp(mapping->name, name) == 0;
}

/* Any program may have shared anonymous memory of that size: only the magic tells the page. */
static struct memtool_error *has_magic(struct memory *memory, const struct mapping *mapping,
				       bool *ret)
{
	uint64_t magic;

	*ret = false;
	if (range_size(mapping->range) != INVENTORY_SIZE)
		return NULL;
	struct memtool_error *error =
		memory_read_u64(memory, mapping->range.start, "inventory page", &magic);
	if (memtool_error_catch(&error, MEMTOOL_ERROR_FAULT) || error)
		return error;
	*ret = magic == INVENTORY_MAGIC;
	return NULL;
}

/* Whether the mapping is called as the agent's page is, as common/inventory.h says. */
static struct memtool_error *is_page(struct memory *memory, const struct mapping *mapping,
				     bool *ret)
{
	*ret = is_called(mapping, INVENTORY_MAPS_NAME);
	if (*ret || !mapping->shared || !is_called(mapping, INVENTORY_ZERO_NAME))
		return NULL;
	return has_magic(memory, mapping, ret);
}

/* An entry of the table may be filled in just while it is read, but hardly every time. */
static struct memtool_error *read_page(struct process *process, uint64_t address,
				       struct inventory *ret)
{
	pid_t namespace_pid;

	struct memtool_error *error = task_namespace_pid(process->pid, &namespace_pid);
	for (int attempt = 1; !error; attempt++) {
		error = inventory_read(&process->memory, address, namespace_pid,
				       process->start_time, ret);
		if (!error || attempt == ATTEMPTS)
			break;
		memtool_error_catch(&error, MEMTOOL_ERROR_CORRUPT);
	}
	return error;
}

struct memtool_error *process_inventory(struct process *process, const struct maps *maps,
					struct inventory *ret)
{
	_cleanup_error_ struct memtool_error *refused = NULL;

	/* A program may have a memfd of that name, too: the first that can be believed is it. */
	for (size_t i = 0; i < maps->count; i++) {
		bool found;

		struct memtool_error *error = is_page(&process->memory, &maps->data[i], &found);
		if (!error && !found)
			continue;
		if (!error)
			error = read_page(process, maps->data[i].range.start, ret);
		if (!error || error->code == MEMTOOL_ERROR_NO_MEMORY ||
		    error->code == MEMTOOL_ERROR_NO_PROCESS)
			return error;
		memtool_error_destroy(refused);
		refused = error;
	}
	if (refused)
		return no_cleanup_ptr(refused);
	return memtool_error_create(MEMTOOL_ERROR_NO_SYMBOLS,
				    "process %d has no inventory page: start the program with "
				    "'memtool run', or leave out --source=inventory",
				    process->pid);
}
