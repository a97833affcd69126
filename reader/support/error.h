/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error objects: how every fallible function of the reader reports.
 *
 * Such a function returns `struct memtool_error *`: NULL is success; otherwise the caller owns the
 * object and either passes it up or ends it with memtool_error_destroy(). Outputs come last, are
 * named ret (or ret_x), and are untouched on failure. A function that must not fail for want of
 * memory while it reports one returns memtool_error_no_memory, which is static.
 *
 * The message is one line for a person, without a trailing period or newline: what failed, why,
 * and, where there is one, the remedy. It is complete: errno text and path are already in it, the
 * fields beside it are for programs. Nothing in this library prints it. The codes are in memtool.h.
 */
#ifndef SUPPORT_ERROR_H
#define SUPPORT_ERROR_H

#include "memtool.h"
#include "support/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct memtool_error {
	enum memtool_error_code code;
	int errnum; /* errno of MEMTOOL_ERROR_OS, else 0 */
	uint64_t address; /* of MEMTOOL_ERROR_FAULT, else 0 */
	char *message;
};

extern struct memtool_error memtool_error_no_memory[1];

struct memtool_error *memtool_error_create(enum memtool_error_code code, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3), __returns_nonnull__));

/* A failed system call: the message is the formatted text, ": " and strerror(errnum). */
struct memtool_error *memtool_error_os(int errnum, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3), __returns_nonnull__));

/* Memory at address could not be read; what says what was wanted there ("tcache of thread 7"). */
struct memtool_error *memtool_error_fault(uint64_t address, const char *what)
	__attribute__((__returns_nonnull__));

/* NULL and memtool_error_no_memory are fine. */
void memtool_error_destroy(struct memtool_error *error);

/*
 * Swallows an error of one class: if *error has that code, destroys it, sets *error to NULL and
 * returns true.
 */
bool memtool_error_catch(struct memtool_error **error, enum memtool_error_code code);

#define _cleanup_error_ _cleanup_(cleanup_error)
static inline void cleanup_error(struct memtool_error **error)
{
	memtool_error_destroy(*error);
}

#endif
