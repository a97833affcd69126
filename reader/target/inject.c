/* SPDX-License-Identifier: Apache-2.0 */
#include "target/inject.h"

#include "target/procfs.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
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
/*
 * How much there must be below the frames: for what is called by a handler that comes in between.
 */
#define STACK_RESERVE 8192

/* Of linux/ptrace.h, which cannot be included beside sys/ptrace.h; older headers lack them. */
#define GET_RSEQ_CONFIGURATION 0x420f
#define GET_SYSCALL_DISPATCH   0x4211
#define REGSET_SHADOW_STACK    0x204

#define STATUS_SYSCALL (SIGTRAP | 0x80)
#define STATUS_CLONE   (SIGTRAP | PTRACE_EVENT_CLONE << 8)
#define STATUS_HELD    (SIGTRAP | PTRACE_EVENT_STOP << 8)

#define USER_CODE_SEGMENT 0x33 /* 64-bit code; __USER_CS of the kernel */

static struct memtool_error *unusual(const char *what)
{
	return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED, "%s", what);
}

static struct memtool_error *lost(const struct injection *injection)
{
	return memtool_error_create(MEMTOOL_ERROR_OS, "thread %d did not come back in time",
				    injection->tid);
}

static bool is_dead(pid_t tid)
{
	struct procfs_stat stat;
	_cleanup_error_ struct memtool_error *error = procfs_stat(tid, &stat);

	return !error && procfs_state_is_dead(stat.state);
}

/*
 * Waits until a tracee stops; *ret is the signal and event, -1 if it has died, 0 for out of time.
 */
