/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the heap of a session's target in a copy of it (target/snapshot.h).
 */
#include "session_copy.h"
#include "session_settle.h"
#include "session_threads.h"
#include "target/kept.h"
#include "target/snapshot.h"

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
					struct process *clone, struct read_ahead *ahead,
					const struct root_threads *threads,
					const struct fs_base_array *orphans, struct heap_copy **ret)
{
	const struct session_options options = session->options;
	struct snapshot_progress progress = { snapshot, options.progress,
					      options.progress_context };

	session->options.progress = check_signals;
	session->options.progress_context = &progress;
	struct memtool_error *error =
		session_copy_heap(session, clone, ahead, threads, false, orphans, ret);
	session->options = options;
	return error;
}

/* Copies the heap of a snapshot that was taken, and ends it. */
static struct memtool_error *copy_snapshot(struct session *session, struct snapshot *snapshot,
					   struct stop *stop, struct read_ahead *ahead,
					   const struct root_threads *threads,
					   const struct fs_base_array *orphans,
					   struct heap_copy **ret, uint64_t *stopped_ns)
{
	_cleanup_process_ struct process *clone = NULL;
	uint64_t ns;

	struct memtool_error *error = snapshot_open(snapshot, &clone);
	if (!error) {
		read_ahead_set_inner(ahead, &clone->memory);
		error = copy_clone(session, snapshot, clone, ahead, threads, orphans, ret);
	}
	process_close(no_cleanup_ptr(clone));
	struct memtool_error *left = snapshot_end(snapshot, stop, &ns);
	*stopped_ns += ns;
	/* Of a process that has ended, nothing is left. */
	if (left && left->code != MEMTOOL_ERROR_NO_PROCESS && !session->snapshot_refused)
		session->snapshot_refused = no_cleanup_ptr(left);
	memtool_error_destroy(left);
	return error;
}

/* The target is held, and there can be no snapshot of it: it is read as it is, if there is time. */
static struct memtool_error *read_instead(struct session *session, struct stop *stop,
					  struct pause_plan *plan, struct read_ahead *ahead,
					  const struct fs_base_array *orphans,
					  struct heap_copy **ret, uint64_t *stopped_ns)
{
	struct pause_watch watch;
	uint64_t ns;

	session->method = READ_STOPPED;
	struct memtool_error *error = session_plan_without_snapshot(session, stop, plan);
	pause_watch_begin(&watch, plan, stop, session);
	if (!error)
		error = session_copy_target(session, stop, ahead, orphans, ret);
	pause_watch_end(&watch, session);
	stop_resume(stop, &ns);
	*stopped_ns += ns;
	return error ? pause_watch_explain(&watch, session, ns, error) : NULL;
}

/* With a target that stop holds, which ends here. */
static struct memtool_error *take_and_copy(struct session *session, struct snapshot *snapshot,
					   struct stop *stop, struct pause_plan *plan,
					   struct read_ahead *ahead,
					   const struct fs_base_array *orphans,
					   struct heap_copy **ret, uint64_t *stopped_ns)
{
	_cleanup_(root_threads_deinit) struct root_threads threads = { 0 };
	uint64_t ns = 0;

	session->method = READ_SNAPSHOT;
	struct memtool_error *error = session_settle(session, stop, pause_spare_ns(plan));
	if (!error)
		error = session_held_threads(session, stop, &threads);
	if (!error)
		error = snapshot_take(snapshot, stop, &ns);
	if (catch_refusal(session, &error))
		return read_instead(session, stop, plan, ahead, orphans, ret, stopped_ns);
	*stopped_ns += ns;
	if (!error)
		error = copy_snapshot(session, snapshot, stop, ahead, &threads, orphans, ret,
				      stopped_ns);
	stop_resume(stop, NULL);
	return error;
}

/* There can be no snapshot: what is left of the plan is to stop the target, after stopped_ns. */
static struct memtool_error *plan_stop(struct session *session, struct pause_plan *plan,
				       uint64_t stopped_ns)
{
	if (plan->limit_ns != UINT64_MAX)
		plan->limit_ns = plan->limit_ns > stopped_ns ? plan->limit_ns - stopped_ns : 0;
	return session_plan_without_snapshot(session, NULL, plan);
}

/* Whether heap, read in a copy, lacks what the target keeps from it; that is remembered. */
static bool lacks_memory(struct session *session, const struct heap *heap)
{
	if (session->method != READ_SNAPSHOT || heap->audit.ok ||
	    !has_kept_memory(session->process->pid))
		return false;
	memtool_error_destroy(session->snapshot_refused);
	session->snapshot_refused = memtool_error_create(
		MEMTOOL_ERROR_UNSUPPORTED,
		"it keeps memory from its children (MADV_DONTFORK or MADV_WIPEONFORK)");
	return true;
}

/* One reading, by way of a snapshot that was made ready. */
static struct memtool_error *read_by(struct session *session, struct snapshot *snapshot,
				     struct pause_plan *plan, const struct fs_base_array *orphans,
				     struct heap **ret, uint64_t *stopped_ns)
{
	_cleanup_read_ahead_ struct read_ahead *ahead = session_create_read_ahead(session);
	struct heap_copy *copy = NULL;
	struct stop *stop;

	struct memtool_error *error = stop_threads_within(session->process, plan->limit_ns, &stop);
	if (error)
		return error;
	session->stops++;
	error = take_and_copy(session, snapshot, stop, plan, ahead, orphans, &copy, stopped_ns);
	return error ? error : heap_finish(copy, ret);
}

struct memtool_error *session_read_snapshot(struct session *session, struct pause_plan *plan,
					    const struct fs_base_array *orphans, struct heap **ret,
					    uint64_t *stopped_ns, bool *ret_done)
{
	_cleanup_snapshot_ struct snapshot *snapshot = NULL;
	uint64_t before_ns = *stopped_ns;
	struct heap *heap;

	*ret_done = false;
	/* It may have shown only when it was read for the first time. */
	if (session->snapshot_refused && session->method == READ_STOPPED)
		return plan_stop(session, plan, 0);
	struct memtool_error *error = snapshot_create(session->process, &session->maps, &snapshot);
	if (catch_refusal(session, &error))
		return plan_stop(session, plan, 0);
	if (!error)
		error = read_by(session, snapshot, plan, orphans, &heap, stopped_ns);
	if (error)
		return error;
	if (lacks_memory(session, heap)) {
		heap_destroy(heap);
		return plan_stop(session, plan, *stopped_ns - before_ns);
	}
	*ret = heap;
	*ret_done = true;
	return NULL;
}
