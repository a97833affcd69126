/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a struct of the target is made of, for showing: its innermost members, one after the other,
 * those of nested structs and the elements of arrays among them.
 */
#ifndef SUPPORT_STRUCT_FIELD_H
#define SUPPORT_STRUCT_FIELD_H

#include "support/array.h"
#include "support/error.h"

enum field_kind {
	FIELD_UNSIGNED,
	FIELD_SIGNED,
	FIELD_BOOL,
	FIELD_FLOAT, /* of 4 or 8 bytes */
	FIELD_POINTER,
	FIELD_HEX, /* an unsigned number that people read as hexadecimal */
	FIELD_CHARACTERS, /* an array of them */
	FIELD_BYTES, /* anything else, such as the elements that an array has beyond some */
};

struct struct_field {
	char *name; /* as in C: "next", "bins[3]", "u.pair.first" */
	char *type; /* "struct malloc_chunk *" */
	enum field_kind kind;
	uint64_t offset;
	uint64_t size; /* bytes; numbers and pointers have 8 at most */
	/* Of a bit-field: its bits, and the lowest of them in the size bytes. Else 0. */
	unsigned int bits;
	unsigned int first_bit;
};

DEFINE_ARRAY(struct_fields, struct struct_field)

/* A struct as a whole. */
struct struct_type {
	uint64_t size;
	struct struct_fields fields;
	bool cut; /* it has more fields than were wanted */
};

/* Ends the texts, too. */
void struct_type_deinit(struct struct_type *type);

/*
 * Appends a field; name and type are copied. False when out of memory.
 */
bool struct_type_add(struct struct_type *type, const struct struct_field *field);

#define _cleanup_struct_type_ _cleanup_(struct_type_deinit)

#endif
