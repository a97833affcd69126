/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of a running target: the singly linked lists as they are when the walk is over.
 *
 * A tcache and a fastbin are stacks. What the walk kept of the links deep in one still holds, as
 * nothing there changes; but the head that was read before the walk may have been taken since, and
 * its link with it, and then none of the chunks behind it would be known to be free. So heads are
 * read anew, and the links behind each, one by one, until they are again those that the walk kept;
 * and deeper down those that it did not keep, of chunks that were in use when it came by.
 */
#include "glibc/chunk.h"
#include "glibc/copy.h"

#include <stdlib.h>

/*
 * After so many links in a row as the walk kept them, what it kept is believed; each time that this
 * leads nowhere, four times as many. For a chunk that was walked before it was put into the list
 * may lie below many that were walked after that.
 */
#define SAME_ENOUGH 16
/* How many links of one list are read. */
#define LINKS_MAX 65536
/* How often a list is followed that changes meanwhile. */
#define ATTEMPTS 64

struct list {
	enum list_kind kind;
	uint64_t head_at; /* where in the target its head is */
	uint8_t *head; /* and what was copied of that */
	struct single_links *late; /* where its links go; not in order yet */
	unsigned int same_enough; /* SAME_ENOUGH, or more by now */
	bool ends; /* it was followed to an end that makes sense */
};

static int compare_links(const void *a, const void *b)
{
	const struct single_link *x = a, *y = b;

	return (x->address_16 > y->address_16) - (x->address_16 < y->address_16);
}

static uint64_t find_index(const struct heap_copy *copy, uint64_t address)
{
	size_t low = 0, high = copy->chunks.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (chunk_address(&copy->chunks.data[middle]) < address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < copy->chunks.count && chunk_address(&copy->chunks.data[low]) == address)
		return low;
	return SINGLE_LINK_NO_CHUNK;
}

/* The link of the chunk at address as it is by now; *ret_ok if it can be one. */
static struct memtool_error *read_link(struct heap_copy *copy, uint64_t address,
				       struct single_link *ret, bool *ret_ok)
{
	const uint64_t at = address + GLIBC_CHUNK_HDR_SZ;
	uint64_t next;

	struct memtool_error *error = memory_read(copy->memory, at, &next, sizeof(next), "a link");
	*ret_ok = !error;
	if (memtool_error_catch(&error, MEMTOOL_ERROR_FAULT) || error)
		return error;
	if (copy->layout->safe_linking)
		next = reveal_pointer(at, next);
	*ret_ok = next == 0 ||
		  (next % GLIBC_MALLOC_ALIGNMENT == 0 && copy_anonymous(copy, next) != NULL);
	*ret = (struct single_link){
		.address_16 = address >> 4,
		.next_high = next >> 28,
		.index = find_index(copy, address),
		.next_low = next >> 4 & 0xffffff,
	};
	return NULL;
}

/* Whether the list begins as it did when it was followed. */
static struct memtool_error *is_head_still(struct heap_copy *copy, const struct list *list,
					   bool *ret)
{
	uint64_t head;
	bool ok;

	struct memtool_error *error =
		memory_peek(copy->memory, list->head_at, &head, sizeof(head), &ok);
	*ret = ok && head == load_u64(list->head);
	return error;
}

/* Adds the links from the head on that the walk has not kept, or not so. */
static struct memtool_error *follow(struct heap_copy *copy, struct list *list)
{
	uint64_t next = load_u64(list->head);
	size_t reads = 0, steps = 0;
	unsigned int same = 0;

