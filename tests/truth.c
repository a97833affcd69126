/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/truth.h"

#include "support/cleanup.h"
#include "tests/heap_shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFFERENCES_SHOWN 20

struct truth {
	const struct heap *heap;
	struct memory *memory;
	bool *named; /* of heap->chunks: a line of the fixture says what it is */
	bool *thread_named;
	size_t facts;
	size_t differences;
};

void truth_must(struct memtool_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

void truth_read(pid_t pid, const struct session_options *options, struct session **ret_session,
		struct heap **ret)
{
	uint64_t stopped_ns = 0;

	truth_must(session_open(pid, options, ret_session));
	truth_must(session_read_heap(*ret_session, ret, &stopped_ns));
	assert_int_equal(stopped_ns > 0, !options->no_stop);
	if (options->source != ROOT_UNKNOWN) {
		assert_int_equal((*ret)->roots.main_arena.source, options->source);
		assert_int_equal((*ret)->roots.mp.source, options->source);
		assert_int_equal((*ret)->roots.tcache.source, options->source);
	}
	if (options->layout != LAYOUT_AUTO)
		assert_int_equal((*ret_session)->layout_source, options->layout);
}

static void differ(struct truth *truth, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));

static void differ(struct truth *truth, const char *format, ...)
{
	va_list arguments;
	char line[400];

	if (truth->differences++ >= DIFFERENCES_SHOWN)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	print_error("  %s\n", line);
}

static const struct heap_thread *find_thread(const struct heap *heap, pid_t tid)
{
	for (size_t i = 0; i < heap->thread_count; i++) {
		if (heap->threads[i].tid == tid)
			return &heap->threads[i];
	}
	return NULL;
}

static const char *describe(const struct chunk *chunk)
{
	static char texts[4][100];
	static unsigned int next;
	char *text = texts[next++ % 4];

	if (!chunk)
		return "nothing";
	snprintf(text, sizeof(texts[0]), "%s %#" PRIx64 "+%#" PRIx64 " (thread index %u)",
		 chunk_state_name(chunk->state), chunk_address(chunk), chunk_size(chunk),
		 (unsigned int)chunk->thread);
	return text;
}

/* The chunk whose user pointer is user, or NULL, which is a difference. */
static const struct chunk *find_user(struct truth *truth, uint64_t user)
{
	const struct chunk *chunk = heap_find(truth->heap, user - GLIBC_CHUNK_HDR_SZ);

	if (chunk && chunk_user(chunk) == user && !chunk_is_bare(chunk))
		return chunk;
	differ(truth, "user pointer %#" PRIx64 ": no such chunk, but %s", user, describe(chunk));
	return NULL;
}

static void check_chunk(struct truth *truth, const char *state, uint64_t user, uint64_t usable,
			pid_t tid)
{
	const struct heap *heap = truth->heap;
	const struct chunk *chunk = find_user(truth, user);
	const struct heap_thread *holder = find_thread(heap, tid);

	if (!chunk)
		return;
	truth->named[chunk - heap->chunks] = true;
	if (strcmp(chunk_state_name(chunk->state), state) != 0)
		differ(truth, "%#" PRIx64 " is %s, but memtool has %s", user, state,
		       describe(chunk));
	if (heap_usable_size(heap, chunk) != usable)
		differ(truth, "%#" PRIx64 " (%s): usable size is %" PRIu64 ", memtool has %" PRIu64,
		       user, state, usable, heap_usable_size(heap, chunk));
	if (tid && (!holder || chunk->thread != (uint64_t)(holder - heap->threads)))
		differ(truth, "%#" PRIx64 " is in the tcache of thread %d, but memtool has %s",
		       user, tid, describe(chunk));
	if (!tid && chunk->thread != CHUNK_NO_THREAD)
		differ(truth, "%#" PRIx64 " (%s) is in no tcache, but memtool has %s", user, state,
		       describe(chunk));
	if (chunk->state == CHUNK_MMAPPED && chunk->arena != CHUNK_NO_ARENA)
		differ(truth, "%#" PRIx64 " is mmapped, and yet in an arena", user);
}

static void check_bytes(struct truth *truth, uint64_t user, size_t length, unsigned char byte)
{
	_cleanup_free_ unsigned char *bytes = malloc(length + 1);
	_cleanup_error_ struct memtool_error *error = NULL;

	assert_non_null(bytes);
	error = memory_read(truth->memory, user, bytes, length, "a fixture's block");
	if (error) {
		differ(truth, "%s", error->message);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != byte) {
			differ(truth, "%#" PRIx64 "+%zu holds %#x, not %#x", user, i, bytes[i],
			       byte);
			return;
		}
	}
}

