/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool peek: the bytes at an address, as they are, as words with what each points to, or as a
 * struct (cli/peek_struct.c).
 */
#include "cli/address_view.h"
#include "cli/csv.h"
#include "cli/hex.h"
#include "cli/hex_dump.h"
#include "cli/json.h"
#include "cli/peek.h"
#include "cli/units.h"
#include "cli/utf8.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define LENGTH_MAX (UINT64_C(16) << 20)
#define WORD       8

static struct memtool_error *find(struct inspection *inspection, void *settings_)
{
	struct peek_settings *settings = settings_;
	uint64_t address;

	struct memtool_error *error = place_find(&settings->place, inspection, &address);
	if (error)
		return error;
	if (settings->length > UINT64_MAX - address)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "0x%" PRIx64 " and %" PRIu64 " bytes more go beyond "
					    "the end of the address space",
					    address, settings->length);
	error = parts_read(&inspection->process->memory, address, settings->length,
			   &settings->parts);
	if (!error && settings->parts.count == 1 && !settings->parts.data[0].bytes)
		error = memtool_error_create(MEMTOOL_ERROR_FAULT,
					     "nothing of the %" PRIu64 " bytes at 0x%" PRIx64
					     " in process %d can be read",
					     settings->length, address,
					     (int)inspection->process->pid);
	return error;
}

/* A word of the target, or the bytes that are left at the end of a part. */
struct word {
	uint64_t address;
	size_t length;
	const uint8_t *bytes;
	uint64_t value;
};

static struct word word_at(const struct part *part, size_t at)
{
	struct word word = { part->address + at, part->length - at, part->bytes + at, 0 };

	if (word.length > WORD)
		word.length = WORD;
	memcpy(&word.value, word.bytes, word.length);
	return word;
}

/* What the word points to; NULL for nothing. To be freed. */
static struct memtool_error *target_of(const struct inspection *inspection,
				       const struct peek_settings *settings,
				       const struct word *word, char **ret)
{
	*ret = NULL;
	return word->length < WORD
		       ? NULL
		       : address_brief(inspection, word->value, settings->demangle, ret);
}

static struct memtool_error *word_text(const struct inspection *inspection,
				       const struct peek_settings *settings,
				       const struct word *word, struct output *output)
{
	_cleanup_free_ char *target = NULL;
	struct memtool_error *error = target_of(inspection, settings, word, &target);

	if (error)
		return error;
	output_printf(output, "0x%012" PRIx64 "  %*s%0*" PRIx64 "  ", word->address,
		      (int)(2 * (WORD - word->length)), "", (int)(2 * word->length), word->value);
	hex_dump_ascii(output, word->bytes, word->length);
	if (target) {
		output_printf(output, "%*s", (int)(WORD - word->length + 2), "");
		utf8_write_printable(output, target);
	}
	output_char(output, '\n');
	return NULL;
}

static struct memtool_error *part_text(const struct inspection *inspection,
				       const struct peek_settings *settings,
				       const struct part *part, struct output *output)
{
	struct memtool_error *error = NULL;

	if (!part->bytes) {
		output_printf(output, "0x%012" PRIx64 "  not readable: %zu bytes\n", part->address,
			      part->length);
		return NULL;
	}
	if (!settings->words) {
		hex_dump(output, part->address, part->bytes, part->length);
		return NULL;
	}
	for (size_t at = 0; at < part->length && !error && !output_failed(output); at += WORD) {
		const struct word word = word_at(part, at);
		error = word_text(inspection, settings, &word, output);
	}
	return error;
}

static struct memtool_error *write_text(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct peek_settings *settings = settings_;
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < settings->parts.count && !error; i++)
		error = part_text(inspection, settings, &settings->parts.data[i], output);
	return error;
}

