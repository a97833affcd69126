/* SPDX-License-Identifier: Apache-2.0 */
#include "session_settle.h"

#include "glibc/read.h"
#include "session_roots.h"
#include "support/clock.h"

#include <stdlib.h>
#include <sys/syscall.h>

/* How often, and for how long in all, threads are let go on. */
#define ROUNDS   40
#define LIMIT_NS UINT64_C(50000000)
/* The first moment; each one is longer by it, as a thread may have to wait for a processor. */
#define MOMENT_NS UINT64_C(20000)
/*
 * How often all threads are let go because an arena is locked and none seems to be inside. A thread
 * that sleeps may have its system call interrupted each time.
 */
#define BLIND_ROUNDS 3

/* The system calls of malloc.c and arena.c; NULL for any other. */
static const char *memory_call(int64_t number)
{
	switch (number) {
	case SYS_brk:
		return "brk";
	case SYS_mmap:
		return "mmap";
	case SYS_munmap:
		return "munmap";
	case SYS_mremap:
		return "mremap";
	case SYS_mprotect:
		return "mprotect";
	case SYS_madvise:
		return "madvise";
	default:
		return NULL;
	}
}

bool session_is_inside(const struct session *session, const struct stopped_thread *thread,
		       const char **ret_name)
{
	if (malloc_code_has(&session->malloc_code, thread->pc)) {
		*ret_name = malloc_code_name(&session->malloc_code, thread->pc);
		return true;
	}
	*ret_name = memory_call(thread->system_call);
	return *ret_name;
}

/* Sets runs for the threads that are inside and can go on; returns how many. */
static size_t choose_inside(const struct session *session, const struct stop *stop, bool *runs)
{
	size_t count, chosen = 0;
	const struct stopped_thread *threads = stop_list(stop, &count);
	const char *name;

	for (size_t i = 0; i < count; i++) {
		runs[i] = !threads[i].suspended && session_is_inside(session, &threads[i], &name);
		chosen += runs[i];
	}
	return chosen;
}

/* All of them, where an arena is locked all the same: whoever holds it does not show. */
static struct memtool_error *choose_blindly(struct session *session, const struct stop *stop,
					    bool *runs, size_t *ret)
{
	const struct heap_source source = {
		.memory = &session->process->memory,
		.layout = &session->layout,
		.roots = &session->roots,
	};
	const struct stopped_thread *threads;
	bool locked;

	struct memtool_error *error = heap_has_locked_arena(&source, &locked);
	if (error || !locked)
		return error;
	threads = stop_list(stop, ret);
	for (size_t i = 0; i < *ret; i++)
		runs[i] = true;
	/* A process is suspended as a whole. */
	if (*ret && threads[0].suspended)
		*ret = 0;
	return NULL;
}

struct memtool_error *session_settle(struct session *session, struct stop *stop,
				     uint64_t allowed_ns)
{
	uint64_t start_ns = clock_now_ns();
	uint64_t limit_ns = allowed_ns < LIMIT_NS ? allowed_ns : LIMIT_NS;
	unsigned int blind = 0;

	for (unsigned int round = 1; round <= ROUNDS; round++) {
		struct memtool_error *error = NULL;
		size_t count;

		stop_list(stop, &count);
		_cleanup_free_ bool *runs = calloc(count + 1, sizeof(*runs));
		if (!runs)
			return memtool_error_no_memory;
		size_t chosen = choose_inside(session, stop, runs);
		if (chosen == 0 && blind++ < BLIND_ROUNDS)
			error = choose_blindly(session, stop, runs, &chosen);
		if (error || chosen == 0 || clock_now_ns() - start_ns > limit_ns)
			return error;
		error = stop_again(stop, runs, round * MOMENT_NS);
		if (error)
			return error;
	}
	return NULL;
}

void session_load_malloc_code(struct session *session)
{
	if (range_size(session->malloc_code.range) > 0)
		return;
	struct memtool_error *error = session_load_libc(session);
	if (!error)
		session->malloc_code = libc_malloc_code(
			&session->libc, session->roots.main_arena.source == ROOT_SYMBOLS);
	memtool_error_destroy(error);
}
