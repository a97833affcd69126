/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool address: what is at some addresses.
 */
#include "cli/address_json.h"
#include "cli/csv.h"
#include "cli/mapping_view.h"
#include "cli/message.h"
#include "cli/place.h"
#include "cli/symbol_view.h"
#include "cli/utf8.h"

#include <inttypes.h>

struct settings {
	struct common_options common;
	struct place_operands places;
	bool demangle;
	struct address_view *views; /* as many */
	size_t view_count;
};

static struct memtool_error *find(struct inspection *inspection, void *settings_)
{
	struct settings *settings = settings_;
	struct memtool_error *error = NULL;
	uint64_t address;

	settings->views = calloc(settings->places.count, sizeof(*settings->views));
	if (!settings->views)
		return memtool_error_no_memory;
	while (settings->view_count < settings->places.count && !error) {
		error = place_find(&settings->places.data[settings->view_count], inspection,
				   &address);
		if (!error)
			error = address_view_make(inspection, address,
						  &settings->views[settings->view_count]);
		settings->view_count += !error;
	}
	return error;
}

/* "+16", "-8" or "" behind a base. */
static void offset_text(struct output *output, int64_t offset)
{
	if (offset)
		output_printf(output, "%+" PRId64, offset);
}

static void chunk_text(const struct heap *heap, const struct address_view *view,
		       struct output *output)
{
	const struct chunk *chunk = view->chunk;
	uint32_t bin;

	output_printf(output, "  chunk    0x%" PRIx64, chunk_address(chunk));
	offset_text(output, (int64_t)(view->address - chunk_address(chunk)));
	if (!chunk_is_bare(chunk)) {
		output_printf(output, ", user 0x%" PRIx64, chunk_user(chunk));
		offset_text(output, (int64_t)(view->address - chunk_user(chunk)));
	}
	output_printf(output, ": %s, %" PRIu64 " bytes", chunk_state_name(chunk->state),
		      chunk_size(chunk));
	if (chunk->arena != CHUNK_NO_ARENA)
		output_printf(output, ", arena %u", (unsigned int)chunk->arena);
	if (heap_chunk_bin(chunk, &bin))
		output_printf(output, ", bin %" PRIu32, bin);
	if (chunk->thread != CHUNK_NO_THREAD)
		output_printf(output, ", thread %d", (int)heap->threads[chunk->thread].tid);
	output_char(output, '\n');
}

static void symbol_text(const struct symbol *symbol, uint64_t address, bool demangled,
			struct output *output)
{
	_cleanup_free_ char *name = symbol_view_name(symbol, demangled, false);

	utf8_write_printable(output, name ? name : symbol->name);
	offset_text(output, (int64_t)(address - symbol->address));
	output_printf(output, " (%s", symbol_type_name(symbol->type));
	if (symbol->size)
		output_printf(output, ", %" PRIu64 " bytes", symbol->size);
	output_char(output, ')');
}

static void module_text(const struct address_view *view, bool demangled, struct output *output)
{
	if (view->has_symbol) {
		output_text(output, "  symbol   ");
		symbol_text(&view->symbol, view->address, demangled, output);
		output_char(output, '\n');
	}
	output_text(output, "  module   ");
	utf8_write_printable(output, view->module->name);
	offset_text(output, (int64_t)(view->address - view->module->bias));
	output_char(output, '\n');
}

static void block_text(const struct address_view *view, bool demangled, struct output *output)
{
	const struct thread_block *block = view->block;
	uint64_t offset = view->address - block->range.start;

	output_printf(output, "  thread   %d: ", (int)block->tid);
	if (!block->module) {
		output_text(output, "tcb");
		offset_text(output, (int64_t)offset);
	} else {
		output_text(output, "tls of ");
		utf8_write_printable(output, block->module->name);
		offset_text(output, (int64_t)offset);
	}
	if (view->has_variable) {
		output_text(output, ", ");
		symbol_text(&view->variable, offset, demangled, output);
	}
	output_char(output, '\n');
}

static void mapping_text(const struct mapping *mapping, struct output *output)
{
	output_printf(output, "  mapping  0x%" PRIx64 "-0x%" PRIx64 " %s", mapping->range.start,
		      mapping->range.end, mapping_permissions(mapping).text);
	if (*mapping->name) {
		output_char(output, ' ');
		utf8_write_printable(output, mapping->name);
	}
	output_text(output, mapping->deleted ? " (deleted)\n" : "\n");
}

static void view_text(const struct inspection *inspection, const struct address_view *view,
		      bool demangled, struct output *output)
{
	output_printf(output, "0x%" PRIx64 "\n", view->address);
	if (view->chunk)
		chunk_text(inspection->heap, view, output);
	if (*view->field)
		output_printf(output, "  field    %s\n", view->field);
	if (view->module)
		module_text(view, demangled, output);
	if (view->block)
		block_text(view, demangled, output);
	if (view->stack)
		output_printf(output, "  thread   %d: stack, sp%+" PRId64 " (sp 0x%" PRIx64 ")\n",
			      (int)view->stack->tid, (int64_t)(view->address - view->stack->sp),
			      view->stack->sp);
	if (view->mapping)
		mapping_text(view->mapping, output);
	else
		output_text(output, "  not mapped\n");
}

