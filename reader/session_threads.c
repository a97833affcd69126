/* SPDX-License-Identifier: Apache-2.0 */
#include "session_threads.h"

#include "session_roots.h"
#include "session_settle.h"
#include "symbols/thread_list.h"
#include "target/stop.h"
#include "target/tasks.h"

#include <stdlib.h>

/* A thread's entry in the page, by its fs_base: NULL if it has none. */
static const struct inventory_thread *find_published(const struct session *session,
						     uint64_t fs_base)
{
	for (size_t i = 0; session->inventory && i < session->inventory->threads.count; i++) {
		const struct inventory_thread *thread = &session->inventory->threads.data[i];
		if (thread->fs_base == fs_base)
			return thread;
	}
	return NULL;
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
		if (thread.fs_base && find_published(session, thread.fs_base))
			thread.source = ROOT_INVENTORY;
		if (session_is_inside(session, &threads[i], &thread.inside_name))
			thread.inside = threads[i].pc;
		if (!root_threads_append(ret, &thread))
			return memtool_error_no_memory;
	}
	return NULL;
}

static int compare_listed(const void *a, const void *b)
{
	const struct listed_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* What the page says by now. */
static struct memtool_error *list_published(struct session *session, struct listed_threads *ret)
{
	_cleanup_(inventory_deinit) struct inventory inventory = { 0 };

	struct memtool_error *error = session_read_inventory(session, &inventory);
	for (size_t i = 0; !error && i < inventory.threads.count; i++) {
		const struct listed_thread thread = {
			.tid = inventory.threads.data[i].tid,
			.fs_base = inventory.threads.data[i].fs_base,
		};
		if (!listed_threads_append(ret, &thread))
			error = memtool_error_no_memory;
	}
	return error;
}

/*
 * All that can be had of the threads without their registers, by ascending tid of the target's
 * namespace: from the page, else from glibc's own lists. Not to know them is for the audit to tell.
 */
static struct memtool_error *list_known(struct session *session, struct listed_threads *ret,
					enum root_source *ret_source)
{
	struct memtool_error *error = NULL;

	if (session->inventory) {
		*ret_source = ROOT_INVENTORY;
		error = list_published(session, ret);
	} else if (session->libc.module) {
		*ret_source = ROOT_SYMBOLS;
		error = libc_list_threads(&session->libc, session->modules,
					  &session->process->memory, ret);
	}
	if (error && error->code != MEMTOOL_ERROR_NO_MEMORY &&
	    error->code != MEMTOOL_ERROR_NO_PROCESS) {
		memtool_error_destroy(error);
		error = NULL;
	}
	if (ret->count)
		qsort(ret->data, ret->count, sizeof(*ret->data), compare_listed);
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
	_cleanup_(listed_threads_deinit) struct listed_threads known = { 0 };
	enum root_source source;
	pid_t namespace_tid;

	if (stop)
		return held_thread_pointer(stop, tid, ret);
	struct memtool_error *error = session_load_libc(session);
	/* No glibc, no list. */
	if (memtool_error_catch(&error, MEMTOOL_ERROR_NOT_GLIBC))
		return no_thread_pointer(tid);
	if (!error)
		error = task_namespace_pid(tid, &namespace_tid);
	if (!error)
		error = list_known(session, &known, &source);
	if (error)
		return error;
	for (size_t i = 0; i < known.count; i++) {
		if (known.data[i].tid == namespace_tid) {
			*ret = known.data[i].fs_base;
			return NULL;
		}
	}
	return no_thread_pointer(tid);
}

struct memtool_error *session_running_threads(struct session *session, struct root_threads *ret)
{
	_cleanup_(task_array_deinit) struct task_array tasks = { 0 };
	_cleanup_(listed_threads_deinit) struct listed_threads known = { 0 };
	enum root_source source = ROOT_UNKNOWN;

	struct memtool_error *error = tasks_read(session->process->pid, &tasks);
	if (!error)
		error = list_known(session, &known, &source);
	if (error)
		return error;
	for (size_t i = 0; i < tasks.count; i++) {
		const struct listed_thread key = { .tid = tasks.data[i].namespace_tid };
		const struct listed_thread *found = known.count
							    ? bsearch(&key, known.data, known.count,
								      sizeof(key), compare_listed)
							    : NULL;
		if (!found && !task_runs_program(tasks.data[i].tid))
			continue;
		const struct root_thread thread = {
			.tid = tasks.data[i].tid,
			.fs_base = found ? found->fs_base : 0,
			.unknown = !found,
			.source = found ? source : ROOT_UNKNOWN,
		};
		if (!root_threads_append(ret, &thread))
			return memtool_error_no_memory;
	}
	return NULL;
}
