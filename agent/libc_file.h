/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc's own file, the only one that the agent ever opens, and only where memory no longer shows
 * how main_arena and mp_ were initialised. It is closed again at once.
 */
#ifndef AGENT_LIBC_FILE_H
#define AGENT_LIBC_FILE_H

#include "agent/objects.h"
#include "common/glibc_scan.h"

#include <stdbool.h>

/* Finds both in the file that libc was loaded from, as addresses of this process. */
bool libc_file_scan(const struct objects *objects, struct glibc_scan_arena *ret_arena,
		    struct glibc_scan_par *ret_par);

#endif
