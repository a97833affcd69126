/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/hex_dump.h"

#include <inttypes.h>

#define ROW 16 /* bytes of a line */

void hex_dump_ascii(struct output *output, const uint8_t *bytes, size_t length)
{
	output_char(output, '|');
	for (size_t i = 0; i < length; i++)
		output_char(output, bytes[i] >= ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '.');
	output_char(output, '|');
}

static void row_text(uint64_t address, const uint8_t *bytes, size_t length, struct output *output)
{
	output_printf(output, "0x%012" PRIx64 "  ", address);
	for (size_t i = 0; i < ROW; i++) {
		if (i < length)
			output_printf(output, "%02x ", bytes[i]);
		else
			output_text(output, "   ");
		if (i == ROW / 2 - 1)
			output_char(output, ' ');
	}
	output_char(output, ' ');
	hex_dump_ascii(output, bytes, length);
	output_char(output, '\n');
}

void hex_dump(struct output *output, uint64_t address, const uint8_t *bytes, size_t length)
{
	for (size_t at = 0; at < length && !output_failed(output); at += ROW)
		row_text(address + at, bytes + at, length - at < ROW ? length - at : ROW, output);
}