static struct memtool_error *word_json(const struct inspection *inspection,
				       const struct peek_settings *settings,
				       const struct word *word, struct json *json)
{
	_cleanup_free_ char *target = NULL;
	struct memtool_error *error = target_of(inspection, settings, word, &target);

	if (error)
		return error;
	json_object(json, NULL);
	json_hex(json, "address", word->address);
	json_uint(json, "length", word->length);
	json_hex(json, "value", word->value);
	if (target)
		json_string(json, "to", target);
	else
		json_null(json, "to");
	json_end(json);
	return NULL;
}

static struct memtool_error *words_json(const struct inspection *inspection,
					const struct peek_settings *settings,
					const struct part *part, struct json *json)
{
	struct memtool_error *error = NULL;

	for (size_t at = 0; part->bytes && at < part->length && !error; at += WORD) {
		const struct word word = word_at(part, at);
		error = word_json(inspection, settings, &word, json);
	}
	return error;
}

static struct memtool_error *part_json(const struct inspection *inspection,
				       const struct peek_settings *settings,
				       const struct part *part, struct json *json)
{
	_cleanup_free_ char *hex = part->bytes ? hex_of_bytes(part->bytes, part->length) : NULL;
	struct memtool_error *error = NULL;

	if (part->bytes && !hex)
		return memtool_error_no_memory;
	json_object(json, NULL);
	json_hex(json, "address", part->address);
	json_uint(json, "length", part->length);
	if (hex)
		json_string(json, "bytes", hex);
	else
		json_null(json, "bytes");
	if (settings->words) {
		json_array(json, "words");
		error = words_json(inspection, settings, part, json);
		json_end(json);
	}
	json_end(json);
	return error;
}

static struct memtool_error *write_json(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct peek_settings *settings = settings_;
	struct json json = json_start(output, settings->words ? 4 : 2);
	struct memtool_error *error = NULL;

	json_object(&json, NULL);
	json_int(&json, "pid", inspection->process->pid);
	json_hex(&json, "address", settings->parts.data[0].address);
	json_uint(&json, "length", settings->length);
	json_array(&json, "parts");
	for (size_t i = 0; i < settings->parts.count && !error; i++)
		error = part_json(inspection, settings, &settings->parts.data[i], &json);
	json_end(&json);
	json_end(&json);
	return error;
}

static struct memtool_error *write_jsonl(const struct inspection *inspection, const void *settings_,
					 struct output *output)
{
	const struct peek_settings *settings = settings_;
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < settings->parts.count && !error; i++) {
		struct json json = json_start(output, 0);
		error = part_json(inspection, settings, &settings->parts.data[i], &json);
	}
	return error;
}

static struct memtool_error *words_csv(const struct inspection *inspection,
				       const struct peek_settings *settings,
				       const struct part *part, struct csv *csv)
{
	for (size_t at = 0; part->bytes && at < part->length; at += WORD) {
		const struct word word = word_at(part, at);
		_cleanup_free_ char *target = NULL;
		struct memtool_error *error = target_of(inspection, settings, &word, &target);

		if (error)
			return error;
		csv_hex(csv, word.address);
		csv_uint(csv, word.length);
		csv_hex(csv, word.value);
		csv_string(csv, target ? target : "");
		csv_end_row(csv);
	}
	return NULL;
}

static struct memtool_error *part_csv(const struct part *part, struct csv *csv)
{
	_cleanup_free_ char *hex = part->bytes ? hex_of_bytes(part->bytes, part->length) : NULL;

	if (part->bytes && !hex)
		return memtool_error_no_memory;
	csv_hex(csv, part->address);
	csv_uint(csv, part->length);
	csv_string(csv, hex ? hex : "");
	csv_end_row(csv);
	return NULL;
}

static struct memtool_error *write_csv(const struct inspection *inspection, const void *settings_,
				       struct output *output)
{
	const struct peek_settings *settings = settings_;
	struct csv csv = csv_start(output, settings->words ? "address,length,value,to"
							   : "address,length,bytes");
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < settings->parts.count && !error; i++) {
		const struct part *part = &settings->parts.data[i];
		error = settings->words ? words_csv(inspection, settings, part, &csv)
					: part_csv(part, &csv);
	}
	return error;
}

