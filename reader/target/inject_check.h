/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a thread may be made to do a system call: only where all is as usual (target/inject.h
 * says what is not). Looks, and changes nothing.
 */
#ifndef TARGET_INJECT_CHECK_H
#define TARGET_INJECT_CHECK_H

#include "target/inject.h"

/* The error of a thread that is left alone for what. */
static inline struct memtool_error *inject_unusual(const char *what)
{
	return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED, "%s", what);
}

/* Of the thread that is held, whose state has been read; UNSUPPORTED if it is to be left alone. */
struct memtool_error *inject_check_held(const struct injection *injection);

#endif
