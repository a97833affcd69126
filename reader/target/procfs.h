/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of /proc/PID, read and taken apart: the edge to procfs, for this room only.
 *
 * A pid may be the id of any thread here: procfs answers for it, though it does not list it. What a
 * process can choose itself (its comm, say) is taken as hostile.
 */
#ifndef TARGET_PROCFS_H
#define TARGET_PROCFS_H

#include "support/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * All of /proc/PID/name, with a NUL byte after it; to be freed. MEMTOOL_ERROR_NO_PROCESS if there
 * is no such process, MEMTOOL_ERROR_NOT_PERMITTED, said in general terms, if it is refused.
 */
struct memtool_error *procfs_read(pid_t pid, const char *name, char **ret, size_t *ret_length);

/* What an errno from opening or reading a file of /proc/PID means; the rules of procfs_read(). */
struct memtool_error *procfs_error(int errnum, pid_t pid, const char *name);

/* The text after "key:" and blanks in the text of a status file, or NULL. */
const char *procfs_status_field(const char *status, const char *key);

/* Some fields of /proc/PID/stat, see proc_pid_stat(5). */
struct procfs_stat {
	char state; /* 'R', 'S', 'D', 'T', 't', 'Z', 'X' ... */
	pid_t parent;
	uint32_t flags; /* PF_* of the kernel */
	uint64_t start_time; /* clock ticks since boot */
	uint64_t start_stack; /* 0 where there is no memory, or we may not know */
};

/* PF_KTHREAD, PF_FORKNOEXEC and PF_EXITING of the kernel's sched.h. */
#define PROCFS_FLAG_KTHREAD    UINT32_C(0x00200000)
#define PROCFS_FLAG_FORKNOEXEC UINT32_C(0x00000040)
#define PROCFS_FLAG_EXITING    UINT32_C(0x00000004)

/* False if text is not one line of that kind. */
bool procfs_stat_parse(const char *text, struct procfs_stat *ret);

struct memtool_error *procfs_stat(pid_t pid, struct procfs_stat *ret);

/* Whether thread tid has ended, or is not there any more; false also if that cannot be told. */
bool procfs_is_dead(pid_t tid);

/* 'Z' and 'X': it runs no more, and its memory is no longer there. */
bool procfs_state_is_dead(char state);

/* Not dead, nor about to be: before a thread is a zombie to see, it has no memory any more. */
bool procfs_stat_is_alive(const struct procfs_stat *stat);

/* A thread of process pid that is alive: its leader if possible. 0 if there is none. */
pid_t procfs_live_thread(pid_t pid);

/* comm of thread tid of process pid, control characters shown as '?'; "?" if it is gone. */
void procfs_comm(pid_t pid, pid_t tid, char ret[16]);

#endif
