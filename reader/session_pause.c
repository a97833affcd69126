/* SPDX-License-Identifier: Apache-2.0 */
#include "session_pause.h"

#include "glibc/read.h"
#include "support/clock.h"

#include <stdio.h>

/* As a person reads it: what is not 0 is 1 at least. */
static unsigned long long milliseconds(uint64_t ns)
{
	return ns / 1000000 + (ns % 1000000 != 0);
}

static struct memtool_error *read_facts(const struct session *session, struct pause_facts *ret)
{
	const struct heap_source source = {
		.memory = &session->process->memory,
		.layout = &session->layout,
		.roots = &session->roots,
	};

	struct memtool_error *error = pause_facts_read(session->process, &session->maps, ret);
	return error ? error : heap_expected_bytes(&source, &ret->heap_bytes);
}

struct memtool_error *session_estimate_pause(const struct session *session,
					     struct pause_estimate *ret)
{
	struct pause_facts facts;

	struct memtool_error *error = read_facts(session, &facts);
	if (error)
		return error;
	*ret = pause_estimate(&facts);
	return NULL;
}

/* Huge pages are looked for only where they decide. */
static struct memtool_error *choose(const struct session *session, struct pause_plan *plan)
{
	bool snapshot = session->options.snapshot;
	struct pause_facts facts;

	struct memtool_error *error = read_facts(session, &facts);
	if (error)
		return error;
	plan->expected = pause_estimate(&facts);
	plan->method = pause_choose(&plan->expected, plan->limit_ns, snapshot);
	if (plan->method != PAUSE_NEITHER)
		return NULL;
	pause_facts_read_huge(session->process, &facts);
	plan->expected = pause_estimate(&facts);
	plan->method = pause_choose(&plan->expected, plan->limit_ns, snapshot);
	return NULL;
}

static struct memtool_error *decline(const struct session *session, const struct pause_plan *plan)
{
	const struct memtool_error *refused = session->snapshot_refused;
	char snapshot[64] = "";

	snprintf(snapshot, sizeof(snapshot), "a snapshot about %llu ms",
		 milliseconds(plan->expected.snapshot_ns));
	return memtool_error_create(
		MEMTOOL_ERROR_TOO_LONG,
		"process %d may stand still for %llu ms, but to stop and read it takes about %llu "
		"ms, and %s%s: allow more with --max-pause, or use --no-stop",
		session->process->pid, milliseconds(session->options.max_pause_ns),
		milliseconds(plan->expected.stop_ns),
		refused ? "there can be no snapshot: " : snapshot, refused ? refused->message : "");
}

struct memtool_error *session_plan_pause(const struct session *session, uint64_t stopped_ns,
					 struct pause_plan *ret)
{
	uint64_t limit_ns = session->options.max_pause_ns;
	struct pause_plan plan = {
		.method = session->options.snapshot ? PAUSE_SNAPSHOT : PAUSE_STOP,
		.limit_ns = UINT64_MAX,
	};

	if (limit_ns) {
		plan.limit_ns = limit_ns > stopped_ns ? limit_ns - stopped_ns : 0;
		struct memtool_error *error = choose(session, &plan);
		if (!error && plan.method == PAUSE_NEITHER)
			error = decline(session, &plan);
		if (error)
			return error;
	}
	*ret = plan;
	return NULL;
}

struct memtool_error *session_plan_without_snapshot(const struct session *session,
						    const struct stop *stop,
						    struct pause_plan *plan)
{
	uint64_t held_ns = stop ? clock_now_ns() - stop_began_ns(stop) : 0;

	if (plan->limit_ns != UINT64_MAX &&
	    (held_ns > plan->limit_ns || plan->expected.stop_ns > plan->limit_ns - held_ns))
		return decline(session, plan);
	plan->method = PAUSE_STOP;
	return NULL;
}

struct memtool_error *session_stop_threads(const struct session *session, struct stop **ret)
{
	uint64_t limit_ns = session->options.max_pause_ns;
	struct pause_facts facts;

	if (!limit_ns)
		return stop_threads(session->process, ret);
	struct memtool_error *error = pause_facts_read(session->process, &session->maps, &facts);
	if (error)
		return error;
	facts.heap_bytes = 0;
	struct pause_estimate expected = pause_estimate(&facts);
	if (expected.stop_ns > limit_ns)
		return memtool_error_create(
			MEMTOOL_ERROR_TOO_LONG,
			"process %d may stand still for %llu ms, but to stop its threads takes "
			"about %llu ms: allow more with --max-pause, or use --no-stop",
			session->process->pid, milliseconds(limit_ns),
			milliseconds(expected.stop_ns));
	return stop_threads_within(session->process, limit_ns, ret);
}

uint64_t pause_spare_ns(const struct pause_plan *plan)
{
	uint64_t expected_ns = plan->method == PAUSE_SNAPSHOT ? plan->expected.snapshot_ns
							      : plan->expected.stop_ns;

	return plan->limit_ns - expected_ns;
}

static bool check_time(void *context, const struct memtool_progress *progress)
{
	struct pause_watch *watch = context;

	watch->late = clock_now_ns() >= watch->deadline_ns;
	return !watch->late && (!watch->next || watch->next(watch->context, progress));
}

void pause_watch_begin(struct pause_watch *watch, const struct pause_plan *plan,
		       const struct stop *stop, struct session *session)
{
	struct session_options *options = &session->options;

	*watch = (struct pause_watch){
		.next = options->progress,
		.context = options->progress_context,
	};
	if (plan->limit_ns == UINT64_MAX)
		return;
	/* Half of what the threads take is for letting them go. */
	watch->deadline_ns = stop_began_ns(stop) + plan->limit_ns - plan->expected.threads_ns / 2;
	options->progress = check_time;
	options->progress_context = watch;
}

void pause_watch_end(const struct pause_watch *watch, struct session *session)
{
	session->options.progress = watch->next;
	session->options.progress_context = watch->context;
}

struct memtool_error *pause_watch_explain(const struct pause_watch *watch,
					  const struct session *session, uint64_t ns,
					  struct memtool_error *error)
{
	if (!watch->late || !memtool_error_catch(&error, MEMTOOL_ERROR_INTERRUPTED))
		return error;
	return memtool_error_create(
		MEMTOOL_ERROR_TOO_LONG,
		"process %d was let go after %llu ms, before all was read, as it may stand still "
		"for %llu ms: allow more with --max-pause, or use --snapshot or --no-stop",
		session->process->pid, milliseconds(ns),
		milliseconds(session->options.max_pause_ns));
}
