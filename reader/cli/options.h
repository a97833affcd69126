/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options and the operand that every command on one process shares, as an argp child.
 *
 * A command's settings begin with struct common_options; its own parser hands that to the child:
 *
 *	case ARGP_KEY_INIT:
 *		state->child_inputs[0] = &settings->common;
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "session.h"

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_JSONL, FORMAT_CSV, FORMATS };

struct common_options {
	pid_t pid;
	enum format format;
	struct session_options session;
	const char *output; /* NULL: standard output */
	bool quiet;
};

extern const struct argp_child common_children[];

/* What a command's settings begin with: all 0, unless the shell has a target that it holds. */
extern struct session_options common_session_defaults;

/* Of these, the operand and the ones about output: for a command that reads no heap. */
extern const struct argp_child target_children[];

/* The ones about output alone: for a command that is not on one process. */
extern const struct argp_child output_children[];

/* An option of commands that show names of symbols. */
#define OPTION_DEMANGLE                                                               \
	{                                                                             \
		"demangle", 'C', NULL, 0,                                             \
			"show C++, Rust and Swift names as they are in the source", 0 \
	}

/* What a command without options of its own needs; doc is its help, as of struct argp. */
#define COMMON_ARGP(doc_)                                                           \
	{                                                                           \
		NULL, common_parse_none, "PID", (doc_), common_children, NULL, NULL \
	}
/* The same, with target_children. */
#define TARGET_ARGP(doc_)                                                           \
	{                                                                           \
		NULL, common_parse_none, "PID", (doc_), target_children, NULL, NULL \
	}
error_t common_parse_none(int key, char *argument, struct argp_state *state);

/*
 * Whether text is a list of states ("tcache,fastbin"); *ret has bit 1 << enum chunk_state of each.
 */
bool options_parse_states(const char *text, uint32_t *ret);

#endif
