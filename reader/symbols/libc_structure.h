/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roots of a walk in a libc, or a static program, without symbols: recognised by how its malloc
 * is initialised and by the code that uses it (common/glibc_scan.h), in the file that the target
 * has mapped, whose data are as they were before anything ran; where that is gone or may not be
 * read, in its memory. Whatever is recognised must be that in memory, too. Needs no stop.
 */
#ifndef SYMBOLS_LIBC_STRUCTURE_H
#define SYMBOLS_LIBC_STRUCTURE_H

#include "common/malloc_roots.h"
#include "support/error.h"
#include "symbols/libc.h"
#include "target/memory.h"

/*
 * Fills in main_arena, mp, tls and, if the image alone shows it beyond doubt, tcache of *ret; what
 * only the threads can tell is left to glibc/tls.c. Of libc->traits the offsets that tell the
 * layout. Fails with MEMTOOL_ERROR_UNSUPPORTED where main_arena or mp_ is not recognised.
 */
struct memtool_error *libc_find_structure(struct libc *libc, struct memory *memory,
					  struct malloc_roots *ret);

/* Whether glibc's malloc can be recognised in a module. */
struct memtool_error *libc_has_structure(struct module *module, struct memory *memory, bool *ret);

#endif
