/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of a process with their thread pointers, for what needs no heap: a variable of each
 * thread, whose stack an address is in. Of any process, also without glibc, if it may be stopped.
 */
#ifndef THREAD_POINTERS_H
#define THREAD_POINTERS_H

#include "support/array.h"
#include "support/error.h"
#include "symbols/libc.h"
#include "target/process.h"

struct thread_pointers {
	pid_t tid; /* in our pid namespace */
	uint64_t fs_base; /* 0: it has no TLS */
	uint64_t sp; /* 0: not known, as it was not stopped */
};

DEFINE_ARRAY(thread_pointers_array, struct thread_pointers)

/* From the registers: stops the process for that moment. By ascending tid. */
struct memtool_error *thread_pointers_stop(struct process *process,
					   struct thread_pointers_array *ret,
					   uint64_t *ret_stopped_ns);

/*
 * From glibc's own list (symbols/thread_list.h), without a stop: threads that are in none are left
 * out. By ascending tid.
 */
struct memtool_error *thread_pointers_list(struct process *process, const struct modules *modules,
					   const struct libc *libc,
					   struct thread_pointers_array *ret);

#endif
