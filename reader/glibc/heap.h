/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct heap: the malloc heap of a process at one moment. What every answer is made from.
 *
 * It is built by heap_read() (glibc/read.h) and never changes afterwards, so any number of threads
 * and analyses may share it. Addresses are the target's; sizes are bytes; index ranges are
 * half-open. "Item" is a chunk, or one of glibc's own structs: those in heap memory, and
 * main_arena.
 *
 * chunks[] is sorted by address and without overlaps. arenas[0] is main_arena, the others follow in
 * the order of the arena ring. segments[] is sorted by address: each is a stretch of memory that
 * chunks tile, one heap of a non-main arena or one contiguous part of the main arena.
 */
#ifndef GLIBC_HEAP_H
#define GLIBC_HEAP_H

#include "common/glibc_layout.h"
#include "common/malloc_roots.h"
#include "glibc/audit.h"
#include "support/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum chunk_state {
	CHUNK_IN_USE,
	CHUNK_MMAPPED, /* in use, in a mapping of its own */
	CHUNK_TCACHE,
	CHUNK_FASTBIN,
	CHUNK_UNSORTED,
	CHUNK_SMALLBIN,
	CHUNK_LARGEBIN,
	CHUNK_UNLISTED, /* free by the next chunk's PREV_INUSE, but in no list */
	CHUNK_TOP,
	CHUNK_FENCEPOST,
	CHUNK_MALLOC_STATE,
	CHUNK_HEAP_INFO,
	CHUNK_TCACHE_STRUCT,
	CHUNK_STATES
};

/* The state's name in all output and in --state: "in-use". */
const char *chunk_state_name(enum chunk_state state);

#define CHUNK_NO_ARENA  ((1u << 20) - 1)
#define CHUNK_NO_THREAD ((1u << 19) - 1)

/*
 * One item, in 16 bytes: 48 bits of address (user space of x86-64 without LA57, which is all that
 * mmap hands out unasked), sizes below 16 TiB.
 */
struct chunk {
	uint64_t address_16 : 44; /* address / 16 */
	uint64_t arena : 20; /* index into arenas[]; CHUNK_NO_ARENA for mmapped */
	uint64_t size_8 : 41; /* size / 8 */
	uint64_t state : 4; /* enum chunk_state */
	uint64_t thread : 19; /* index into threads[], orphans too, whose tcache holds or is it */
};

_Static_assert(sizeof(struct chunk) == 16, "a chunk takes 16 bytes");

/* What lies at or behind this address, or is of this size, is none that a struct chunk can tell. */
#define CHUNK_ADDRESS_END (UINT64_C(1) << 48)
#define CHUNK_SIZE_END    (UINT64_C(1) << 44)

static inline uint64_t chunk_address(const struct chunk *chunk)
{
	return (uint64_t)chunk->address_16 << 4;
}

/*
 * What its size field says: header and all, but for an mmapped chunk of 2.43 and later, whose
 * header does not count. For a fencepost that ends a heap, whose size field says 0, it is 16.
 */
static inline uint64_t chunk_size(const struct chunk *chunk)
{
	return (uint64_t)chunk->size_8 << 3;
}

static inline uint64_t chunk_end(const struct chunk *chunk)
{
	return chunk_address(chunk) + chunk_size(chunk);
}

/* glibc's own structs that are no chunks: they have no header. */
static inline bool chunk_is_bare(const struct chunk *chunk)
{
	return chunk->state == CHUNK_MALLOC_STATE || chunk->state == CHUNK_HEAP_INFO;
}

/* The pointer that malloc returned, or would return; the struct itself for a bare one. */
static inline uint64_t chunk_user(const struct chunk *chunk)
{
	return chunk_address(chunk) + (chunk_is_bare(chunk) ? 0 : GLIBC_CHUNK_HDR_SZ);
}

/* Allocated by the program (or by libc for itself), and not freed. */
static inline bool chunk_is_live(const struct chunk *chunk)
{
	return chunk->state == CHUNK_IN_USE || chunk->state == CHUNK_MMAPPED;
}

/* Freed by the program and kept by malloc for reuse; top is neither free nor live. */
static inline bool chunk_is_free(const struct chunk *chunk)
{
	return chunk->state >= CHUNK_TCACHE && chunk->state <= CHUNK_UNLISTED;
}

/* Count and bytes of some items. */
struct tally {
	uint64_t count;
	uint64_t bytes;
};

enum list_kind { LIST_TCACHE, LIST_FASTBIN, LIST_UNSORTED, LIST_SMALLBIN, LIST_LARGEBIN };

