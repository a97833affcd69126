/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct malloc_roots: the addresses that a walk starts from, each with where it came from.
 *
 * Filled in from the agent's page, from symbols, or from the structure of a stripped libc, address
 * by address; the walk does not care which. In the last case what lies in TLS may be left open
 * until the threads are known.
 */
#ifndef COMMON_MALLOC_ROOTS_H
#define COMMON_MALLOC_ROOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum root_source { ROOT_UNKNOWN, ROOT_INVENTORY, ROOT_SYMBOLS, ROOT_STRUCTURE };

/* "symbols", as in --source and in output; "unknown" for ROOT_UNKNOWN. */
const char *root_source_name(enum root_source source);

struct root {
	/*
	 * An address; for the two TLS variables the offset from fs_base, which is negative, or 0:
	 * every thread was looked at, and none has a value there yet, wherever it is.
	 */
	uint64_t value;
	enum root_source source; /* ROOT_UNKNOWN: value means nothing */
};

struct root_thread {
	pid_t tid;
	uint64_t fs_base; /* 0: no TLS, or unknown */
	uint64_t sp; /* 0: not known */
	bool unknown; /* the thread could not be asked: the target was not stopped */
	/*
	 * Where it was if that was inside malloc, and what that is called; 0 and NULL: it was not.
	 */
	uint64_t inside;
	const char *inside_name; /* lasts as long as the program; NULL: not known */
	/* Of fs_base; ROOT_UNKNOWN also when it was read from the registers alone. */
	enum root_source source;
};

/* The TLS of the module that malloc is in: [fs_base + offset, + size) of each thread. */
struct tls_block {
	uint64_t offset; /* negative */
	uint64_t size; /* 0: not known */
};

struct malloc_roots {
	struct root main_arena;
	struct root mp;
	struct root tcache; /* TLS offset of `tcache` */
	struct root thread_arena; /* TLS offset of `thread_arena` */
	/*
	 * Where those of the two lie that are not known; what the threads have there tells (tls.c).
	 */
	struct tls_block tls;
	struct root_thread *threads; /* by ascending tid */
	size_t thread_count;
};

#endif
