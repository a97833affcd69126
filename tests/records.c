/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/records.h"

#include "tests/truth.h"

#include "support/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static int by_user(const void *a, const void *b)
{
	uint64_t x = ((const struct record *)a)->user, y = ((const struct record *)b)->user;

	return (x > y) - (x < y);
}

struct record_set records_new(size_t capacity)
{
	struct record_set set = { .data = malloc((capacity + 1) * sizeof(struct record)) };

	assert_non_null(set.data);
	return set;
}

void records_add(struct record_set *set, uint64_t user, uint64_t usable)
{
	set->data[set->count++] = (struct record){ user, usable };
}

struct record_set records_read(struct session *session)
{
	struct memory *memory = &session->process->memory;
	const struct mapping *mapping = NULL;
	struct record_table table;

	for (size_t i = 0; i < session->maps.count && !mapping; i++) {
		if (strstr(session->maps.data[i].name, RECORD_NAME))
			mapping = &session->maps.data[i];
	}
	if (!mapping)
		fail_msg("process %d has no recorder", session->process->pid);
	truth_must(memory_read(memory, mapping->range.start, &table, sizeof(table), "the record"));
	assert_true(table.magic == RECORD_MAGIC);
	assert_int_equal(table.unknown, 0);
	assert_int_equal(table.twice, 0);

	size_t bytes = table.capacity * sizeof(struct record);
	_cleanup_free_ struct record *slots = malloc(bytes);
	assert_non_null(slots);
	truth_must(memory_read(memory, mapping->range.start + sizeof(table), slots, bytes,
			       "the record"));
	/* A thread that is inside may be about to count what it has added, or to move it. */
	struct record_set set = records_new(table.count + table.inside);
	set.inside = table.inside;
	for (size_t i = 0; i < table.capacity; i++) {
		if (slots[i].user) {
			assert_true(set.count < table.count + table.inside);
			records_add(&set, slots[i].user, slots[i].usable);
		}
	}
	if (!table.inside)
		assert_int_equal(set.count, table.count);
	qsort(set.data, set.count, sizeof(*set.data), by_user);
	return set;
}

struct record_set records_of_heap(const struct heap *heap)
{
	struct record_set set = records_new(heap->chunk_count);

	for (size_t i = 0; i < heap->chunk_count; i++) {
		if (chunk_is_live(&heap->chunks[i]))
			records_add(&set, chunk_user(&heap->chunks[i]),
				    heap_usable_size(heap, &heap->chunks[i]));
	}
	/* Of chunks that are sorted by address, the user pointers are too. */
	return set;
}

bool records_contain(const struct record_set *set, const struct record *record)
{
	const struct record *found =
		set ? bsearch(record, set->data, set->count, sizeof(*record), by_user) : NULL;

	return found && found->usable == record->usable;
}
