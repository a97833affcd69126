/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena as it is shown: with its threads and its heaps (segments), which struct heap keeps in
 * lists of their own.
 */
#ifndef CLI_ARENA_VIEW_H
#define CLI_ARENA_VIEW_H

#include "cli/groups.h"
#include "cli/json.h"
#include "glibc/heap.h"

struct arena_view {
	const struct heap *heap;
	struct groups threads; /* by arena: indexes into heap->threads */
	struct groups segments; /* by arena: indexes into heap->segments */
};

struct memtool_error *arena_view_make(const struct heap *heap, struct arena_view *ret);

void arena_view_deinit(struct arena_view *view);

/*
 * The item right below top, which keeps top from growing downwards; NULL where there is none.
 * Free chunks of the bins merge with top, so this is one in use, or kept by a tcache or fastbin.
 */
const struct chunk *arena_view_last_item(const struct arena_view *view, size_t index);

/* The free chunk of a bin right below item, as it would merge with it; NULL where there is none. */
const struct chunk *arena_view_hole_below(const struct arena_view *view, const struct chunk *item);

/*
 * The tids of the arena's threads, the first few of them: "4711, 4712 +30". To be freed; or NULL.
 */
char *arena_view_threads_text(const struct arena_view *view, size_t index, size_t max);

/* The arena as an object. */
void arena_view_json(const struct arena_view *view, size_t index, struct json *json);

/* Count and bytes of each state: {"in-use": {"count": 3, "bytes": 96}}. */
void tally_states_json(struct json *json, const char *name, const struct tally *tally);
void tally_json(struct json *json, const char *name, struct tally tally);

#define _cleanup_arena_view_ _cleanup_(arena_view_deinit)

#endif
