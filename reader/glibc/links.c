/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up the links that the walk kept, and those that were read after it.
 */
#include "glibc/copy.h"

static const struct single_link *find_single(const struct single_links *links, uint64_t address)
{
	size_t low = 0, high = links->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint64_t found = single_link_address(&links->data[middle]);
		if (found == address)
			return &links->data[middle];
		if (found < address)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct single_link *find_single_link(const struct heap_copy *copy, enum list_kind kind,
					   uint64_t address)
{
	const struct single_links *late =
		kind == LIST_TCACHE ? &copy->late_tcached : &copy->late_fast;
	const struct single_link *found = find_single(late, address);

	return found ? found : find_single(&copy->single_links, address);
}

const struct double_link *find_double_link(const struct heap_copy *copy, uint64_t address)
{
	size_t low = 0, high = copy->double_links.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct double_link *link = &copy->double_links.data[middle];
		if (link->address == address)
			return link;
		if (link->address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
