/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where libc's malloc is in this process. Needs no debug symbols: common/glibc_scan.h.
 */
#ifndef AGENT_LOCATE_H
#define AGENT_LOCATE_H

#include "agent/objects.h"

#include <stdbool.h>
#include <stdint.h>

struct located {
	uint64_t main_arena;
	uint64_t mp;
	int64_t tcache_offset; /* from fs_base; 0: not known */
	int64_t thread_arena_offset; /* from fs_base; 0: not known */
	uint32_t malloc_state_next;
	uint32_t malloc_par_n_mmaps_max;
	char version[16];
	bool foreign_malloc;
};

/*
 * False without main_arena or mp_. May initialise libc's malloc, without allocating from it, and so
 * may change errno.
 */
bool locate(const struct objects *objects, struct located *ret);

/* The thread pointer: the address of the TCB, whose first word it is (x86-64 psABI). */
static inline uint64_t thread_pointer(void)
{
	uint64_t fs_base;

	__asm__("mov %%fs:0, %0" : "=r"(fs_base));
	return fs_base;
}

#endif
