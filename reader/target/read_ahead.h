/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ahead: threads that read what follows, while the caller works on what came before.
 *
 * A provider of memory over another one. A pass says where it goes on, by memory_read_ahead(), and
 * takes the pieces that were read by memory_take_ahead(), in place and in order. There are two
 * threads, or one where there are only two processors; a caller that is ahead of them does not wait
 * but reads a piece itself. All other reads go through as they are, by any thread. So the inner
 * provider must be one that several threads may read at once. Pages that are not there
 * (memory_ops.find_present) are not read ahead.
 *
 * The threads run from read_ahead_create() to read_ahead_destroy() and take no signals. While the
 * target is held, it must not be let go on before read_ahead_rest().
 */
#ifndef TARGET_READ_AHEAD_H
#define TARGET_READ_AHEAD_H

#include "target/memory.h"

struct read_ahead;

/*
 * Whether that is worth what it costs before the first byte is read, the threads and the pieces'
 * memory: not for a few MiB, and not on one processor.
 */
bool read_ahead_pays(uint64_t bytes);

/* Nothing is allocated later on. inner is borrowed. */
struct memtool_error *read_ahead_create(struct memory *inner, struct read_ahead **ret);

/* From now on it reads inner; nothing is being read ahead. NULL is fine. */
void read_ahead_set_inner(struct read_ahead *ahead, struct memory *inner);

/* NULL is fine. */
void read_ahead_destroy(struct read_ahead *ahead);

struct memory *read_ahead_memory(struct read_ahead *ahead);

/* Drops all that was read ahead; when it returns, the threads read nothing. NULL is fine. */
void read_ahead_rest(struct read_ahead *ahead);

#define _cleanup_read_ahead_ _cleanup_(cleanup_read_ahead)
static inline void cleanup_read_ahead(struct read_ahead **ahead)
{
	read_ahead_destroy(*ahead);
}

#endif
