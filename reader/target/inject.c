/* SPDX-License-Identifier: Apache-2.0 */
#include "target/inject.h"

#include "support/clock.h"
#include "target/inject_check.h"
#include "target/procfs.h"

#include <elf.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

/* How often it is tried while signals come. */
#define ATTEMPTS 20
/*
 * A clone of very many gigabytes takes seconds; one that waits for somebody else must not hang us.
 */
#define PATIENCE_NS UINT64_C(10000000000)
/* So often we only let others run, before we sleep. */
#define EAGER_ROUNDS 300

#define STATUS_SYSCALL (SIGTRAP | 0x80)
#define STATUS_CLONE   (SIGTRAP | PTRACE_EVENT_CLONE << 8)
#define STATUS_HELD    (SIGTRAP | PTRACE_EVENT_STOP << 8)

static struct memtool_error *lost(const struct injection *injection)
{
	return memtool_error_create(MEMTOOL_ERROR_OS, "thread %d did not come back in time",
				    injection->tid);
}

/*
 * Waits until a tracee stops; returns the signal and event, -1 if it has died, 0 for out of time.
 */
static int await_stop(pid_t tid)
{
	static const struct timespec nap = { .tv_nsec = 50000 };
	uint64_t limit_ns = 0;

	for (unsigned int round = 0;; round++) {
		siginfo_t info = { .si_pid = 0 };
		if (waitid(P_PID, tid, &info,
			   WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL | __WNOTHREAD) < 0)
			return -1;
		if (info.si_pid)
			return info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED
				       ? info.si_status
				       : -1;
		uint64_t now_ns = clock_now_ns();
		if (limit_ns == 0)
			limit_ns = now_ns + PATIENCE_NS;
		if (now_ns > limit_ns)
			return 0;
		if (round < EAGER_ROUNDS) {
			sched_yield();
			continue;
		}
		nanosleep(&nap, NULL);
		/* waitid is silent about a leader that was killed, while we hold its threads. */
		if (round % EAGER_ROUNDS == 0 && procfs_is_dead(tid))
			return -1;
	}
}

/* The error for a stop that is none. */
static struct memtool_error *stopless(const struct injection *injection, int status)
{
	if (status == 0)
		return lost(injection);
	return memtool_error_create(MEMTOOL_ERROR_NO_PROCESS, "thread %d was killed meanwhile",
				    injection->tid);
}

static struct memtool_error *read_state(struct injection *injection)
{
	struct inject_state *state = &injection->state;
	struct iovec xstate = { state->xstate, INJECT_XSTATE_MAX };
	pid_t tid = injection->tid;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &state->registers) < 0)
		return stopless(injection, -1);
	if (ptrace(PTRACE_GETSIGMASK, tid, sizeof(state->signal_mask), &state->signal_mask) < 0 ||
	    ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &xstate) < 0)
		return inject_unusual("the kernel does not tell all of its registers");
	state->xstate_length = xstate.iov_len;
	return NULL;
}

static bool write_stack(const struct injection *injection, const uint8_t *bytes)
{
	size_t length = injection->frames.length;
	struct iovec local = { (void *)bytes, length };
	struct iovec remote = { (void *)injection->frames.address, length };

	return process_vm_writev(injection->tid, &local, 1, &remote, 1, 0) == (ssize_t)length;
}

/* The frames, which nothing leads to yet. */
static struct memtool_error *write_frames(struct injection *injection)
{
	struct memtool_error *error =
		memory_read(injection->memory, injection->frames.address, injection->stack,
			    injection->frames.length, "the stack");
	if (memtool_error_catch(&error, MEMTOOL_ERROR_FAULT))
		return inject_unusual("its stack cannot be read");
	if (error)
		return error;
	if (write_stack(injection, injection->frames.bytes))
		return NULL;
	/* Some of it may have been written; that is free memory. */
	write_stack(injection, injection->stack);
	return inject_unusual("its stack cannot be written to");
}

