/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of a struct's field, out of the bytes that the target has there.
 */
#ifndef CLI_FIELD_VALUE_H
#define CLI_FIELD_VALUE_H

#include "cli/json.h"
#include "support/struct_field.h"

/*
 * As a number: sign extended, of a bit-field its bits; 0 for a kind that is no number. bytes are
 * field->size, of the field.
 */
uint64_t field_number(const struct struct_field *field, const uint8_t *bytes);

/* For people and for CSV, to be freed; NULL when out of memory. */
char *field_text(const struct struct_field *field, const uint8_t *bytes);

/*
 * Numbers as such, pointers and what people read as hexadecimal as "0x..", characters as a string,
 * bytes as hexadecimal digits.
 */
struct memtool_error *field_json(const struct struct_field *field, const uint8_t *bytes,
				 const char *name, struct json *json);

#endif
