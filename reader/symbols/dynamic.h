/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dynamic section of a module, as it lies in the target's memory.
 *
 * ld.so adds the load bias to most pointers in it, in place, but not in a section that is read-only
 * (elf/get-dynamic-info.h of glibc): both forms are understood here.
 */
#ifndef SYMBOLS_DYNAMIC_H
#define SYMBOLS_DYNAMIC_H

#include "support/error.h"
#include "symbols/module.h"
#include "target/memory.h"

#define SONAME_MAX 64

struct dynamic {
	char soname[SONAME_MAX]; /* "" if it has none, or a longer one */
	struct range rela; /* DT_RELA, as runtime addresses; may be empty */
	/* DT_SYMTAB, DT_STRTAB, DT_GNU_HASH and DT_HASH, as runtime addresses; 0: not there. */
	uint64_t symtab, strtab, gnu_hash, hash;
	uint64_t strtab_size; /* DT_STRSZ: what it says, and it may say anything */
	uint64_t versym, verdef; /* DT_VERSYM and DT_VERDEF, as runtime addresses; 0: not there */
	bool executable; /* there is a DT_DEBUG: linkers put it into executables only */
	uint64_t debug; /* its value, the address of struct r_debug; 0 until ld.so has run */
};

/* What cannot be read is as if it were not there. Fails only when nothing can be read any more. */
struct memtool_error *dynamic_read(const struct module *module, struct memory *memory,
				   struct dynamic *ret);

#endif
