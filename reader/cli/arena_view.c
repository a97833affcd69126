/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arena_view.h"

#include "cli/tally.h"

#include <stdio.h>
#include <stdlib.h>

static struct memtool_error *group_threads(const struct heap *heap, struct groups *ret)
{
	_cleanup_free_ uint32_t *arenas = calloc(heap->thread_count + 1, sizeof(*arenas));
	if (!arenas)
		return memtool_error_no_memory;
	for (size_t i = 0; i < heap->thread_count; i++)
		arenas[i] = heap->threads[i].arena;
	return groups_make(arenas, heap->thread_count, heap->arena_count, ret);
}

static struct memtool_error *group_segments(const struct heap *heap, struct groups *ret)
{
	_cleanup_free_ uint32_t *arenas = calloc(heap->segment_count + 1, sizeof(*arenas));
	if (!arenas)
		return memtool_error_no_memory;
	for (size_t i = 0; i < heap->segment_count; i++)
		arenas[i] = heap->segments[i].arena;
	return groups_make(arenas, heap->segment_count, heap->arena_count, ret);
}

struct memtool_error *arena_view_make(const struct heap *heap, struct arena_view *ret)
{
	_cleanup_arena_view_ struct arena_view view = { .heap = heap };

	struct memtool_error *error = group_threads(heap, &view.threads);
	if (error)
		return error;
	error = group_segments(heap, &view.segments);
	if (error)
		return error;
	*ret = view;
	view = (struct arena_view){ 0 };
	return NULL;
}

void arena_view_deinit(struct arena_view *view)
{
	groups_deinit(&view->threads);
	groups_deinit(&view->segments);
}

/* The item that ends where item begins, or NULL. */
static const struct chunk *item_below(const struct heap *heap, const struct chunk *item)
{
	if (item == heap->chunks || chunk_end(item - 1) != chunk_address(item))
		return NULL;
	return item - 1;
}

const struct chunk *arena_view_last_item(const struct arena_view *view, size_t index)
{
	const struct heap_arena *arena = &view->heap->arenas[index];
	const struct chunk *top = arena->top ? heap_find(view->heap, arena->top) : NULL;

	if (!top || top->state != CHUNK_TOP)
		return NULL;
	return item_below(view->heap, top);
}

const struct chunk *arena_view_hole_below(const struct arena_view *view, const struct chunk *item)
{
	const struct chunk *below = item_below(view->heap, item);

	if (!below || below->state < CHUNK_UNSORTED || below->state > CHUNK_LARGEBIN)
		return NULL;
	return below;
}

char *arena_view_threads_text(const struct arena_view *view, size_t index, size_t max)
{
	size_t count = groups_size(&view->threads, index);
	size_t length;
	char *text = NULL;

	FILE *stream = open_memstream(&text, &length);
	if (!stream)
		return NULL;
	for (size_t i = 0; i < count && i < max; i++) {
		uint32_t thread = groups_member(&view->threads, index, i);
		fprintf(stream, "%s%d", i ? ", " : "", (int)view->heap->threads[thread].tid);
	}
	if (count > max)
		fprintf(stream, " +%zu", count - max);
	if (fclose(stream) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

void tally_json(struct json *json, const char *name, struct tally tally)
{
	json_object(json, name);
	json_uint(json, "count", tally.count);
	json_uint(json, "bytes", tally.bytes);
	json_end(json);
}

void tally_states_json(struct json *json, const char *name, const struct tally *tally)
{
	json_object(json, name);
	for (unsigned int state = 0; state < CHUNK_STATES; state++)
		tally_json(json, chunk_state_name(state), tally[state]);
	json_end(json);
}

static void segments_json(const struct arena_view *view, size_t index, struct json *json)
{
	json_array(json, "segments");
	for (size_t i = 0; i < groups_size(&view->segments, index); i++) {
		const struct heap_segment *segment =
			&view->heap->segments[groups_member(&view->segments, index, i)];
		json_object(json, NULL);
		json_hex(json, "start", segment->range.start);
		json_hex(json, "end", segment->range.end);
		json_hex(json, "mapped_end", segment->mapped_end);
		json_uint(json, "chunks", segment->end_chunk - segment->first_chunk);
		json_end(json);
	}
	json_end(json);
}

static void last_item_json(const struct arena_view *view, size_t index, struct json *json)
{
	const struct chunk *last = arena_view_last_item(view, index);
	if (!last) {
		json_null(json, "below_top");
		return;
	}
	const struct chunk *hole = arena_view_hole_below(view, last);
	json_object(json, "below_top");
	json_hex(json, "address", chunk_address(last));
	json_uint(json, "size", chunk_size(last));
	json_string(json, "state", chunk_state_name(last->state));
	json_uint(json, "hole_below", hole ? chunk_size(hole) : 0);
	json_end(json);
}

void arena_view_json(const struct arena_view *view, size_t index, struct json *json)
{
	const struct heap_arena *arena = &view->heap->arenas[index];

	json_object(json, NULL);
	json_uint(json, "arena", index);
	json_hex(json, "address", arena->address);
	if (arena->top)
		json_hex(json, "top", arena->top);
	else
		json_null(json, "top");
	json_uint(json, "system_mem", arena->system_mem);
	json_uint(json, "max_system_mem", arena->max_system_mem);
	json_uint(json, "gap_bytes", arena->gap_bytes);
	json_uint(json, "attached_threads", arena->attached_threads);
	json_bool(json, "locked", arena->locked);
	json_bool(json, "noncontiguous", arena->noncontiguous);
	tally_json(json, "in_use", tally_live(arena->tally));
	tally_json(json, "free", tally_free(arena->tally));
	tally_states_json(json, "states", arena->tally);
	last_item_json(view, index, json);
	json_array(json, "threads");
	for (size_t i = 0; i < groups_size(&view->threads, index); i++) {
		uint32_t thread = groups_member(&view->threads, index, i);
		json_int(json, NULL, view->heap->threads[thread].tid);
	}
	json_end(json);
	segments_json(view, index, json);
	json_end(json);
}
