/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct walk: the pass over all chunks (walk.c), and what its parts share. Private to them.
 *
 * What walks from one ordinary chunk to the next is in walk.c; what else a segment has, top, the
 * fenceposts and damage, in walk_special.c; a segment that changes meanwhile in walk_live.c. The
 * functions below add to what was walked so far; they are here to be inlined, as they are called
 * for every chunk.
 */
#ifndef GLIBC_WALK_H
#define GLIBC_WALK_H

#include "glibc/chunk.h"
#include "glibc/copy.h"
#include "glibc/window.h"

#include <inttypes.h>

/* What is read at once of a running target, and walked anew if it was torn. */
#define WALK_LIVE_PIECE (UINT64_C(256) << 10)

struct walk {
	struct heap_copy *copy;
	struct window window;
	struct window search; /* for looking ahead without losing the window */
	struct segment_array done;
	struct range links; /* where a next pointer can point */
	uint64_t piece; /* what the window reads at once where chunks are small */
	/* Behind damage nothing is searched: all of it will be walked anew. */
	bool walked_again;

	/* The segment that is being walked. */
	struct heap_segment segment;
	uint64_t top; /* 0 if it lies elsewhere */

	uint64_t arena_bit; /* NON_MAIN_ARENA as chunks in use have it there */
	uint64_t average; /* size of the last few chunks */

	/* The chunk that the next header settles; size 0 for none. */
	struct walk_last {
		uint64_t address;
		uint64_t size;
		uint64_t bits;
		uint64_t fd;
		uint64_t bk;
	} last;
};

static inline bool walk_append_item(struct walk *walk, uint64_t address, uint64_t size,
				    enum chunk_state state)
{
	struct chunk chunk = {
		.address_16 = address >> 4,
		.arena = walk->segment.arena,
		.size_8 = size >> 3,
		.state = state,
		.thread = CHUNK_NO_THREAD,
	};
	return chunk_array_append(&walk->copy->chunks, &chunk);
}

static inline void walk_add_gap(struct walk *walk, uint64_t bytes)
{
	/* Another part of the same arena may be walked at the same time. */
	__atomic_fetch_add(&walk->copy->arenas.data[walk->segment.arena].gap_bytes, bytes,
			   __ATOMIC_RELAXED);
}

/*
 * Keeps the first user word of an in-use chunk if it may be a next pointer. Without safe-linking
 * only the size tells user data apart: up to 2.31 no cached chunk is larger than 0x410.
 */
static inline bool walk_note_single_link(struct walk *walk, uint64_t address, uint64_t size,
					 uint64_t fd)
{
	uint64_t next = fd;

	if (walk->copy->layout->safe_linking)
		next = reveal_pointer(address + GLIBC_CHUNK_HDR_SZ, fd);
	else if (size > 0x410)
		return true;
	if (next % GLIBC_MALLOC_ALIGNMENT || (next && !range_contains(walk->links, next)))
		return true;

	struct single_link link = {
		.address_16 = address >> 4,
		.next_high = next >> 28,
		.index = walk->copy->chunks.count - 1,
		.next_low = next >> 4 & 0xffffff,
	};
	return single_links_append(&walk->copy->single_links, &link);
}

static inline bool walk_note_double_link(struct walk *walk)
{
	struct double_link link = {
		.address = walk->last.address,
		.fd = walk->last.fd,
		.bk = walk->last.bk,
		.index = walk->copy->chunks.count - 1,
	};
	return double_links_append(&walk->copy->double_links, &link);
}

/* What the header behind the last chunk says of it; without one it is taken for in use. */
static inline bool walk_settle_last(struct walk *walk, const struct raw_chunk *header)
{
	uint64_t size = walk->last.size;

	if (size == 0)
		return true;
	walk->last.size = 0;
	if (!header || header->size & GLIBC_PREV_INUSE) {
		if ((walk->last.bits & GLIBC_NON_MAIN_ARENA) != walk->arena_bit)
			audit_add(&walk->copy->heap->audit, AUDIT_BAD_CHUNK, walk->last.address,
				  walk->arena_bit, walk->last.bits & GLIBC_NON_MAIN_ARENA,
				  "chunk 0x%" PRIx64 " has a wrong NON_MAIN_ARENA bit",
				  walk->last.address);
		return walk_note_single_link(walk, walk->last.address, size, walk->last.fd);
	}

	if (header->prev_size != size)
		audit_add(&walk->copy->heap->audit, AUDIT_BAD_CHUNK, walk->last.address, size,
			  header->prev_size,
			  "free chunk 0x%" PRIx64 " has size 0x%" PRIx64
			  ", but prev_size behind it says 0x%" PRIx64,
			  walk->last.address, size, header->prev_size);
	walk->copy->chunks.data[walk->copy->chunks.count - 1].state = CHUNK_UNLISTED;
	return walk_note_double_link(walk);
}

/*
 * piece is what the window reads at once where chunks are small; budget is what searches may read,
 * besides what comes with each segment.
 */
void walk_init(struct walk *walk, struct heap_copy *copy, uint64_t piece, uint64_t budget);
void walk_deinit(struct walk *walk);

/* All there is at addresses in range, in their order, so that chunks[] comes out sorted. */
struct memtool_error *walk_range(struct walk *walk, struct range range);

/* The parts of walking one segment, in their order. */
void walk_begin(struct walk *walk, const struct heap_segment *segment);
/* Takes the segment's end and its arena's top as they are by now. */
void walk_bound(struct walk *walk);
/* The structs at its start; *ret is where its first chunk is. */
struct memtool_error *walk_start(struct walk *walk, uint64_t *ret);
/* Walks from *address, where a chunk is, until it is at or behind stop or the segment's end. */
struct memtool_error *walk_chunks(struct walk *walk, uint64_t *address, uint64_t stop);
struct memtool_error *walk_end(struct walk *walk, uint64_t mapped_end);

/* All of that for a segment that changes meanwhile: what was torn is walked anew. */
struct memtool_error *walk_live_segment(struct walk *walk, const struct heap_segment *segment);

/* Ends the segment at end and, unless nothing is left of its range, starts another at next. */
struct memtool_error *walk_split_segment(struct walk *walk, uint64_t end, uint64_t next);

/*
 * A header that is not an ordinary chunk's: top, a fencepost, or damage. *address goes behind it.
 */
struct memtool_error *walk_special(struct walk *walk, const struct raw_chunk *header,
				   uint64_t *address);

/*
 * The header at *address cannot be, or not be read (NULL). Goes on where chunks make sense again.
 */
struct memtool_error *walk_skip_damage(struct walk *walk, const struct raw_chunk *header,
				       uint64_t *address);

#endif
