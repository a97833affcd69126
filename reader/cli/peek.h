/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool peek: what it was asked for, and its side that shows structs.
 *
 * peek_types.c knows what a struct is made of, peek_struct.c shows it; bytes and words are
 * cmd_peek.c's.
 */
#ifndef CLI_PEEK_H
#define CLI_PEEK_H

#include "cli/inspection.h"
#include "cli/parts.h"
#include "cli/place.h"
#include "support/struct_field.h"

struct peek_type;

/* One struct in the target. */
struct peek_image {
	uint64_t address;
	pid_t tid; /* whose TCB it is; 0 for anything else */
	struct parts parts;
};

DEFINE_ARRAY(peek_images, struct peek_image)

struct peek_settings {
	struct common_options common;
	struct place place;
	bool has_place;
	uint64_t length;
	bool words;
	bool demangle;
	struct parts parts;

	/* Of a struct; type is NULL for anything else. */
	const struct peek_type *type;
	const char *name; /* behind "struct" */
	pid_t tid; /* of tcbhead: this thread's alone; 0: all */
	const struct module *module; /* whose debug information has it; NULL for a known type */
	struct struct_type structure;
	struct peek_images images;
};

/* Whether an operand in front of the address is a type, or the name of one; it is taken then. */
bool peek_struct_operand(const char *argument, struct peek_settings *settings);

/* Whether all is there that is needed; argp_error() if not. */
void peek_struct_check(const struct argp_state *state, const struct peek_settings *settings);

extern const struct inspect_answer peek_struct_answer;

void peek_struct_deinit(struct peek_settings *settings);

/* "malloc_state", or what stands behind "struct". */
const char *peek_type_name(const struct peek_settings *settings);

/* Whether it is struct pthread, which each thread has one of. */
bool peek_type_is_tcb(const struct peek_type *type);

/* Fills in settings->structure and settings->module. */
struct memtool_error *peek_type_describe(struct inspection *inspection,
					 struct peek_settings *settings);

#endif
