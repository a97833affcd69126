/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/link_map.h"

#include "symbols/dynamic.h"

#include <link.h>
#include <string.h>

#define LIST_MAX 65536 /* also ends a walk in a ring */

/* Reads one struct; a fault is like the end of the list. */
static struct memtool_error *read_struct(struct memory *memory, uint64_t address, void *ret,
					 size_t size)
{
	size_t count;
	struct memtool_error *error = memory_read_some(memory, address, ret, size, &count);

	if (!error && count < size)
		memset(ret, 0, size);
	return error;
}

static struct module *match(struct module *const *candidates, size_t count, uint64_t dynamic)
{
	for (size_t i = 0; i < count; i++) {
		if (candidates[i]->dynamic.start == dynamic)
			return candidates[i];
	}
	return NULL;
}

static struct memtool_error *find_list(const struct modules *modules, struct memory *memory,
				       uint64_t *ret)
{
	struct dynamic dynamic;
	struct r_debug list = { 0 };
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < modules->count && !error; i++) {
		error = dynamic_read(modules->data[i], memory, &dynamic);
		if (!error && dynamic.debug) {
			error = read_struct(memory, dynamic.debug, &list, sizeof(list));
			break;
		}
	}
	if (!error)
		*ret = (uintptr_t)list.r_map;
	return error;
}

struct memtool_error *link_map_first(const struct modules *modules, struct memory *memory,
				     struct module *const *candidates, size_t count,
				     struct module **ret)
{
	struct module *found = NULL;
	struct link_map map;
	uint64_t at;
	struct memtool_error *error = find_list(modules, memory, &at);

	for (size_t i = 0; !error && !found && at && i < LIST_MAX; i++) {
		error = read_struct(memory, at, &map, sizeof(map));
		if (error)
			break;
		found = match(candidates, count, (uintptr_t)map.l_ld);
		at = (uintptr_t)map.l_next;
	}
	if (!error)
		*ret = found;
	return error;
}

struct memtool_error *link_map_of(const struct modules *modules, struct memory *memory,
				  const struct module *module, uint64_t *ret)
{
	struct link_map map = { 0 };
	uint64_t at = 0;
	struct memtool_error *error = NULL;

	if (range_size(module->dynamic))
		error = find_list(modules, memory, &at);
	for (size_t i = 0; !error && at; i++) {
		error = read_struct(memory, at, &map, sizeof(map));
		if (error || (uintptr_t)map.l_ld == module->dynamic.start)
			break;
		at = i < LIST_MAX ? (uintptr_t)map.l_next : 0;
	}
	if (!error)
		*ret = at;
	return error;
}
