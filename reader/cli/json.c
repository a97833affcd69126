/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include "cli/utf8.h"

#include <assert.h>

struct json json_start(struct output *output, unsigned int line_depth)
{
	return (struct json){ .output = output, .line_depth = line_depth };
}

/* The character behind the backslash of the short escapes, or 0. */
static char short_escape(uint32_t code)
{
	switch (code) {
	case '"':
	case '\\':
		return (char)code;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

static void write_code(struct output *output, const char *bytes, size_t length, uint32_t code)
{
	char escape = short_escape(code);

	if (escape) {
		output_char(output, '\\');
		output_char(output, escape);
	} else if (code < 0x20 || utf8_is_control(code)) {
		/* JSON needs only the first lot; terminals act on the others. */
		output_printf(output, "\\u%04x", (unsigned int)code);
	} else {
		output_write(output, bytes, length);
	}
}

static void write_string(struct output *output, const char *text)
{
	uint32_t code;

	output_char(output, '"');
	for (size_t length; *text; text += length) {
		length = utf8_decode(text, &code);
		if (length > 0) {
			write_code(output, text, length, code);
		} else {
			output_text(output, "\\ufffd");
			length = 1;
		}
	}
	output_char(output, '"');
}

static void write_line_start(struct json *json)
{
	if (json->depth > json->line_depth)
		return;
	output_char(json->output, '\n');
	for (unsigned int i = 0; i < json->depth; i++)
		output_char(json->output, '\t');
}

/* What comes in front of a value. */
static void start_element(struct json *json, const char *name)
{
	uint32_t bit = UINT32_C(1) << json->depth;

	if (json->started & bit)
		output_char(json->output, ',');
	json->started |= bit;
	if (json->depth > 0)
		write_line_start(json);
	if (name) {
		write_string(json->output, name);
		output_char(json->output, ':');
		if (json->depth <= json->line_depth)
			output_char(json->output, ' ');
	}
}

static void open_container(struct json *json, const char *name, bool array)
{
	start_element(json, name);
	output_char(json->output, array ? '[' : '{');
	assert(json->depth + 1 < JSON_DEPTH_MAX);
	uint32_t bit = UINT32_C(1) << ++json->depth;
	json->started &= ~bit;
	json->arrays = array ? json->arrays | bit : json->arrays & ~bit;
}

void json_object(struct json *json, const char *name)
{
	open_container(json, name, false);
}

void json_array(struct json *json, const char *name)
{
	open_container(json, name, true);
}

void json_end(struct json *json)
{
	assert(json->depth > 0);
	uint32_t bit = UINT32_C(1) << json->depth;
	bool lines = json->depth <= json->line_depth && json->started & bit;

	json->depth--;
	if (lines)
		write_line_start(json);
	output_char(json->output, json->arrays & bit ? ']' : '}');
	if (json->depth == 0)
		output_char(json->output, '\n');
}

void json_uint(struct json *json, const char *name, uint64_t value)
{
	start_element(json, name);
	output_decimal(json->output, value);
}

void json_int(struct json *json, const char *name, int64_t value)
{
	start_element(json, name);
	if (value < 0)
		output_char(json->output, '-');
	output_decimal(json->output, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	start_element(json, name);
	output_text(json->output, value ? "true" : "false");
}

void json_null(struct json *json, const char *name)
{
	start_element(json, name);
	output_text(json->output, "null");
}

void json_hex(struct json *json, const char *name, uint64_t value)
{
	start_element(json, name);
	output_char(json->output, '"');
	output_hex(json->output, value);
	output_char(json->output, '"');
}

void json_string(struct json *json, const char *name, const char *value)
{
	start_element(json, name);
	write_string(json->output, value);
}

void json_milliseconds(struct json *json, const char *name, uint64_t nanoseconds)
{
	start_element(json, name);
	output_milliseconds(json->output, nanoseconds);
}
