/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer of a process: all that target/stop.h does with ptrace(2).
 *
 * Runs on a thread of its own, whose end is the one detach that never fails: the kernel then lets
 * go of every thread, whatever state it is in, also of one that never stopped. So nothing here
 * detaches on failure; the thread returns, and that is that.
 *
 * Waiting never consumes anything (WNOWAIT). A signal that a thread has stopped for is thus still
 * there for the thread if we die before we have handed it on; and who is our own child is left for
 * the one who expects its exit status.
 */
#ifndef TARGET_TRACER_H
#define TARGET_TRACER_H

#include "support/array.h"
#include "support/error.h"
#include "target/stop.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * For functions that are left by pthread_cancel(3): AddressSanitizer does not see that, and would
 * take what they have guarded on the stack for guarded still.
 */
#define MAY_BE_CANCELLED __attribute__((__no_sanitize_address__))

enum tracee_state {
	TRACEE_SEIZED, /* runs; not interrupted yet */
	TRACEE_AWAITED, /* interrupted, or killed while held; has not been seen to stop, or end */
	TRACEE_HELD,
	TRACEE_DEAD,
};

struct tracee {
	struct stopped_thread thread;
	enum tracee_state state;
};

DEFINE_ARRAY(tracee_array, struct tracee)

struct tracer {
	pid_t pid; /* thread group id of the target */
	DIR *tasks; /* /proc/PID/task */
	uint64_t limit_ns; /* how long it may take until all threads have stopped */
	struct tracee_array tracees; /* by ascending tid between passes */
	/* CLOCK_MONOTONIC: just before the first interrupt (0: none), and after the last detach. */
	uint64_t stopped_ns;
	uint64_t resumed_ns;
	/*
	 * Odd while PTRACE_SEIZE runs, and only then may the thread be cancelled. That call waits
	 * for an exec of the target to end, which may never be: an exec waits for the threads that
	 * it has killed, which wait for us.
	 */
	atomic_uint seizing;
};

/* Any thread may do these two. */
struct memtool_error *tracer_init(struct tracer *tracer, pid_t pid, uint64_t limit_ns);
void tracer_deinit(struct tracer *tracer);

/* Seizes, interrupts and awaits every thread, and reads their registers. */
struct memtool_error *tracer_hold(struct tracer *tracer);

/*
 * Lets held threads run for a moment, and holds all that there are then. runs has an element for
 * each held thread, in the order of tracees.
 */
struct memtool_error *tracer_hold_again(struct tracer *tracer, const bool *runs,
					uint64_t moment_ns);

/*
 * Holds thread tid alone, where tracees holds none. stopped_ns begins anew, for tracer_release() to
 * end.
 */
struct memtool_error *tracer_hold_one(struct tracer *tracer, pid_t tid);

/* Detaches from all threads that are held. */
void tracer_release(struct tracer *tracer);

/* The same, while the tracer's own thread stays. Fails if a thread could not be let go of. */
struct memtool_error *tracer_release_and_stay(struct tracer *tracer);

#endif
