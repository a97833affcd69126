/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/oracle/check.h"

#include "tests/records.h"
#include "tests/truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

/* What the tcaches of all threads but one hold, and these tcaches themselves. */
static struct record_set tcaches_of_others(const struct heap *heap, pid_t tid)
{
	struct record_set set = records_new(heap->chunk_count);

	for (size_t i = 0; i < heap->chunk_count; i++) {
		const struct chunk *chunk = &heap->chunks[i];
		if (chunk->thread != CHUNK_NO_THREAD && heap->threads[chunk->thread].tid != tid)
			records_add(&set, chunk_user(chunk), heap_usable_size(heap, chunk));
	}
	return set;
}

static size_t report_missing(const struct heap *heap, const struct record_set *from,
			     const struct record_set *in, const char *what)
{
	size_t missing = 0;

	for (size_t i = 0; i < from->count; i++) {
		if (records_contain(in, &from->data[i]))
			continue;
		if (missing++ < 10) {
			const struct chunk *chunk = heap_find(heap, from->data[i].user - 16);
			print_error("  %s: %#" PRIx64 ", %" PRIu64 " bytes; memtool has %s there "
				    "(user %#" PRIx64 ", %" PRIu64 " bytes)\n",
				    what, from->data[i].user, from->data[i].usable,
				    chunk ? chunk_state_name(chunk->state) : "nothing",
				    chunk ? chunk_user(chunk) : 0,
				    chunk ? heap_usable_size(heap, chunk) : 0);
		}
	}
	return missing;
}

static void compare(struct session *session, const struct heap *heap)
{
	struct record_set recorded = records_read(session), live = records_of_heap(heap);

	assert_true(recorded.count > 0);
	size_t missing = report_missing(heap, &recorded, &live, "missing");
	size_t too_many = report_missing(heap, &live, &recorded, "one too many");
	print_message("  %zu allocations: %zu missing, %zu too many\n", recorded.count, missing,
		      too_many);
	free(recorded.data);
	free(live.data);
	assert_int_equal(missing, 0);
	assert_int_equal(too_many, 0);
}

static void read_heap(pid_t pid, const struct session_options *options,
		      struct session **ret_session, struct heap **ret)
{
	spawn_wait_at_rest(pid);
	truth_read(pid, options, ret_session, ret);
	/* It is at rest: nothing is in the way of a snapshot. */
	if (options->snapshot)
		assert_int_equal((*ret_session)->method, READ_SNAPSHOT);
	truth_check_shape(*ret);
}

static void check(pid_t pid, const struct session_options *options)
{
	struct session *session;
	struct heap *heap;

	read_heap(pid, options, &session, &heap);
	compare(session, heap);
	truth_check_audit(heap);
	heap_destroy(heap);
	session_close(session);
}

void oracle_check_fixture(struct spawned *child, const struct session_options *options)
{
	spawn_expect(child, "ready");
	check(child->pid, options);
}

static void end(struct spawned *child)
{
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

void oracle_check_storm(struct spawned *child, const struct session_options *options)
{
	struct session *session;
	struct heap *heap;

	spawn_expect(child, "ready");
	check(child->pid, options);

	read_heap(child->pid, options, &session, &heap);
	truth_check_mallinfo(spawn_expect(child, "mallinfo2 "), heap);
	heap_destroy(heap);
	session_close(session);
	end(child);
}

/* All that the parent's other threads had, and nothing else, is the orphans'. */
static void compare_orphans(const struct heap *heap, const struct record_set *parents, size_t count)
{
	struct record_set orphans = tcaches_of_others(heap, heap->threads[0].tid);

	print_message("  %zu orphans with %zu chunks\n", heap->orphan_count, orphans.count);
	assert_int_equal(heap->orphan_count, count);
	assert_int_equal(orphans.count, parents->count);
	assert_int_equal(report_missing(heap, parents, &orphans, "missing"), 0);
	free(orphans.data);
}

/* Both sides of a fork, after the child has gone on. */
void oracle_check_fork(struct spawned *child, const struct session_options *options)
{
	pid_t grandchild = atoi(spawn_expect(child, "child "));
	struct session *session;
	struct heap *heap;

	assert_true(grandchild > 0);
	spawn_expect(child, "ready");
	read_heap(child->pid, options, &session, &heap);
	compare(session, heap);
	assert_int_equal(heap->orphan_count, 0);
	struct record_set left = tcaches_of_others(heap, child->pid);
	size_t others = heap->thread_count - 1;
	heap_destroy(heap);
	session_close(session);

	read_heap(grandchild, options, &session, &heap);
	assert_int_equal(heap->thread_count, 1);
	assert_null(session->orphans_unknown);
	compare(session, heap);
	compare_orphans(heap, &left, others);
	truth_check_audit(heap);
	heap_destroy(heap);
	session_close(session);
	free(left.data);
	end(child);
}

void oracle_check_program(struct spawned *child, const struct oracle_program *program,
			  const struct session_options *options)
{
	if (program->input)
		spawn_write(child, program->input);
	oracle_check_fixture(child, options);
	end(child);
}
