/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool chunk: the chunk that contains an address: its header, its state, and what is in it.
 */
#include "cli/csv.h"
#include "cli/hex.h"
#include "cli/hex_dump.h"
#include "cli/json.h"
#include "cli/place.h"
#include "cli/units.h"

#include <inttypes.h>

#define LENGTH_DEFAULT 256
#define LENGTH_MAX     (UINT64_C(16) << 20)

struct settings {
	struct common_options common;
	struct place place;
	struct place_operands places; /* that one */
	uint64_t length; /* of the payload, at most */

	const struct chunk *chunk;
	bool has_header;
	uint64_t prev_size, size_field;
	uint64_t usable;
	uint8_t *payload; /* what could be read of it */
	size_t payload_length;
};

/* The process runs by now: these are the bytes of this moment. */
static struct memtool_error *read_bytes(struct inspection *inspection, struct settings *settings)
{
	struct memory *memory = &inspection->process->memory;
	uint64_t at = chunk_address(settings->chunk);
	size_t wanted = settings->usable < settings->length ? settings->usable : settings->length;
	struct memtool_error *error = NULL;

	if (settings->has_header) {
		error = memory_read_u64(memory, at, "a chunk's prev_size", &settings->prev_size);
		if (!error)
			error = memory_read_u64(memory, at + GLIBC_SIZE_SZ, "a chunk's size",
						&settings->size_field);
	}
	if (error || wanted == 0)
		return error;
	settings->payload = malloc(wanted);
	return settings->payload
		       ? memory_read_some(memory, chunk_user(settings->chunk), settings->payload,
					  wanted, &settings->payload_length)
		       : memtool_error_no_memory;
}

static struct memtool_error *find(struct inspection *inspection, void *settings_)
{
	struct settings *settings = settings_;
	uint64_t address;
	struct memtool_error *error = place_find(&settings->place, inspection, &address);

	if (error)
		return error;
	if (!inspection->heap)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED, "%s",
					    inspection->missing->message);
	settings->chunk = heap_find(inspection->heap, address);
	if (!settings->chunk)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "no chunk of process %d contains 0x%" PRIx64
					    "; memtool address %d 0x%" PRIx64 " tells what does",
					    (int)inspection->process->pid, address,
					    (int)inspection->process->pid, address);
	settings->has_header = !chunk_is_bare(settings->chunk);
	settings->usable = heap_usable_size(inspection->heap, settings->chunk);
	return read_bytes(inspection, settings);
}

/* Of the thread whose tcache has or is it; 0: none. */
static pid_t thread_of(const struct inspection *inspection, const struct chunk *chunk)
{
	return chunk->thread == CHUNK_NO_THREAD ? 0 : inspection->heap->threads[chunk->thread].tid;
}

/* Whether that is one that a fork did not take along. */
static bool is_orphan(const struct inspection *inspection, const struct chunk *chunk)
{
	return chunk->thread != CHUNK_NO_THREAD && inspection->heap->threads[chunk->thread].orphan;
}

static void flags_text(uint64_t size_field, struct output *output)
{
	if (size_field & GLIBC_PREV_INUSE)
		output_text(output, " PREV_INUSE");
	if (size_field & GLIBC_IS_MMAPPED)
		output_text(output, " IS_MMAPPED");
	if (size_field & GLIBC_NON_MAIN_ARENA)
		output_text(output, " NON_MAIN_ARENA");
}

static struct memtool_error *write_text(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct settings *settings = settings_;
	const struct chunk *chunk = settings->chunk;
	uint32_t bin;

	output_printf(output, "chunk      0x%" PRIx64 "\nstate      %s\nsize       %" PRIu64 "\n",
		      chunk_address(chunk), chunk_state_name(chunk->state), chunk_size(chunk));
	output_printf(output, "user       0x%" PRIx64 "\nusable     %" PRIu64 "\n",
		      chunk_user(chunk), settings->usable);
	if (chunk->arena != CHUNK_NO_ARENA)
		output_printf(output, "arena      %u\n", (unsigned int)chunk->arena);
	if (heap_chunk_bin(chunk, &bin))
		output_printf(output, "bin        %" PRIu32 "\n", bin);
	if (thread_of(inspection, chunk))
		output_printf(output, "thread     %d\n", (int)thread_of(inspection, chunk));
	else if (is_orphan(inspection, chunk))
		output_text(output, "thread     gone: a fork did not take it along\n");
	if (settings->has_header) {
		output_printf(output, "prev_size  0x%" PRIx64 "\nsize field 0x%" PRIx64,
			      settings->prev_size, settings->size_field);
		flags_text(settings->size_field, output);
		output_char(output, '\n');
	}
	output_char(output, '\n');
	hex_dump(output, chunk_user(chunk), settings->payload, settings->payload_length);
	if (settings->payload_length < settings->usable)
		output_printf(output, "%" PRIu64 " bytes more\n",
			      settings->usable - settings->payload_length);
	return NULL;
}

