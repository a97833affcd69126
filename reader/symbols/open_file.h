/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening files on behalf of a target that may be hostile: for reading, regular files only.
 *
 * A file is looked at (O_PATH) before it is opened, so neither a FIFO blocks us nor a device does
 * what devices do on open(2). All return a descriptor, or -1: what cannot be opened is not there.
 */
#ifndef SYMBOLS_OPEN_FILE_H
#define SYMBOLS_OPEN_FILE_H

#include <sys/types.h>

/* path as this process sees it; symbolic links, those of /proc too, are followed. */
int open_regular(const char *path);

/*
 * path as pid sees it: below /proc/PID/root, which no symbolic link leaves on a kernel that has
 * openat2(2) (5.6). Without it a link may lead to a file of ours: whoever reads must check that it
 * is the right one, which is needed anyway.
 */
int open_regular_of(pid_t pid, const char *path);

#endif
