/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a thread that is held do one system call, and holding it again as it was.
 *
 * No code is written: the call is made by instructions that the program has. Written are, below the
 * stack pointer of the main thread, where the next signal would put its frame, the frames of
 * target/inject_frame.h, and the bytes that were there are put back. A thread is left alone, with
 * MEMTOOL_ERROR_UNSUPPORTED, where anything is unusual: seccomp, a shadow stack, system calls that
 * are dispatched to the program, a restartable sequence, another stack than the kernel's own,
 * 32-bit code, a process that is suspended.
 *
 * Afterwards the thread is in the stop that it was in, inside of the kernel's signal handling and
 * with all its registers. So it is the kernel that restarts the system call it was in, or not, just
 * as after a stop without any of this: no EINTR, and no wake-up lost.
 *
 * Before Linux 6.4 a tracer is not told whether system calls are dispatched to the program
 * (PR_SET_SYSCALL_USER_DISPATCH, from 5.11 on, as Wine has it): the attempt shows. The kernel does
 * not make the call but sends SIGSYS, which is recognised as ours by its address and kept from the
 * program; the thread is put back, and left alone. What is left: if the thread blocks SIGSYS,
 * force_sig_info() of the kernel takes the program's handler away with that. But any call that such
 * a thread makes itself and that is dispatched ends it, too.
 *
 * If the tracer dies in between, wherever that is, the thread finds back by itself. What it may
 * then notice: a call that was waiting with a relative timeout (nanosleep, poll) returns EINTR.
 */
#ifndef TARGET_INJECT_H
#define TARGET_INJECT_H

#include "support/error.h"
#include "target/inject_code.h"
#include "target/inject_frame.h"
#include "target/maps.h"
#include "target/memory.h"

#include <stdint.h>
#include <sys/types.h>

/* UNSUPPORTED for what shows while it runs: seccomp, a userfaultfd, suspension, its end. */
struct memtool_error *inject_check_running(pid_t tid);

struct injection {
	/* Set by the caller. maps need be no newer than the program. */
	struct inject_code code;
	struct memory *memory;
	const struct maps *maps;
	pid_t tid;

	/* Private. */
	struct inject_state state;
	struct inject_frames frames;
	uint8_t stack[INJECT_FRAMES_MAX]; /* what was where frames are */
	int64_t result;
};

/*
 * For the thread that traces tid, and holds it. All is well with the thread on return, unless the
 * error is another than UNSUPPORTED: then its tracer must end.
 *
 * inject_clone() makes a copy of the process (no flags, no exit signal) that is held as well,
 * before its first instruction, and dies with the tracer's thread. *ret is its pid as we see it,
 * *ret_namespace_pid as its parent does.
 */
struct memtool_error *inject_clone(struct injection *injection, pid_t *ret,
				   pid_t *ret_namespace_pid);

/* Has it collect a child that has died and that nobody traces; namespace_pid as above. */
struct memtool_error *inject_wait(struct injection *injection, pid_t namespace_pid);

#endif
