/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "cli/units.h"

#include <limits.h>
#include <string.h>

enum {
	OPTION_FORMAT = 256,
	OPTION_SOURCE,
	OPTION_LAYOUT,
	OPTION_LIBC,
	OPTION_NO_STOP,
	OPTION_SNAPSHOT,
	OPTION_MAX_PAUSE
};

struct session_options common_session_defaults;

static const struct argp_option output_argp_options[] = {
	{ "format", OPTION_FORMAT, "FORMAT", 0, "text (default), json, jsonl or csv", 0 },
	{ "output", 'o', "FILE", 0, "write to FILE instead of standard output", 0 },
	{ 0 },
};

static const struct argp_option target_argp_options[] = {
	{ "quiet", 'q', NULL, 0, "no notes on standard error; errors are still told", 0 },
	{ 0 },
};

static const struct argp_option common_argp_options[] = {
	{ "source", OPTION_SOURCE, "SOURCE", 0,
	  "where glibc's addresses are taken from: auto (default), inventory, symbols or structure",
	  0 },
	{ "layout", OPTION_LAYOUT, "LAYOUT", 0,
	  "how glibc's structs are known: auto (default), table or dwarf", 0 },
	{ "libc", OPTION_LIBC, "N", 0,
	  "where a process has several glibcs, as info lists them, the heap of that one; by "
	  "default "
	  "of the one that serves the program",
	  0 },
	{ "no-stop", OPTION_NO_STOP, NULL, 0,
	  "read while the process runs: what it changes meanwhile may come out torn, and is told",
	  0 },
	{ "snapshot", OPTION_SNAPSHOT, NULL, 0,
	  "read a copy that the kernel makes of the process as for fork, so that it stands still "
	  "no "
	  "longer than for that; for a moment its main thread is made to do it",
	  0 },
	{ "max-pause", OPTION_MAX_PAUSE, "MS", 0,
	  "stop the process for no longer than so many milliseconds in all, or take a snapshot, or "
	  "fail and stop nothing",
	  0 },
	{ 0 },
};

static const char *const formats[] = {
	[FORMAT_TEXT] = "text",
	[FORMAT_JSON] = "json",
	[FORMAT_JSONL] = "jsonl",
	[FORMAT_CSV] = "csv",
};

static const char *const sources[] = {
	[ROOT_UNKNOWN] = "auto",
	[ROOT_INVENTORY] = "inventory",
	[ROOT_SYMBOLS] = "symbols",
	[ROOT_STRUCTURE] = "structure",
};

static const char *const layouts[] = {
	[LAYOUT_AUTO] = "auto",
	[LAYOUT_TABLE] = "table",
	[LAYOUT_DWARF] = "dwarf",
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The index of text among names; ends the program with a usage error if it is none of them. */
static unsigned int parse_choice(const struct argp_state *state, const char *option,
				 const char *text, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, names[i]) == 0)
			return (unsigned int)i;
	argp_error(state, "there is no %s '%s'", option, text);
	return 0;
}

static void parse_pid(const struct argp_state *state, const char *text,
		      struct common_options *common)
{
	uint64_t value;

	if (common->pid)
		argp_error(state, "too many operands: '%s'", text);
	if (!units_parse_number(text, INT_MAX, &value) || value == 0)
		argp_error(state, "'%s' is not a process id", text);
	common->pid = (pid_t)value;
}

static error_t parse_output(int key, char *argument, struct argp_state *state)
{
	struct common_options *common = state->input;

	switch (key) {
	case OPTION_FORMAT:
		common->format =
			parse_choice(state, "format", argument, formats, ARRAY_SIZE(formats));
		return 0;
	case 'o':
		if (!*argument)
			argp_error(state, "the name of the output file is empty");
		common->output = argument;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp output_argp = {
	output_argp_options, parse_output, NULL, NULL, NULL, NULL, NULL
};

const struct argp_child output_children[] = {
	{ &output_argp, 0, NULL, 0 },
	{ 0 },
};

static error_t parse_target(int key, char *argument, struct argp_state *state)
{
	struct common_options *common = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		common->session = common_session_defaults;
		state->child_inputs[0] = common;
		return 0;
	case 'q':
		common->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		parse_pid(state, argument, common);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a process id is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp target_argp = { target_argp_options, parse_target, NULL, NULL,
					 output_children,     NULL,         NULL };

const struct argp_child target_children[] = {
	{ &target_argp, 0, "Common options:", 1 },
	{ 0 },
};

static void parse_libc(const struct argp_state *state, const char *text,
		       struct common_options *common)
{
	uint64_t value;

	if (!units_parse_number(text, UINT_MAX, &value) || value == 0)
		argp_error(state, "'%s' is not a number from 1 on", text);
	common->session.libc = (unsigned int)value;
}

static void parse_max_pause(const struct argp_state *state, const char *text,
			    struct common_options *common)
{
	uint64_t value;

	if (!units_parse_number(text, UINT_MAX, &value))
		argp_error(state, "'%s' is not a number of milliseconds", text);
	if (value == 0)
		argp_error(state, "a stop takes some time: --no-stop does without");
	common->session.max_pause_ns = value * UINT64_C(1000000);
}

static error_t parse_common(int key, char *argument, struct argp_state *state)
{
	struct common_options *common = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = common;
		return 0;
	case OPTION_SOURCE:
		common->session.source =
			parse_choice(state, "source", argument, sources, ARRAY_SIZE(sources));
		return 0;
	case OPTION_LAYOUT:
		common->session.layout =
			parse_choice(state, "layout", argument, layouts, ARRAY_SIZE(layouts));
		return 0;
	case OPTION_LIBC:
		parse_libc(state, argument, common);
		return 0;
	case OPTION_NO_STOP:
		common->session.no_stop = true;
		return 0;
	case OPTION_SNAPSHOT:
		common->session.snapshot = true;
		return 0;
	case OPTION_MAX_PAUSE:
		parse_max_pause(state, argument, common);
		return 0;
	case ARGP_KEY_END:
		if (common->session.snapshot && common->session.no_stop)
			argp_error(state, "--snapshot and --no-stop exclude each other");
		if (common->session.max_pause_ns && common->session.no_stop)
			argp_error(state, "--max-pause and --no-stop exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child common_argp_children[] = {
	{ &target_argp, 0, NULL, 0 },
	{ 0 },
};

static const struct argp common_argp = { common_argp_options,  parse_common, NULL, NULL,
					 common_argp_children, NULL,         NULL };

const struct argp_child common_children[] = {
	{ &common_argp, 0, "Common options:", 1 },
	{ 0 },
};

error_t common_parse_none(int key, char *argument __attribute__((__unused__)),
			  struct argp_state *state)
{
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;
	return 0;
}

static bool parse_state(const char *name, size_t length, uint32_t *states)
{
	for (unsigned int state = 0; state < CHUNK_STATES; state++) {
		const char *candidate = chunk_state_name(state);
		if (strlen(candidate) == length && memcmp(candidate, name, length) == 0) {
			*states |= UINT32_C(1) << state;
			return true;
		}
	}
	return false;
}

bool options_parse_states(const char *text, uint32_t *ret)
{
	uint32_t states = 0;

	for (;;) {
		size_t length = strcspn(text, ",");
		if (!parse_state(text, length, &states))
			return false;
		text += length;
		if (*text++ == '\0')
			break;
	}
	*ret = states;
	return true;
}
