/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's page, read and checked (common/inventory.h is its format).
 *
 * Nothing in it is trusted: what does not pass every check is refused whole, with the reason, and
 * the caller goes on with the next source. Knows neither where the page was found nor ptrace.
 */
#ifndef GLIBC_INVENTORY_H
#define GLIBC_INVENTORY_H

#include "common/glibc_layout.h"
#include "common/inventory.h"
#include "support/array.h"
#include "support/error.h"
#include "target/memory.h"

#include <sys/types.h>

DEFINE_ARRAY(inventory_threads, struct inventory_thread)

struct inventory {
	struct inventory_header header;
	uint16_t flags; /* enum inventory_flags */
	struct inventory_threads threads; /* the live ones, in the order of the table */
};

/*
 * Takes the page out of length bytes that were found at address in the target. Fails with
 * MEMTOOL_ERROR_CORRUPT if any check of the page itself does not hold, and with
 * MEMTOOL_ERROR_UNSUPPORTED for an ABI major that is not ours.
 */
struct memtool_error *inventory_decode(const void *bytes, size_t length, uint64_t address,
				       struct inventory *ret);

/*
 * Reads the page at address and checks it against the process: its pid in its own namespace, its
 * start time in clock ticks, and that there is an arena where the page says so.
 */
struct memtool_error *inventory_read(struct memory *memory, uint64_t address, pid_t namespace_pid,
				     uint64_t start_time, struct inventory *ret);

void inventory_deinit(struct inventory *inventory);

/* What the page tells of the layout. */
struct glibc_traits inventory_traits(const struct inventory *inventory);

#endif
