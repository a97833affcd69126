/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of the machine's C library, and of the ld.so that loads it, which belong to one test
 * alone: it may strip them, damage them and delete them while a program uses them.
 */
#ifndef TESTS_LIBC_COPY_H
#define TESTS_LIBC_COPY_H

#include "tests/spawn.h"

struct libc_copy {
	char dir[256];
	char loader[512];
	char libc[512];
};

/*
 * All fail the test where they fail. Every user may read the copy; nobody asks a server for its
 * debug file from now on.
 */
void libc_copy_make(struct libc_copy *ret);
void libc_copy_remove(const struct libc_copy *copy);

/* The files, as an upgrade removes them. */
void libc_copy_unlink(const struct libc_copy *copy);

/* Then it is a build of which nobody has a debug file. */
void libc_copy_change_build_id(const struct libc_copy *copy);

/* All texts in it that tell its version: version instead, which has four characters. */
void libc_copy_set_version(const struct libc_copy *copy, const char *version);

/* What `strip -s` leaves of a program or library; false if there is no strip(1). */
bool libc_copy_strip(const char *path, const char *stripped);

/*
 * A program of tests/fixtures with that libc, as user uid if that is not 0; arguments may be NULL.
 */
struct spawned *libc_copy_start(const struct libc_copy *copy, uid_t uid, const char *fixture,
				const char *first, const char *second);

#endif
