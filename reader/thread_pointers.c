/* SPDX-License-Identifier: Apache-2.0 */
#include "thread_pointers.h"

#include "symbols/thread_list.h"
#include "target/stop.h"
#include "target/tasks.h"

#include <stdlib.h>

struct memtool_error *thread_pointers_stop(struct process *process,
					   struct thread_pointers_array *ret,
					   uint64_t *ret_stopped_ns)
{
	_cleanup_(thread_pointers_array_deinit) struct thread_pointers_array array = { 0 };
	struct stop *stop;
	bool enough = true;
	size_t count;

	struct memtool_error *error = stop_threads(process, &stop);
	if (error)
		return error;
	const struct stopped_thread *threads = stop_list(stop, &count);
	for (size_t i = 0; i < count && enough; i++) {
		const struct thread_pointers thread = { threads[i].tid, threads[i].fs_base,
							threads[i].sp };
		enough = thread_pointers_array_append(&array, &thread);
	}
	stop_resume(stop, ret_stopped_ns);
	if (!enough)
		return memtool_error_no_memory;
	*ret = array;
	array = (struct thread_pointers_array){ 0 };
	return NULL;
}

static int compare_listed(const void *a, const void *b)
{
	const struct listed_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* The list has the numbers of the process's own pid namespace, the tasks have both. */
static bool match_threads(const struct task_array *tasks, const struct listed_threads *listed,
			  struct thread_pointers_array *ret)
{
	for (size_t i = 0; i < tasks->count; i++) {
		const struct listed_thread key = { .tid = tasks->data[i].namespace_tid };
		const struct listed_thread *found =
			bsearch(&key, listed->data, listed->count, sizeof(key), compare_listed);
		if (!found)
			continue;
		const struct thread_pointers thread = { .tid = tasks->data[i].tid,
							.fs_base = found->fs_base };
		if (!thread_pointers_array_append(ret, &thread))
			return false;
	}
	return true;
}

struct memtool_error *thread_pointers_list(struct process *process, const struct modules *modules,
					   const struct libc *libc,
					   struct thread_pointers_array *ret)
{
	_cleanup_(thread_pointers_array_deinit) struct thread_pointers_array array = { 0 };
	_cleanup_(listed_threads_deinit) struct listed_threads listed = { 0 };
	_cleanup_(task_array_deinit) struct task_array tasks = { 0 };

	struct memtool_error *error = tasks_read(process->pid, &tasks);
	if (!error)
		error = libc_list_threads(libc, modules, &process->memory, &listed);
	if (error)
		return error;
	if (listed.count) {
		qsort(listed.data, listed.count, sizeof(*listed.data), compare_listed);
		if (!match_threads(&tasks, &listed, &array))
			return memtool_error_no_memory;
	}
	*ret = array;
	array = (struct thread_pointers_array){ 0 };
	return NULL;
}
