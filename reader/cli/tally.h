/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums over the states of a heap or of an arena.
 */
#ifndef CLI_TALLY_H
#define CLI_TALLY_H

#include "glibc/heap.h"

/* Of the states first to last, both included. */
static inline struct tally tally_sum(const struct tally *tally, enum chunk_state first,
				     enum chunk_state last)
{
	struct tally sum = { 0 };

	for (unsigned int state = first; state <= last; state++) {
		sum.count += tally[state].count;
		sum.bytes += tally[state].bytes;
	}
	return sum;
}

/* As chunk_is_live(). */
static inline struct tally tally_live(const struct tally *tally)
{
	return tally_sum(tally, CHUNK_IN_USE, CHUNK_MMAPPED);
}

/* As chunk_is_free(). */
static inline struct tally tally_free(const struct tally *tally)
{
	return tally_sum(tally, CHUNK_TCACHE, CHUNK_UNLISTED);
}

/* What is in no arena: the mmapped chunks, also the ones in a tcache. */
static inline void tally_outside_arenas(const struct heap *heap, struct tally ret[CHUNK_STATES])
{
	for (unsigned int state = 0; state < CHUNK_STATES; state++) {
		ret[state] = heap->tally[state];
		for (size_t i = 0; i < heap->arena_count; i++) {
			ret[state].count -= heap->arenas[i].tally[state].count;
			ret[state].bytes -= heap->arenas[i].tally[state].bytes;
		}
	}
}

#endif
