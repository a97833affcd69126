/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the heap of a session's target, stopped or running.
 */
#include "glibc/read.h"
#include "session_glibcs.h"
#include "session_layout.h"
#include "session_orphans.h"
#include "session_roots.h"
#include "session_settle.h"
#include "session_threads.h"
#include "support/array.h"
#include "target/read_ahead.h"
#include "target/snapshot.h"
#include "target/stop.h"

#include <string.h>
#include <time.h>

/* How often a target is read before what doubt is left is reported. */
#define ATTEMPTS 4
/* How long a target runs before it is stopped once more, so that threads get on. */
#define PAUSE_NS 1000000

DEFINE_ARRAY(anonymous_ranges, struct range)

/*
 * Whether malloc can have got this memory from the kernel: brk's, mmap's, or, with
 * glibc.malloc.hugetlb=2, huge pages, which the kernel shows as a deleted file.
 */
static bool is_heap_memory(const struct mapping *mapping)
{
	if (strcmp(mapping->name, "[heap]") == 0)
		return true;
	/* A program may have protected pages of it against writing. */
	if (!mapping->readable || mapping->shared)
		return false;
	if (mapping->inode != 0)
		return strcmp(mapping->name, "/anon_hugepage") == 0;
	return mapping->name[0] == '\0' || strncmp(mapping->name, "[anon:", strlen("[anon:")) == 0;
}

/* Neighbouring mappings are one range: madvise(2) splits what malloc made in one piece. */
static struct memtool_error *list_anonymous(const struct maps *maps, struct anonymous_ranges *ret)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct mapping *mapping = &maps->data[i];

		if (!is_heap_memory(mapping))
			continue;
		if (ret->count && ret->data[ret->count - 1].end == mapping->range.start)
			ret->data[ret->count - 1].end = mapping->range.end;
		else if (!anonymous_ranges_append(ret, &mapping->range))
			return memtool_error_no_memory;
	}
	return NULL;
}

/*
 * Reads the heap in process, which is the target or a copy of it, live if that runs; by way of
 * ahead, if that is not NULL.
 */
static struct memtool_error *copy_heap(struct session *session, struct process *process,
				       struct read_ahead *ahead, const struct root_threads *threads,
				       bool live, const struct fs_base_array *orphans,
				       struct heap_copy **ret)
{
	_cleanup_(anonymous_ranges_deinit) struct anonymous_ranges anonymous = { 0 };
	_cleanup_(other_books_array_deinit) struct other_books_array others = { 0 };
	_cleanup_(maps_deinit) struct maps maps = { 0 };
	_cleanup_(cleanup_heap_copy) struct heap_copy *copy = NULL;
	struct malloc_roots roots = session->roots;

	struct memtool_error *error = maps_read(process->pid, &maps);
	if (!error)
		error = list_anonymous(&maps, &anonymous);
	if (!error)
		error = session_other_books(session, &others);
	if (error)
		return error;

	roots.threads = threads->data;
	roots.thread_count = threads->count;
	const struct heap_source source = {
		.memory = ahead ? read_ahead_memory(ahead) : &process->memory,
		.layout = &session->layout,
		.other_layouts = session->other_layouts,
		.other_count = session->other_count,
		.layout_unconfirmed = session->layout_unconfirmed,
		.roots = &roots,
		.anonymous = anonymous.data,
		.anonymous_count = anonymous.count,
		.orphans = orphans->data,
		.orphan_count = orphans->count,
		.other_books = others.data,
		.other_books_count = others.count,
		.live = live,
		.progress = session->options.progress,
		.progress_context = session->options.progress_context,
	};
	error = heap_copy(&source, &copy);
	read_ahead_rest(ahead);
	if (!error && live)
		error = session_report_born(session, threads, copy);
	if (error)
		return error;
	*ret = no_cleanup_ptr(copy);
	return NULL;
}

/*
 * Before the target is held. NULL where it does not pay, or cannot be had: it can be done without.
 * process is the target or a copy of it.
 */
static struct read_ahead *create_read_ahead(struct process *process)
{
	struct read_ahead *ahead = NULL;

	if (!read_ahead_pays(process_resident_bytes(process)))
		return NULL;
	memtool_error_destroy(read_ahead_create(&process->memory, &ahead));
	return ahead;
}