static void header_json(const struct settings *settings, struct json *json)
{
	if (!settings->has_header) {
		json_null(json, "header");
		return;
	}
	json_object(json, "header");
	json_hex(json, "prev_size", settings->prev_size);
	json_hex(json, "size", settings->size_field);
	json_bool(json, "prev_inuse", settings->size_field & GLIBC_PREV_INUSE);
	json_bool(json, "is_mmapped", settings->size_field & GLIBC_IS_MMAPPED);
	json_bool(json, "non_main_arena", settings->size_field & GLIBC_NON_MAIN_ARENA);
	json_end(json);
}

static struct memtool_error *chunk_json(const struct inspection *inspection,
					const struct settings *settings, unsigned int lines,
					struct output *output)
{
	const struct chunk *chunk = settings->chunk;
	_cleanup_free_ char *hex = hex_of_bytes(settings->payload, settings->payload_length);
	struct json json = json_start(output, lines);
	uint32_t bin;

	if (!hex)
		return memtool_error_no_memory;
	json_object(&json, NULL);
	json_int(&json, "pid", inspection->process->pid);
	json_hex(&json, "address", chunk_address(chunk));
	json_hex(&json, "user", chunk_user(chunk));
	json_uint(&json, "size", chunk_size(chunk));
	json_uint(&json, "usable", settings->usable);
	json_string(&json, "state", chunk_state_name(chunk->state));
	if (chunk->arena != CHUNK_NO_ARENA)
		json_uint(&json, "arena", chunk->arena);
	else
		json_null(&json, "arena");
	if (thread_of(inspection, chunk))
		json_int(&json, "thread", thread_of(inspection, chunk));
	else if (is_orphan(inspection, chunk))
		json_bool(&json, "orphan", true);
	if (heap_chunk_bin(chunk, &bin))
		json_uint(&json, "bin", bin);
	header_json(settings, &json);
	json_string(&json, "bytes", hex);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_json(const struct inspection *inspection, const void *settings,
					struct output *output)
{
	return chunk_json(inspection, settings, 1, output);
}

static struct memtool_error *write_jsonl(const struct inspection *inspection, const void *settings,
					 struct output *output)
{
	return chunk_json(inspection, settings, 0, output);
}

static void number_or_empty(struct csv *csv, bool is_there, uint64_t value)
{
	if (is_there)
		csv_uint(csv, value);
	else
		csv_empty(csv);
}

static void hex_or_empty(struct csv *csv, bool is_there, uint64_t value)
{
	if (is_there)
		csv_hex(csv, value);
	else
		csv_empty(csv);
}

static struct memtool_error *write_csv(const struct inspection *inspection, const void *settings_,
				       struct output *output)
{
	const struct settings *settings = settings_;
	const struct chunk *chunk = settings->chunk;
	_cleanup_free_ char *hex = hex_of_bytes(settings->payload, settings->payload_length);
	struct csv csv = csv_start(output, "address,user,size,usable,state,arena,thread,bin,"
					   "prev_size,size_field,bytes");
	pid_t tid = thread_of(inspection, chunk);
	uint32_t bin = 0;

	if (!hex)
		return memtool_error_no_memory;
	csv_hex(&csv, chunk_address(chunk));
	csv_hex(&csv, chunk_user(chunk));
	csv_uint(&csv, chunk_size(chunk));
	csv_uint(&csv, settings->usable);
	csv_string(&csv, chunk_state_name(chunk->state));
	number_or_empty(&csv, chunk->arena != CHUNK_NO_ARENA, chunk->arena);
	number_or_empty(&csv, tid != 0, (uint64_t)tid);
	bool has_bin = heap_chunk_bin(chunk, &bin);
	number_or_empty(&csv, has_bin, bin);
	hex_or_empty(&csv, settings->has_header, settings->prev_size);
	hex_or_empty(&csv, settings->has_header, settings->size_field);
	csv_string(&csv, hex);
	csv_end_row(&csv);
	return NULL;
}

static const struct argp_option argp_options[] = {
	{ "length", 'l', "BYTES", 0, "show so much of what is in it, instead of 256 bytes", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct settings *settings = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &settings->common;
		return 0;
	case 'l':
		if (!units_parse_size(argument, &settings->length) || settings->length > LENGTH_MAX)
			argp_error(state, "'%s' is not a length up to 16M", argument);
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
		.args_doc = "PID ADDRESS",
		.doc = "Shows the chunk that contains an address: its state, its header, and the "
		       "bytes in it."
		       "\v" PLACE_HELP " ADDRESS may be anywhere in the chunk. The process runs on "
		       "before header and bytes are read, so that they may be newer than the "
		       "state.",
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
	struct settings settings = { .length = LENGTH_DEFAULT };

	settings.places = (struct place_operands){ .data = &settings.place, .max = 1 };
	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	enum exit_status status = inspect_give(&answer, &settings.common);
	free(settings.payload);
	return status;
}

const struct command command_chunk = { "chunk", "one chunk, and what is in it", run };
