/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/address_view.h"

#include "cli/symbol_view.h"
#include "symbols/symbol_at.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void address_view_deinit(struct address_view *view)
{
	symbol_deinit(&view->symbol);
	symbol_deinit(&view->variable);
}

static void take_chunk(const struct heap *heap, struct address_view *view)
{
	char field[ITEM_FIELD_MAX];

	view->chunk = heap_find(heap, view->address);
	if (!view->chunk)
		return;
	uint64_t offset = view->address - chunk_address(view->chunk);
	if (!item_field(heap, view->chunk, offset, field))
		return;
	switch (view->chunk->state) {
	case CHUNK_MALLOC_STATE:
		if (view->chunk->arena == 0)
			snprintf(view->field, sizeof(view->field), "main_arena.%s", field);
		else
			snprintf(view->field, sizeof(view->field), "malloc_state.%s", field);
		break;
	case CHUNK_HEAP_INFO:
		snprintf(view->field, sizeof(view->field), "heap_info.%s", field);
		break;
	default:
		snprintf(view->field, sizeof(view->field), "tcache.%s", field);
	}
}

/*
 * The thread whose stack pointer is in this mapping: of several, the one right below address, as
 * stacks grow downwards.
 */
static void take_stack(const struct inspection *inspection, struct address_view *view)
{
	const struct root_thread *best = NULL;

	for (size_t i = 0; i < inspection->threads.count; i++) {
		const struct root_thread *thread = &inspection->threads.data[i];
		if (!range_contains(view->mapping->range, thread->sp))
			continue;
		bool below = thread->sp <= view->address;
		bool best_below = best && best->sp <= view->address;
		if (!best || (below && (!best_below || thread->sp > best->sp)) ||
		    (!below && !best_below && thread->sp < best->sp))
			best = thread;
	}
	view->stack = best;
}

static struct memtool_error *take_symbol(const struct inspection *inspection,
					 struct address_view *view)
{
	struct module *module = modules_find(inspection->modules, view->address);

	view->module = module;
	return module ? symbol_at(module, view->address, &view->has_symbol, &view->symbol) : NULL;
}

static struct memtool_error *take_block(const struct inspection *inspection,
					struct address_view *view)
{
	view->block = thread_memory_at(&inspection->thread_memory, view->address);
	if (!view->block || !view->block->module)
		return NULL;
	return symbol_at_tls(view->block->module, view->address - view->block->range.start,
			     &view->has_variable, &view->variable);
}

struct memtool_error *address_view_make(const struct inspection *inspection, uint64_t address,
					struct address_view *ret)
{
	_cleanup_address_view_ struct address_view view = {
		.address = address,
		.mapping = maps_find(&inspection->maps, address),
	};
	struct memtool_error *error = NULL;

	if (view.mapping) {
		error = take_symbol(inspection, &view);
		if (!error)
			error = take_block(inspection, &view);
		if (inspection->heap)
			take_chunk(inspection->heap, &view);
		if (!view.chunk && !view.block)
			take_stack(inspection, &view);
	}
	if (error)
		return error;
	*ret = view;
	view = (struct address_view){ 0 };
	return NULL;
}

/* Offset as it is appended: "" or "+96". */
struct offset_text {
	char text[24];
};

static struct offset_text offset_of(uint64_t offset)
{
	struct offset_text text = { "" };

	if (offset)
		snprintf(text.text, sizeof(text.text), "+%" PRIu64, offset);
	return text;
}

static char *brief_symbol(const struct symbol *symbol, uint64_t offset, const char *behind,
			  pid_t tid, bool demangled)
{
	_cleanup_free_ char *name = symbol_view_name(symbol, demangled, false);
	char *text = NULL;
	int length;

	if (!name)
		return NULL;
	if (tid)
		length = asprintf(&text, "%s%s%s %d", name, offset_of(offset).text, behind,
				  (int)tid);
	else
		length = asprintf(&text, "%s%s", name, offset_of(offset).text);
	return length < 0 ? NULL : text;
}

static char *brief_block(const struct address_view *view, bool demangled)
{
	uint64_t offset = view->address - view->block->range.start;
	const char *slash;
	char *text;
	int length;

	if (view->has_variable)
		return brief_symbol(&view->variable, offset - view->variable.address, " of thread",
				    view->block->tid, demangled);
	if (!view->block->module) {
		length = asprintf(&text, "tcb%s of thread %d", offset_of(offset).text,
				  (int)view->block->tid);
		return length < 0 ? NULL : text;
	}
	slash = strrchr(view->block->module->name, '/');
	length = asprintf(&text, "tls of %s%s of thread %d",
			  slash ? slash + 1 : view->block->module->name, offset_of(offset).text,
			  (int)view->block->tid);
	return length < 0 ? NULL : text;
}

static char *brief_chunk(const struct address_view *view)
{
	const struct chunk *chunk = view->chunk;
	uint64_t start = chunk_address(chunk);
	char *text;
	int length = asprintf(&text, "chunk 0x%" PRIx64 "%s %s %" PRIu64, start,
			      offset_of(view->address - start).text, chunk_state_name(chunk->state),
			      chunk_size(chunk));

	return length < 0 ? NULL : text;
}

static char *brief_mapping(const struct address_view *view)
{
	char *text;
	int length;

	if (view->stack)
		length = asprintf(&text, "stack of thread %d", (int)view->stack->tid);
	else if (view->mapping && *view->mapping->name)
		length = asprintf(&text, "%s%s", view->mapping->name,
				  offset_of(view->address - view->mapping->range.start).text);
	else if (view->mapping)
		length = asprintf(&text, "mapping 0x%" PRIx64 "%s", view->mapping->range.start,
				  offset_of(view->address - view->mapping->range.start).text);
	else
		return strdup("");
	return length < 0 ? NULL : text;
}

char *address_view_brief(const struct address_view *view, bool demangled)
{
	if (*view->field)
		return strdup(view->field);
	if (view->has_symbol)
		return brief_symbol(&view->symbol, view->address - view->symbol.address, "", 0,
				    demangled);
	if (view->block)
		return brief_block(view, demangled);
	return view->chunk ? brief_chunk(view) : brief_mapping(view);
}

struct memtool_error *address_brief(const struct inspection *inspection, uint64_t address,
				    bool demangled, char **ret)
{
	_cleanup_address_view_ struct address_view view = { 0 };

	if (!maps_find(&inspection->maps, address)) {
		*ret = NULL;
		return NULL;
	}
	struct memtool_error *error = address_view_make(inspection, address, &view);
	if (error)
		return error;
	char *text = address_view_brief(&view, demangled);
	if (!text)
		return memtool_error_no_memory;
	*ret = text;
	return NULL;
}
