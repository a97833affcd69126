/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of live allocations: what the recorder kept of a program, and what memtool found there.
 *
 * Both are sorted by user pointer. What cannot be had fails the test.
 */
#ifndef TESTS_RECORDS_H
#define TESTS_RECORDS_H

#include "tests/oracle/record.h"

#include "session.h"

struct record_set {
	struct record *data; /* freed by whoever got the set */
	size_t count;
	uint64_t inside; /* threads that were in the recorder meanwhile; 0: the set is exact */
};

/* The recorder's table, out of the target's memory. */
struct record_set records_read(struct session *session);

/* The chunks that are live. */
struct record_set records_of_heap(const struct heap *heap);

/* An empty one, with room for capacity, and the next of it. */
struct record_set records_new(size_t capacity);
void records_add(struct record_set *set, uint64_t user, uint64_t usable);

/* Whether it has the very pointer, of that usable size. False of no set. */
bool records_contain(const struct record_set *set, const struct record *record);

#endif
