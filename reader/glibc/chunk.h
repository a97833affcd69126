/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arithmetic of chunks and bins that all releases share (malloc/malloc.c), on x86-64.
 */
#ifndef GLIBC_CHUNK_H
#define GLIBC_CHUNK_H

#include "common/glibc_layout.h"
#include "glibc/heap.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* struct malloc_chunk as it lies in memory, up to the links of a free chunk. */
struct raw_chunk {
	uint64_t prev_size;
	uint64_t size; /* with the three flag bits */
	uint64_t fd;
	uint64_t bk;
};

/* A raw little-endian word out of a copied struct. */
static inline uint64_t load_u64(const void *bytes)
{
	uint64_t word;
	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint32_t load_u32(const void *bytes)
{
	uint32_t word;
	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint64_t raw_size(uint64_t size_field)
{
	return size_field & ~(uint64_t)GLIBC_SIZE_BITS;
}

/* Whether size can be a chunk's that does not reach beyond room bytes. */
static inline bool size_is_possible(uint64_t size, uint64_t room)
{
	return size >= GLIBC_MINSIZE && size % GLIBC_MALLOC_ALIGNMENT == 0 && size <= room &&
	       size < CHUNK_SIZE_END;
}

/* REVEAL_PTR: the pointer stored at position under safe-linking. */
static inline uint64_t reveal_pointer(uint64_t position, uint64_t stored)
{
	return stored ^ (position >> 12);
}

/* largebin_index_64 and smallbin_index: the bin_at() index for a size, 2 to 126. */
static inline uint32_t bin_of_size(uint64_t size)
{
	if (size < 0x400)
		return (uint32_t)(size >> 4);
	if (size >> 6 <= 48)
		return 48 + (uint32_t)(size >> 6);
	if (size >> 9 <= 20)
		return 91 + (uint32_t)(size >> 9);
	if (size >> 12 <= 10)
		return 110 + (uint32_t)(size >> 12);
	if (size >> 15 <= 4)
		return 119 + (uint32_t)(size >> 15);
	if (size >> 18 <= 2)
		return 124 + (uint32_t)(size >> 18);
	return 126;
}

#define UNSORTED_BIN    1
#define FIRST_SMALL_BIN 2
#define FIRST_LARGE_BIN 64
#define LAST_BIN        (GLIBC_NBINS - 2)

static inline uint32_t fastbin_of_size(uint64_t size)
{
	return (uint32_t)(size >> 4) - 2;
}

/* csize2tidx, and from 2.42 large_csize2tidx behind it; may be beyond the bins there are. */
static inline uint32_t tcache_bin_of_size(uint64_t size)
{
	uint64_t small = (size - GLIBC_MINSIZE) >> 4;
	if (small < GLIBC_TCACHE_SMALL_BINS)
		return (uint32_t)small;
	return GLIBC_TCACHE_SMALL_BINS + 63 - (uint32_t)__builtin_clzll(size) - 10;
}

#endif
