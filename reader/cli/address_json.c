/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/address_json.h"

#include "cli/mapping_view.h"
#include "cli/symbol_view.h"

static void chunk_json(const struct heap *heap, const struct address_view *view, struct json *json)
{
	const struct chunk *chunk = view->chunk;
	uint32_t bin;

	if (!chunk) {
		json_null(json, "chunk");
		return;
	}
	json_object(json, "chunk");
	json_hex(json, "address", chunk_address(chunk));
	json_hex(json, "user", chunk_user(chunk));
	json_uint(json, "size", chunk_size(chunk));
	json_uint(json, "usable", heap_usable_size(heap, chunk));
	json_string(json, "state", chunk_state_name(chunk->state));
	if (chunk->arena == CHUNK_NO_ARENA)
		json_null(json, "arena");
	else
		json_uint(json, "arena", chunk->arena);
	if (chunk->thread != CHUNK_NO_THREAD)
		json_int(json, "thread", heap->threads[chunk->thread].tid);
	if (heap_chunk_bin(chunk, &bin))
		json_uint(json, "bin", bin);
	json_uint(json, "offset", view->address - chunk_address(chunk));
	json_int(json, "user_offset", (int64_t)(view->address - chunk_user(chunk)));
	json_end(json);
}

static void symbol_json(const struct symbol *symbol, uint64_t address, bool demangled,
			struct json *json)
{
	json_object(json, "symbol");
	json_string(json, "name", symbol->name);
	if (demangled) {
		_cleanup_free_ char *name = symbol_view_name(symbol, true, false);
		json_string(json, "demangled", name ? name : symbol->name);
	}
	if (symbol->version)
		json_string(json, "version", symbol->version);
	else
		json_null(json, "version");
	json_string(json, "type", symbol_type_name(symbol->type));
	json_uint(json, "size", symbol->size);
	json_uint(json, "offset", address - symbol->address);
	json_end(json);
}

static void module_json(const struct address_view *view, bool demangled, struct json *json)
{
	if (view->module) {
		json_object(json, "module");
		json_string(json, "name", view->module->name);
		json_uint(json, "offset", view->address - view->module->bias);
		json_end(json);
	} else {
		json_null(json, "module");
	}
	if (view->has_symbol)
		symbol_json(&view->symbol, view->address, demangled, json);
	else
		json_null(json, "symbol");
}

static void thread_json(const struct address_view *view, bool demangled, struct json *json)
{
	const struct thread_block *block = view->block;

	if (!block && !view->stack) {
		json_null(json, "thread");
		return;
	}
	json_object(json, "thread");
	json_int(json, "tid", block ? block->tid : view->stack->tid);
	if (!block) {
		json_string(json, "part", "stack");
		json_hex(json, "sp", view->stack->sp);
		json_int(json, "offset", (int64_t)(view->address - view->stack->sp));
	} else {
		uint64_t offset = view->address - block->range.start;
		json_string(json, "part", block->module ? "tls" : "tcb");
		json_uint(json, "offset", offset);
		if (block->module)
			json_string(json, "module", block->module->name);
		if (view->has_variable)
			symbol_json(&view->variable, offset, demangled, json);
	}
	json_end(json);
}

void address_json(const struct inspection *inspection, const struct address_view *view,
		  bool demangled, struct json *json)
{
	json_object(json, NULL);
	json_hex(json, "address", view->address);
	if (view->mapping) {
		json_object(json, "mapping");
		mapping_json(json, view->mapping);
		json_end(json);
	} else {
		json_null(json, "mapping");
	}
	module_json(view, demangled, json);
	chunk_json(inspection->heap, view, json);
	if (*view->field)
		json_string(json, "field", view->field);
	else
		json_null(json, "field");
	thread_json(view, demangled, json);
	json_end(json);
}