static int await_stop(pid_t tid)
{
	static const struct timespec nap = { .tv_nsec = 50000 };
	struct timespec now;
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
		clock_gettime(CLOCK_MONOTONIC, &now);
		uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
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
		if (round % EAGER_ROUNDS == 0 && is_dead(tid))
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

static bool has_bytes(struct memory *memory, uint64_t address, const void *bytes, size_t length)
{
	uint8_t found[16];
	_cleanup_error_ struct memtool_error *error =
		memory_read(memory, address, found, length, "code");

	return !error && memcmp(found, bytes, length) == 0;
}

static const uint8_t syscall_ret[] = { 0x0f, 0x05, 0xc3 };
/* mov $15, %rax; syscall: unwinders know it by these bytes, so that every libc has them. */
static const uint8_t restorer[] = { 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05 };

#define SCAN_PIECE ((size_t)1 << 20)
#define SCAN_MAX   ((uint64_t)256 << 20) /* of code, in all */

static void scan_code(const uint8_t *bytes, size_t length, uint64_t address,
		      struct inject_code *code)
{
	const uint8_t *found;

	found = memmem(bytes, length, syscall_ret, sizeof(syscall_ret));
	if (found && !code->syscall_ret)
		code->syscall_ret = address + (uint64_t)(found - bytes);
	found = memmem(bytes, length, restorer, sizeof(restorer));
	if (found && !code->restorer)
		code->restorer = address + (uint64_t)(found - bytes);
}

static bool is_complete(const struct inject_code *code)
{
	return code->syscall_ret && code->restorer;
}

/* Code that can be written to, or is of no file, may be another by then. */
static bool is_lasting_code(const struct mapping *mapping)
{
	return mapping->executable && mapping->readable && !mapping->writable && !mapping->shared &&
	       mapping->inode != 0;
}

/* Where it is, as a rule; what is big, and nobody has read yet, need not be read for us. */
static bool is_libc(const struct mapping *mapping)
{
	const char *slash = strrchr(mapping->name, '/');

	return slash && strncmp(slash, "/libc", strlen("/libc")) == 0;
}

/* Stops when all is found, or at *limit bytes. */
static struct memtool_error *scan_mapping(struct memory *memory, struct range range, uint8_t *piece,
					  uint64_t *limit, struct inject_code *code)
{
	while (range_size(range) > 0 && *limit > 0 && !is_complete(code)) {
		uint64_t length = range_size(range) < SCAN_PIECE ? range_size(range) : SCAN_PIECE;
		size_t count;

		struct memtool_error *error =
			memory_read_some(memory, range.start, piece, length, &count);
		if (error)
			return error;
		scan_code(piece, count, range.start, code);
		range.start += length;
		*limit -= length < *limit ? length : *limit;
	}
	return NULL;
}

struct memtool_error *inject_find_code(struct memory *memory, const struct maps *maps,
				       struct inject_code *ret)
{
	_cleanup_free_ uint8_t *piece = malloc(SCAN_PIECE);
	struct inject_code code = { 0 };
	uint64_t limit = SCAN_MAX;

	if (!piece)
		return memtool_error_no_memory;
	for (size_t i = 0; i < 2 * maps->count && !is_complete(&code); i++) {
		const struct mapping *mapping = &maps->data[i % maps->count];
		bool libc = i < maps->count;

		if (!is_lasting_code(mapping) || is_libc(mapping) != libc)
			continue;
		struct memtool_error *error =
			scan_mapping(memory, mapping->range, piece, &limit, &code);
		if (error)
			return error;
	}
	if (!is_complete(&code))
		return unusual("the program has no system call instruction that could be used");
	*ret = code;
	return NULL;
}

/* A number of seccomp's modes in the thread's status; -1 if that does not tell. */
static int seccomp_mode(pid_t tid)
{
	_cleanup_free_ char *status = NULL;
	size_t length;
	_cleanup_error_ struct memtool_error *error = procfs_read(tid, "status", &status, &length);
	const char *mode = error ? NULL : procfs_status_field(status, "Seccomp");

	return mode ? atoi(mode) : -1;
}

struct memtool_error *inject_check_running(pid_t tid)
{
	struct procfs_stat stat;

	struct memtool_error *error = procfs_stat(tid, &stat);
	if (error)
		return error;
	if (procfs_state_is_dead(stat.state))
		return unusual("its main thread has ended");
	if (stat.state == 'T')
		return unusual("it is suspended");
	if (seccomp_mode(tid) != 0)
		return unusual("seccomp watches over its system calls");
	return NULL;
}

static bool has_shadow_stack(pid_t tid)
{
	uint64_t pointer = 0;
	struct iovec iov = { &pointer, sizeof(pointer) };

	return ptrace(PTRACE_GETREGSET, tid, REGSET_SHADOW_STACK, &iov) == 0 && pointer != 0;
}

/* Whether system calls go to a handler of the program (PR_SET_SYSCALL_USER_DISPATCH). */
static bool is_dispatched(pid_t tid)
{
	struct {
		uint64_t mode, selector, offset, length;
	} config = { 0 };

	return ptrace(GET_SYSCALL_DISPATCH, tid, sizeof(config), &config) == 0 && config.mode != 0;
}

/*
 * Whether the thread is in a system call, or has just left one, that was made by that instruction.
 */
static bool is_at_syscall(const struct injection *injection)
{
	const struct user_regs_struct *registers = &injection->state.registers;

	return (int64_t)registers->orig_rax >= 0 &&
	       has_bytes(injection->memory, registers->rip - 2, syscall_ret, 2);
}

/* A call to be restarted goes back by the two bytes of the instruction, or of another one. */
static bool is_64_bit(const struct injection *injection)
{
	const struct user_regs_struct *registers = &injection->state.registers;

	if (registers->cs != USER_CODE_SEGMENT)
		return false;
	return (int64_t)registers->orig_rax < 0 || !inject_is_restart((int64_t)registers->rax) ||
	       is_at_syscall(injection);
}

/* Whether the thread may be within a restartable sequence (rseq(2)), which must not be left. */
static bool is_in_sequence(const struct injection *injection)
{
	struct {
		uint64_t address;
		uint32_t size, signature, flags, padding;
	} config = { 0 };
	uint64_t sequence;

	/* A system call may not be made in one. */
	if (is_at_syscall(injection))
		return false;
	if (ptrace(GET_RSEQ_CONFIGURATION, injection->tid, sizeof(config), &config) < 0)
		return true;
	if (config.address == 0)
		return false;
	/* rseq_cs of struct rseq in linux/rseq.h, 0 outside of sequences, and after some. */
	_cleanup_error_ struct memtool_error *error = memory_read_u64(
		injection->memory, config.address + 8, "a restartable sequence", &sequence);
	if (error || sequence == 0)
		return error != NULL;

	/* struct rseq_cs: version, flags, then these. */
	uint64_t code[2];
	_cleanup_error_ struct memtool_error *unread = memory_read(
		injection->memory, sequence + 8, code, sizeof(code), "a restartable sequence");
	return unread || injection->state.registers.rip - code[0] < code[1];
}

/* The stack that the kernel gave the program: below the red zone there, nothing is in use. */
static bool is_on_stack(const struct injection *injection)
{
	uint64_t sp = injection->state.registers.rsp;
	const struct mapping *mapping = maps_find(injection->maps, sp);

	return mapping && mapping->writable && strcmp(mapping->name, "[stack]") == 0 &&
	       sp - mapping->range.start > INJECT_FRAMES_MAX + STACK_RESERVE;
}

static struct memtool_error *check_thread(const struct injection *injection)
{
	if (!is_64_bit(injection))
		return unusual("its main thread runs 32-bit code");
	if (seccomp_mode(injection->tid) != 0)
		return unusual("seccomp watches over its system calls");
	if (has_shadow_stack(injection->tid))
		return unusual("it has a shadow stack");
	if (is_dispatched(injection->tid))
		return unusual("its system calls are dispatched to itself");
	if (is_in_sequence(injection))
		return unusual("its main thread is in a restartable sequence");
	if (!is_on_stack(injection))
		return unusual("its main thread is not on the stack that the kernel gave it");
	if (!has_bytes(injection->memory, injection->code.syscall_ret, syscall_ret,
		       sizeof(syscall_ret)) ||
	    !has_bytes(injection->memory, injection->code.restorer, restorer, sizeof(restorer)))
		return unusual("the code that was found has gone");
	return NULL;
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
		return unusual("the kernel does not tell all of its registers");
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
		return unusual("its stack cannot be read");
	if (error)
		return error;
	if (write_stack(injection, injection->frames.bytes))
		return NULL;
	/* Some of it may have been written; that is free memory. */
	write_stack(injection, injection->stack);
	return unusual("its stack cannot be written to");
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
	       (uint64_t)info.si_addr - injection->code.syscall_ret <= sizeof(syscall_ret);
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
	return status == STATUS_HELD ? NULL : unusual("it is suspended");
}

/* Something else than what was expected; *ret_again if that was a signal, which has been taken. */
static struct memtool_error *give_up(const struct injection *injection, int status, bool *ret_again)
{
	bool our_fault = status >> 8 == 0 && is_our_fault(injection, status);

	if (status <= 0 || !put_back(injection))
		return stopless(injection, status);
	if (status >> 8 == PTRACE_EVENT_STOP)
		return unusual("it is suspended");
	if (our_fault) {
		struct memtool_error *error = deliver(injection, 0);
		return error ? error : unusual("it may not run the code that was found");
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

static struct memtool_error *call(struct injection *injection, make_call *make, int64_t argument,
				  pid_t *ret_clone)
{
	for (unsigned int attempt = 0; attempt < ATTEMPTS; attempt++) {
		bool again = false;

		struct memtool_error *error = read_state(injection);
		if (!error)
			error = check_thread(injection);
		if (error)
			return error;
		if (!inject_frames_build(&injection->code, &injection->state, &injection->frames))
			return unusual("its registers do not fit in a frame");
		const struct user_regs_struct registers = make(injection, argument);
		error = call_once(injection, &registers, &again, ret_clone);
		if (error || !again)
			return error;
	}
	return unusual("signals come all the time");
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

	if (ptrace(PTRACE_SETOPTIONS, injection->tid, NULL,
		   PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD) < 0)
		return stopless(injection, -1);
	struct memtool_error *error = call(injection, make_clone, 0, &clone);
	if (error)
		return error;
	ptrace(PTRACE_SETOPTIONS, injection->tid, NULL, 0);
	if (!clone)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED, "it could not be copied: %s",
					    strerror((int)-injection->result));
	*ret = clone;
	*ret_namespace_pid = (pid_t)injection->result;
	return NULL;
}

struct memtool_error *inject_wait(struct injection *injection, pid_t namespace_pid)
{
	if (ptrace(PTRACE_SETOPTIONS, injection->tid, NULL, PTRACE_O_TRACESYSGOOD) < 0)
		return stopless(injection, -1);
	struct memtool_error *error = call(injection, make_wait, namespace_pid, NULL);
	if (error)
		return error;
	ptrace(PTRACE_SETOPTIONS, injection->tid, NULL, 0);
	if (injection->result != namespace_pid)
		return unusual("its copy had gone already");
	return NULL;
}
