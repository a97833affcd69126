/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of the target, read as far as it can be: what is readable and what is not, in turn.
 */
#ifndef CLI_PARTS_H
#define CLI_PARTS_H

#include "support/error.h"
#include "target/memory.h"

/* A stretch that could be read as a whole, or not at all. */
struct part {
	uint64_t address;
	size_t length;
	const uint8_t *bytes; /* NULL: it could not be read */
};

struct parts {
	struct part *data; /* by address, one ends where the next begins */
	size_t count;
	uint8_t *bytes; /* what they point into */
};

/* length is not 0, and address + length does not wrap. */
struct memtool_error *parts_read(struct memory *memory, uint64_t address, size_t length,
				 struct parts *ret);

void parts_deinit(struct parts *parts);

#endif
