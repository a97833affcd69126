/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/heap_shape.h"

#include <string.h>

static bool in_tcache(const struct chunk *chunk)
{
	return chunk->state == CHUNK_TCACHE || chunk->state == CHUNK_TCACHE_STRUCT;
}

static const char *check_chunk(const struct heap *heap, const struct chunk *chunk)
{
	if (chunk->state >= CHUNK_STATES)
		return "a chunk has no known state";
	if (chunk_size(chunk) == 0)
		return "a chunk has no size";
	if (heap_find(heap, chunk_address(chunk)) != chunk ||
	    heap_find(heap, chunk_end(chunk) - 1) != chunk)
		return "a chunk is not found by its addresses";
	if (chunk->arena == CHUNK_NO_ARENA) {
		if (chunk->state != CHUNK_MMAPPED && !in_tcache(chunk))
			return "a chunk that has no arena is not mmapped";
	} else if (chunk->arena >= heap->arena_count || chunk->state == CHUNK_MMAPPED) {
		return "a chunk is in no arena that there is";
	}
	if (in_tcache(chunk) != (chunk->thread != CHUNK_NO_THREAD))
		return "a chunk has a thread but is in no tcache, or the other way round";
	if (in_tcache(chunk) && chunk->thread >= heap->thread_count + heap->orphan_count)
		return "a chunk is of no thread that there is";
	return NULL;
}

static const char *check_chunks(const struct heap *heap)
{
	const char *wrong = NULL;

	for (size_t i = 0; i < heap->chunk_count && !wrong; i++) {
		if (i && chunk_end(&heap->chunks[i - 1]) > chunk_address(&heap->chunks[i]))
			return "chunks overlap or are not in order";
		wrong = check_chunk(heap, &heap->chunks[i]);
	}
	return wrong;
}

/* The chunks of a segment, which have to be its arena's and lie in it. */
static const char *check_segment(const struct heap *heap, const struct heap_segment *segment)
{
	if (segment->range.start >= segment->range.end || segment->arena >= heap->arena_count ||
	    segment->first_chunk > segment->end_chunk || segment->end_chunk > heap->chunk_count)
		return "a segment's bounds cannot be";
	for (uint64_t i = segment->first_chunk; i < segment->end_chunk; i++) {
		const struct chunk *chunk = &heap->chunks[i];
		if (!range_covers(segment->range, chunk_address(chunk), chunk_size(chunk)))
			return "a chunk reaches out of its segment";
		if (chunk->arena != segment->arena)
			return "a chunk is in a segment of another arena";
	}
	return NULL;
}

/* What the items of an arena leave of its segments is a gap. */
static const char *check_gaps(const struct heap *heap, uint32_t arena)
{
	uint64_t gaps = 0;

	for (size_t i = 0; i < heap->segment_count; i++) {
		const struct heap_segment *segment = &heap->segments[i];
		if (segment->arena != arena)
			continue;
		gaps += range_size(segment->range);
		for (uint64_t j = segment->first_chunk; j < segment->end_chunk; j++)
			gaps -= chunk_size(&heap->chunks[j]);
	}
	return gaps > heap->arenas[arena].gap_bytes ? "an arena has more gaps than it counts"
						    : NULL;
}

static const char *check_segments(const struct heap *heap)
{
	const char *wrong = NULL;

	for (size_t i = 0; i < heap->segment_count && !wrong; i++) {
		if (i && heap->segments[i - 1].range.end > heap->segments[i].range.start)
			return "segments overlap or are not in order";
		wrong = check_segment(heap, &heap->segments[i]);
	}
	for (size_t i = 0; i < heap->arena_count && !wrong; i++)
		wrong = check_gaps(heap, (uint32_t)i);
	return wrong;
}

static void add_to(struct tally *tally, const struct chunk *chunk)
{
	tally->count++;
	tally->bytes += chunk_size(chunk);
}

static const char *check_tallies(const struct heap *heap)
{
	struct tally all[CHUNK_STATES] = { { 0 } }, apart[CHUNK_STATES] = { { 0 } };

	for (size_t i = 0; i < heap->chunk_count; i++) {
		add_to(&all[heap->chunks[i].state], &heap->chunks[i]);
		if (heap->chunks[i].arena == CHUNK_NO_ARENA)
			add_to(&apart[heap->chunks[i].state], &heap->chunks[i]);
	}
	if (memcmp(all, heap->tally, sizeof(all)) != 0)
		return "the tallies are not the sums of the chunks";
	for (size_t i = 0; i < heap->arena_count; i++) {
		for (int state = 0; state < CHUNK_STATES; state++) {
			all[state].count -= heap->arenas[i].tally[state].count;
			all[state].bytes -= heap->arenas[i].tally[state].bytes;
		}
	}
	return memcmp(all, apart, sizeof(all)) ? "the tallies of the arenas do not add up" : NULL;
}

