/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instructions by which a system call is injected: found among those that the program has, so
 * that no code is written into it.
 */
#ifndef TARGET_INJECT_CODE_H
#define TARGET_INJECT_CODE_H

#include "support/error.h"
#include "target/maps.h"
#include "target/memory.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of "syscall; ret". */
#define INJECT_SYSCALL_RET 3

/* Where they are; both in memory that is mapped executable, and of a file. */
struct inject_code {
	uint64_t syscall_ret;
	uint64_t restorer; /* calls rt_sigreturn */
};

/* Looks for them in the files mapped by a process; UNSUPPORTED if it has none. */
struct memtool_error *inject_find_code(struct memory *memory, const struct maps *maps,
				       struct inject_code *ret);

/* Whether they are where they were found. */
bool inject_code_is_there(struct memory *memory, const struct inject_code *code);

/* Whether a system call instruction is at address. */
bool inject_is_syscall(struct memory *memory, uint64_t address);

#endif
