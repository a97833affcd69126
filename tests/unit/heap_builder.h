/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A builder of process images that never existed, for the tests of glibc/.
 *
 * It lays out what glibc's malloc would have written for any row of the layout table: libc's data,
 * the sbrk heap, non-main arenas, thread control blocks, tcaches and mmapped chunks. Beside the
 * bytes it keeps the truth, item by item, and builder_assert_clean() compares a whole heap with it.
 * It was written from the glibc sources alone and shares no code with what it tests.
 *
 * A failure inside the builder is a failed test. Sizes are chunk sizes, addresses of chunks are
 * those of their headers.
 */
#ifndef TESTS_HEAP_BUILDER_H
#define TESTS_HEAP_BUILDER_H

#include "glibc/heap.h"
#include "glibc/read.h"
#include "support/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BUILDER_PAGE 4096

/* Where an image has its parts; all of them far from each other. */
#define BUILDER_SBRK   UINT64_C(0x555555559000)
#define BUILDER_HEAPS  UINT64_C(0x7f5400000000) /* aligned to GLIBC_DEFAULT_HEAP_MAX */
#define BUILDER_LIBC   UINT64_C(0x7f5500200000)
#define BUILDER_STACKS UINT64_C(0x7f5500400000)
#define BUILDER_MMAP   UINT64_C(0x7f5508000000)

#define BUILDER_REGIONS 96
#define BUILDER_ARENAS  8
#define BUILDER_THREADS 8
#define BUILDER_NONE    UINT32_MAX

struct builder_item {
	uint64_t address;
	uint64_t size;
	enum chunk_state state;
	uint32_t arena; /* index into the builder's arenas, or BUILDER_NONE */
	uint32_t thread; /* index, or BUILDER_NONE */
};

DEFINE_ARRAY(builder_items, struct builder_item)
DEFINE_ARRAY(builder_ranges, struct range)

/* An arena and the place where its next chunk goes. */
struct builder_arena {
	struct heap_builder *builder;
	uint32_t index; /* by creation; 0 is main_arena */
	uint64_t address;
	uint64_t heap; /* the heap_info in use; 0 in main_arena */
	uint64_t cursor;
	uint64_t end; /* of the heap or region in use */
	uint64_t free_size; /* of the chunk before the cursor, if that is free; else 0 */
	uint64_t gap; /* bytes of system_mem that no item has */
	uint64_t system_mem;
	uint32_t threads;
	bool noncontiguous;
	bool fastchunks;
};

struct builder_thread {
	struct heap_builder *builder;
	uint32_t index;
	uint64_t fs_base;
	uint64_t tcache; /* 0: none */
};

struct heap_builder {
	const struct glibc_layout *layout;
	uint64_t mp;
	uint64_t tcache_count;

	struct memory_region regions[BUILDER_REGIONS]; /* sorted */
	size_t region_count;
	void *owned[BUILDER_REGIONS];
	size_t owned_count;
	struct range
		anonymous[BUILDER_REGIONS]; /* sorted; touching ones are merged for the reader */
	size_t anonymous_count;
	struct range absent; /* empty if there is none */

	struct builder_arena arenas[BUILDER_ARENAS];
	uint32_t arena_count;
	struct builder_thread threads[BUILDER_THREADS];
	struct root_thread root_threads[BUILDER_THREADS];
	uint32_t thread_count;
	uint64_t orphans[BUILDER_THREADS]; /* fs_bases of the threads behind those */
	uint32_t orphan_count;
	struct malloc_roots roots;

	bool live; /* it is to be read as if it ran meanwhile */
	/* Called before each read, if not NULL: what the program does just then. */
	void (*meanwhile)(struct heap_builder *b, struct range read);
	bool ahead; /* it is to be read by way of target/read_ahead.h */
	/* As struct heap_source has them. */
	unsigned int reading_threads;
	memtool_progress_fn progress;
	void *progress_context;
	struct builder_items items;
	struct builder_ranges segments;
	uint64_t mmapped_bytes;
	uint64_t noise;

	/* What the reader is told of the layout, if that is not all; else read_as is NULL. */
	const struct glibc_layout *read_as;
	const struct glibc_layout *others[GLIBC_LAYOUTS];
	size_t other_count;
	bool unconfirmed;

	struct heap *heap; /* what builder_read() made */
	_Atomic uint64_t reads; /* how often the reader read, and how much; by any thread */
	_Atomic uint64_t read_bytes;
	uint64_t expected_bytes; /* what heap_expected_bytes() said before that */
};

/* A libc that has not been asked for memory yet. */
void heap_builder_init(struct heap_builder *b, const struct glibc_layout *layout);
void heap_builder_deinit(struct heap_builder *b);
/* Both: an empty image of the same row. */
void builder_reset(struct heap_builder *b);

/* Memory. Only whole pages are mapped; builder_unmap() leaves a mapping that cannot be read. */
void builder_map(struct heap_builder *b, uint64_t address, uint64_t length, bool anonymous);
void builder_unmap(struct heap_builder *b, uint64_t address, uint64_t length);
/* Anonymous memory, one range of any length, that nobody touched: to read it fails the test. */
void builder_map_absent(struct heap_builder *b, uint64_t address, uint64_t length);
void *builder_at(struct heap_builder *b, uint64_t address, size_t length);
uint64_t builder_get(struct heap_builder *b, uint64_t address);
void builder_set(struct heap_builder *b, uint64_t address, uint64_t value);
void builder_set32(struct heap_builder *b, uint64_t address, uint32_t value);

