/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window that slides over the target's memory: the buffer of every linear pass.
 *
 * Memory is read in large pieces and looked at in place. A pass that jumps over a big chunk skips
 * what lies in between; nothing is read twice unless the pass goes back. Pages that are not there
 * (memory_ops.find_present) are not read in passing, only if they are asked for.
 */
#ifndef GLIBC_WINDOW_H
#define GLIBC_WINDOW_H

#include "support/error.h"
#include "support/range.h"
#include "target/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2 MiB is where process_vm_readv(2) is fastest and the piece still fits a second-level cache. */
#define WINDOW_SIZE (UINT64_C(2) << 20)
#define PAGE        UINT64_C(4096)

/*
 * What searches may read, while the target stands still: those for chunks behind damage, and those
 * through memory that is no heap as far as is known. The second is about half a second.
 */
#define SEARCH_BUDGET (UINT64_C(64) << 20)
#define SEARCH_LIMIT  (UINT64_C(2) << 30)

struct window {
	struct memory *memory;
	uint64_t limit; /* nothing at or behind it is read */
	/* Bytes it may still read; then all is unreadable. Bounds a search in hostile memory. */
	uint64_t budget;
	/* How much to read at once, up to the end of a page; from PAGE to WINDOW_SIZE. */
	uint64_t piece;
	/*
	 * For a pass that does not turn back, over memory that nobody changes: pieces of
	 * WINDOW_SIZE are read ahead where memory can do that.
	 */
	bool ahead;
	struct range range; /* what is at bytes; range.start is a multiple of 16 */
	const uint8_t *bytes; /* buffer, or a piece that was read ahead */
	uint8_t *buffer; /* NULL until it is needed: many a search has nothing to do */
	/* In looked, which starts with a page, just the pages from present on are there. */
	struct range looked;
	uint64_t present;
};

void window_init(struct window *window, struct memory *memory);

void window_deinit(struct window *window);

/*
 * Makes [address, address + length) part of the window, and as much behind it as one piece holds.
 * *ret is NULL if it is not readable, not below the limit, or the budget is spent. length is small
 * against the window's size.
 */
struct memtool_error *window_slide(struct window *window, uint64_t address, size_t length,
				   const uint8_t **ret);

/* The bytes at address, sliding the window if need be. */
static inline struct memtool_error *window_at(struct window *window, uint64_t address,
					      size_t length, const uint8_t **ret)
{
	if (range_covers(window->range, address, length)) {
		*ret = window->bytes + (address - window->range.start);
		return NULL;
	}
	return window_slide(window, address, length, ret);
}

#endif
