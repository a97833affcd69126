/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mappings of a process, as /proc/PID/maps lists them (proc_pid_maps(5)).
 *
 * A struct maps is a snapshot: sorted, without overlaps, never changed after it is made. Reading it
 * needs PTRACE_MODE_READ only, and no stop.
 */
#ifndef TARGET_MAPS_H
#define TARGET_MAPS_H

#include "support/error.h"
#include "support/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mapping {
	struct range range;
	uint64_t offset; /* bytes into the file */
	dev_t device; /* makedev(3) of the major:minor shown there */
	uint64_t inode; /* 0 for anonymous memory */
	bool readable;
	bool writable;
	bool executable;
	bool shared;
	bool deleted; /* the kernel appended " (deleted)", which is not part of name */
	/* Path as the target's root sees it, with \012 undone, or "[heap]" and the like, or "". */
	const char *name;
};

struct maps {
	struct mapping *data;
	size_t count;
	char *text; /* what the names point into */
};

/* Takes over text, a whole maps file ending in a NUL byte, also on failure. */
struct memtool_error *maps_parse(char *text, struct maps *ret);

struct memtool_error *maps_read(pid_t pid, struct maps *ret);

void maps_deinit(struct maps *maps);

/* The mapping that contains address, or NULL. */
const struct mapping *maps_find(const struct maps *maps, uint64_t address);

#endif
