/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of chunks that nothing points to, found by their shape.
 *
 * Chunks chain by their sizes, so that a run of them can be told from other memory by following it:
 * each size must be possible, each header must agree with its predecessor, and the run must end as
 * runs do. This finds the parts of a main arena that brk could not extend, the part behind a
 * foreign sbrk(), and where a damaged heap is whole again.
 */
#ifndef GLIBC_REGIONS_H
#define GLIBC_REGIONS_H

#include "glibc/copy.h"
#include "glibc/window.h"

struct chain {
	uint64_t limit; /* no chunk reaches beyond */
	uint64_t top; /* of the arena; 0 if it cannot lie here */
	bool main_arena; /* NON_MAIN_ARENA must be clear, and a pair of fenceposts ends a run */
	bool first_inuse; /* the first chunk must have PREV_INUSE, as at the start of a part */
	uint64_t enough; /* believe it after so many chunks, though its end was not reached */
};

/* In place of the end of a chain that ends in a top whose header malloc has not written yet. */
#define CHAIN_OPEN UINT64_MAX

/*
 * Follows chunks from start. *ret_end is where they end, behind a pair of fenceposts, behind top,
 * or at the limit for a non-main heap; the address reached when there were enough; 0 if start is no
 * start of a chain.
 */
struct memtool_error *chain_follow(const struct chain *chain, struct window *window, uint64_t start,
				   uint64_t *ret_end);

/*
 * The first address in [from, chain->limit), in steps of 16 bytes, where a chain starts; 0 if
 * nowhere.
 */
struct memtool_error *chain_search(const struct chain *chain, struct window *window, uint64_t from,
				   uint64_t *ret);

/* Appends the segments of a main arena whose NONCONTIGUOUS_BIT is set. */
struct memtool_error *copy_main_regions(struct heap_copy *copy);

/* Sorts by address. */
void sort_segments(struct segment_array *segments);

/*
 * Appends the parts of range that no segment overlaps, a non-main heap counting with all that is
 * reserved for it. segments is sorted.
 */
bool range_without_segments(const struct heap_copy *copy, const struct range *range,
			    struct range_array *ret);

#endif
