/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/field_value.h"

#include "cli/hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BYTES_SHOWN 16 /* for people */

static uint64_t low_bits(unsigned int bits)
{
	return bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
}

uint64_t field_number(const struct struct_field *field, const uint8_t *bytes)
{
	unsigned int bits = field->bits ? field->bits : (unsigned int)(8 * field->size);
	uint64_t number = 0;

	if (field->size == 0 || field->size > sizeof(number) || field->kind == FIELD_CHARACTERS ||
	    field->kind == FIELD_BYTES)
		return 0;
	memcpy(&number, bytes, field->size);
	number = number >> field->first_bit & low_bits(bits);
	if (field->kind == FIELD_SIGNED && number >> (bits - 1) & 1)
		number |= ~low_bits(bits);
	return number;
}

static double float_of(const struct struct_field *field, const uint8_t *bytes)
{
	double wide;
	float narrow;

	if (field->size == sizeof(narrow)) {
		memcpy(&narrow, bytes, sizeof(narrow));
		return (double)narrow;
	}
	memcpy(&wide, bytes, sizeof(wide));
	return wide;
}

/* Up to the first NUL, as a C string. */
static char *characters_of(const struct struct_field *field, const uint8_t *bytes)
{
	return strndup((const char *)bytes, field->size);
}

/* The first of them, and a note of how many there are. */
static char *bytes_text(const struct struct_field *field, const uint8_t *bytes)
{
	bool all = field->size <= BYTES_SHOWN;
	_cleanup_free_ char *hex = hex_of_bytes(bytes, all ? field->size : BYTES_SHOWN);
	char *text = NULL;

	if (!hex || all)
		return no_cleanup_ptr(hex);
	return asprintf(&text, "%s... (%" PRIu64 " bytes)", hex, field->size) < 0 ? NULL : text;
}

static char *quoted_text(const struct struct_field *field, const uint8_t *bytes)
{
	_cleanup_free_ char *characters = characters_of(field, bytes);
	char *text = NULL;

	return !characters || asprintf(&text, "\"%s\"", characters) < 0 ? NULL : text;
}

char *field_text(const struct struct_field *field, const uint8_t *bytes)
{
	uint64_t number = field_number(field, bytes);
	char *text = NULL;
	int length;

	switch (field->kind) {
	case FIELD_CHARACTERS:
		return quoted_text(field, bytes);
	case FIELD_BYTES:
		return bytes_text(field, bytes);
	case FIELD_FLOAT:
		length = asprintf(&text, "%.17g", float_of(field, bytes));
		break;
	case FIELD_SIGNED:
		length = asprintf(&text, "%" PRId64, (int64_t)number);
		break;
	case FIELD_BOOL:
		return strdup(number ? "true" : "false");
	case FIELD_POINTER:
	case FIELD_HEX:
		length = asprintf(&text, "0x%" PRIx64, number);
		break;
	default:
		length = asprintf(&text, "%" PRIu64, number);
	}
	return length < 0 ? NULL : text;
}

/* What JSON has no form of its own for. */
static struct memtool_error *text_json(const char *name, char *text_, struct json *json)
{
	_cleanup_free_ char *text = text_;

	if (!text)
		return memtool_error_no_memory;
	json_string(json, name, text);
	return NULL;
}

struct memtool_error *field_json(const struct struct_field *field, const uint8_t *bytes,
				 const char *name, struct json *json)
{
	uint64_t number = field_number(field, bytes);

	switch (field->kind) {
	case FIELD_CHARACTERS:
		return text_json(name, characters_of(field, bytes), json);
	case FIELD_BYTES:
		return text_json(name, hex_of_bytes(bytes, field->size), json);
	case FIELD_FLOAT:
		return text_json(name, field_text(field, bytes), json);
	case FIELD_SIGNED:
		json_int(json, name, (int64_t)number);
		return NULL;
	case FIELD_BOOL:
		json_bool(json, name, number);
		return NULL;
	case FIELD_POINTER:
	case FIELD_HEX:
		json_hex(json, name, number);
		return NULL;
	default:
		json_uint(json, name, number);
		return NULL;
	}
}