static struct memtool_error *write_text(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct settings *settings = settings_;

	for (size_t i = 0; i < settings->places.count; i++)
		view_text(inspection, &settings->views[i], settings->demangle, output);
	return NULL;
}

static struct memtool_error *write_json(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct settings *settings = settings_;
	struct json json = json_start(output, 2);

	json_object(&json, NULL);
	json_int(&json, "pid", inspection->process->pid);
	if (inspection->missing)
		json_string(&json, "heap_missing", inspection->missing->message);
	else
		json_null(&json, "heap_missing");
	json_milliseconds(&json, "stopped_ms", inspection->stopped_ns);
	json_array(&json, "addresses");
	for (size_t i = 0; i < settings->places.count; i++)
		address_json(inspection, &settings->views[i], settings->demangle, &json);
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct inspection *inspection, const void *settings_,
					 struct output *output)
{
	const struct settings *settings = settings_;

	for (size_t i = 0; i < settings->places.count; i++) {
		struct json json = json_start(output, 0);
		address_json(inspection, &settings->views[i], settings->demangle, &json);
	}
	return NULL;
}

static void empty_fields(struct csv *csv, unsigned int count)
{
	while (count-- > 0)
		csv_empty(csv);
}

static void chunk_csv(const struct address_view *view, struct csv *csv)
{
	const struct chunk *chunk = view->chunk;
	uint32_t bin;

	if (!chunk) {
		empty_fields(csv, 6);
		return;
	}
	csv_hex(csv, chunk_address(chunk));
	csv_hex(csv, chunk_user(chunk));
	csv_uint(csv, chunk_size(chunk));
	csv_string(csv, chunk_state_name(chunk->state));
	if (chunk->arena == CHUNK_NO_ARENA)
		csv_empty(csv);
	else
		csv_uint(csv, chunk->arena);
	if (heap_chunk_bin(chunk, &bin))
		csv_uint(csv, bin);
	else
		csv_empty(csv);
}

static void view_csv(const struct address_view *view, struct csv *csv)
{
	csv_hex(csv, view->address);
	if (view->mapping) {
		csv_hex(csv, view->mapping->range.start);
		csv_hex(csv, view->mapping->range.end);
		csv_string(csv, mapping_permissions(view->mapping).text);
		csv_string(csv, view->mapping->name);
	} else {
		empty_fields(csv, 4);
	}
	csv_string(csv, view->module ? view->module->name : "");
	if (view->has_symbol) {
		csv_string(csv, view->symbol.name);
		csv_uint(csv, view->address - view->symbol.address);
	} else {
		empty_fields(csv, 2);
	}
	chunk_csv(view, csv);
	csv_string(csv, view->field);
	if (view->block || view->stack)
		csv_uint(csv, (uint64_t)(view->block ? view->block->tid : view->stack->tid));
	else
		csv_empty(csv);
	csv_string(csv, view->stack                          ? "stack"
			: view->block && view->block->module ? "tls"
			: view->block                        ? "tcb"
							     : "");
	csv_end_row(csv);
}

static struct memtool_error *write_csv(const struct inspection *inspection
				       __attribute__((__unused__)),
				       const void *settings_, struct output *output)
{
	const struct settings *settings = settings_;
	struct csv csv = csv_start(output, "address,mapping_start,mapping_end,permissions,name,"
					   "module,symbol,symbol_offset,chunk,user,size,state,"
					   "arena,bin,field,thread,part");

	for (size_t i = 0; i < settings->places.count; i++)
		view_csv(&settings->views[i], &csv);
	return NULL;
}

static const struct argp_option argp_options[] = {
	OPTION_DEMANGLE,
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct settings *settings = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &settings->common;
		return 0;
	case 'C':
		settings->demangle = true;
		return 0;
	default:
		return place_operands_parse(key, argument, state, &settings->common,
					    &settings->places);
	}
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse,
		.args_doc = "PID ADDRESS...",
		.doc = "Shows what is at some addresses: the chunk of the heap or the struct of "
		       "glibc's, the symbol and module, the thread whose stack, TLS or TCB it is, "
		       "and the mapping."
		       "\v" PLACE_HELP " One reading of the heap serves all of them. Where it has "
		       "no glibc heap, or that cannot be read, a note says so and the rest is "
		       "told. That nothing is mapped there is an answer too. jsonl and csv have a "
		       "line for each address.",
		.children = common_children,
	};
	static const struct inspect_answer answer = {
		.level = INSPECT_HEAP,
		.find = find,
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	_cleanup_free_ struct place *places = calloc((size_t)argc + 1, sizeof(*places));
	struct settings settings = { .places = { .data = places, .max = (size_t)argc } };

	if (!places) {
		message_error(memtool_error_no_memory);
		return STATUS_FAILED;
	}
	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	enum exit_status status = inspect_give(&answer, &settings.common);
	for (size_t i = 0; i < settings.view_count; i++)
		address_view_deinit(&settings.views[i]);
	free(settings.views);
	return status;
}

const struct command command_address = { "address", "what is at an address", run };
