/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocators other than glibc's, by what only they have: a function that is theirs alone, in
 * .dynsym as it lies in memory or in .symtab of the file, else their SONAME. The name of a file
 * tells nothing.
 */
#ifndef SYMBOLS_ALLOCATOR_H
#define SYMBOLS_ALLOCATOR_H

#include "support/error.h"
#include "symbols/module.h"
#include "target/memory.h"

struct allocator {
	const char *name; /* "jemalloc" */
	const char *symbol; /* a function that no other has; NULL: none is known */
	const char *soname; /* what its SONAME begins with; NULL: symbol tells */
	const char *remedy; /* what tells of its heap */
};

/*
 * Which of them is in the module; NULL if none is known to be. No debug file is looked for. Fails
 * only when nothing can be read any more.
 */
struct memtool_error *allocator_recognise(struct module *module, struct memory *memory,
					  const struct allocator **ret);

#endif
