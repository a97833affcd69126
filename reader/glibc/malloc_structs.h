/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The structs of glibc's malloc field by field, as far as struct glibc_layout knows them.
 */
#ifndef GLIBC_MALLOC_STRUCTS_H
#define GLIBC_MALLOC_STRUCTS_H

#include "common/glibc_layout.h"
#include "support/struct_field.h"

enum malloc_struct {
	MALLOC_STRUCT_STATE, /* malloc_state: an arena */
	MALLOC_STRUCT_CHUNK,
	MALLOC_STRUCT_HEAP_INFO,
	MALLOC_STRUCT_PAR, /* malloc_par: mp_ */
	MALLOC_STRUCT_TCACHE, /* tcache_perthread_struct */
};

struct malloc_field {
	const char *name;
	const char *type; /* in C; of an element if it is an array */
	enum field_kind kind;
	uint16_t offset; /* GLIBC_ABSENT: this release has none */
	uint16_t size; /* of an element */
	uint16_t count; /* 0: not an array */
};

#define MALLOC_FIELDS_MAX 16

/* The fields in the order of their offsets in most releases; returns how many. */
size_t malloc_struct_fields(const struct glibc_layout *layout, enum malloc_struct which,
			    struct malloc_field ret[MALLOC_FIELDS_MAX]);

struct memtool_error *malloc_struct_describe(const struct glibc_layout *layout,
					     enum malloc_struct which, struct struct_type *ret);

#endif