enum { OPTION_THREAD = 512 };

static const struct argp_option argp_options[] = {
	{ "words", 'w', NULL, 0,
	  "as little-endian words of 8 bytes, each with the symbol, chunk or mapping it points "
	  "into",
	  0 },
	OPTION_DEMANGLE,
	{ "thread", OPTION_THREAD, "TID", 0, "tcbhead: of this thread alone", 0 },
	{ 0 },
};

static void parse_operand(struct argp_state *state, char *argument, struct peek_settings *settings)
{
	if (!settings->has_place && peek_struct_operand(argument, settings))
		return;
	if (!settings->has_place) {
		if (!place_parse(argument, &settings->place))
			argp_error(state, "'%s' is not an address", argument);
		settings->has_place = true;
		return;
	}
	if (settings->length || settings->type)
		argp_error(state, "too many operands: '%s'", argument);
	if (!units_parse_address(argument, &settings->length) &&
	    !units_parse_size(argument, &settings->length))
		argp_error(state, "'%s' is not a length, such as 64, 0x40 or 4K", argument);
	if (settings->length == 0 || settings->length > LENGTH_MAX)
		argp_error(state, "the length must be from 1 to 16M");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct peek_settings *settings = state->input;
	uint64_t number;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &settings->common;
		return 0;
	case 'w':
		settings->words = true;
		return 0;
	case 'C':
		settings->demangle = true;
		return 0;
	case OPTION_THREAD:
		if (!units_parse_number(argument, INT_MAX, &number) || number == 0)
			argp_error(state, "'%s' is not a thread id", argument);
		settings->tid = (pid_t)number;
		return 0;
	case ARGP_KEY_ARG:
		/* The first is the child's. */
		if (!settings->common.pid)
			return ARGP_ERR_UNKNOWN;
		parse_operand(state, argument, settings);
		return 0;
	case ARGP_KEY_END:
		if (settings->type)
			peek_struct_check(state, settings);
		else if (settings->tid)
			argp_error(state, "--thread goes with tcbhead");
		else if (settings->common.pid && !settings->length)
			argp_error(state, "an address and a length are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse,
		.args_doc = "PID ADDRESS LENGTH\nPID TYPE ADDRESS\nPID struct NAME ADDRESS",
		.doc = "Shows bytes of a process's memory, in hexadecimal and as ASCII, or the "
		       "fields of a struct there."
		       "\vTYPE is one of malloc_state, malloc_chunk, heap_info, malloc_par, "
		       "tcache, "
		       "tcbhead, link_map and r_debug, which need no debug information; tcbhead "
		       "without ADDRESS is that of every thread. NAME is any struct, union, class "
		       "or "
		       "typedef of one that the debug information of a module has, in C++ "
		       "SPACE::NAME. Each field is shown with its offset, size, type and value, "
		       "and "
		       "with what a pointer leads to.\n\n" PLACE_HELP
		       " LENGTH is in bytes, at most 16M. What cannot be read is "
		       "told in its place; only if nothing can, that is an error. The process is "
		       "not stopped, but for --words and structs, which need its heap; the options "
		       "--source, --layout and --no-stop are for these. json has the bytes as "
		       "hexadecimal "
		       "digits; jsonl and csv have a line for each part that could be read, or "
		       "not, and csv with --words one for each word; of structs jsonl has a line "
		       "for "
		       "each, csv one for each field.",
		.children = common_children,
	};
	struct inspect_answer answer = {
		.level = INSPECT_MEMORY,
		.find = find,
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	struct peek_settings settings = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	if (settings.words)
		answer.level = INSPECT_HEAP;
	enum exit_status status =
		inspect_give(settings.type ? &peek_struct_answer : &answer, &settings.common);
	parts_deinit(&settings.parts);
	peek_struct_deinit(&settings);
	return status;
}

const struct command command_peek = { "peek", "bytes at an address, or words and their targets",
				      run };
