/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the kernel refuses a process to us, and what helps: one line, one cause, one remedy.
 *
 * The kernel says EPERM for a dozen reasons (ptrace(2), "Ptrace access mode checking"). What can be
 * known about them from /proc is gathered into facts; the decision from facts to a message is pure.
 * It explains a refusal that happened, it does not foretell one.
 */
#ifndef TARGET_DIAGNOSE_H
#define TARGET_DIAGNOSE_H

#include "support/error.h"

#include <stdbool.h>
#include <sys/types.h>

enum refused {
	REFUSED_READ, /* its memory, or a file of /proc/PID that is guarded like it */
	REFUSED_STOP, /* PTRACE_SEIZE of a thread */
};

struct refusal_facts {
	enum refused what;
	/* The target. */
	pid_t pid;
	char state; /* as in /proc/PID/stat; '?' if not known */
	bool kernel_thread;
	pid_t tracer; /* 0: none */
	char tracer_name[16];
	uid_t uid; /* effective; meaningless if other_user is false */
	bool other_user; /* not all its user ids are our effective one */
	bool hidden; /* there is such a process, but /proc does not show it (hidepid) */
	bool not_dumpable; /* PR_SET_DUMPABLE 0, or it was started from a set-user-ID file */
	/* Us. */
	pid_t self;
	bool root; /* our effective user id is 0 */
	bool cap_sys_ptrace;
	bool seccomp; /* a seccomp filter is upon us */
	int yama_scope; /* kernel.yama.ptrace_scope; -1 without Yama */
};

struct memtool_error *diagnose(const struct refusal_facts *facts)
	__attribute__((__returns_nonnull__));

/* Gathers the facts on pid, which may be the id of any thread, and decides. */
struct memtool_error *diagnose_refusal(pid_t pid, enum refused what)
	__attribute__((__returns_nonnull__));

/* The refusals that process_open() knows without asking the kernel. */
struct memtool_error *diagnose_zombie(pid_t pid) __attribute__((__returns_nonnull__));
struct memtool_error *diagnose_kernel_thread(pid_t pid) __attribute__((__returns_nonnull__));

#endif
