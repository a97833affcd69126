/* SPDX-License-Identifier: Apache-2.0 */
#include "session_threads.h"

#include "session_roots.h"
#include "session_settle.h"
#include "symbols/thread_list.h"
#include "target/stop.h"
#include "target/tasks.h"

#include <stdlib.h>
#include <string.h>

/* How often glibc's list is followed that changes meanwhile. */
#define LIST_ATTEMPTS 4

/*
 * Where struct pthread begins and has its address again, and its tid, which the kernel clears when
 * the thread is gone: tcbhead_t of sysdeps/x86_64/nptl/tls.h, and nptl/descr.h. The same from 2.26
 * to 2.44; a glibc that differs costs what the page tells of threads, no more.
 */
#define TCB_SELF      16
#define PTHREAD_TID   720
#define PTHREAD_BYTES (PTHREAD_TID + sizeof(int32_t))

struct known_thread {
	int32_t tid; /* in the target's namespace */
	uint64_t fs_base;
	enum root_source source;
};

DEFINE_ARRAY(known_threads, struct known_thread)

static int compare_fs_base(const void *a, const void *b)
{
	const struct inventory_thread *x = a, *y = b;

	return (x->fs_base > y->fs_base) - (x->fs_base < y->fs_base);
}

/* Whether the page has an entry of this fs_base. */
static bool is_published(const struct session *session, uint64_t fs_base)
{
	const struct inventory_thread key = { .fs_base = fs_base };
	const struct inventory_threads *threads;

	if (!fs_base || !session->inventory || !session->inventory->threads.count)
		return false;
	threads = &session->inventory->threads;
	return bsearch(&key, threads->data, threads->count, sizeof(key), compare_fs_base) != NULL;
}

void session_sort_published(struct inventory_threads *threads)
{
	if (threads->count)
		qsort(threads->data, threads->count, sizeof(*threads->data), compare_fs_base);
}

struct memtool_error *session_held_threads(const struct session *session, const struct stop *stop,
					   struct root_threads *ret)
{
	size_t count;
	const struct stopped_thread *threads = stop_list(stop, &count);

	for (size_t i = 0; i < count; i++) {
		struct root_thread thread = {
			.tid = threads[i].tid,
			.fs_base = threads[i].fs_base,
			.sp = threads[i].sp,
		};
		if (is_published(session, thread.fs_base))
			thread.source = ROOT_INVENTORY;
		if (session_is_inside(session, &threads[i], &thread.inside_name))
			thread.inside = threads[i].pc;
		if (!root_threads_append(ret, &thread))
			return memtool_error_no_memory;
	}
	return NULL;
}

static int compare_known(const void *a, const void *b)
{
	const struct known_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static const struct known_thread *find_known(const struct known_threads *known, int32_t tid)
{
	const struct known_thread key = { .tid = tid };

	if (!known->count)
		return NULL;
	return bsearch(&key, known->data, known->count, sizeof(key), compare_known);
}

/* Sorts what was added, for find_known(). */
static void sort_known(struct known_threads *known)
{
	if (known->count)
		qsort(known->data, known->count, sizeof(*known->data), compare_known);
}

/*
 * Whether the struct pthread of thread tid is there. An entry of the page may be of a thread that
 * went without a word, and whose number is another's by now.
 */
static struct memtool_error *is_pthread(struct memory *memory, uint64_t fs_base, int32_t tid,
					bool *ret)
{
	uint8_t bytes[PTHREAD_BYTES];
	uint64_t tcb, self;
	int32_t found;

	struct memtool_error *error =
		memory_read(memory, fs_base, bytes, sizeof(bytes), "struct pthread");
	*ret = false;
	if (memtool_error_catch(&error, MEMTOOL_ERROR_FAULT) || error)
		return error;
	memcpy(&tcb, bytes, sizeof(tcb));
	memcpy(&self, bytes + TCB_SELF, sizeof(self));
	memcpy(&found, bytes + PTHREAD_TID, sizeof(found));
	*ret = tcb == fs_base && self == fs_base && found == tid;
	return NULL;
}

/* What the page says by now, as far as memory agrees. */
static struct memtool_error *add_published(struct session *session, struct known_threads *known)
{
	_cleanup_(inventory_deinit) struct inventory inventory = { 0 };

	struct memtool_error *error = session_read_inventory(session, &inventory);
	for (size_t i = 0; !error && i < inventory.threads.count; i++) {
		const struct known_thread thread = {
			.tid = inventory.threads.data[i].tid,
			.fs_base = inventory.threads.data[i].fs_base,
			.source = ROOT_INVENTORY,
		};
		bool holds;
		error = is_pthread(&session->process->memory, thread.fs_base, thread.tid, &holds);
		if (!error && holds && !known_threads_append(known, &thread))
			error = memtool_error_no_memory;
	}
	sort_known(known);
	return error;
}

/* What glibc's own lists have besides. */
static struct memtool_error *add_listed(struct session *session, struct known_threads *known)
{
	_cleanup_(listed_threads_deinit) struct listed_threads listed = { 0 };
	const size_t published = known->count;

	struct memtool_error *error = session_load_libc(session);
	for (int attempt = 1; !error; attempt++) {
		error = libc_list_threads(&session->libc, session->modules,
					  &session->process->memory, &listed);
		if (!error || attempt == LIST_ATTEMPTS)
			break;
		memtool_error_catch(&error, MEMTOOL_ERROR_CORRUPT);
	}
	for (size_t i = 0; !error && i < listed.count; i++) {
		const struct known_thread thread = {
			.tid = listed.data[i].tid,
			.fs_base = listed.data[i].fs_base,
			.source = ROOT_SYMBOLS,
		};
		const struct known_threads before = { .data = known->data, .count = published };
		if (!find_known(&before, thread.tid) && !known_threads_append(known, &thread))
			error = memtool_error_no_memory;
	}
	sort_known(known);
	return error;
}

static bool knows_all(const struct known_threads *known, const struct task *tasks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!find_known(known, tasks[i].namespace_tid) && task_runs_program(tasks[i].tid))
			return false;
	}
	return true;
}

