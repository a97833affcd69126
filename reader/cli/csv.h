/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes CSV (RFC 4180): a header row, then rows of as many fields, one at a time.
 *
 * Lines end in a bare newline, as Unix tools want it. A field that does not apply is empty.
 */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include "cli/output.h"

#include <stdbool.h>
#include <stdint.h>

struct csv {
	struct output *output;
	bool in_row;
};

/* columns is the header row, ready to be written. */
struct csv csv_start(struct output *output, const char *columns);

void csv_uint(struct csv *csv, uint64_t value);
void csv_hex(struct csv *csv, uint64_t value);
void csv_bool(struct csv *csv, bool value);
/* Quoted where need be; bytes that are not UTF-8 are replaced. */
void csv_string(struct csv *csv, const char *value);
void csv_milliseconds(struct csv *csv, uint64_t nanoseconds);
void csv_empty(struct csv *csv);
void csv_end_row(struct csv *csv);

#endif
