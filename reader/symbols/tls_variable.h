/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the TLS block of a module is in each thread.
 *
 * The blocks of the modules that are there at the start lie below the thread pointer, at the same
 * offset in each thread. Those of modules that dlopen(3) brought are allocated when a thread first
 * uses them, and its dtv has their addresses: an array by the module's number (l_tls_modid), whose
 * first word is a generation. An entry counts only if the dtv is as new as the module: else it can
 * be of a module that had the number before (elf/dl-tls.c of glibc; fs_base is struct pthread).
 * What is needed of ld.so's structs comes from symbols/thread_db.h.
 *
 * Needs no stop, but of a running target an answer may be stale when it comes.
 */
#ifndef SYMBOLS_TLS_VARIABLE_H
#define SYMBOLS_TLS_VARIABLE_H

#include "support/error.h"
#include "symbols/libc.h"
#include "symbols/module.h"
#include "target/memory.h"

struct tls_module {
	bool is_static;
	uint64_t offset; /* of a static block: it begins at fs_base - offset */
	/* Of others. */
	uint64_t id;
	uint64_t generation;
	uint64_t dtv_field; /* offset in struct pthread */
	uint64_t dtv_size; /* of one entry */
	uint64_t dtv_pointer; /* offset in an entry, as the next one */
	uint64_t dtv_counter;
};

/*
 * What is alike for all threads. libc may be NULL: then static blocks alone are known.
 * MEMTOOL_ERROR_UNSUPPORTED where the module has no TLS, or how it is found cannot be told.
 */
struct memtool_error *tls_module_find(const struct modules *modules, const struct libc *libc,
				      struct module *module, struct memory *memory,
				      struct tls_module *ret);

/*
 * The address of the module's block in the thread of that fs_base; a variable is at its offset
 * behind. *ret_allocated is false if the thread has none as yet.
 */
struct memtool_error *tls_block_find(const struct tls_module *module, struct memory *memory,
				     uint64_t fs_base, bool *ret_allocated, uint64_t *ret);

#endif