	list->ends = false;
	while (next != 0 && steps++ < copy->chunks.count) {
		const uint64_t address =
			next - (list->kind == LIST_TCACHE ? GLIBC_CHUNK_HDR_SZ : 0);
		const struct single_link *kept = find_single_link(copy, list->kind, address);
		struct single_link link;
		bool ok = next % GLIBC_MALLOC_ALIGNMENT == 0 && copy_anonymous(copy, address);

		if (ok && kept && same >= list->same_enough) {
			next = single_link_next(kept);
			continue;
		}
		if (!ok && same >= list->same_enough && list->same_enough < LINKS_MAX)
			list->same_enough *= 4;
		if (!ok || reads++ == LINKS_MAX)
			return NULL;
		struct memtool_error *error = read_link(copy, address, &link, &ok);
		if (error || !ok)
			return error;
		next = single_link_next(&link);
		same = kept && single_link_next(kept) == next ? same + 1 : 0;
		if (!same && !single_links_append(list->late, &link))
			return memtool_error_no_memory;
	}
	list->ends = steps == 0 || same >= list->same_enough;
	/* A chunk that was taken meanwhile, and is the last of another list, poses as the end. */
	return list->ends ? NULL : is_head_still(copy, list, &list->ends);
}

static struct memtool_error *catch_up(struct heap_copy *copy, struct list list)
{
	const size_t before = list.late->count;

	list.same_enough = SAME_ENOUGH;
	for (int attempt = 1;; attempt++) {
		bool ok = true;

		struct memtool_error *error = follow(copy, &list);
		if (error || list.ends || attempt == ATTEMPTS)
			return error;
		list.late->count = before;
		error = copy_bytes(copy, list.head_at, list.head, sizeof(uint64_t),
				   "the head of a list", &ok);
		if (error || !ok)
			return error;
	}
}

static struct memtool_error *catch_up_tcache(struct heap_copy *copy, struct tcache_bytes *tcache,
					     struct single_links *late)
{
	const struct glibc_layout *layout = copy->layout;
	const uint64_t address = copy->heap->threads[tcache->thread].tcache;
	bool ok;

	struct memtool_error *error =
		copy_bytes(copy, address, tcache->bytes, layout->tcache.size, "tcache", &ok);
	for (uint32_t bin = 0; !error && ok && bin < layout->tcache.bins; bin++) {
		const size_t offset = layout->tcache.entries + bin * sizeof(uint64_t);
		const struct list list = {
			.kind = LIST_TCACHE,
			.head_at = address + offset,
			.head = tcache->bytes + offset,
			.late = late,
		};
		error = catch_up(copy, list);
	}
	return error;
}

static struct memtool_error *catch_up_fastbins(struct heap_copy *copy, size_t arena,
					       struct single_links *late)
{
	const uint16_t offset = copy->layout->malloc_state.fastbinsY;
	bool ok;

	if (offset == GLIBC_ABSENT)
		return NULL;
	const uint64_t address = copy->arenas.data[arena].address + offset;
	uint8_t *heads = copy->arena_bytes.data[arena].bytes + offset;
	struct memtool_error *error = copy_bytes(
		copy, address, heads, GLIBC_NFASTBINS * sizeof(uint64_t), "fastbins", &ok);
	for (uint32_t bin = 0; !error && ok && bin < GLIBC_NFASTBINS; bin++) {
		const struct list list = {
			.kind = LIST_FASTBIN,
			.head_at = address + bin * sizeof(uint64_t),
			.head = heads + bin * sizeof(uint64_t),
			.late = late,
		};
		error = catch_up(copy, list);
	}
	return error;
}

static void sort_links(struct single_links *links)
{
	if (links->count)
		qsort(links->data, links->count, sizeof(*links->data), compare_links);
}

struct memtool_error *copy_late(struct heap_copy *copy)
{
	/* Apart from the copy as long as they are not sorted, since links are looked up there. */
	_cleanup_(single_links_deinit) struct single_links tcached = { 0 };
	_cleanup_(single_links_deinit) struct single_links fast = { 0 };
	struct memtool_error *error = NULL;

	for (size_t i = 0; !error && i < copy->tcaches.count; i++) {
		/* Of an orphan nothing changes any more. */
		if (copy->tcaches.data[i].thread < copy->heap->thread_count)
			error = catch_up_tcache(copy, &copy->tcaches.data[i], &tcached);
	}
	for (size_t i = 0; !error && i < copy->arenas.count; i++)
		error = catch_up_fastbins(copy, i, &fast);
	if (error)
		return error;
	sort_links(&tcached);
	sort_links(&fast);
	copy->late_tcached = tcached;
	copy->late_fast = fast;
	tcached = fast = (struct single_links){ 0 };
	return NULL;
}