/* Not to know a thread is for the audit to tell. */
static struct memtool_error *forgive(struct memtool_error *error)
{
	if (error && error->code != MEMTOOL_ERROR_NO_MEMORY &&
	    error->code != MEMTOOL_ERROR_NO_PROCESS) {
		memtool_error_destroy(error);
		error = NULL;
	}
	return error;
}

/*
 * All that can be had of these threads without their registers, by ascending tid of the target's
 * namespace: from the page, and from glibc's own lists of those that the page lacks.
 */
static struct memtool_error *list_known(struct session *session, const struct task *tasks,
					size_t count, struct known_threads *ret)
{
	struct memtool_error *error = NULL;

	if (session->inventory)
		error = forgive(add_published(session, ret));
	if (!error && !knows_all(ret, tasks, count))
		error = forgive(add_listed(session, ret));
	return error;
}

static struct memtool_error *no_thread_pointer(pid_t tid)
{
	return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
				    "the thread pointer of thread %d is not known", (int)tid);
}

static struct memtool_error *held_thread_pointer(const struct stop *stop, pid_t tid, uint64_t *ret)
{
	size_t count;
	const struct stopped_thread *threads = stop_list(stop, &count);

	for (size_t i = 0; i < count; i++) {
		if (threads[i].tid == tid && threads[i].fs_base) {
			*ret = threads[i].fs_base;
			return NULL;
		}
	}
	return no_thread_pointer(tid);
}

struct memtool_error *session_thread_pointer(struct session *session, const struct stop *stop,
					     pid_t tid, uint64_t *ret)
{
	_cleanup_(known_threads_deinit) struct known_threads known = { 0 };
	struct task task = { .tid = tid };

	if (stop)
		return held_thread_pointer(stop, tid, ret);
	struct memtool_error *error = task_namespace_pid(tid, &task.namespace_tid);
	if (!error)
		error = list_known(session, &task, 1, &known);
	if (error)
		return error;
	const struct known_thread *found = find_known(&known, task.namespace_tid);
	if (!found)
		return no_thread_pointer(tid);
	*ret = found->fs_base;
	return NULL;
}

struct memtool_error *session_running_threads(struct session *session, struct root_threads *ret)
{
	_cleanup_(task_array_deinit) struct task_array tasks = { 0 };
	_cleanup_(known_threads_deinit) struct known_threads known = { 0 };

	struct memtool_error *error = tasks_read(session->process->pid, &tasks);
	if (!error)
		error = list_known(session, tasks.data, tasks.count, &known);
	if (error)
		return error;
	for (size_t i = 0; i < tasks.count; i++) {
		const struct known_thread *found = find_known(&known, tasks.data[i].namespace_tid);
		if (!found && !task_runs_program(tasks.data[i].tid))
			continue;
		const struct root_thread thread = {
			.tid = tasks.data[i].tid,
			.fs_base = found ? found->fs_base : 0,
			.unknown = !found,
			.source = found ? found->source : ROOT_UNKNOWN,
		};
		if (!root_threads_append(ret, &thread))
			return memtool_error_no_memory;
	}
	return NULL;
}

struct memtool_error *session_report_born(struct session *session,
					  const struct root_threads *threads,
					  struct heap_copy *copy)
{
	_cleanup_(task_array_deinit) struct task_array tasks = { 0 };
	size_t next = 0;

	struct memtool_error *error = tasks_read(session->process->pid, &tasks);
	for (size_t i = 0; !error && i < tasks.count; i++) {
		pid_t tid = tasks.data[i].tid;
		/* Both are by ascending tid. */
		while (next < threads->count && threads->data[next].tid < tid)
			next++;
		if (next < threads->count && threads->data[next].tid == tid)
			continue;
		if (task_runs_program(tid))
			heap_copy_missed_thread(copy, tid);
	}
	return error;
}
