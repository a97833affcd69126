/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The summary of a heap, for people: what `memtool heap` shows in text.
 */
#ifndef CLI_HEAP_TEXT_H
#define CLI_HEAP_TEXT_H

#include "cli/arena_view.h"
#include "cli/heap_stats.h"
#include "cli/output.h"
#include "cli/reading.h"

struct memtool_error *heap_text(const struct reading *reading, const struct arena_view *view,
				const struct heap_stats *stats, struct output *output);

#endif
