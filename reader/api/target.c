/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets of the public header, over struct session: opening, stopping, and what there is in them.
 */
#include "api/target.h"

#include "api/heap.h"
#include "support/error.h"
#include "target/stop.h"
#include "target/tasks.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)MEMTOOL_LAYOUT_AUTO == (int)LAYOUT_AUTO, "part of the ABI");
_Static_assert((int)MEMTOOL_LAYOUT_TABLE == (int)LAYOUT_TABLE, "part of the ABI");
_Static_assert((int)MEMTOOL_LAYOUT_DWARF == (int)LAYOUT_DWARF, "part of the ABI");

void memtool_options_init(struct memtool_options *options)
{
	*options = (struct memtool_options){ .size = sizeof(*options) };
}

/* Callers may have been built with a header that knows fewer options, or more. */
static struct memtool_error *take_options(const struct memtool_options *given,
					  struct memtool_options *ret)
{
	memtool_options_init(ret);
	if (!given)
		return NULL;
	if (given->size < sizeof(given->size))
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "the size of struct memtool_options is not set");
	memcpy(ret, given, given->size < sizeof(*ret) ? given->size : sizeof(*ret));
	for (size_t i = sizeof(*ret); i < given->size; i++) {
		if (((const char *)given)[i])
			return memtool_error_create(MEMTOOL_ERROR_INVALID,
						    "an option that this libmemtool does not know");
	}
	if ((unsigned int)ret->source > MEMTOOL_SOURCE_STRUCTURE ||
	    (unsigned int)ret->layout > MEMTOOL_LAYOUT_DWARF)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "no such source or layout of the heap");
	if (ret->no_stop && (ret->snapshot || ret->max_pause_ns))
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "no_stop does not go with snapshot or max_pause_ns");
	return NULL;
}

struct memtool_error *memtool_open(int pid, const struct memtool_options *given,
				   struct memtool_target **ret)
{
	struct memtool_options options;
	struct memtool_error *error = take_options(given, &options);

	if (!error && pid <= 0)
		error = memtool_error_create(MEMTOOL_ERROR_INVALID, "%d is not a process id", pid);
	if (error)
		return error;
	struct memtool_target *target = calloc(1, sizeof(*target));
	if (!target)
		return memtool_error_no_memory;
	const struct session_options session_options = {
		.source = (enum root_source)options.source,
		.layout = (enum layout_source)options.layout,
		.no_stop = options.no_stop,
		.snapshot = options.snapshot,
		.max_pause_ns = options.max_pause_ns,
		.progress = options.progress,
		.progress_context = options.progress_context,
	};
	error = session_attach(pid, &session_options, &target->session);
	if (error) {
		free(target);
		return error;
	}
	*ret = target;
	return NULL;
}

void memtool_close(struct memtool_target *target)
{
	if (!target)
		return;
	stop_resume(target->stop, NULL);
	session_close(target->session);
	free(target->symbol_name);
	free(target);
}

int memtool_pid(const struct memtool_target *target)
{
	return target->session->process->pid;
}

struct memtool_error *memtool_stop(struct memtool_target *target)
{
	if (target->stop)
		return NULL;
	struct memtool_error *error = stop_threads(target->session->process, &target->stop);
	if (!error)
		target->session->options.held = target->stop;
	return error;
}

uint64_t memtool_resume(struct memtool_target *target)
{
	uint64_t stopped_ns = 0;

	stop_resume(target->stop, &stopped_ns);
	target->stop = NULL;
	target->session->options.held = NULL;
	return stopped_ns;
}

bool memtool_is_stopped(const struct memtool_target *target)
{
	return target->stop != NULL;
}

/* What is known of a thread that is held, or NULL. The threads are sorted. */
static const struct stopped_thread *find_stopped(const struct memtool_target *target, pid_t tid)
{
	size_t count = 0;
	const struct stopped_thread *threads =
		target->stop ? stop_list(target->stop, &count) : NULL;

	for (size_t low = 0, high = count; low < high;) {
		size_t middle = low + (high - low) / 2;
		if (threads[middle].tid == tid)
			return &threads[middle];
		if (threads[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct memtool_error *memtool_threads(struct memtool_target *target, memtool_thread_fn callback,
				      void *context)
{
	_cleanup_(task_array_deinit) struct task_array tasks = { 0 };
	const struct process *process = target->session->process;
	struct memtool_error *error = process_check(process);
	bool more = true;

	if (!error)
		error = tasks_read(process->pid, &tasks);
	for (size_t i = 0; !error && more && i < tasks.count; i++) {
		const struct stopped_thread *stopped = find_stopped(target, tasks.data[i].tid);
		char name[16];

		process_thread_name(process, tasks.data[i].tid, name);
		const struct memtool_thread thread = {
			.tid = tasks.data[i].tid,
			.stopped = stopped != NULL,
			.fs_base = stopped ? stopped->fs_base : 0,
			.sp = stopped ? stopped->sp : 0,
			.pc = stopped ? stopped->pc : 0,
			.name = name,
		};
		more = callback(context, &thread);
	}
	return error;
}

struct memtool_error *memtool_mappings(struct memtool_target *target, memtool_mapping_fn callback,
				       void *context)
{
	_cleanup_(maps_deinit) struct maps maps = { 0 };
	const struct process *process = target->session->process;
	struct memtool_error *error = process_check(process);
	bool more = true;

	if (!error)
		error = maps_read(process->pid, &maps);
	for (size_t i = 0; !error && more && i < maps.count; i++) {
		const struct mapping *from = &maps.data[i];
		const struct memtool_mapping mapping = {
			.start = from->range.start,
			.end = from->range.end,
			.offset = from->offset,
			.inode = from->inode,
			.readable = from->readable,
			.writable = from->writable,
			.executable = from->executable,
			.shared = from->shared,
			.deleted = from->deleted,
			.name = from->name,
		};
		more = callback(context, &mapping);
	}
	return error;
}

struct memtool_error *memtool_modules(struct memtool_target *target, memtool_module_fn callback,
				      void *context)
{
	struct memtool_error *error = session_load_modules(target->session);
	const struct modules *modules = target->session->modules;
	bool more = true;

	for (size_t i = 0; !error && more && i < modules->count; i++) {
		const struct module *from = modules->data[i];
		const struct memtool_module module = {
			.start = from->range.start,
			.end = from->range.end,
			.bias = from->bias,
			.executable = from->executable,
			.deleted = from->deleted,
			.build_id_size = from->build_id_size,
			.build_id = from->build_id,
			.name = from->name,
		};
		more = callback(context, &module);
	}
	return error;
}

struct memtool_error *memtool_refresh(struct memtool_target *target)
{
	return session_refresh(target->session);
}

struct memtool_error *memtool_read_heap(struct memtool_target *target, uint64_t *ret_stopped_ns,
					struct memtool_heap **ret)
{
	struct session *session = target->session;
	uint64_t stopped_ns = 0;
	struct heap *heap;

	struct memtool_error *error = session_locate(session);
	if (!error)
		error = session_read_heap(session, &heap, &stopped_ns);
	if (!error)
		error = api_heap_create(heap, session->libc.version, ret);
	if (!error && ret_stopped_ns)
		*ret_stopped_ns = stopped_ns;
	return error;
}
