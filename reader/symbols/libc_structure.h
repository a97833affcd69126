/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roots of a walk in a libc without symbols, recognised by how its malloc is initialised and by
 * the code that uses it (common/glibc_scan.h): in the file that the target has mapped, whose data
 * are as they were before anything ran. Needs no stop.
 */
#ifndef SYMBOLS_LIBC_STRUCTURE_H
#define SYMBOLS_LIBC_STRUCTURE_H

#include "glibc/roots.h"
#include "support/error.h"
#include "symbols/libc.h"
#include "target/memory.h"

/*
 * Fills in main_arena, mp and, if it is recognised beyond doubt, tcache of *ret; thread_arena stays
 * as it is. Of libc->traits the offsets that tell the layout. Fails with MEMTOOL_ERROR_UNSUPPORTED
 * where the file is not to be had, or nothing in it is recognised.
 */
struct memtool_error *libc_find_structure(struct libc *libc, struct memory *memory,
					  struct malloc_roots *ret);

#endif
