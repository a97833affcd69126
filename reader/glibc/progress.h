/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct progress_memory: memory as another provider has it, that tells how far a reading has come,
 * and ends it when it is asked to.
 */
#ifndef GLIBC_PROGRESS_H
#define GLIBC_PROGRESS_H

#include "memtool.h"
#include "target/memory.h"

struct progress_memory {
	struct memory memory;
	struct memory *inner;
	memtool_progress_fn function;
	void *context;
	const size_t *chunk_count; /* how many have been met; borrowed */
	struct memtool_progress progress;
	uint64_t told; /* bytes_read when the function was last called */
};

/* inner is borrowed. progress.bytes_total is for the reader to fill in when it knows. */
struct progress_memory progress_memory(struct memory *inner, const size_t *chunk_count,
				       memtool_progress_fn function, void *context);

#endif
