/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the code of malloc lies in the target's libc, to tell whether a thread is inside it.
 *
 * All of it comes from one object file (malloc/malloc.c, which includes arena.c), so its functions
 * lie together. What lies there is a hint and no more: a thread outside may have been interrupted
 * inside by a signal, or be in a function that malloc calls.
 */
#ifndef SYMBOLS_MALLOC_CODE_H
#define SYMBOLS_MALLOC_CODE_H

#include "support/range.h"
#include "symbols/libc.h"

#define MALLOC_CODE_FUNCTIONS 32

struct malloc_code {
	struct range range; /* of malloc.o; empty: not known */
	/* There, and those that malloc gets memory by. */
	struct {
		const char *name; /* lasts as long as the program */
		struct range range;
	} functions[MALLOC_CODE_FUNCTIONS];
	size_t count;
};

/*
 * From .symtab, of the debug file too, if symtab says so; else, or where there is none, from
 * .dynsym, which names the exported functions alone. The range stays empty if they cannot be found.
 */
struct malloc_code libc_malloc_code(const struct libc *libc, bool symtab);

/* Whether pc is in malloc.o, or in a function that it gets memory by. */
bool malloc_code_has(const struct malloc_code *code, uint64_t pc);

/* The function that pc is in, or NULL if it has none of the known names. */
const char *malloc_code_name(const struct malloc_code *code, uint64_t pc);

#endif
