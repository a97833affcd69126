/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the heap of a session's target, stopped or running.
 */
#include "glibc/read.h"
#include "session_copy.h"
#include "session_glibcs.h"
#include "session_layout.h"
#include "session_orphans.h"
#include "session_pause.h"
#include "session_roots.h"
#include "session_settle.h"
#include "session_threads.h"
#include "support/array.h"
#include "support/thread.h"
#include "target/read_ahead.h"
#include "target/stop.h"

#include <string.h>
#include <time.h>

/* How often a target is read before what doubt is left is reported. */
#define ATTEMPTS 4
/*
 * A running target with more chunks than that is read again only as long as it helps: each time
 * takes so long that a program which allocates has changed as much again.
 */
#define RUNNING_LARGE 1000000
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

/* What the process has just now, besides its malloc: memory that may be heap, and other mallocs. */
static struct memtool_error *list_surroundings(const struct session *session,
					       const struct process *process,
					       struct anonymous_ranges *ret_anonymous,
					       struct other_books_array *ret_others)
{
	_cleanup_(maps_deinit) struct maps maps = { 0 };

	struct memtool_error *error = maps_read(process->pid, &maps);
	if (!error)
		error = list_anonymous(&maps, ret_anonymous);
	return error ? error : session_other_books(session, ret_others);
}

struct memtool_error *session_copy_heap(struct session *session, struct process *process,
					struct read_ahead *ahead,
					const struct root_threads *threads, bool live,
					const struct fs_base_array *orphans, struct heap_copy **ret)
{
	_cleanup_(anonymous_ranges_deinit) struct anonymous_ranges anonymous = { 0 };
	_cleanup_(other_books_array_deinit) struct other_books_array others = { 0 };
	_cleanup_(cleanup_heap_copy) struct heap_copy *copy = NULL;
	struct malloc_roots roots = session->roots;

	struct memtool_error *error = list_surroundings(session, process, &anonymous, &others);
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
		.threads = usable_processors(),
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

struct read_ahead *session_create_read_ahead(struct session *session)
{
	struct process *process = session->process;
	struct read_ahead *ahead = NULL;

	if (!read_ahead_pays(process_resident_bytes(process)))
		return NULL;
	memtool_error_destroy(read_ahead_create(&process->memory, &ahead));
	return ahead;
}

struct memtool_error *session_copy_target(struct session *session, const struct stop *stop,
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
		error = session_copy_heap(session, session->process, ahead, &threads, !stop,
					  orphans, ret);
	return error;
}

/* One reading of a target that is stopped for it; how long that was is added to *stopped_ns. */
static struct memtool_error *read_stopped(struct session *session, const struct pause_plan *plan,
					  const struct fs_base_array *orphans, struct heap **ret,
					  uint64_t *stopped_ns)
{
	_cleanup_read_ahead_ struct read_ahead *ahead = session_create_read_ahead(session);
	struct heap_copy *copy = NULL;
	struct pause_watch watch;
	struct stop *stop;
	uint64_t ns;

	struct memtool_error *error = stop_threads_within(session->process, plan->limit_ns, &stop);
	if (error)
		return error;
	pause_watch_begin(&watch, plan, stop, session);
	error = session_settle(session, stop, pause_spare_ns(plan));
	if (!error)
		error = session_copy_target(session, stop, ahead, orphans, &copy);
	pause_watch_end(&watch, session);
	stop_resume(stop, &ns);
	*stopped_ns += ns;
	session->stops++;
	session->method = READ_STOPPED;
	return error ? pause_watch_explain(&watch, session, ns, error) : heap_finish(copy, ret);
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
		held ? session_create_read_ahead(session) : NULL;
	struct heap_copy *copy;

	session->method = held ? READ_STOPPED : READ_RUNNING;
	struct memtool_error *error = session_copy_target(session, held, ahead, orphans, &copy);
	return error ? error : heap_finish(copy, ret);
}

/* One reading, as the options want it. */
static struct memtool_error *read_once(struct session *session, const struct fs_base_array *orphans,
				       struct heap **ret, uint64_t *stopped_ns)
{
	struct pause_plan plan;
	bool done = false;

	if (session->options.no_stop || session->options.held)
		return read_as_it_is(session, orphans, ret);
	struct memtool_error *error = session_plan_pause(session, *stopped_ns, &plan);
	if (!error && plan.method == PAUSE_SNAPSHOT)
		error = session_read_snapshot(session, &plan, orphans, ret, stopped_ns, &done);
	if (error || done)
		return error;
	return read_stopped(session, &plan, orphans, ret, stopped_ns);
}

/* Whether another reading of a target that ran would be of no use: it has not halved the doubts. */
static bool is_no_use(const struct heap *before, const struct heap *heap)
{
	return heap->audit.live && heap->chunk_count > RUNNING_LARGE &&
	       audit_doubts(&heap->audit) > audit_doubts(&before->audit) / 2;
}

/* One more reading. Keeps the better one; *ret_done if a further one would be no better. */
static struct memtool_error *read_again(struct session *session,
					const struct fs_base_array *orphans, struct heap **best,
					uint64_t *stopped_ns, bool *ret_done)
{
	struct heap *heap, *worse;

	struct memtool_error *error = read_once(session, orphans, &heap, stopped_ns);
	/* Once more would be too much; what there is, is given, and what doubt is left is told. */
	*ret_done = *best && memtool_error_catch(&error, MEMTOOL_ERROR_TOO_LONG);
	if (error || *ret_done)
		return error;
	/* What comes out the same again was not caught midway: it is damage. */
	*ret_done = session->options.held || heap->audit.ok ||
		    (*best &&
		     (audit_same_doubts(&heap->audit, &(*best)->audit) || is_no_use(*best, heap)));
	worse = heap;
	if (!*best || audit_doubts(&heap->audit) < audit_doubts(&(*best)->audit)) {
		worse = *best;
		*best = heap;
	}
	heap_destroy(worse);
	return NULL;
}

static struct memtool_error *read_heap(struct session *session, struct heap **ret,
				       uint64_t *stopped_ns)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_NS };
	_cleanup_(fs_base_array_deinit) struct fs_base_array orphans = { 0 };
	struct heap *best = NULL;
	bool done = false;

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
		error = read_again(session, &orphans, &best, stopped_ns, &done);
		if (error) {
			heap_destroy(best);
			return error;
		}
	}
	*ret = best;
	return NULL;
}

struct memtool_error *session_read_heap(struct session *session, struct heap **ret,
					uint64_t *ret_stopped_ns)
{
	uint64_t stopped_ns = 0;

	session->stops = 0;
	memtool_error_destroy(session->snapshot_refused);
	session->snapshot_refused = NULL;
	struct memtool_error *error = read_heap(session, ret, &stopped_ns);
	if (error) {
		error = session_replace_layout(session, error);
		if (!error)
			error = read_heap(session, ret, &stopped_ns);
	}
	if (error)
		return error;
	session_note_layout(session, *ret);
	*ret_stopped_ns = stopped_ns;
	return NULL;
}
