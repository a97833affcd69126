/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes a thread restore itself: the frames that an injected system call leaves by.
 *
 * If the tracer dies while a thread has registers that are not its own, the kernel lets the thread
 * run on with them. So they are such that it finds back by itself: the call is made by a "syscall;
 * ret" that the program has, and the stack pointer is at frames of signals that never were. ret
 * leads to the program's restorer, which calls rt_sigreturn(2), and the kernel loads all registers,
 * the signal mask and the state of the FPU from the frame, as they were.
 *
 * The frames are, in the order in which the thread passes them: collect, which waits for the child
 * that a clone made (its number is put there by the kernel, CLONE_PARENT_SETTID; until then it is
 * one that no process has), and restore. A child that nobody traces passes leave, and ends.
 *
 * A thread that was in a system call goes back to just before it, or, where only a part is left to
 * do (nanosleep(2)), gets EINTR, as after a handler. All this is for the case that the tracer dies;
 * else it puts the registers back itself, and no frame is ever passed.
 *
 * Kernel facts: struct rt_sigframe of arch/x86/include/asm/sigframe.h and sys_rt_sigreturn() in
 * arch/x86/kernel/signal_64.c, check_xstate_in_sigframe() in arch/x86/kernel/fpu/signal.c.
 */
#ifndef TARGET_INJECT_FRAME_H
#define TARGET_INJECT_FRAME_H

#include "target/inject_code.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

/* A thread as it was; xstate is that of PTRACE_GETREGSET, with room for INJECT_XSTATE_MAX bytes. */
#define INJECT_XSTATE_MAX (12 << 10)
struct inject_state {
	struct user_regs_struct registers;
	uint64_t signal_mask;
	uint8_t xstate[INJECT_XSTATE_MAX + 4];
	size_t xstate_length;
};

#define INJECT_FRAMES_MAX (INJECT_XSTATE_MAX + (2 << 10))
struct inject_frames {
	uint64_t address; /* the target's, of bytes */
	size_t length;
	uint64_t collect, restore, leave; /* stack pointers to pass each by */
	uint64_t child; /* where collect has the number of the child, 4 bytes */
	uint8_t bytes[INJECT_FRAMES_MAX];
};

/* What a system call returns, towards the kernel's inside, that is to be restarted. */
bool inject_is_restart(int64_t result);

/* Below the stack pointer and its red zone. False if the state cannot be put into a frame. */
bool inject_frames_build(const struct inject_code *code, const struct inject_state *state,
			 struct inject_frames *ret);

#endif
