/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live process as a source of bytes. Opening one neither stops nor changes it; stopping it is
 * target/stop.h's.
 *
 * All reading of memory goes through process->memory. Bytes come by process_vm_readv(2), and, where
 * that is refused or not there, or of a snapshot, from /proc/PID/mem; both ways, only what the
 * target may read itself is readable (not PROT_NONE). A process that ends, execs, or whose pid is
 * reused while it is open yields MEMTOOL_ERROR_NO_PROCESS, not another process's bytes:
 *
 * - /proc/PID/mem is opened once and stays bound to the address space that was there; when that has
 *   gone, it reads as empty. While the target runs, each read ends with a look at it.
 * - While target/stop.h holds every thread, none can exec, and its pid cannot be reused. One
 *   process_check() after the stop then stands for all reads until it is resumed. A page may be one
 *   that a thread of the target itself has to provide (userfaultfd(2)), or a file server that does
 *   not answer: then the threads are let go, and that read and all further ones fail with
 *   MEMTOOL_ERROR_TOO_LONG.
 *
 * Our own process may be opened, to read its memory as it changes; it cannot be stopped. While
 * it is held, several threads may read process->memory at once; nothing else is for two threads on
 * one process.
 */
#ifndef TARGET_PROCESS_H
#define TARGET_PROCESS_H

#include "support/error.h"
#include "target/maps.h"
#include "target/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	struct memory memory;
	pid_t pid; /* thread group id, in our own pid namespace */
	int pidfd; /* -1 on a kernel without pidfds (before 5.3) */
	int mem_fd; /* /proc/PID/mem, of the address space at process_open() */
	int pagemap_fd; /* target/pagemap.h, of the same address space */
	uint64_t start_time; /* field 22 of /proc/PID/stat, clock ticks since boot */
	uint64_t start_stack; /* field 28: where exec put the stack */
	bool forked; /* it has not called exec since: its memory was begun by its parent */

	/* Private to this room. */
	pid_t reader; /* a thread by which memory is read while none is held */
	_Atomic(pid_t) held; /* one of the threads while all of them are held, else 0 */
	atomic_bool by_file; /* read from mem_fd, where maps says that it is readable */
	/*
	 * Reads of memory, for who lets the threads go if one does not end (target/stop.c): what is
	 * read while let_go is set is of a process that ran.
	 */
	atomic_uint reads_begun, reads_ended;
	atomic_bool let_go;
	pthread_mutex_t maps_lock; /* of filling maps; they stay while all threads are held */
	struct maps maps; /* empty unless held and needed */
};

/*
 * Opens pid, which may also be the id of any of its threads. Fails, with cause and remedy in the
 * message, if it does not exist, is a zombie or a kernel thread, runs 32-bit code, or may not be
 * read by us. *ret must stay where it is: process->memory is found from its address.
 */
struct memtool_error *process_open(pid_t pid, struct process **ret);

/* NULL is fine. */
void process_close(struct process *process);

#define _cleanup_process_ _cleanup_(cleanup_process)
static inline void cleanup_process(struct process **process)
{
	process_close(*process);
}

/* Fails with MEMTOOL_ERROR_NO_PROCESS unless it is still the process that was opened. */
struct memtool_error *process_check(const struct process *process);

/*
 * For target/stop.h: all threads are held from now on, tid one of them; 0: they run again.
 * Then, and only then, reads go without a check.
 */
void process_set_held(struct process *process, pid_t tid);

/* How much of its memory is there (proc_pid_statm(5)); 0 if that is not to be had. */
uint64_t process_resident_bytes(const struct process *process);

/* comm of a thread (proc_pid_comm(5)), control characters shown as '?'; "?" if it is gone. */
void process_thread_name(const struct process *process, pid_t tid, char ret[16]);

#endif