/* main_arena gets [start, end) by sbrk, or by mmap because sbrk failed. Fence the old one first. */
struct builder_arena *builder_sbrk(struct heap_builder *b, uint64_t start, uint64_t end);
struct builder_arena *builder_mmap_morecore(struct heap_builder *b, uint64_t start, uint64_t end);
/*
 * A new arena in a heap of size bytes at heap; builder_heap() adds one, the old one being fenced.
 */
struct builder_arena *builder_arena(struct heap_builder *b, uint64_t heap, uint64_t size);
void builder_heap(struct builder_arena *arena, uint64_t heap, uint64_t size);

/* What the parts of the builder share. */
void builder_set_state(struct builder_arena *arena, uint16_t offset, uint64_t value);
/* As malloc_init_state() leaves the bins and top. */
void builder_init_bins(struct builder_arena *arena);
void builder_write_flags(struct builder_arena *arena);
void builder_noise(struct heap_builder *b, uint64_t address, uint64_t length);
void builder_add_item(struct heap_builder *b, uint64_t address, uint64_t size,
		      enum chunk_state state, uint32_t arena);
struct builder_item *builder_item_at(struct heap_builder *b, uint64_t address);

/* The next chunk, in use; or free by the next one's bit and in no list yet. */
uint64_t builder_chunk(struct builder_arena *arena, uint64_t size);
uint64_t builder_hole(struct builder_arena *arena, uint64_t size);
/* A chunk in use up to address. */
uint64_t builder_fill(struct builder_arena *arena, uint64_t address);
/* What remains of the heap or region becomes top, */
uint64_t builder_top(struct builder_arena *arena);
/*
 * or is an old top that sysmalloc fences: the chunk left of it, which is in no list yet, or 0 if
 * the fenceposts take it all. builder_fence_used() leaves a chunk as the tcache or a fastbin needs
 * it.
 */
uint64_t builder_fence(struct builder_arena *arena);
uint64_t builder_fence_used(struct builder_arena *arena);

/* Lists. builder_link() puts a chunk at the tail of bin_at(bin), the others push on the head. */
uint64_t builder_bin_at(const struct builder_arena *arena, uint32_t bin);
void builder_link(struct builder_arena *arena, uint64_t chunk, uint32_t bin);
void builder_fastbin(struct builder_arena *arena, uint64_t chunk);
void builder_tcache(struct builder_thread *thread, uint64_t chunk);
/* A next pointer as it is stored at address. */
uint64_t builder_protect(const struct heap_builder *b, uint64_t address, uint64_t next);

/* A thread; arena NULL: it never called malloc. By ascending tid. */
struct builder_thread *builder_thread(struct heap_builder *b, pid_t tid,
				      struct builder_arena *arena);
/* Gives it a tcache in the next chunk of arena; returns that chunk. */
uint64_t builder_tcache_struct(struct builder_thread *thread, struct builder_arena *arena);
/* The same in a chunk that is there already. */
void builder_tcache_struct_at(struct builder_thread *thread, uint64_t chunk);
/* The child of a fork that the first thread called: the others are orphans now. */
void builder_fork(struct heap_builder *b);
uint64_t builder_tcache_slot(const struct builder_thread *thread);
uint64_t builder_tcache_entry(const struct builder_thread *thread, uint32_t bin);
/* Adds delta to the number of chunks that the counter of bin tells. */
void builder_tcache_lie(struct builder_thread *thread, uint32_t bin, int delta);

/*
 * A chunk lead bytes into a mapping of its own; where lead is not 0, memalign's stale header stays.
 */
uint64_t builder_mmapped(struct heap_builder *b, uint64_t base, uint64_t total, uint64_t lead,
			 bool hugetlb);

/*
 * Reads the image into b->heap; fails the test if the reader reads without end. builder_read() does
 * so on an error, too.
 */
struct memtool_error *builder_try_read(struct heap_builder *b);
struct heap *builder_read(struct heap_builder *b);

/* What holds for the result of any image whatever. */
void builder_assert_sane(struct heap_builder *b);
/* No finding, and every item, segment and total as built. */
void builder_assert_clean(struct heap_builder *b);
/* A doubt, and at least one finding of one of the kinds: a mask of BUILDER_KIND(). */
void builder_assert_found(struct heap_builder *b, uint32_t kinds);
#define BUILDER_KIND(kind) (UINT32_C(1) << (kind))
/* The item that starts at address. */
const struct chunk *builder_assert_item(const struct heap_builder *b, uint64_t address,
					enum chunk_state state, uint64_t size);
/* The list, which holds just these chunks from its head on; ends at a 0. */
const struct heap_list *builder_assert_list(const struct heap_builder *b, enum list_kind kind,
					    uint32_t owner, uint32_t bin, const uint64_t *chunks);

struct builder_test {
	const char *name;
	void (*function)(void **state); /* *state is a fresh struct heap_builder */
};

#define BUILDER_TEST(function_)                            \
	{                                                  \
		.name = #function_, .function = function_, \
	}

/* Runs each test on each row of the layout table. Returns what main() returns. */
int builder_run(const char *group, const struct builder_test *tests, size_t count);

#endif
