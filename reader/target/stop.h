/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping every thread of a process, and letting it go as it was.
 *
 * Threads are seized (PTRACE_SEIZE) and interrupted, over and over, until a pass over
 * /proc/PID/task shows none that is not held. No signal is sent to the target and none is lost: one
 * that was on its way is delivered when the thread runs on. A process that was stopped (SIGSTOP,
 * a tty) stays so. If this process dies in between, the kernel detaches and the target runs on.
 *
 * What a target can notice (ptrace(2), signal(7)): its threads pause, and a few system calls that
 * the kernel never restarts after a stop (epoll_wait, semop, socket calls with a timeout ...)
 * return EINTR once. Not held is what runs in the target's memory without being one of its threads:
 * a child between vfork and exec, the kernel.
 *
 * What the program that stops can notice: ptrace belongs to a thread, so there is one more from
 * stop_threads() to stop_resume(). It gets SIGCHLD as threads stop, and wait calls for any child
 * (-1) in other threads may see them: none may run meanwhile. A signal that ends the program ends
 * the stop with it. SIGTSTP (Ctrl-Z) is blocked in the thread that called stop_threads() until it
 * calls stop_resume(), lest the target stand still with us.
 */
#ifndef TARGET_STOP_H
#define TARGET_STOP_H

#include "support/error.h"
#include "target/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stopped_thread {
	pid_t tid;
	uint64_t fs_base; /* 0: the thread has no TLS, or is a worker of io_uring */
	uint64_t sp;
	uint64_t pc;
	/* The system call that it was in, or is about to return from; -1 for none. */
	int64_t system_call;
	bool suspended; /* by a signal (SIGSTOP, a tty): it would not run if it were let go */
};

struct stop;
struct tracer;

/*
 * On failure no thread is left stopped. A process that another program of our name holds is tried
 * again for about a second. A thread that sleeps uninterruptibly (state D: vfork, a file
 * server that does not answer) cannot be stopped: this gives up after two seconds.
 * While they are held, a read of process->memory may have to wait for what cannot come as long as
 * they are: after three to five seconds they are let go (target/process.h).
 */
struct memtool_error *stop_threads(struct process *process, struct stop **ret);

/*
 * The same, but gives up as soon as the threads that have stopped stand still for limit_ns, then
 * and in a stop_again().
 */
struct memtool_error *stop_threads_within(struct process *process, uint64_t limit_ns,
					  struct stop **ret);

/* When the first thread was told to stop: CLOCK_MONOTONIC, in nanoseconds. */
uint64_t stop_began_ns(const struct stop *stop);

/* The threads that are held, by ascending tid; valid until stop_resume(). */
const struct stopped_thread *stop_list(const struct stop *stop, size_t *ret_count);

/*
 * Lets the threads go on for a moment for which runs says so, while the others stay, and holds all
 * of them again. runs has an element for each of stop_list(), which is another list afterwards:
 * threads may have ended, or begun. A suspended one stays where it is. On failure nothing but
 * stop_resume() is left to do.
 */
struct memtool_error *stop_again(struct stop *stop, const bool *runs, uint64_t moment_ns);

/*
 * Has the tracer's thread call job, and waits for it; the list of threads is another one
 * afterwards. For what asks ptrace for more than a stop: target/snapshot.c. On failure nothing but
 * stop_resume() is left to do, unless it was the job that failed, and left the threads as they
 * were.
 */
typedef struct memtool_error *stop_job(struct tracer *tracer, void *context);
struct memtool_error *stop_call(struct stop *stop, stop_job *job, void *context);

/*
 * Lets the threads go, as stop_resume() does, but keeps the tracer's thread, and with it what it
 * traces besides. On failure nothing but stop_resume() is left to do.
 */
struct memtool_error *stop_let_go(struct stop *stop, uint64_t *ret_ns);

/*
 * Detaches from every thread and frees stop. *ret_ns, if not NULL, is how long the target stood
 * still: from before the first interrupt to after the last detach, in nanoseconds. A NULL stop is
 * fine and does nothing.
 */
void stop_resume(struct stop *stop, uint64_t *ret_ns);

#endif
