/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who provides malloc to the program: glibc, or a library or the program itself in its place.
 *
 * The proof is what ld.so has bound libc's own calls of malloc to (a word of its GOT, which is
 * filled in eagerly, since libc also takes malloc's address): the first definition in the search
 * order, as for the program and all that was loaded at its start. Of a static program, whether
 * malloc is another function than __libc_malloc. Then what the module is (symbols/allocator.h). A
 * module with a malloc that no known allocator is in may only stand in front of another one, as
 * recorders of allocations do: if its data hold the address of another module's malloc, that one
 * serves in the end.
 *
 * Not seen: a malloc that a program or library keeps to itself (hidden, or under another name), and
 * libraries that were bound in another way (RTLD_DEEPBIND): they allocate beside the one named
 * here.
 *
 * Where nothing shows otherwise, it is glibc's. The cost is some 15 small reads if it is.
 */
#ifndef SYMBOLS_MALLOC_PROVIDER_H
#define SYMBOLS_MALLOC_PROVIDER_H

#include "support/error.h"
#include "symbols/allocator.h"
#include "symbols/libc.h"
#include "symbols/module.h"
#include "target/memory.h"

struct malloc_provider {
	bool other; /* not glibc */
	/* The module that serves in the end; NULL: not in any, such as generated code. */
	struct module *module;
	const struct allocator *allocator; /* of other; NULL: an unknown one */
	/* The module whose malloc is called first, if that passes on to another; else NULL. */
	const struct module *through;
	/*
	 * libc_malloc_debug of glibc 2.34 and later, which has a second copy of malloc for
	 * MALLOC_CHECK_, if its malloc is the one that is called; else NULL.
	 */
	struct module *debug;
	/* A module with a Go runtime, which has a heap of its own beside malloc's; else NULL. */
	const struct module *go;
};

/* libc is what libc_find() found in modules. */
struct memtool_error *malloc_provider_find(const struct modules *modules, struct memory *memory,
					   const struct libc *libc, struct malloc_provider *ret);

/*
 * "jemalloc (/usr/lib/libjemalloc.so.2)", of an other than glibc; freed by the caller. NULL: no
 * memory.
 */
char *malloc_provider_describe(const struct malloc_provider *provider);

#endif