/* A free list that is not empty, or whose counter says so. */
struct heap_list {
	enum list_kind kind;
	uint32_t owner; /* index into threads[], orphans too, for LIST_TCACHE, else into arenas[] */
	/* tcache: entries[bin]; fastbin: fastbinsY[bin]; else bin_at(bin), unsorted 1 */
	uint32_t bin;
	uint32_t first; /* its chunks, from the head on: listed[first .. first + count) */
	uint32_t count;
	int64_t counter; /* how many glibc's own counter says; -1 where there is none */
};

struct heap_arena {
	uint64_t address;
	uint64_t top; /* 0 before its first use */
	uint64_t system_mem; /* as glibc keeps it */
	uint64_t max_system_mem;
	uint64_t attached_threads;
	bool locked; /* its mutex was held */
	bool noncontiguous; /* main arena that could not go on with brk */
	uint32_t segment_count;
	struct tally tally[CHUNK_STATES];
	/* Part of system_mem, but of no item: alignment, foreign sbrk, what could not be walked. */
	uint64_t gap_bytes;
};

struct heap_segment {
	struct range range; /* [heap_info or first chunk, end of the last chunk) */
	uint64_t mapped_end; /* up to where a non-main heap is readable (mprotect_size) */
	uint32_t arena;
	uint64_t first_chunk; /* its items: chunks[first_chunk .. end_chunk) */
	uint64_t end_chunk;
};

struct heap_thread {
	pid_t tid;
	uint64_t fs_base; /* 0: no TLS */
	uint64_t tcache; /* address of its tcache_perthread_struct; 0: none */
	uint32_t arena; /* index; CHUNK_NO_ARENA before its first malloc */
	struct tally tcached;
	/* tid shares the TLS of an earlier thread (raw clone), which carries the tcache. */
	bool shares_tls;
	bool orphan; /* there is no such thread, only what it left; tid is 0 */
};

/*
 * glibc's books about mmapped chunks, and its parameters. The former are sums where the process has
 * more than one malloc of glibc's (struct other_books).
 */
struct heap_params {
	uint64_t n_mmaps;
	uint64_t mmapped_mem;
	uint64_t sbrk_base;
	uint64_t mmap_threshold;
	uint64_t hp_pagesize;
	uint64_t tcache_count; /* capacity of one tcache bin */
	uint64_t tcache_max_bytes;
	uint64_t heap_max; /* size and alignment of non-main heaps */
};

/*
 * What in memory bears the layout out, piece by piece; 0 and false where there was nothing to see.
 */
struct layout_evidence {
	bool bins; /* main_arena's bins are set, and where they must be */
	uint16_t heap_info; /* its size */
	uint16_t tcache_chunk; /* size of the chunk of a tcache_perthread_struct */
	bool links; /* of tcaches and fastbins: mangled, or not */
};

struct heap {
	struct glibc_layout layout;
	struct layout_evidence evidence; /* not looked for where nothing depended on it */
	struct malloc_roots roots; /* roots.threads belongs to it */
	struct heap_params params;

	struct chunk *chunks;
	size_t chunk_count;
	struct heap_arena *arenas;
	size_t arena_count;
	struct heap_segment *segments;
	size_t segment_count;
	struct heap_thread *threads;
	size_t thread_count;
	/*
	 * threads[thread_count .. thread_count + orphan_count): the tcaches of threads that a fork
	 * did not take along. Nobody frees or uses what is in them.
	 */
	size_t orphan_count;
	struct heap_list
		*lists; /* tcaches by thread, then by arena: fastbins, unsorted, small, large */
	size_t list_count;
	uint32_t *listed; /* indexes into chunks[] */
	size_t listed_count;

	struct tally tally[CHUNK_STATES]; /* over all arenas, and mmapped */
	/* Mmapped chunks, also the ones in a tcache, and the bytes of their mappings. */
	uint64_t mmapped_count;
	uint64_t mmapped_bytes;
	struct audit audit;
};

/* NULL is fine. */
void heap_destroy(struct heap *heap);

/* The item that contains address, or NULL. O(log n). */
const struct chunk *heap_find(const struct heap *heap, uint64_t address);

/*
 * What malloc_usable_size() says of the chunk; the whole struct of a bare one. With MALLOC_CHECK_
 * that says the size asked for (malloc_check_get_size() of malloc-check.c); this is what there is
 * room for.
 */
uint64_t heap_usable_size(const struct heap *heap, const struct chunk *chunk);

/*
 * The bin that holds a chunk of its state and size: an index as in struct heap_list. False where
 * the state has no bins.
 */
bool heap_chunk_bin(const struct chunk *chunk, uint32_t *ret);

/* mallinfo2(3), computed from the walk alone. usmblks is 0 always. */
struct heap_mallinfo {
	uint64_t arena, ordblks, smblks, hblks, hblkhd, fsmblks, uordblks, fordblks, keepcost;
};

struct heap_mallinfo heap_mallinfo(const struct heap *heap);

#endif
