/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what was taken for main_arena and mp_ by its looks is that in the target's memory.
 *
 * The target runs meanwhile, and its heap may be damaged: so no one link decides, but most of them.
 */
#ifndef SYMBOLS_ARENA_CHECK_H
#define SYMBOLS_ARENA_CHECK_H

#include "common/glibc_scan.h"
#include "support/error.h"
#include "target/memory.h"

#include <stdbool.h>
#include <stdint.h>

/* What the arena tells of the heap that brk(2) made; both 0 if there is none. */
struct arena_facts {
	uint64_t sbrk_base; /* where it must begin */
	uint64_t top; /* and what lies in it */
};

/*
 * arena, at its address in the target. Two of three must hold: its ring leads through arenas that
 * begin a heap each and back to it; its bins are not set yet, or most of them are linked both ways;
 * its top can be one.
 */
struct memtool_error *arena_check(struct memory *memory, const struct glibc_scan_arena *arena,
				  bool *ret_ok, struct arena_facts *ret);

/* par, likewise: its sbrk_base is not set yet, or can be where that heap begins. */
struct memtool_error *arena_check_mp(struct memory *memory, const struct glibc_scan_par *par,
				     const struct arena_facts *facts, bool *ret_ok);

#endif
