/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a live process: the provider behind process->memory. What it guarantees is said in
 * target/process.h.
 */
#ifndef TARGET_PROCESS_MEMORY_H
#define TARGET_PROCESS_MEMORY_H

#include "target/process.h"

extern const struct memory_ops process_memory_ops;

/* Whether the address space that mem_fd was opened on is still in use. */
bool process_memory_is_there(const struct process *process);

/* The error for a process that is not the one that was opened any more. */
struct memtool_error *process_gone(const struct process *process)
	__attribute__((__returns_nonnull__));

#endif
