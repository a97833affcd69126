/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose memory it is: the TCB of each thread, and its TLS blocks, by address.
 */
#ifndef THREAD_MEMORY_H
#define THREAD_MEMORY_H

#include "session.h"
#include "support/range.h"

struct thread_block {
	struct range range;
	pid_t tid;
	struct module *module; /* whose TLS block it is; NULL for the TCB (struct pthread) */
};

struct thread_memory {
	struct thread_block *data; /* by address, without overlaps */
	size_t count;
};

/*
 * libc may be NULL: then neither TCBs nor the blocks that came by dlopen(3) are known. What cannot
 * be told or read is left out.
 */
struct memtool_error *thread_memory_find(struct process *process, const struct modules *modules,
					 const struct libc *libc,
					 const struct root_threads *threads,
					 struct thread_memory *ret);

void thread_memory_deinit(struct thread_memory *memory);

/* The block that contains address, or NULL. */
const struct thread_block *thread_memory_at(const struct thread_memory *memory, uint64_t address);

#endif