static const char *check_list(const struct heap *heap, const struct heap_list *list,
			      enum chunk_state state)
{
	if (list->owner >= (list->kind == LIST_TCACHE ? heap->thread_count + heap->orphan_count
						      : heap->arena_count))
		return "a list has no owner";
	if (list->first > heap->listed_count || list->count > heap->listed_count - list->first)
		return "a list reaches out of its array";
	for (uint32_t i = list->first; i < list->first + list->count; i++) {
		if (heap->listed[i] >= heap->chunk_count)
			return "a list holds a chunk that is not there";
		const struct chunk *chunk = &heap->chunks[heap->listed[i]];
		uint32_t bin;
		if (chunk->state != state || !heap_chunk_bin(chunk, &bin))
			return "a chunk in a list has another state";
		/* A list that took in what is not its own has said so. */
		if (heap->audit.ok && bin != list->bin)
			return "a chunk is in a list of another size";
		if ((heap->audit.ok || list->kind == LIST_TCACHE) &&
		    list->owner != (list->kind == LIST_TCACHE ? chunk->thread : chunk->arena))
			return "a chunk is in a list of another owner";
	}
	if (heap->audit.ok && list->counter >= 0 && list->counter != list->count)
		return "a list and its counter disagree, and the audit is content";
	return NULL;
}

static const char *check_lists(const struct heap *heap)
{
	static const enum chunk_state states[] = { [LIST_TCACHE] = CHUNK_TCACHE,
						   [LIST_FASTBIN] = CHUNK_FASTBIN,
						   [LIST_UNSORTED] = CHUNK_UNSORTED,
						   [LIST_SMALLBIN] = CHUNK_SMALLBIN,
						   [LIST_LARGEBIN] = CHUNK_LARGEBIN };
	uint64_t counts[CHUNK_STATES] = { 0 };
	const char *wrong = NULL;

	for (size_t i = 0; i < heap->list_count && !wrong; i++) {
		const struct heap_list *list = &heap->lists[i];
		wrong = check_list(heap, list, states[list->kind]);
		counts[states[list->kind]] += list->count;
	}
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]) && !wrong; i++) {
		if (counts[states[i]] != heap->tally[states[i]].count)
			wrong = "a chunk is in two lists, or in none";
	}
	return wrong;
}

static const char *check_findings(const struct audit *audit)
{
	uint64_t kept[AUDIT_KINDS] = { 0 };
	bool doubt = false;

	for (size_t i = 0; i < audit->findings.count; i++) {
		const struct audit_finding *finding = &audit->findings.data[i];
		size_t length = strnlen(finding->message, sizeof(finding->message));
		if (finding->kind >= AUDIT_KINDS || !length || length == sizeof(finding->message) ||
		    strchr(finding->message, '\n'))
			return "a finding says nothing";
		if (finding->doubt != (finding->kind < AUDIT_LOCKED))
			return "a finding is a doubt and should not be, or the other way round";
		kept[finding->kind]++;
		doubt = doubt || finding->doubt;
	}
	for (int kind = 0; kind < AUDIT_KINDS; kind++) {
		uint64_t counted = audit->counted[kind];
		if (kept[kind] != (counted < AUDIT_KEEP ? counted : AUDIT_KEEP))
			return "findings were lost";
	}
	return audit->ok == doubt ? "the audit's verdict is not that of its findings" : NULL;
}

/* A main arena's malloc_state is an item of it, but no part of what it got from the kernel. */
static bool arena_adds_up(const struct heap_arena *arena, bool is_main)
{
	uint64_t bytes = arena->gap_bytes;

	for (int state = 0; state < CHUNK_STATES; state++)
		bytes += arena->tally[state].bytes;
	if (is_main)
		bytes -= arena->tally[CHUNK_MALLOC_STATE].bytes;
	return bytes == arena->system_mem;
}

static const char *check_books(const struct heap *heap)
{
	if (!heap->audit.ok)
		return NULL;
	for (size_t i = 0; i < heap->arena_count; i++) {
		if (!arena_adds_up(&heap->arenas[i], i == 0))
			return "an arena does not add up, and the audit is content";
	}
	if (heap->mmapped_count != heap->params.n_mmaps)
		return "mmapped chunks are missing, and the audit is content";
	if (heap->tally[CHUNK_UNLISTED].count)
		return "a free chunk is in no list, and the audit is content";
	return NULL;
}

const char *heap_contradiction(const struct heap *heap)
{
	const char *(*const checks[])(const struct heap *) = { check_chunks, check_segments,
							       check_tallies, check_lists,
							       check_books };
	const char *wrong = check_findings(&heap->audit);

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !wrong; i++)
		wrong = checks[i](heap);
	return wrong;
}