static void check_adjacent(struct truth *truth, uint64_t first, uint64_t second)
{
	const struct chunk *a = find_user(truth, first), *b = find_user(truth, second);

	if (a && b && (chunk_end(a) != chunk_address(b) || b != a + 1))
		differ(truth, "%s and %s are not side by side", describe(a), describe(b));
}

static void check_at(struct truth *truth, const char *state, uint64_t address)
{
	const struct chunk *chunk = heap_find(truth->heap, address);

	if (!chunk || strcmp(chunk_state_name(chunk->state), state) != 0)
		differ(truth, "at %#" PRIx64 " is %s, but memtool has %s", address, state,
		       describe(chunk));
}

static void check_dead(struct truth *truth, uint64_t address)
{
	const struct chunk *chunk = heap_find(truth->heap, address);

	if (chunk && chunk_is_live(chunk))
		differ(truth, "%#" PRIx64 " is nobody's, but memtool has %s", address,
		       describe(chunk));
}

static void check_thread(struct truth *truth, pid_t tid, bool arena, bool tcache)
{
	const struct heap_thread *thread = find_thread(truth->heap, tid);

	if (!thread) {
		differ(truth, "thread %d is missing", tid);
		return;
	}
	truth->thread_named[thread - truth->heap->threads] = true;
	if (!thread->fs_base)
		differ(truth, "thread %d has no fs_base", tid);
	if (arena != (thread->arena != CHUNK_NO_ARENA))
		differ(truth, "thread %d has %s arena, but memtool has %#x", tid,
		       arena ? "an" : "no", thread->arena);
	if (tcache != (thread->tcache != 0))
		differ(truth, "thread %d has %s tcache, but memtool has it at %#" PRIx64, tid,
		       tcache ? "a" : "no", thread->tcache);
}

static void check_arena(struct truth *truth, uint64_t user, pid_t tid)
{
	const struct chunk *chunk = heap_find(truth->heap, user);
	const struct heap_thread *thread = find_thread(truth->heap, tid);

	if (!chunk || !thread || chunk->arena != thread->arena ||
	    chunk->arena >= truth->heap->arena_count)
		differ(truth, "%s: its arena (%u) is not that of thread %d (%u)", describe(chunk),
		       chunk ? (unsigned int)chunk->arena : 0, tid, thread ? thread->arena : 0);
}

static void check_heaps(struct truth *truth, uint64_t user, uint64_t count)
{
	const struct chunk *chunk = heap_find(truth->heap, user);

	if (!chunk || chunk->arena >= truth->heap->arena_count ||
	    truth->heap->arenas[chunk->arena].segment_count != count)
		differ(truth, "%s: its arena has not %" PRIu64 " heaps", describe(chunk), count);
}

static void check_detached(struct truth *truth, uint64_t count)
{
	uint64_t found = 0;

	for (size_t i = 0; i < truth->heap->arena_count; i++)
		found += truth->heap->arenas[i].attached_threads == 0;
	if (found != count)
		differ(truth, "%" PRIu64 " arenas are nobody's, but memtool has %" PRIu64, count,
		       found);
}

/*
 * mallinfo2() has that from glibc's books, memtool from the chunks. From 2.43 on mremap_chunk() of
 * malloc/malloc.c enters 16 bytes too many each time.
 */
static uint64_t expected_hblkhd(const struct heap *heap, uint64_t theirs)
{
	uint64_t ours = heap_mallinfo(heap).hblkhd;

	return heap->layout.mmapped_header_apart && theirs > ours && (theirs - ours) % 16 == 0
		       ? ours
		       : theirs;
}

static void check_mallinfo(struct truth *truth, const char *numbers)
{
	struct heap_mallinfo ours = heap_mallinfo(truth->heap);
	uint64_t m[10];

	assert_int_equal(sscanf(numbers,
				"%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64
				"%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64,
				&m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &m[6], &m[7], &m[8],
				&m[9]),
			 10);
	m[4] = expected_hblkhd(truth->heap, m[4]);
	const struct {
		const char *name;
		uint64_t theirs, ours;
	} members[] = { { "arena", m[0], ours.arena },       { "ordblks", m[1], ours.ordblks },
			{ "smblks", m[2], ours.smblks },     { "hblks", m[3], ours.hblks },
			{ "hblkhd", m[4], ours.hblkhd },     { "usmblks", m[5], 0 },
			{ "fsmblks", m[6], ours.fsmblks },   { "uordblks", m[7], ours.uordblks },
			{ "fordblks", m[8], ours.fordblks }, { "keepcost", m[9], ours.keepcost } };
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (members[i].theirs != members[i].ours)
			differ(truth, "mallinfo2: %s is %" PRIu64 ", memtool has %" PRIu64,
			       members[i].name, members[i].theirs, members[i].ours);
	}
}

