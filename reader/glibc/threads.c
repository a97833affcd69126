/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: their `tcache` and `thread_arena`, read through fs_base, and the tcaches themselves.
 */
#include "glibc/chunk.h"
#include "glibc/copy.h"

#include <inttypes.h>
#include <stdlib.h>

/*
 * Whether fs_base points to a TCB: glibc keeps the address of struct pthread in its first word and
 * in its third (sysdeps/x86_64/nptl/tls.h: tcb, self).
 */
static struct memtool_error *check_tcb(struct heap_copy *copy, const struct heap_thread *thread,
				       bool *ret_ok)
{
	uint64_t tcb[3];

	struct memtool_error *error =
		copy_bytes(copy, thread->fs_base, tcb, sizeof(tcb), "TCB", ret_ok);
	if (error || !*ret_ok)
		return error;
	*ret_ok = tcb[0] == thread->fs_base && tcb[2] == thread->fs_base;
	if (!*ret_ok)
		audit_add(&copy->heap->audit, AUDIT_BAD_THREAD, thread->fs_base, 0, 0,
			  "thread %d: fs_base 0x%" PRIx64 " is no glibc TCB", thread->tid,
			  thread->fs_base);
	return NULL;
}

static uint32_t arena_index(const struct heap_copy *copy, uint64_t address)
{
	for (size_t i = 0; i < copy->arenas.count; i++) {
		if (copy->arenas.data[i].address == address)
			return (uint32_t)i;
	}
	return CHUNK_NO_ARENA;
}

static struct memtool_error *copy_thread_arena(struct heap_copy *copy, struct heap_thread *thread)
{
	uint64_t address;
	bool ok;

	struct memtool_error *error =
		copy_bytes(copy, thread->fs_base + copy->heap->roots.thread_arena.value, &address,
			   sizeof(address), "thread_arena", &ok);
	if (error || !ok || address == 0)
		return error;
	thread->arena = arena_index(copy, address);
	if (thread->arena == CHUNK_NO_ARENA)
		audit_add(&copy->heap->audit, AUDIT_BAD_THREAD, address, 0, 0,
			  "thread %d: its arena 0x%" PRIx64 " is not in the ring", thread->tid,
			  address);
	return NULL;
}

static struct memtool_error *copy_tcache(struct heap_copy *copy, struct heap_thread *thread,
					 uint32_t index)
{
	const struct glibc_layout *layout = copy->layout;
	struct tcache_bytes tcache = { .thread = index };
	uint64_t address;
	bool ok;

	struct memtool_error *error =
		copy_bytes(copy, thread->fs_base + copy->heap->roots.tcache.value, &address,
			   sizeof(address), "tcache", &ok);
	if (error || !ok || address == 0)
		return error;
	if (address % GLIBC_MALLOC_ALIGNMENT || !copy_anonymous(copy, address)) {
		/* __tcache_dummy in libc's own read-only data: this thread has none. */
		uint8_t byte;
		error = memory_read(copy->memory, address, &byte, sizeof(byte), "__tcache_dummy");
		bool readable = !error;
		if (!memtool_error_catch(&error, MEMTOOL_ERROR_FAULT) && error)
			return error;
		if (!layout->tcache.dummy || !readable)
			audit_add(&copy->heap->audit, AUDIT_BAD_THREAD, address, 0, 0,
				  "thread %d: its tcache 0x%" PRIx64 " is not in the heap",
				  thread->tid, address);
		return NULL;
	}
	error = copy_bytes(copy, address, tcache.bytes, layout->tcache.size, "tcache", &ok);
	if (error || !ok)
		return error;
	thread->tcache = address;
	return tcache_bytes_array_append(&copy->tcaches, &tcache) ? NULL : memtool_error_no_memory;
}

static int compare_fs_base(const void *a, const void *b)
{
	const struct heap_thread *x = *(struct heap_thread *const *)a;
	const struct heap_thread *y = *(struct heap_thread *const *)b;

	if (x->fs_base != y->fs_base)
		return x->fs_base < y->fs_base ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

/* Marks all but the first of threads that run on one TLS, as raw clone(2) makes them. */
static struct memtool_error *mark_shared_tls(struct heap *heap)
{
	_cleanup_free_ struct heap_thread **order = calloc(heap->thread_count, sizeof(*order));
	if (!order && heap->thread_count)
		return memtool_error_no_memory;

	for (size_t i = 0; i < heap->thread_count; i++)
		order[i] = &heap->threads[i];
	qsort(order, heap->thread_count, sizeof(*order), compare_fs_base);
	for (size_t i = 1; i < heap->thread_count; i++)
		order[i]->shares_tls =
			order[i]->fs_base && order[i]->fs_base == order[i - 1]->fs_base;
	return NULL;
}

static bool is_set(const struct root *root)
{
	return root->source != ROOT_UNKNOWN && root->value != 0;
}

/* What such a thread is about to give or take may be in no list, or in two. */
static void remark_inside(struct heap_copy *copy, const struct root_thread *thread)
{
	if (thread->inside)
		audit_add(&copy->heap->audit, AUDIT_INSIDE, thread->inside, 0, 0,
			  "thread %d is inside malloc: in %s at 0x%" PRIx64, thread->tid,
			  thread->inside_name ? thread->inside_name : "a function of it",
			  thread->inside);
}

struct memtool_error *copy_threads(struct heap_copy *copy)
{
	struct heap *heap = copy->heap;

	heap->threads =
		calloc(heap->roots.thread_count + copy->orphan_count + 1, sizeof(*heap->threads));
	if (!heap->threads)
		return memtool_error_no_memory;
	heap->thread_count = heap->roots.thread_count;
	for (size_t i = 0; i < heap->thread_count; i++) {
		heap->threads[i] = (struct heap_thread){
			.tid = heap->roots.threads[i].tid,
			.fs_base = heap->roots.threads[i].fs_base,
			.arena = CHUNK_NO_ARENA,
		};
	}
	if (heap->thread_count && heap->roots.tcache.source == ROOT_UNKNOWN &&
	    copy->layout->tcache.size)
		audit_add(&heap->audit, AUDIT_BAD_THREAD, 0, 0, 0,
			  "where threads keep their tcache is not known: what is cached shows as "
			  "in-use");
	struct memtool_error *error = mark_shared_tls(heap);

	for (size_t i = 0; i < heap->thread_count && !error; i++) {
		struct heap_thread *thread = &heap->threads[i];
		bool ok;

		if (heap->roots.threads[i].unknown)
			audit_add(&heap->audit, AUDIT_BAD_THREAD, 0, 0, 0,
				  "thread %d: where its TLS is could not be told without a stop; "
				  "what it has cached shows as in-use",
				  thread->tid);
		remark_inside(copy, &heap->roots.threads[i]);
		if (thread->fs_base == 0 || thread->shares_tls)
			continue;
		error = check_tcb(copy, thread, &ok);
		if (!error && ok && is_set(&heap->roots.thread_arena))
			error = copy_thread_arena(copy, thread);
		if (!error && ok && is_set(&heap->roots.tcache))
			error = copy_tcache(copy, thread, (uint32_t)i);
	}
	return error;
}

void heap_copy_missed_thread(struct heap_copy *copy, pid_t tid)
{
	audit_add(&copy->heap->audit, AUDIT_BAD_THREAD, 0, 0, 0,
		  "thread %d: it started while the heap was read; what it has cached shows as "
		  "in-use",
		  tid);
}
