/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the symbols of the target's own libc tell: where a walk starts, glibc's version and sizes.
 *
 * The libc is found among the modules by what it is (its SONAME, or main_arena, with a name or
 * without, in a static executable), not by the host's idea of a path. Symbols come from its
 * .symtab, or from that of its separate debug file; see symbols/module.h. Needs no stop: what is
 * looked up does not move.
 */
#ifndef SYMBOLS_LIBC_H
#define SYMBOLS_LIBC_H

#include "common/glibc_layout.h"
#include "common/malloc_roots.h"
#include "support/array.h"
#include "support/error.h"
#include "symbols/module.h"
#include "target/memory.h"

struct libc {
	struct module *module; /* one of the modules it was found in */
	char version[16]; /* "2.36", or "" */
	/*
	 * Of a static executable, which has no version in it, the version here is one whose layout
	 * it has, as far as its symbols tell; known after libc_find_roots().
	 */
	struct glibc_traits traits;
};

/*
 * Finds glibc among modules: the one that the program itself uses, where dlmopen(3) brought more,
 * or the program, if it is static. Fails with MEMTOOL_ERROR_NOT_GLIBC, naming what is there instead
 * where that shows (musl, a static Go program).
 */
struct memtool_error *libc_find(struct modules *modules, struct memory *memory, struct libc *ret);

DEFINE_ARRAY(libc_array, struct libc)

/*
 * Appends the glibcs among modules that the program itself does not use: those in namespaces that
 * dlmopen(3) made, by address. libc is what libc_find() found.
 */
struct memtool_error *libc_find_others(struct modules *modules, struct memory *memory,
				       const struct libc *libc, struct libc_array *ret);

/*
 * Fills in main_arena, mp, tcache and thread_arena of *ret, and the sizes in libc->traits; the
 * threads stay as they are.
 * A libc built without tcache has none: roots->tcache stays unknown, and that is no failure. Fails
 * with MEMTOOL_ERROR_NO_SYMBOLS, naming the package or service that brings them, where neither the
 * file nor a debug file has them in a .symtab.
 */
struct memtool_error *libc_find_roots(struct libc *libc, struct memory *memory,
				      struct malloc_roots *ret);

/*
 * The layout as the DWARF of libc or of its debug file has it; 50-75 ms, nearly all of it inflating
 * sections. Conventions that no type shows (safe-linking, say) are taken from what does show:
 * members present or absent, and, for safe-linking of 2.30 to 2.34, the version.
 * MEMTOOL_ERROR_NO_SYMBOLS where there is no DWARF.
 */
struct memtool_error *libc_dwarf_layout(struct libc *libc, struct glibc_layout *ret);

#endif
