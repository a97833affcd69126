/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What glibc tells debuggers of its structs: the _thread_db_ variables, which libthread_db uses
 * (nptl_db/structs.def). From 2.34 on libc exports them, stripped or not; before that they are
 * local symbols of libpthread.
 *
 * A field's descriptor is three 32-bit words: its size in bits, the number of elements, its offset.
 */
#ifndef SYMBOLS_THREAD_DB_H
#define SYMBOLS_THREAD_DB_H

#include "support/error.h"
#include "symbols/module.h"
#include "target/memory.h"

struct thread_db_field {
	uint32_t bits; /* of one element, where it is an array */
	uint32_t count;
	uint32_t offset;
};

/*
 * The descriptor of that name ("_thread_db_pthread_tid") in module, libc or libpthread.
 * MEMTOOL_ERROR_UNSUPPORTED where there is none, or none that makes sense.
 */
struct memtool_error *thread_db_field(struct module *module, struct memory *memory,
				      const char *name, struct thread_db_field *ret);

/* One that is a single word: "_thread_db_sizeof_pthread". */
struct memtool_error *thread_db_word(struct module *module, struct memory *memory, const char *name,
				     uint32_t *ret);

/* The address of a variable of module; MEMTOOL_ERROR_UNSUPPORTED where there is none. */
struct memtool_error *thread_db_symbol(struct module *module, const char *name, uint64_t *ret);

/* The executable or the dynamic linker: whichever holds ld.so's variables; or NULL. */
struct module *thread_db_linker(const struct modules *modules, struct module *libc);

#endif
