/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that glibc itself has in its lists, read from memory: no thread need be stopped for
 * that, nor asked for its registers.
 *
 * From 2.33 on all stacks in use are in two lists of ld.so's _rtld_global, whose place libc exports
 * for debuggers (the _thread_db_ symbols of nptl_db/structs.def), but in 2.33 only the symbol table
 * of libpthread has; before, they are variables of libpthread, which takes that table to find, too.
 * A thread's struct pthread is where its fs_base points. Threads that raw clone(2) made are in
 * neither list.
 */
#ifndef SYMBOLS_THREAD_LIST_H
#define SYMBOLS_THREAD_LIST_H

#include "support/array.h"
#include "support/error.h"
#include "symbols/libc.h"
#include "target/memory.h"

struct listed_thread {
	int32_t tid; /* in the process's own pid namespace */
	uint64_t fs_base;
};

DEFINE_ARRAY(listed_threads, struct listed_thread)

/*
 * In no order. Of a running target a list may change under the reader: MEMTOOL_ERROR_CORRUPT, and
 * worth another try. MEMTOOL_ERROR_UNSUPPORTED where the lists are not to be found.
 */
struct memtool_error *libc_list_threads(const struct libc *libc, const struct modules *modules,
					struct memory *memory, struct listed_threads *ret);

/*
 * The stacks that glibc keeps for the next threads, with the struct pthread of the last one at the
 * end of each; its tid is mostly 0. In the child of a fork these are also the stacks of the threads
 * that it did not take along.
 */
struct memtool_error *libc_list_cached_stacks(const struct libc *libc,
					      const struct modules *modules, struct memory *memory,
					      struct listed_threads *ret);

#endif
