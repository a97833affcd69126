/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that the agent makes, straight to the kernel: no errno is touched, no
 * cancellation point is passed, no wrapper of another preloaded library is called, and no symbol is
 * needed that an old libc lacks. A result from -4095 to -1 is the negated errno (syscall(2)).
 */
#ifndef AGENT_SYSTEM_H
#define AGENT_SYSTEM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>

static inline long system_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static inline bool system_failed(long result)
{
	return result < 0 && result >= -4095;
}

static inline pid_t system_getpid(void)
{
	return (pid_t)system_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline pid_t system_gettid(void)
{
	return (pid_t)system_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* NULL if it fails. */
static inline void *system_mmap(void *address, size_t size, int protection, int flags, int fd)
{
	long result = system_call(SYS_mmap, (long)address, (long)size, protection, flags, fd, 0);

	return system_failed(result) ? NULL : (void *)result;
}

static inline void system_munmap(const void *address, size_t size)
{
	system_call(SYS_munmap, (long)address, (long)size, 0, 0, 0, 0);
}

static inline void system_close(int fd)
{
	system_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

/*
 * Copies the word at an address of this process where perhaps nothing is mapped; false if so. What
 * tells is a call that no sandbox forbids: the kernel reads the new mask before it finds that it is
 * not told what to do with it.
 */
static inline bool system_peek(uint64_t address, uint64_t *ret)
{
	const long no_way = -1;

	if (system_call(SYS_rt_sigprocmask, no_way, (long)address, 0, sizeof(*ret), 0, 0) !=
	    -EINVAL)
		return false;
	memcpy(ret, (const void *)(uintptr_t)address, sizeof(*ret));
	return true;
}

#endif
