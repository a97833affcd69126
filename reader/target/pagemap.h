/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pages of a process are there: in memory or swapped out (/proc/PID/pagemap,
 * proc_pid_pagemap(5)).
 *
 * To read a page that is not there makes the kernel give the process one, or at least a page table.
 * Looking at the page map does not. A file of it is bound to the address space that was there when
 * it was opened, and needs PTRACE_MODE_READ only.
 */
#ifndef TARGET_PAGEMAP_H
#define TARGET_PAGEMAP_H

#include "support/range.h"

#include <stdbool.h>
#include <sys/types.h>

/* -1 on a kernel without, or where it may not be read. tid is a live thread of pid. */
int pagemap_open(pid_t pid, pid_t tid);

/*
 * The first run of pages in within that are there: *ret, empty and at the end of within if there is
 * none. False if fd does not tell.
 */
bool pagemap_find(int fd, struct range within, struct range *ret);

/* The same by the table itself, as on a kernel without PAGEMAP_SCAN (before 6.7). */
bool pagemap_find_in_table(int fd, struct range within, struct range *ret);

#endif
