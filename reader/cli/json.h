/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON (RFC 8259) as it goes along, holding nothing: lists have millions of rows.
 *
 * The writer sets commas and brackets; that names and values come in an order that makes sense is
 * the caller's part. name is the member's name inside an object, and NULL inside an array and for
 * the outermost value. Integers are written in full, though some readers keep only 53 bits of them;
 * addresses are therefore strings ("0x7f..").
 *
 *	struct json json = json_start(output, 1);
 *	json_object(&json, NULL);
 *	json_uint(&json, "pid", 4711);
 *	json_array(&json, "threads");
 *	...
 *	json_end(&json);
 *	json_end(&json);
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "cli/output.h"

#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32

struct json {
	struct output *output;
	unsigned int depth; /* of open containers */
	unsigned int line_depth; /* elements at this depth and above have a line each */
	/* Bit d: the container at depth d is an array; has an element already. */
	uint32_t arrays;
	uint32_t started;
};

/*
 * Elements of containers down to line_depth (the outermost container's are 1) get a line each, for
 * people and for diff; 0: all is one line. A newline ends the outermost value.
 */
struct json json_start(struct output *output, unsigned int line_depth);

void json_object(struct json *json, const char *name);
void json_array(struct json *json, const char *name);
/* Ends the innermost object or array. */
void json_end(struct json *json);

void json_uint(struct json *json, const char *name, uint64_t value);
void json_int(struct json *json, const char *name, int64_t value);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);
/* "0x55d0c8a012a0" */
void json_hex(struct json *json, const char *name, uint64_t value);
/* A string; bytes that are not UTF-8 are replaced. */
void json_string(struct json *json, const char *name, const char *value);
/* Milliseconds with decimals, of nanoseconds. */
void json_milliseconds(struct json *json, const char *name, uint64_t nanoseconds);

#endif
