/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct memory: the one way bytes of the target enter memtool.
 *
 * A provider fills in a struct memory_ops; whoever reads sees neither a process nor a file. The
 * live process is one provider (target/process.h), a plain buffer another (below), which is how
 * tests and fuzzers feed the heap walker a heap that never existed.
 *
 * Addresses are the target's, lengths are bytes. A range that wraps around the end of the address
 * space is a fault, as is memory that is not mapped or not readable: a fault is an error value
 * that names the first address that failed, never a signal. What the provider reads may change
 * while it is read, unless the target is stopped. Not for two threads at once on one provider,
 * except where the provider says so.
 */
#ifndef TARGET_MEMORY_H
#define TARGET_MEMORY_H

#include "support/error.h"
#include "support/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory;

struct memory_ops {
	/*
	 * Copies the readable bytes from address on, up to the first unreadable one, at most
	 * length of them, into buffer. *ret is how many; 0 if address itself is unreadable. An
	 * error means that nothing can be read any more (the process is gone, say). length is not
	 * 0 and address + length does not wrap.
	 */
	struct memtool_error *(*read)(struct memory *memory, uint64_t address, void *buffer,
				      size_t length, size_t *ret);
	/*
	 * The first run of pages in within, which is not empty, that hold anything: *ret, empty and
	 * at the end of within if none does. Outside of it there are zeros, if that can be read at
	 * all, and to read them would make the target grow. NULL: there may be something anywhere.
	 */
	struct memtool_error *(*find_present)(struct memory *memory, struct range within,
					      struct range *ret);
	/*
	 * For a pass over memory that nobody changes meanwhile: read_ahead says what it comes to
	 * next, and take_ahead is a piece of that with [address, address + length) in it, and where
	 * it lies. It stays until the next call of either; *ret is NULL if there is none, and
	 * address is to be read. length is at most READ_AHEAD_OVERLAP. NULL, both: nothing is read
	 * ahead.
	 */
	void (*read_ahead)(struct memory *memory, struct range range);
	struct memtool_error *(*take_ahead)(struct memory *memory, uint64_t address, size_t length,
					    struct range *ret_range, const uint8_t **ret);
};

/* By how much pieces overlap that are read ahead, so that each header is whole in one of them. */
#define READ_AHEAD_OVERLAP 64

struct memory {
	const struct memory_ops *ops;
};

/* As memory_ops.read, but any length and any range is fine: what wraps is unreadable. */
struct memtool_error *memory_read_some(struct memory *memory, uint64_t address, void *buffer,
				       size_t length, size_t *ret);

/* As memory_ops.find_present; an empty within is fine. */
struct memtool_error *memory_find_present(struct memory *memory, struct range within,
					  struct range *ret);

/* As memory_ops.read_ahead and take_ahead, of any provider. */
void memory_read_ahead(struct memory *memory, struct range range);
struct memtool_error *memory_take_ahead(struct memory *memory, uint64_t address, size_t length,
					struct range *ret_range, const uint8_t **ret);

/* All of [address, address + length), or a fault; what names it in the message. */
struct memtool_error *memory_read(struct memory *memory, uint64_t address, void *buffer,
				  size_t length, const char *what);

/* The same where a fault is an answer and no error: *ret_ok says whether all of it was there. */
struct memtool_error *memory_peek(struct memory *memory, uint64_t address, void *buffer,
				  size_t length, bool *ret_ok);

/* One little-endian word. */
struct memtool_error *memory_read_u64(struct memory *memory, uint64_t address, const char *what,
				      uint64_t *ret);

/*
 * Memory that is a copy held by this process: [address, address + length) of the target is at
 * bytes. The copy is borrowed, not owned, and may be changed between reads. Several threads may
 * read one of these at once.
 */
struct memory_buffer {
	struct memory memory;
	const struct memory_region {
		uint64_t address;
		size_t length;
		const void *bytes;
	} * regions;
	size_t region_count;
};

/* regions are sorted by address, do not overlap, and outlive the result. */
struct memory_buffer memory_buffer(const struct memory_region *regions, size_t region_count);

#endif