/* The heap of the target itself, that is held by stop or, if that is NULL, runs. */
static struct memtool_error *copy_target(struct session *session, const struct stop *stop,
					 struct read_ahead *ahead,
					 const struct fs_base_array *orphans,
					 struct heap_copy **ret)
{
	_cleanup_(root_threads_deinit) struct root_threads threads = { 0 };

	struct memtool_error *error = process_check(session->process);
	if (!error)
		error = stop ? session_held_threads(session, stop, &threads)
			     : session_running_threads(session, &threads);
	if (!error)
		error = copy_heap(session, session->process, ahead, &threads, !stop, orphans, ret);
	return error;
}

/* One reading of a target that is stopped for it; how long that was is added to *stopped_ns. */
static struct memtool_error *read_stopped(struct session *session,
					  const struct fs_base_array *orphans, struct heap **ret,
					  uint64_t *stopped_ns)
{
	_cleanup_read_ahead_ struct read_ahead *ahead = create_read_ahead(session->process);
	struct heap_copy *copy = NULL;
	struct stop *stop;
	uint64_t ns;

	struct memtool_error *error = stop_threads(session->process, &stop);
	if (error)
		return error;
	error = session_settle(session, stop);
	if (!error)
		error = copy_target(session, stop, ahead, orphans, &copy);
	stop_resume(stop, &ns);
	*stopped_ns += ns;
	session->stops++;
	session->method = READ_STOPPED;
	return error ? error : heap_finish(copy, ret);
}

/* If there can be no snapshot, that is remembered. */
static bool catch_refusal(struct session *session, struct memtool_error **error)
{
	if (!*error || (*error)->code != MEMTOOL_ERROR_UNSUPPORTED)
		return false;
	memtool_error_destroy(session->snapshot_refused);
	session->snapshot_refused = no_cleanup_ptr(*error);
	return true;
}

struct snapshot_progress {
	const struct snapshot *snapshot;
	memtool_progress_fn next;
	void *context;
};

/* Ends the reading when a signal waits to end us. */
static bool check_signals(void *context, const struct memtool_progress *progress)
{
	const struct snapshot_progress *self = context;

	return !snapshot_shall_end(self->snapshot) &&
	       (!self->next || self->next(self->context, progress));
}

static struct memtool_error *copy_clone(struct session *session, const struct snapshot *snapshot,
					struct process *clone, const struct root_threads *threads,
					const struct fs_base_array *orphans, struct heap_copy **ret)
{
	_cleanup_read_ahead_ struct read_ahead *ahead = create_read_ahead(clone);
	const struct session_options options = session->options;
	struct snapshot_progress progress = { snapshot, options.progress,
					      options.progress_context };

	session->options.progress = check_signals;
	session->options.progress_context = &progress;
	struct memtool_error *error =
		copy_heap(session, clone, ahead, threads, false, orphans, ret);
	session->options = options;
	return error;
}

/* Copies the heap of a snapshot that was taken, and ends it. */
static struct memtool_error *copy_snapshot(struct session *session, struct snapshot *snapshot,
					   struct stop *stop, const struct root_threads *threads,
					   const struct fs_base_array *orphans,
					   struct heap_copy **ret, uint64_t *stopped_ns)
{
	_cleanup_process_ struct process *clone = NULL;
	uint64_t ns;

	struct memtool_error *error = snapshot_open(snapshot, &clone);
	if (!error)
		error = copy_clone(session, snapshot, clone, threads, orphans, ret);
	process_close(no_cleanup_ptr(clone));
	struct memtool_error *left = snapshot_end(snapshot, stop, &ns);
	*stopped_ns += ns;
	/* Of a process that has ended, nothing is left. */
	if (left && left->code != MEMTOOL_ERROR_NO_PROCESS && !session->snapshot_refused)
		session->snapshot_refused = no_cleanup_ptr(left);
	memtool_error_destroy(left);
	return error;
}

