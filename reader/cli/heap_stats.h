/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers behind `memtool heap` that need a pass over all chunks.
 */
#ifndef CLI_HEAP_STATS_H
#define CLI_HEAP_STATS_H

#include "glibc/heap.h"
#include "support/error.h"

#include <stdint.h>

#define SIZE_CLASSES      48
#define LARGEST_SIZES_MAX 10

/* Chunks by size, header and all: class c holds those above 2^(c-1) and up to 2^c bytes. */
struct size_class {
	struct tally live;
	struct tally free;
};

/* All live chunks of exactly one size. */
struct size_total {
	uint64_t size;
	uint64_t count;
};

struct heap_stats {
	uint64_t usable_bytes; /* what malloc_usable_size() says, over all live chunks */
	struct size_class classes[SIZE_CLASSES];
	struct size_total largest[LARGEST_SIZES_MAX]; /* by total bytes, most first */
	size_t largest_count;
	/* The pages that the in-use chunks of the arenas lie on, in bytes, each page once. */
	uint64_t live_page_bytes;
	/*
	 * What malloc_trim(0) hands back to the kernel, as far as it has not done so before. It
	 * merges neighbours in fastbins and bins, and gives back the whole pages inside them, and
	 * of the main arena's top all but the first (mtrim() and systrim() in malloc/malloc.c).
	 * Free chunks and top are told apart as they are now, before anything is merged.
	 */
	uint64_t trimmable_free_bytes;
	uint64_t trimmable_top_bytes;
};

/* page_size is the target's. */
struct memtool_error *heap_stats_make(const struct heap *heap, uint64_t page_size,
				      struct heap_stats *ret);

#endif
