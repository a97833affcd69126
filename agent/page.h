/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's inventory page (common/inventory.h): made, written, and never read back.
 *
 * Without a lock and without waiting: a thread may be stopped or killed at any instruction, or the
 * process forked, and the page is still whole. Until page_publish(), and in a process that is a
 * copy of the one that published, or shares its memory, all of this does nothing.
 *
 * A sandbox may end a process for a system call. When the page is made these are memfd_create(2),
 * ftruncate(2), fcntl(2), prlimit(2), mmap(2) and close(2) besides prctl(2), getpid(2) and
 * gettid(2); of them only the last three and mmap(2) where a seccomp filter is in force already. In
 * the child of fork(2) there is none but getpid(2) and gettid(2), and with a filter from the start
 * mmap(2).
 */
#ifndef AGENT_PAGE_H
#define AGENT_PAGE_H

#include "agent/locate.h"
#include "common/inventory.h"

#include <stdbool.h>

/* What page_enter() returns when the thread is not in the table. */
#define PAGE_NO_ENTRY INVENTORY_THREADS

/*
 * Makes a page for this process and publishes it, with the calling thread in entry 0. In the child
 * of a fork(2) it takes the place of the copy of the parent's.
 */
bool page_publish(const struct located *located, uint16_t flags);

/* Whether this process has published one. */
bool page_is_ours(void);

/* Enters the calling thread; if there is no room, the page says so. */
unsigned int page_enter(void);

/* Retires an entry; its index must come from page_enter(), or be 0. */
void page_leave(unsigned int entry);

/* Says that a thread is missing from the table. */
void page_overflow(void);

#endif