/* As it was. From here on the thread has its own registers, and may go on. */
static bool put_back(const struct injection *injection)
{
	if (ptrace(PTRACE_SETREGS, injection->tid, NULL, &injection->state.registers) < 0)
		return false;
	write_stack(injection, injection->stack);
	return true;
}

/* A fault by the instruction that we sent the thread to, and not by one of its own. */
static bool is_our_fault(const struct injection *injection, int signal_number)
{
	siginfo_t info;

	if (signal_number != SIGSEGV && signal_number != SIGBUS && signal_number != SIGILL &&
	    signal_number != SIGTRAP && signal_number != SIGSYS)
		return false;
	return ptrace(PTRACE_GETSIGINFO, injection->tid, NULL, &info) == 0 && info.si_code > 0 &&
	       (uint64_t)info.si_addr - injection->code.syscall_ret <= INJECT_SYSCALL_RET;
}

/*
 * The thread is about to take a signal: it does so with its own registers, so that its system call
 * is restarted or not as is right, and then it is held again.
 */
static struct memtool_error *deliver(const struct injection *injection, int signal_number)
{
	pid_t tid = injection->tid;
	int status = signal_number;

	do {
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		ptrace(PTRACE_CONT, tid, NULL, status);
		status = await_stop(tid);
	} while (status > 0 && status >> 8 == 0);
	if (status <= 0)
		return stopless(injection, status);
	return status == STATUS_HELD ? NULL : inject_unusual("it is suspended");
}

/* Something else than what was expected; *ret_again if that was a signal, which has been taken. */
static struct memtool_error *give_up(const struct injection *injection, int status, bool *ret_again)
{
	bool our_fault = status >> 8 == 0 && is_our_fault(injection, status);

	if (status <= 0 || !put_back(injection))
		return stopless(injection, status);
	if (status >> 8 == PTRACE_EVENT_STOP)
		return inject_unusual("it is suspended");
	if (our_fault) {
		struct memtool_error *error = deliver(injection, 0);
		return error ? error : inject_unusual("it may not run the code that was found");
	}
	*ret_again = true;
	return deliver(injection, status);
}

/* Lets the thread go on to its next stop. */
static int go_on(const struct injection *injection, int request)
{
	ptrace(request, injection->tid, NULL, NULL);
	return await_stop(injection->tid);
}

/*
 * The copy is there, and stopped or about to be. Until it has EXITKILL it would end by itself,
 * through the frame made for it, if we died.
 */
static struct memtool_error *hold_clone(const struct injection *injection, pid_t *ret)
{
	unsigned long message;

	if (ptrace(PTRACE_GETEVENTMSG, injection->tid, NULL, &message) < 0)
		return stopless(injection, -1);
	int status = await_stop((pid_t)message);
	if (status <= 0 || ptrace(PTRACE_SETOPTIONS, (pid_t)message, NULL, PTRACE_O_EXITKILL) < 0)
		return stopless(injection, status);
	*ret = (pid_t)message;
	return NULL;
}

/* One attempt at a call with these registers; *ret_clone, if not NULL, stays 0 without a clone. */
static struct memtool_error *call_once(struct injection *injection,
				       const struct user_regs_struct *registers, bool *ret_again,
				       pid_t *ret_clone)
{
	struct user_regs_struct after;

	struct memtool_error *error = write_frames(injection);
	if (error)
		return error;
	if (ptrace(PTRACE_SETREGS, injection->tid, NULL, registers) < 0)
		return stopless(injection, -1);
	int status = go_on(injection, PTRACE_SYSCALL);
	if (status != STATUS_SYSCALL)
		return give_up(injection, status, ret_again);
	status = go_on(injection, PTRACE_SYSCALL);
	if (status == STATUS_CLONE)
		error = hold_clone(injection, ret_clone);
	else if (status != STATUS_SYSCALL)
		return give_up(injection, status, ret_again);
	if (error)
		return error;

	/* Back into the kind of stop that it was in, where the kernel looks at restarts. */
	ptrace(PTRACE_INTERRUPT, injection->tid, NULL, NULL);
	status = go_on(injection, PTRACE_CONT);
	if (status <= 0 || status >> 8 != PTRACE_EVENT_STOP)
		return stopless(injection, status);
	if (ptrace(PTRACE_GETREGS, injection->tid, NULL, &after) < 0 || !put_back(injection))
		return stopless(injection, -1);
	injection->result = (int64_t)after.rax;
	/* What a signal interrupts before it has begun: ERESTARTNOINTR. */
	*ret_again = injection->result == -513;
	return NULL;
}

