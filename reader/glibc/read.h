/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a heap: from roots to chunks.
 *
 * In two steps, since only the first needs the target stopped. heap_copy() does all the reading, in
 * one linear pass over the heaps: headers, and of the chunks that may be in a list their links; it
 * decides nothing. heap_finish() works on that copy alone: it follows the lists, gives every chunk
 * its state, adds up and audits.
 *
 * Knows struct memory and struct glibc_layout; neither processes nor ELF. All that is read is taken
 * for hostile: every size, count and link is bounded, and what does not fit becomes a finding of
 * the audit, not an error. An error is for what leaves nothing to tell: no memory, target gone,
 * interrupted.
 */
#ifndef GLIBC_READ_H
#define GLIBC_READ_H

#include "glibc/heap.h"
#include "memtool.h"
#include "support/error.h"
#include "target/memory.h"

struct heap_copy;

/*
 * The mp_ of another malloc of glibc's in the same process. An mmapped chunk does not show whose it
 * is, so those of all are found and counted, or, stopping at one mp_'s number, the wrong ones were.
 */
struct other_books {
	uint64_t mp;
	uint16_t n_mmaps; /* offsets in it */
	uint16_t mmapped_mem;
};

struct heap_source {
	struct memory *memory;
	const struct glibc_layout *layout;
	/*
	 * Others that may be meant: one is taken instead if memory shows it and contradicts layout.
	 */
	const struct glibc_layout *const *other_layouts;
	size_t other_count;
	/*
	 * What speaks for a layout is but its likeness: one that memory contradicts is not taken.
	 */
	bool layout_unconfirmed;
	const struct malloc_roots *roots; /* main_arena and mp must be known */
	/*
	 * Private anonymous writable memory of the target, sorted: where heaps and mmapped chunks
	 * can lie, and nothing else is searched for them.
	 */
	const struct range *anonymous;
	size_t anonymous_count;
	const struct other_books *other_books;
	size_t other_books_count;
	/*
	 * Where there may be the TLS of threads that a fork did not take along, by fs_base; each is
	 * believed only if all of its tcache is what a tcache is.
	 */
	const uint64_t *orphans;
	size_t orphan_count;
	/*
	 * The target runs while it is read. What was torn by that is read again, segment by
	 * segment, a few times; what stays torn is for the audit to tell.
	 */
	bool live;
	/*
	 * By how many threads memory may be read at once, if the heap is large and has many
	 * segments; 0 is 1, the caller alone. Not of a running target.
	 */
	unsigned int threads;
	/*
	 * Called every few MiB that were read, by the caller's thread, if not NULL; see memtool.h.
	 */
	memtool_progress_fn progress;
	void *progress_context;
};

/*
 * Reads; source need not outlive the call. MEMTOOL_ERROR_UNSUPPORTED where the layout is
 * unconfirmed and memory contradicts it, and the others.
 */
struct memtool_error *heap_copy(const struct heap_source *source, struct heap_copy **ret);

/*
 * Whether an arena's mutex is held just now: a look at the ring alone, far cheaper than
 * heap_copy(). False also of a ring that cannot be followed.
 */
struct memtool_error *heap_has_locked_arena(const struct heap_source *source, bool *ret);

/*
 * How many bytes heap_copy() would read, about: what all arenas have from the kernel, and a little
 * for each mmapped chunk. A look at the ring and at mp_, also of a target that runs. UINT64_MAX if
 * they do not tell.
 */
struct memtool_error *heap_expected_bytes(const struct heap_source *source, uint64_t *ret);

/* A thread is missing from the roots: what it has cached shows as in-use, as the audit says. */
void heap_copy_missed_thread(struct heap_copy *copy, pid_t tid);

/* NULL is fine. */
void heap_copy_destroy(struct heap_copy *copy);

static inline void cleanup_heap_copy(struct heap_copy **copy)
{
	heap_copy_destroy(*copy);
}

/* Ends copy, also on failure. */
struct memtool_error *heap_finish(struct heap_copy *copy, struct heap **ret);

#endif
