/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc/window.h"

#include <stdlib.h>

void window_init(struct window *window, struct memory *memory)
{
	*window = (struct window){
		.memory = memory,
		.limit = UINT64_MAX,
		.budget = UINT64_MAX,
		.piece = WINDOW_SIZE,
	};
}

void window_deinit(struct window *window)
{
	free(window->buffer);
}

/* How far it looks ahead for what is there. */
#define LOOK_AHEAD (UINT64_C(64) << 20)

/* Where to end what is read from start on, lest pages be read that are not there. */
static struct memtool_error *find_end(struct window *window, uint64_t start, uint64_t *ret)
{
	uint64_t page = align_down(start, PAGE);

	if (!range_contains(window->looked, page)) {
		uint64_t ahead =
			window->limit - page < LOOK_AHEAD ? window->limit - page : LOOK_AHEAD;
		struct range run;
		struct memtool_error *error = memory_find_present(
			window->memory, (struct range){ page, align_up(page + ahead, PAGE) }, &run);
		if (error)
			return error;
		window->looked = (struct range){ page, run.end };
		window->present = run.start;
	}
	*ret = page < window->present ? page + PAGE : window->looked.end;
	return NULL;
}

/* Onto a piece that was read ahead; *ret stays NULL if there is none with those bytes. */
static struct memtool_error *slide_ahead(struct window *window, uint64_t address, size_t length,
					 const uint8_t **ret)
{
	const uint8_t *bytes;
	struct range range;

	struct memtool_error *error =
		memory_take_ahead(window->memory, address, length, &range, &bytes);
	if (error || !bytes)
		return error;
	window->range = range;
	window->bytes = bytes;
	*ret = bytes + (address - range.start);
	return NULL;
}

/* Reads a piece that starts at address; ahead: those behind it are to be read ahead. */
static struct memtool_error *slide(struct window *window, uint64_t address, size_t length,
				   bool ahead, const uint8_t **ret)
{
	uint64_t start = align_down(address, 16);
	/* No page is read for a part of it, unless the piece is smaller than that. */
	uint64_t whole = align_down(start + window->piece, PAGE) - start, size = whole;
	size_t count = 0;
	uint64_t end;

	struct memtool_error *error = find_end(window, start, &end);
	if (error)
		return error;
	if (size > end - start)
		size = end - start;
	if (size < address - start + length)
		size = address - start + length;
	if (size > window->limit - start)
		size = window->limit - start;

	if (!window->buffer)
		window->buffer = malloc(WINDOW_SIZE);
	if (!window->buffer)
		return memtool_error_no_memory;
	error = memory_read_some(window->memory, start, window->buffer, size, &count);
	if (error)
		return error;
	window->range = (struct range){ start, start + count };
	window->bytes = window->buffer;
	if (ahead && count == whole)
		memory_read_ahead(
			window->memory,
			(struct range){ start + count - READ_AHEAD_OVERLAP, window->limit });
	/* A read that fails costs as much as a small one. */
	uint64_t cost = count > 4096 ? count : 4096;
	window->budget -= cost < window->budget ? cost : window->budget;
	if (range_covers(window->range, address, length))
		*ret = window->buffer + (address - start);
	return NULL;
}

struct memtool_error *window_slide(struct window *window, uint64_t address, size_t length,
				   const uint8_t **ret)
{
	bool ahead = window->ahead && window->piece == WINDOW_SIZE;
	struct memtool_error *error = NULL;

	*ret = NULL;
	if (address >= window->limit || length > window->limit - address || !window->budget)
		return NULL;
	window->range = (struct range){ 0 };
	if (ahead)
		error = slide_ahead(window, address, length, ret);
	if (error || *ret)
		return error;
	return slide(window, address, length, ahead, ret);
}
