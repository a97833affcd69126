/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The version of a shared glibc, from the text that it prints when it is run as a program (banner
 * in csu/version.c): "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36."
 *
 * Every release has it, in read-only data, stripped or not; so it is read from memory and needs no
 * file. A static executable does not have it.
 */
#ifndef SYMBOLS_LIBC_VERSION_H
#define SYMBOLS_LIBC_VERSION_H

#include "support/error.h"
#include "symbols/module.h"
#include "target/maps.h"
#include "target/memory.h"

/* Sets ret to "2.36", or to "" if there is no such text. */
struct memtool_error *libc_version_read(const struct module *module, const struct maps *maps,
					struct memory *memory, char ret[16]);

#endif
