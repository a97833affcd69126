/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the recorder keeps, for the checker to read out of the recorded process: a hash table of the
 * allocations that are live, in a private mapping of a memfd called RECORD_NAME. A child of fork
 * has a copy of its own at the same address.
 */
#ifndef TESTS_RECORD_H
#define TESTS_RECORD_H

#include <stdint.h>

#define RECORD_NAME     "memtool-record"
#define RECORD_MAGIC    UINT64_C(0x6472636572746d31)
#define RECORD_CAPACITY (UINT64_C(1) << 21)

struct record {
	uint64_t user; /* what malloc returned; 0: the slot is empty */
	uint64_t usable; /* malloc_usable_size() */
};

struct record_table {
	uint64_t magic; /* written last */
	uint64_t capacity;
	uint64_t count; /* slots that are not empty */
	/* Must stay 0: a pointer freed that was not recorded, or recorded twice. */
	uint64_t unknown;
	uint64_t twice;
	uint64_t inside; /* threads that are in the recorder, or in the function that it calls */
	struct record records[];
};

#endif
