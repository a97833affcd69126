/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct heap_copy: what the reading step hands to the thinking step. Private to this room.
 *
 * It holds the struct heap in the making, with every chunk in its place but only with the state
 * that the next header's PREV_INUSE tells (in-use or unlisted), and the raw material for the rest:
 * the arenas' and tcaches' bytes, and the link words of chunks that may be in a list. One pass over
 * the heap collects them all, so no list is followed while the target stands still.
 */
#ifndef GLIBC_COPY_H
#define GLIBC_COPY_H

#include "glibc/heap.h"
#include "glibc/progress.h"
#include "glibc/read.h"
#include "support/array.h"
#include "support/error.h"

/*
 * A chunk whose first user word, revealed where links are mangled, may be the next pointer of a
 * tcache or fastbin list: 0 or an aligned address. Most such words are; a few are user data.
 */
struct single_link {
	uint64_t address_16 : 44;
	uint64_t next_high : 20;
	uint64_t index : 40; /* into chunks[] */
	uint64_t next_low : 24;
};

_Static_assert(sizeof(struct single_link) == 16, "one of these for each cached chunk");

/* Of a late link: there was no such chunk when the walk came by. */
#define SINGLE_LINK_NO_CHUNK ((UINT64_C(1) << 40) - 1)

/* fd and bk of a chunk that is free by the next one's PREV_INUSE. */
struct double_link {
	uint64_t address;
	uint64_t fd;
	uint64_t bk;
	uint64_t index;
};

struct arena_bytes {
	uint8_t bytes[GLIBC_MALLOC_STATE_MAX];
};

struct tcache_bytes {
	uint32_t thread; /* index into threads[], orphans too */
	uint8_t bytes[GLIBC_TCACHE_STRUCT_MAX];
};

/* A mapping that holds one mmapped chunk. */
struct mmapped_chunk {
	struct range range;
	uint64_t address; /* of the chunk; behind range.start for a memalign'd one */
	uint64_t size;
};

/*
 * What one read out of turn costs, as the search for mmapped chunks makes: as much as copying that
 * many bytes.
 */
#define MMAPPED_READ_COST (UINT64_C(16) << 10)

DEFINE_ARRAY(chunk_array, struct chunk)
DEFINE_ARRAY(single_links, struct single_link)
DEFINE_ARRAY(double_links, struct double_link)
DEFINE_ARRAY(arena_array, struct heap_arena)
DEFINE_ARRAY(arena_bytes_array, struct arena_bytes)
DEFINE_ARRAY(segment_array, struct heap_segment)
DEFINE_ARRAY(tcache_bytes_array, struct tcache_bytes)
DEFINE_ARRAY(mmapped_array, struct mmapped_chunk)
DEFINE_ARRAY(range_array, struct range)

struct heap_copy {
	struct memory *memory; /* NULL once the reading is over */
	struct progress_memory counted; /* what memory is, if somebody wants to know */
	const struct glibc_layout *layout; /* heap->layout */
	const struct range *anonymous;
	size_t anonymous_count;
	const uint64_t *orphans; /* heap_source's */
	size_t orphan_count;
	const struct other_books *other_books;
	size_t other_books_count;
	bool live;
	unsigned int threads;

	struct heap *heap; /* its arrays are empty until heap_finish() */
	struct chunk_array chunks;
	struct arena_array arenas;
	struct arena_bytes_array arena_bytes; /* arena_bytes[i] is of arenas[i] */
	struct segment_array segments;
	struct tcache_bytes_array tcaches;
	struct mmapped_array mmapped; /* by address */
	struct single_links single_links; /* by address, as the others */
	/*
	 * Of a running target: what became of some of single_links after the walk. Apart for
	 * tcaches and fastbins, as a chunk may have gone from one to the other meanwhile.
	 */
	struct single_links late_tcached, late_fast;
	struct double_links double_links;
	/* Until heap_finish(): the same of a heap that was walked in parts; else NULL. */
	struct walk_parts *parts;
};

static inline uint64_t single_link_address(const struct single_link *link)
{
	return (uint64_t)link->address_16 << 4;
}

static inline uint64_t single_link_next(const struct single_link *link)
{
	return ((uint64_t)link->next_high << 24 | link->next_low) << 4;
}

/*
 * Reads a struct of glibc's. A fault becomes a finding of that kind, sets *ret_ok to false and is
 * no error.
 */
struct memtool_error *copy_bytes(struct heap_copy *copy, uint64_t address, void *buffer,
				 size_t length, const char *what, bool *ret_ok);

/* The range of anonymous memory that contains address, or NULL. */
const struct range *copy_anonymous(const struct heap_copy *copy, uint64_t address);

/* The steps of heap_copy(), in their order; each in the file of its name. */
struct memtool_error *copy_tls(struct heap_copy *copy); /* tls.c: where TLS variables lie */
struct memtool_error *copy_layout(struct heap_copy *copy,
				  const struct heap_source *source); /* layout.c: which it is */
struct memtool_error *copy_params(struct heap_copy *copy); /* arenas.c: mp_ */
struct memtool_error *copy_arenas(struct heap_copy *copy); /* arenas.c: the ring */
struct memtool_error *copy_threads(struct heap_copy *copy); /* threads.c: TLS and tcaches */
struct memtool_error *copy_orphans(struct heap_copy *copy); /* orphans.c: of no thread any more */
struct memtool_error *copy_segments(struct heap_copy *copy); /* segments.c: where chunks lie */
struct memtool_error *copy_mmapped(struct heap_copy *copy); /* mmapped.c */
struct memtool_error *copy_chunks(struct heap_copy *copy); /* walk.c: the pass */
struct memtool_error *copy_parts(struct heap_copy *copy); /* walk_parts.c: the same, by several */
struct memtool_error *copy_late(struct heap_copy *copy); /* late.c: what changed meanwhile */

/*
 * Of a running target: what is true of arena arenas[index] by now, but for its place in the ring.
 */
struct memtool_error *refresh_arena(struct heap_copy *copy, uint32_t index);

/* Likewise, where the segment ends by now. Refreshes its arena, too. */
struct memtool_error *refresh_segment(struct heap_copy *copy, struct heap_segment *segment);

/* What copy_parts() made. In walk_parts.c. */
struct walk_parts;

/* Whether the heap is so large, and so evenly spread over segments, that parts are faster. */
bool walk_parts_pay(const struct heap_copy *copy);
/* Makes one of them, in copy; false when out of memory. */
bool walk_parts_join(struct heap_copy *copy);
/* NULL is fine. */
void walk_parts_destroy(struct walk_parts *parts);

/* What tag_lists() asks before it believes the tcache of an orphan. */
bool orphan_is_whole(const struct heap_copy *copy, const struct tcache_bytes *tcache);

/*
 * Lookups in what was copied, the late links first; NULL if there is no such chunk. In links.c.
 */
const struct single_link *find_single_link(const struct heap_copy *copy, enum list_kind kind,
					   uint64_t address);
const struct double_link *find_double_link(const struct heap_copy *copy, uint64_t address);

/* How many chunks a tcache bin has by its counter, -1 if that cannot be told. In tag.c. */
int64_t tcache_counter(const struct heap *heap, const uint8_t *tcache, uint32_t bin);

/* The steps of heap_finish(), on the finished arrays of copy->heap. */
struct memtool_error *tag_lists(struct heap_copy *copy); /* tag.c */
void audit_books(struct heap_copy *copy); /* books.c */

#endif