void truth_check_mallinfo(const char *numbers, const struct heap *heap)
{
	struct truth truth = { .heap = heap };

	check_mallinfo(&truth, numbers);
	if (truth.differences)
		fail_msg("%zu differences from mallinfo2()", truth.differences);
}

static void check_line(struct truth *truth, const char *line)
{
	char word[24];
	uint64_t a = 0, b = 0;
	int c = 0;

	truth->facts++;
	if (sscanf(line, "chunk %23s %" SCNx64 " %" SCNu64 " %d", word, &a, &b, &c) == 4)
		check_chunk(truth, word, a, b, c);
	else if (sscanf(line, "bytes %" SCNx64 " %" SCNu64 " %d", &a, &b, &c) == 3)
		check_bytes(truth, a, b, (unsigned char)c);
	else if (sscanf(line, "adjacent %" SCNx64 " %" SCNx64, &a, &b) == 2)
		check_adjacent(truth, a, b);
	else if (sscanf(line, "at %23s %" SCNx64, word, &a) == 2)
		check_at(truth, word, a);
	else if (sscanf(line, "dead %" SCNx64, &a) == 1)
		check_dead(truth, a);
	else if (sscanf(line, "thread %d", &c) == 1)
		check_thread(truth, c, true, true);
	else if (sscanf(line, "uncached %d", &c) == 1)
		check_thread(truth, c, true, false);
	else if (sscanf(line, "idle %d", &c) == 1)
		check_thread(truth, c, false, false);
	else if (sscanf(line, "arena %" SCNx64 " %d", &a, &c) == 2)
		check_arena(truth, a, c);
	else if (sscanf(line, "heaps %" SCNx64 " %" SCNu64, &a, &b) == 2)
		check_heaps(truth, a, b);
	else if (sscanf(line, "detached %" SCNu64, &a) == 1)
		check_detached(truth, a);
	else if (sscanf(line, "arenas %" SCNu64, &a) == 1 && a != truth->heap->arena_count)
		differ(truth, "there are %" PRIu64 " arenas, memtool has %zu", a,
		       truth->heap->arena_count);
	else if (strncmp(line, "mallinfo2 ", 10) == 0)
		check_mallinfo(truth, line + 10);
	else if (strncmp(line, "arenas ", 7) != 0 && strcmp(line, "ready") != 0)
		fail_msg("a fixture printed \"%s\"", line);
}

static void check_nothing_left_over(struct truth *truth)
{
	const struct heap *heap = truth->heap;

	for (size_t i = 0; i < heap->chunk_count; i++) {
		const struct chunk *chunk = &heap->chunks[i];
		if ((chunk_is_live(chunk) || chunk_is_free(chunk)) && !truth->named[i])
			differ(truth, "memtool has %s, of which the fixture knows nothing",
			       describe(chunk));
	}
	for (size_t i = 0; i < heap->thread_count; i++) {
		if (!truth->thread_named[i])
			differ(truth, "memtool has a thread %d, of which the fixture knows nothing",
			       heap->threads[i].tid);
	}
}

void truth_check(const char *text, const struct heap *heap, struct memory *memory)
{
	struct truth truth = { .heap = heap, .memory = memory };
	char *copy = strdup(text), *rest = NULL;

	truth.named = calloc(heap->chunk_count + 1, sizeof(bool));
	truth.thread_named = calloc(heap->thread_count + 1, sizeof(bool));
	assert_true(copy && truth.named && truth.thread_named);
	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		check_line(&truth, line);
	check_nothing_left_over(&truth);
	free(copy);
	free(truth.named);
	free(truth.thread_named);
	assert_true(truth.facts > 1);
	if (truth.differences)
		fail_msg("%zu differences from the truth", truth.differences);
}

void truth_check_shape(const struct heap *heap)
{
	const char *wrong = heap_contradiction(heap);

	if (wrong)
		fail_msg("%s", wrong);
}

void truth_check_audit(const struct heap *heap)
{
	bool doubt = false;

	for (size_t i = 0; i < heap->audit.findings.count; i++) {
		const struct audit_finding *finding = &heap->audit.findings.data[i];
		doubt = doubt || finding->doubt;
		print_error("  audit: %s\n", finding->message);
	}
	assert_int_equal(heap->audit.ok, !doubt);
	if (!heap->audit.ok)
		fail_msg("the audit found something");
}

void truth_check_fixture(struct spawned *child, const struct session_options *options)
{
	struct session *session;
	struct heap *heap;

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	truth_read(child->pid, options, &session, &heap);
	truth_check_shape(heap);
	truth_check(child->text, heap, &session->process->memory);
	truth_check_audit(heap);
	heap_destroy(heap);
	session_close(session);
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}
