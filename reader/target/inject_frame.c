/* SPDX-License-Identifier: Apache-2.0 */
#include "target/inject_frame.h"

#include <cpuid.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define RED_ZONE 128

/* uc_flags of asm/ucontext.h: there is an XSAVE area, ss is valid, and is to be loaded. */
#define FRAME_FLAGS 7
/* Neither of the modes of sigaltstack(2): rt_sigreturn then leaves the alternate stack alone. */
#define KEEP_ALTERNATE_STACK 0x4711

/* struct rt_sigframe without the siginfo, which rt_sigreturn does not read. */
struct frame {
	uint64_t restorer;
	uint64_t flags;
	uint64_t link;
	uint64_t stack_address;
	uint32_t stack_flags;
	uint32_t padding;
	uint64_t stack_size;
	struct sigcontext context;
	uint64_t signal_mask;
};

_Static_assert(sizeof(struct frame) == 312, "the kernel's");

/* What the kernel says of the XSAVE area in the bytes that FXSAVE leaves to software. */
struct xstate_header {
	uint32_t magic;
	uint32_t extended_size;
	uint64_t features;
	uint32_t size;
	uint32_t padding[7];
};

#define XSTATE_SOFTWARE 464 /* offset of struct xstate_header */
#define XSTATE_FEATURES 512 /* offset of XSTATE_BV */
#define XSTATE_MIN      576
#define XSTATE_LEGACY   UINT64_C(3) /* x87 and SSE, which have their place in FXSAVE's area */
#define XSTATE_MAGIC    UINT32_C(0x46505853)
#define XSTATE_MAGIC_2  UINT32_C(0x46505845) /* after the area */

/* As long as it takes to hold what is not in its initial state; 0: the state makes no sense. */
static size_t xstate_size(const struct inject_state *state, uint64_t features)
{
	size_t size = XSTATE_MIN;

	for (unsigned int i = 2; i < 63; i++) {
		unsigned int length, offset, c, d;
		if (!(features & UINT64_C(1) << i))
			continue;
		if (!__get_cpuid_count(0xd, i, &length, &offset, &c, &d) || length == 0)
			return 0;
		if (offset + length > size)
			size = offset + length;
	}
	return size <= state->xstate_length ? size : 0;
}

/* Makes an area of a signal frame of that of PTRACE_GETREGSET; returns its length, 0 on failure. */
static size_t put_xstate(const struct inject_state *state, uint8_t *to)
{
	uint64_t features;

	if (state->xstate_length < XSTATE_MIN || state->xstate_length > INJECT_XSTATE_MAX)
		return 0;
	memcpy(&features, state->xstate + XSTATE_FEATURES, sizeof(features));
	size_t size = xstate_size(state, features);
	if (size == 0)
		return 0;
	const struct xstate_header header = {
		.magic = XSTATE_MAGIC,
		.extended_size = (uint32_t)size + sizeof(XSTATE_MAGIC_2),
		.features = features | XSTATE_LEGACY,
		.size = (uint32_t)size,
	};
	const uint32_t magic = XSTATE_MAGIC_2;
	memcpy(to, state->xstate, size);
	memcpy(to + XSTATE_SOFTWARE, &header, sizeof(header));
	memcpy(to + size, &magic, sizeof(magic));
	return size + sizeof(magic);
}

/* Of the kernel's linux/errno.h. */
enum { ERESTARTSYS = 512, ERESTARTNOINTR = 513, ERESTARTNOHAND = 514, ERESTART_RESTARTBLOCK = 516 };

bool inject_is_restart(int64_t result)
{
	return result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND ||
	       result == -ERESTART_RESTARTBLOCK;
}

/* The registers to go on with as if the kernel had restarted the call that was interrupted. */
static struct user_regs_struct restarted(const struct user_regs_struct *from)
{
	struct user_regs_struct registers = *from;

	if ((int64_t)from->orig_rax < 0 || !inject_is_restart((int64_t)from->rax))
		return registers;
	registers.rip -= 2;
	registers.rax =
		(int64_t)from->rax == -ERESTART_RESTARTBLOCK ? SYS_restart_syscall : from->orig_rax;
	return registers;
}

static struct frame make_frame(const struct inject_code *code,
			       const struct user_regs_struct *registers, uint64_t signal_mask)
{
	return (struct frame){
		.restorer = code->restorer,
		.flags = FRAME_FLAGS,
		.stack_flags = KEEP_ALTERNATE_STACK,
		.context = {
			.r8 = registers->r8,
			.r9 = registers->r9,
			.r10 = registers->r10,
			.r11 = registers->r11,
			.r12 = registers->r12,
			.r13 = registers->r13,
			.r14 = registers->r14,
			.r15 = registers->r15,
			.rdi = registers->rdi,
			.rsi = registers->rsi,
			.rbp = registers->rbp,
			.rbx = registers->rbx,
			.rdx = registers->rdx,
			.rax = registers->rax,
			.rcx = registers->rcx,
			.rsp = registers->rsp,
			.rip = registers->rip,
			.eflags = registers->eflags,
			.cs = (unsigned short)registers->cs,
			.gs = (unsigned short)registers->gs,
			.fs = (unsigned short)registers->fs,
			.__pad0 = (unsigned short)registers->ss,
		},
		.signal_mask = signal_mask,
	};
}

/* The same, on the way to a system call. */
static struct frame make_call(const struct inject_code *code, const struct inject_state *state,
			      int64_t number, uint64_t next)
{
	struct user_regs_struct registers = state->registers;

	registers.rip = code->syscall_ret;
	registers.rsp = next;
	registers.rax = (uint64_t)number;
	registers.rdi = registers.rsi = registers.rdx = registers.r10 = 0;
	return make_frame(code, &registers, state->signal_mask);
}

bool inject_frames_build(const struct inject_code *code, const struct inject_state *state,
			 struct inject_frames *ret)
{
	const struct user_regs_struct back = restarted(&state->registers);
	const size_t xstate_offset = (3 * sizeof(struct frame) + 63) / 64 * 64;

	memset(ret, 0, sizeof(*ret));
	size_t xstate_length = put_xstate(state, ret->bytes + xstate_offset);
	if (xstate_length == 0)
		return false;
	ret->length = xstate_offset + xstate_length;
	ret->address = (state->registers.rsp - RED_ZONE - ret->length) & ~UINT64_C(63);
	/* A handler that comes in between has its frame below the one that is passed next. */
	ret->collect = ret->address;
	ret->restore = ret->collect + sizeof(struct frame);
	ret->leave = ret->restore + sizeof(struct frame);

	struct frame frames[3] = {
		make_call(code, state, SYS_wait4, ret->restore),
		make_frame(code, &back, state->signal_mask),
		make_call(code, state, SYS_exit_group, ret->leave),
	};
	frames[0].context.rdi = INT_MAX;
	frames[0].context.rdx = (uint32_t)__WALL;
	frames[2].signal_mask = UINT64_MAX;
	frames[1].context.__fpstate_word = ret->address + xstate_offset;
	memcpy(ret->bytes, frames, sizeof(frames));
	ret->child =
		ret->collect + offsetof(struct frame, context) + offsetof(struct sigcontext, rdi);
	return true;
}
