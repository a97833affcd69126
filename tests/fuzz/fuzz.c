/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#define HAVE_HOOKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_HOOKS 1
#endif
#endif

void fuzz_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "%s: ", fuzz_target);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	abort();
}

#ifdef HAVE_HOOKS

/* As in sanitizer/allocator_interface.h, which not every gcc brings. */
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t),
					      void (*released)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *block);

static int64_t in_use, peak;

static void count_allocation(const volatile void *block, size_t size)
{
	(void)block;
	in_use += (int64_t)size;
	if (in_use > peak)
		peak = in_use;
}

static void count_release(const volatile void *block)
{
	if (block)
		in_use -= (int64_t)__sanitizer_get_allocated_size(block);
}

void fuzz_meter_start(void)
{
	static int installed;

	if (!installed)
		installed =
			__sanitizer_install_malloc_and_free_hooks(count_allocation, count_release);
	in_use = 0;
	peak = 0;
}

uint64_t fuzz_meter_peak(void)
{
	return (uint64_t)peak;
}

/* What was freed is kept from reuse for a while: 256 MiB of it, if not told otherwise. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "quarantine_size_mb=16";
}

#else

void fuzz_meter_start(void)
{
}

uint64_t fuzz_meter_peak(void)
{
	return 0;
}

#endif
