/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/csv.h"

#include "cli/utf8.h"

#include <string.h>

struct csv csv_start(struct output *output, const char *columns)
{
	output_text(output, columns);
	output_char(output, '\n');
	return (struct csv){ .output = output };
}

static void begin_field(struct csv *csv)
{
	if (csv->in_row)
		output_char(csv->output, ',');
	csv->in_row = true;
}

void csv_uint(struct csv *csv, uint64_t value)
{
	begin_field(csv);
	output_decimal(csv->output, value);
}

void csv_hex(struct csv *csv, uint64_t value)
{
	begin_field(csv);
	output_hex(csv->output, value);
}

void csv_bool(struct csv *csv, bool value)
{
	csv_string(csv, value ? "true" : "false");
}

/*
 * CSV has no escapes: what terminals act on becomes U+FFFD. Tabs and line ends move no cursor to
 * where it should not be.
 */
static void write_escaped(struct output *output, const char *text)
{
	uint32_t code;

	for (size_t length; *text; text += length) {
		length = utf8_decode(text, &code);
		if (length == 0 || utf8_is_control(code)) {
			output_text(output, UTF8_REPLACEMENT);
			length = length ? length : 1;
			continue;
		}
		if (code == '"')
			output_char(output, '"');
		output_write(output, text, length);
	}
}

void csv_string(struct csv *csv, const char *value)
{
	const char *quote = strpbrk(value, ",\"\r\n") ? "\"" : "";

	begin_field(csv);
	output_text(csv->output, quote);
	write_escaped(csv->output, value);
	output_text(csv->output, quote);
}

void csv_milliseconds(struct csv *csv, uint64_t nanoseconds)
{
	begin_field(csv);
	output_milliseconds(csv->output, nanoseconds);
}

void csv_empty(struct csv *csv)
{
	begin_field(csv);
}

void csv_end_row(struct csv *csv)
{
	output_char(csv->output, '\n');
	csv->in_row = false;
}
