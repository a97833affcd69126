/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that never existed, or that did once, as an input of fuzz_heap: the row of the layout
 * table, the roots, and the memory that a walk looks at.
 *
 * As bytes: the header (heap_image.c), each thread, then regions of whole pages with their words as
 * sparse.h has it. Late words are written when the walk has read so many times, as a running target
 * would (heap_source.live).
 */
#ifndef TESTS_FUZZ_HEAP_IMAGE_H
#define TESTS_FUZZ_HEAP_IMAGE_H

#include "glibc/read.h"
#include "support/range.h"
#include "target/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_IMAGE_PAGE    4096
#define HEAP_IMAGE_BYTES   (2u << 20) /* of all regions */
#define HEAP_IMAGE_REGIONS 48
#define HEAP_IMAGE_THREADS 16
#define HEAP_IMAGE_LATE    32
#define HEAP_IMAGE_TID     100 /* of the first thread; the others follow */

enum heap_region_kind {
	REGION_ANONYMOUS,
	REGION_FILE,
	REGION_UNREADABLE, /* anonymous, but reading it faults */
	REGION_KINDS
};

struct heap_region {
	uint64_t address;
	uint32_t length;
	enum heap_region_kind kind;
	uint8_t *bytes;
};

struct heap_image {
	uint8_t row; /* of glibc_layout_table() */
	bool others; /* any other row may be meant as well, */
	bool unconfirmed; /* and nothing speaks for this one */
	bool live;
	uint8_t late_after; /* reads */
	struct malloc_roots roots; /* whose threads are those below */
	struct root_thread threads[HEAP_IMAGE_THREADS];

	struct heap_region regions[HEAP_IMAGE_REGIONS]; /* by address, without overlaps */
	size_t region_count;
	size_t used; /* of storage */
	uint8_t *storage;

	struct late_word {
		uint64_t address;
		uint64_t value;
	} late[HEAP_IMAGE_LATE];
	size_t late_count;
};

/* One zeroed or used before becomes empty. Its storage is never freed. */
void heap_image_clear(struct heap_image *image);

/* Adds zeros; NULL if that overlaps another region or there is no room. */
struct heap_region *heap_image_add(struct heap_image *image, uint64_t address, uint64_t length,
				   enum heap_region_kind kind);
/* Returns NULL if there is no room. */
struct root_thread *heap_image_add_thread(struct heap_image *image, uint64_t fs_base);

/* What is there; NULL unless all of it is in one region. */
uint8_t *heap_image_at(struct heap_image *image, uint64_t address, size_t length);

void heap_image_decode(struct heap_image *image, const uint8_t *data, size_t size);
/* How many bytes it takes; 0 if they are more than capacity. */
size_t heap_image_encode(const struct heap_image *image, uint8_t *data, size_t capacity);

/* The image as a target, and how often it was read. */
struct heap_image_memory {
	struct memory memory;
	struct heap_image *image;
	struct memory_region regions[HEAP_IMAGE_REGIONS];
	struct memory_buffer buffer;
	uint64_t reads;
	uint64_t bytes;
};

/*
 * Reads the heap that is in it. memory tells afterwards what that took. An error is to be expected
 * only where the layout is unconfirmed.
 */
struct memtool_error *heap_image_walk(struct heap_image *image, struct heap_image_memory *memory,
				      struct heap **ret);

#endif