/* One reading of a snapshot or, if there can be none, of a target that is stopped for it. */
static struct memtool_error *read_snapshot(struct session *session,
					   const struct fs_base_array *orphans, struct heap **ret,
					   uint64_t *stopped_ns)
{
	_cleanup_(root_threads_deinit) struct root_threads threads = { 0 };
	_cleanup_snapshot_ struct snapshot *snapshot = NULL;
	struct heap_copy *copy = NULL;
	struct stop *stop;
	uint64_t ns = 0;

	struct memtool_error *error = snapshot_create(session->process, &session->maps, &snapshot);
	if (catch_refusal(session, &error))
		return read_stopped(session, orphans, ret, stopped_ns);
	if (!error)
		error = stop_threads(session->process, &stop);
	if (error)
		return error;
	session->stops++;
	session->method = READ_SNAPSHOT;
	error = session_settle(session, stop);
	if (!error)
		error = session_held_threads(session, stop, &threads);
	if (!error)
		error = snapshot_take(snapshot, stop, &ns);
	if (catch_refusal(session, &error)) {
		session->method = READ_STOPPED;
		error = copy_target(session, stop, NULL, orphans, &copy);
		stop_resume(stop, &ns);
	} else {
		if (!error)
			error = copy_snapshot(session, snapshot, stop, &threads, orphans, &copy,
					      stopped_ns);
		stop_resume(stop, NULL);
	}
	*stopped_ns += ns;
	return error ? error : heap_finish(copy, ret);
}

/*
 * One reading of a target that somebody else has stopped, or that runs: of that, the segments that
 * were torn have been read again already.
 */
static struct memtool_error *read_as_it_is(struct session *session,
					   const struct fs_base_array *orphans, struct heap **ret)
{
	const struct stop *held = session->options.held;
	_cleanup_read_ahead_ struct read_ahead *ahead =
		held ? create_read_ahead(session->process) : NULL;
	struct heap_copy *copy;

	session->method = held ? READ_STOPPED : READ_RUNNING;
	struct memtool_error *error = copy_target(session, held, ahead, orphans, &copy);
	return error ? error : heap_finish(copy, ret);
}

/* One reading, as the options want it. */
static struct memtool_error *read_once(struct session *session, const struct fs_base_array *orphans,
				       struct heap **ret, uint64_t *stopped_ns)
{
	if (session->options.no_stop || session->options.held)
		return read_as_it_is(session, orphans, ret);
	if (session->options.snapshot)
		return read_snapshot(session, orphans, ret, stopped_ns);
	return read_stopped(session, orphans, ret, stopped_ns);
}

/* One more reading. Keeps the better one; *ret_done if a further one would be no better. */
static struct memtool_error *read_again(struct session *session,
					const struct fs_base_array *orphans, struct heap **best,
					uint64_t *stopped_ns, bool *ret_done)
{
	struct heap *heap, *worse;

	struct memtool_error *error = read_once(session, orphans, &heap, stopped_ns);
	if (error)
		return error;
	/* What comes out the same again was not caught midway: it is damage. */
	*ret_done = session->options.held || heap->audit.ok ||
		    (*best && audit_same_doubts(&heap->audit, &(*best)->audit));
	worse = heap;
	if (!*best || audit_doubts(&heap->audit) < audit_doubts(&(*best)->audit)) {
		worse = *best;
		*best = heap;
	}
	heap_destroy(worse);
	return NULL;
}

static struct memtool_error *read_heap(struct session *session, struct heap **ret,
				       uint64_t *ret_stopped_ns)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_NS };
	_cleanup_(fs_base_array_deinit) struct fs_base_array orphans = { 0 };
	struct heap *best = NULL;
	uint64_t stopped_ns = 0;
	bool done = false;

	session->stops = 0;
	struct memtool_error *error = session_list_orphans(session, &orphans);
	if (error)
		return error;
	if (session->libc.module)
		session_load_malloc_code(session);
	for (int attempt = 0; attempt < ATTEMPTS && !done; attempt++) {
		if (attempt > 0 && !session->options.no_stop) {
			session_load_malloc_code(session);
			nanosleep(&pause, NULL);
		}
		error = read_again(session, &orphans, &best, &stopped_ns, &done);
		if (error) {
			heap_destroy(best);
			return error;
		}
	}
	*ret = best;
	*ret_stopped_ns = stopped_ns;
	return NULL;
}

struct memtool_error *session_read_heap(struct session *session, struct heap **ret,
					uint64_t *ret_stopped_ns)
{
	struct memtool_error *error = read_heap(session, ret, ret_stopped_ns);

	if (error) {
		error = session_replace_layout(session, error);
		if (!error)
			error = read_heap(session, ret, ret_stopped_ns);
	}
	if (!error)
		session_note_layout(session, *ret);
	return error;
}
