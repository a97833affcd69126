/* SPDX-License-Identifier: Apache-2.0 */
#include "target/inject_check.h"

#include "target/procfs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * How much there must be below the frames: for what is called by a handler that comes in between.
 */
#define STACK_RESERVE 8192

/* Of linux/ptrace.h, which cannot be included beside sys/ptrace.h; older headers lack them. */
#define GET_RSEQ_CONFIGURATION 0x420f
#define GET_SYSCALL_DISPATCH   0x4211
#define REGSET_SHADOW_STACK    0x204

#define USER_CODE_SEGMENT 0x33 /* 64-bit code; __USER_CS of the kernel */

/* A number of seccomp's modes in the thread's status; -1 if that does not tell. */
static int seccomp_mode(pid_t tid)
{
	_cleanup_free_ char *status = NULL;
	size_t length;
	_cleanup_error_ struct memtool_error *error = procfs_read(tid, "status", &status, &length);
	const char *mode = error ? NULL : procfs_status_field(status, "Seccomp");

	return mode ? atoi(mode) : -1;
}

/*
 * A fork of a process with one may have to wait for a thread of its own that handles the event
 * (userfaultfd(2), UFFD_FEATURE_EVENT_FORK), and that stands still.
 */
static bool has_userfaultfd(pid_t pid)
{
	static const char name[] = "anon_inode:[userfaultfd]";
	_cleanup_closedir_ DIR *descriptors = NULL;
	char path[64], target[sizeof(name)];
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	descriptors = opendir(path);
	while (descriptors && (entry = readdir(descriptors))) {
		ssize_t length =
			readlinkat(dirfd(descriptors), entry->d_name, target, sizeof(target));
		if (length == sizeof(name) - 1 && memcmp(target, name, sizeof(name) - 1) == 0)
			return true;
	}
	return false;
}

struct memtool_error *inject_check_running(pid_t tid)
{
	struct procfs_stat stat;

	struct memtool_error *error = procfs_stat(tid, &stat);
	if (error)
		return error;
	if (procfs_state_is_dead(stat.state))
		return inject_unusual("its main thread has ended");
	if (stat.state == 'T')
		return inject_unusual("it is suspended");
	if (seccomp_mode(tid) != 0)
		return inject_unusual("seccomp watches over its system calls");
	if (has_userfaultfd(tid))
		return inject_unusual("it handles page faults itself (userfaultfd)");
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
	       inject_is_syscall(injection->memory, registers->rip - 2);
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

struct memtool_error *inject_check_held(const struct injection *injection)
{
	if (!is_64_bit(injection))
		return inject_unusual("its main thread runs 32-bit code");
	if (seccomp_mode(injection->tid) != 0)
		return inject_unusual("seccomp watches over its system calls");
	if (has_shadow_stack(injection->tid))
		return inject_unusual("it has a shadow stack");
	if (is_dispatched(injection->tid))
		return inject_unusual("its system calls are dispatched to itself");
	if (is_in_sequence(injection))
		return inject_unusual("its main thread is in a restartable sequence");
	if (!is_on_stack(injection))
		return inject_unusual(
			"its main thread is not on the stack that the kernel gave it");
	if (!inject_code_is_there(injection->memory, &injection->code))
		return inject_unusual("the code that was found has gone");
	return NULL;
}
