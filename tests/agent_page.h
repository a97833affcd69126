/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inventory page of a program that a test started, read with nothing but common/inventory.h and
 * process_vm_readv(2): what the reader makes of it is tested elsewhere.
 */
#ifndef TESTS_AGENT_PAGE_H
#define TESTS_AGENT_PAGE_H

#include "common/inventory.h"
#include "tests/spawn.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct agent_page {
	struct inventory_header header;
	struct inventory_thread threads[INVENTORY_THREADS]; /* the live ones */
	size_t count;
	bool anonymous; /* not a memfd */
};

/* "LD_PRELOAD=" and the path of the agent, followed by others' or preceded by them; may be NULL. */
const char *agent_preload(const char *before, const char *behind);
const char *agent_path(void);

/* The subject with the agent, when it has said its first line. */
struct spawned *agent_subject(void);

/* Has it obey a command and say so; returns what it printed since the last, in its text. */
const char *agent_command(struct spawned *child, const char *command);

/* The number behind a word that begins a line of text; base as strtoull() has it. */
uint64_t agent_number(const char *text, const char *word, int base);

/* Whether the process has a page. More than one fails the test. */
bool agent_has_page(pid_t pid);

/*
 * Whether programs that we start are under a seccomp filter, as in many containers: then no page is
 * a memfd.
 */
bool agent_is_filtered(void);

/*
 * The page, which must be there, and whole: all checks and guards hold. Of a program that runs on,
 * an entry may change while it is read; then it is read again.
 */
void agent_read_page(pid_t pid, struct agent_page *ret);

/* The same through another thread of the process, for when the first has ended. */
void agent_read_page_of(pid_t pid, pid_t tid, struct agent_page *ret);

/* The entry of a thread, or NULL. */
const struct inventory_thread *agent_thread(const struct agent_page *page, pid_t tid);

void agent_peek(pid_t pid, uint64_t address, void *buffer, size_t size);
uint64_t agent_word(pid_t pid, uint64_t address);
void agent_poke(pid_t pid, uint64_t address, const void *bytes, size_t size);

/* Takes the entry of a thread out of the page, as if there had been no room for it. */
void agent_unlist(pid_t pid, pid_t tid);

/* Adds an entry behind all others, as a thread leaves it that goes without a word. */
void agent_list(pid_t pid, pid_t tid, uint64_t fs_base);

/*
 * That each "thread TID FS_BASE" line of text is in the page and, with that of the first thread of
 * the process itself if first is set, that nothing else is.
 */
void agent_expect_threads(pid_t pid, const char *text, bool first);

#endif