/* Makes the registers for a call, given the thread's own. */
typedef struct user_regs_struct make_call(const struct injection *injection, int64_t argument);

static struct memtool_error *try_call(struct injection *injection, make_call *make,
				      int64_t argument, pid_t *ret_clone)
{
	for (unsigned int attempt = 0; attempt < ATTEMPTS; attempt++) {
		bool again = false;

		struct memtool_error *error = read_state(injection);
		if (!error)
			error = inject_check_held(injection);
		if (error)
			return error;
		if (!inject_frames_build(&injection->code, &injection->state, &injection->frames))
			return inject_unusual("its registers do not fit in a frame");
		const struct user_regs_struct registers = make(injection, argument);
		error = call_once(injection, &registers, &again, ret_clone);
		if (error || !again)
			return error;
	}
	return inject_unusual("signals come all the time");
}

/* The options last no longer than that, lest a clone(2) of the thread's own stop it. */
static struct memtool_error *call(struct injection *injection, unsigned int options,
				  make_call *make, int64_t argument, pid_t *ret_clone)
{
	if (ptrace(PTRACE_SETOPTIONS, injection->tid, NULL, options | PTRACE_O_TRACESYSGOOD) < 0)
		return stopless(injection, -1);
	struct memtool_error *error = try_call(injection, make, argument, ret_clone);
	ptrace(PTRACE_SETOPTIONS, injection->tid, NULL, 0);
	return error;
}

static struct user_regs_struct make_syscall(const struct injection *injection, int64_t number)
{
	struct user_regs_struct registers = injection->state.registers;

	registers.rip = injection->code.syscall_ret;
	registers.rax = (uint64_t)number;
	registers.orig_rax = UINT64_MAX;
	registers.r10 = registers.r8 = registers.r9 = 0;
	return registers;
}

static struct user_regs_struct make_clone(const struct injection *injection,
					  int64_t argument __attribute__((__unused__)))
{
	struct user_regs_struct registers = make_syscall(injection, SYS_clone);

	registers.rsp = injection->frames.collect;
	registers.rdi = CLONE_PARENT_SETTID;
	registers.rsi = injection->frames.leave;
	registers.rdx = injection->frames.child;
	return registers;
}

static struct user_regs_struct make_wait(const struct injection *injection, int64_t namespace_pid)
{
	struct user_regs_struct registers = make_syscall(injection, SYS_wait4);

	registers.rsp = injection->frames.restore;
	registers.rdi = (uint64_t)namespace_pid;
	registers.rsi = 0;
	registers.rdx = (uint32_t)(__WALL | WNOHANG);
	return registers;
}

struct memtool_error *inject_clone(struct injection *injection, pid_t *ret,
				   pid_t *ret_namespace_pid)
{
	pid_t clone = 0;

	struct memtool_error *error = call(injection, PTRACE_O_TRACECLONE, make_clone, 0, &clone);
	if (error)
		return error;
	if (!clone)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED, "it could not be copied: %s",
					    strerror((int)-injection->result));
	*ret = clone;
	*ret_namespace_pid = (pid_t)injection->result;
	return NULL;
}

struct memtool_error *inject_wait(struct injection *injection, pid_t namespace_pid)
{
	struct memtool_error *error = call(injection, 0, make_wait, namespace_pid, NULL);
	if (error)
		return error;
	if (injection->result != namespace_pid)
		return inject_unusual("its copy had gone already");
	return NULL;
}
