/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool string: the C string at an address, and its length.
 */
#include "cli/csv.h"
#include "cli/hex.h"
#include "cli/json.h"
#include "cli/place.h"
#include "cli/units.h"
#include "cli/utf8.h"

#include <inttypes.h>
#include <string.h>

#define LENGTH_MAX     (UINT64_C(16) << 20)
#define LENGTH_DEFAULT 4096
#define PIECE          4096

enum string_end { END_NUL, END_UNREADABLE, END_MAX_LENGTH };

struct settings {
	struct common_options common;
	struct place place;
	struct place_operands places; /* that one */
	uint64_t max_length;
	uint64_t address;
	char *text; /* length bytes, and a NUL byte */
	size_t length;
	enum string_end end;
};

static const char *end_name(enum string_end end)
{
	static const char *const names[] = {
		[END_NUL] = "nul",
		[END_UNREADABLE] = "unreadable",
		[END_MAX_LENGTH] = "max-length",
	};
	return names[end];
}

/* Reads on, up to a NUL byte, to what cannot be read, or to the length asked for. */
static struct memtool_error *read_string(struct memory *memory, struct settings *settings)
{
	settings->end = END_MAX_LENGTH;
	while (settings->length < settings->max_length) {
		size_t wanted = settings->max_length - settings->length, count;
		if (wanted > PIECE)
			wanted = PIECE;
		char *text = realloc(settings->text, settings->length + wanted + 1);
		if (!text)
			return memtool_error_no_memory;
		settings->text = text;
		struct memtool_error *error =
			memory_read_some(memory, settings->address + settings->length,
					 text + settings->length, wanted, &count);
		if (error)
			return error;
		size_t before_nul = strnlen(text + settings->length, count);
		settings->length += before_nul;
		text[settings->length] = '\0';
		if (before_nul < count || count == 0) {
			settings->end = count ? END_NUL : END_UNREADABLE;
			return NULL;
		}
	}
	return NULL;
}

static struct memtool_error *find(struct inspection *inspection, void *settings_)
{
	struct settings *settings = settings_;
	struct memtool_error *error = place_find(&settings->place, inspection, &settings->address);

	if (!error)
		error = read_string(&inspection->process->memory, settings);
	if (!error && settings->length == 0 && settings->end == END_UNREADABLE)
		error = memtool_error_fault(settings->address, "a string");
	return error;
}

/* The letter behind the backslash, or 0. */
static char escape_of(char c)
{
	switch (c) {
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	case '"':
	case '\\':
		return c;
	default:
		return 0;
	}
}

/* As C writes it; what else is not printable is shown as \xNN. */
static void quoted_text(struct output *output, char *text)
{
	output_char(output, '"');
	while (*text) {
		size_t length = strcspn(text, "\n\r\t\"\\");
		char special = text[length];

		text[length] = '\0';
		utf8_write_printable(output, text);
		text[length] = special;
		text += length;
		if (special) {
			output_char(output, '\\');
			output_char(output, escape_of(special));
			text++;
		}
	}
	output_char(output, '"');
}

static struct memtool_error *write_text(const struct inspection *inspection
					__attribute__((__unused__)),
					const void *settings_, struct output *output)
{
	static const char *const notes[] = {
		[END_NUL] = "",
		[END_UNREADABLE] = ", then unreadable memory",
		[END_MAX_LENGTH] = ", and it goes on",
	};
	const struct settings *settings = settings_;

	quoted_text(output, settings->text);
	output_printf(output, " (%zu bytes%s)\n", settings->length, notes[settings->end]);
	return NULL;
}

static struct memtool_error *string_json(const struct inspection *inspection,
					 const struct settings *settings, struct json *json)
{
	_cleanup_free_ char *hex = hex_of_bytes((const uint8_t *)settings->text, settings->length);

	if (!hex)
		return memtool_error_no_memory;
	json_object(json, NULL);
	json_int(json, "pid", inspection->process->pid);
	json_hex(json, "address", settings->address);
	json_uint(json, "length", settings->length);
	json_string(json, "end", end_name(settings->end));
	json_string(json, "string", settings->text);
	json_string(json, "bytes", hex);
	json_end(json);
	return NULL;
}

static struct memtool_error *write_json(const struct inspection *inspection, const void *settings,
					struct output *output)
{
	struct json json = json_start(output, 1);

	return string_json(inspection, settings, &json);
}

static struct memtool_error *write_jsonl(const struct inspection *inspection, const void *settings,
					 struct output *output)
{
	struct json json = json_start(output, 0);

	return string_json(inspection, settings, &json);
}

static struct memtool_error *write_csv(const struct inspection *inspection
				       __attribute__((__unused__)),
				       const void *settings_, struct output *output)
{
	const struct settings *settings = settings_;
	struct csv csv = csv_start(output, "address,length,end,string");

	csv_hex(&csv, settings->address);
	csv_uint(&csv, settings->length);
	csv_string(&csv, end_name(settings->end));
	csv_string(&csv, settings->text);
	csv_end_row(&csv);
	return NULL;
}

enum { OPTION_MAX_LENGTH = 512 };

static const struct argp_option argp_options[] = {
	{ "max-length", OPTION_MAX_LENGTH, "BYTES", 0,
	  "look no further than that (4096 without this option, 16M at most)", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct settings *settings = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &settings->common;
		return 0;
	case OPTION_MAX_LENGTH:
		if (!units_parse_size(argument, &settings->max_length) ||
		    settings->max_length == 0 || settings->max_length > LENGTH_MAX)
			argp_error(state, "'%s' is not a length from 1 to 16M", argument);
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
		.doc = "Shows the C string at an address, and its length without the NUL byte."
		       "\v" PLACE_HELP " The process is not stopped. As text, what is not "
		       "printable is escaped; json has the bytes as hexadecimal digits, too. A "
		       "string may end where memory cannot be read, or at --max-length, which is "
		       "told; it is an error if nothing can be read.",
		.children = target_children,
	};
	static const struct inspect_answer answer = {
		.level = INSPECT_MEMORY,
		.find = find,
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	struct settings settings = { .max_length = LENGTH_DEFAULT };

	settings.places = (struct place_operands){ .data = &settings.place, .max = 1 };
	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	enum exit_status status = inspect_give(&answer, &settings.common);
	free(settings.text);
	return status;
}

const struct command command_string = { "string", "the C string at an address", run };
