/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool chunks: every chunk, one after the other.
 */
#include "cli/answer.h"
#include "cli/chunk_rows.h"
#include "cli/json.h"
#include "cli/units.h"

#define NONE UINT32_MAX

struct settings {
	struct common_options common;
	uint32_t states; /* bit 1 << enum chunk_state; 0: all */
	uint32_t arena; /* NONE: all */
	uint64_t min_size;
	uint64_t max_size;
	uint64_t limit;
};

static bool is_wanted(const struct chunk *chunk, const void *settings_)
{
	const struct settings *settings = settings_;

	return (!settings->states || settings->states >> chunk->state & 1) &&
	       (settings->arena == NONE || settings->arena == chunk->arena) &&
	       chunk_size(chunk) >= settings->min_size && chunk_size(chunk) <= settings->max_size;
}

static struct memtool_error *check_arena(const struct reading *reading, const void *settings_)
{
	const struct settings *settings = settings_;
	size_t count = reading->heap->arena_count;

	if (settings->arena == NONE || settings->arena < count)
		return NULL;
	return memtool_error_create(MEMTOOL_ERROR_INVALID,
				    "there is no arena %u: process %d has %zu, numbered from 0",
				    settings->arena, (int)reading->session->process->pid, count);
}

static void write_rows(const struct reading *reading, const void *settings_, enum format format,
		       struct output *output)
{
	const struct settings *settings = settings_;
	const struct chunk_selection selection = { is_wanted, settings, settings->limit };

	chunk_rows_write(reading->heap, &selection, format, output);
}

static struct memtool_error *write_text(const struct reading *reading, const void *settings,
					struct output *output)
{
	write_rows(reading, settings, FORMAT_TEXT, output);
	return NULL;
}

static struct memtool_error *write_json(const struct reading *reading, const void *settings,
					struct output *output)
{
	struct json json = json_start(output, 1);

	json_object(&json, NULL);
	json_int(&json, "pid", reading->session->process->pid);
	json_array(&json, "chunks");
	write_rows(reading, settings, FORMAT_JSON, output);
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct reading *reading, const void *settings,
					 struct output *output)
{
	write_rows(reading, settings, FORMAT_JSONL, output);
	return NULL;
}

static struct memtool_error *write_csv(const struct reading *reading, const void *settings,
				       struct output *output)
{
	write_rows(reading, settings, FORMAT_CSV, output);
	return NULL;
}

enum { OPTION_STATE = 512, OPTION_ARENA, OPTION_MIN_SIZE, OPTION_MAX_SIZE, OPTION_LIMIT };

static const struct argp_option argp_options[] = {
	{ "state", OPTION_STATE, "STATE,...", 0,
	  "only chunks of these states: in-use, mmapped, tcache, fastbin, unsorted, smallbin, "
	  "largebin, unlisted, top, fencepost, malloc-state, heap-info, tcache-struct",
	  0 },
	{ "arena", OPTION_ARENA, "N", 0, "only chunks of this arena; 0 is main_arena", 0 },
	{ "min-size", OPTION_MIN_SIZE, "BYTES", 0, "only chunks of this size or larger", 0 },
	{ "max-size", OPTION_MAX_SIZE, "BYTES", 0, "only chunks of this size or smaller", 0 },
	{ "limit", OPTION_LIMIT, "N", 0, "only the first N of them", 0 },
	{ 0 },
};

static void parse_size(const struct argp_state *state, const char *text, uint64_t *ret)
{
	if (!units_parse_size(text, ret))
		argp_error(state, "'%s' is not a size, such as 4096, 64K, 1M or 2G", text);
}

static void parse_number(const struct argp_state *state, const char *text, uint64_t max,
			 uint64_t *ret)
{
	if (!units_parse_number(text, max, ret))
		argp_error(state, "'%s' is not a number that fits here", text);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct settings *settings = state->input;
	uint64_t value = 0;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &settings->common;
		return 0;
	case OPTION_STATE:
		if (!options_parse_states(argument, &settings->states))
			argp_error(state, "'%s' is not a list of states", argument);
		return 0;
	case OPTION_ARENA:
		parse_number(state, argument, CHUNK_NO_ARENA - 1, &value);
		settings->arena = (uint32_t)value;
		return 0;
	case OPTION_MIN_SIZE:
		parse_size(state, argument, &settings->min_size);
		return 0;
	case OPTION_MAX_SIZE:
		parse_size(state, argument, &settings->max_size);
		return 0;
	case OPTION_LIMIT:
		parse_number(state, argument, UINT64_MAX, &settings->limit);
		return 0;
	case ARGP_KEY_END:
		if (settings->min_size > settings->max_size)
			argp_error(state, "--min-size is above --max-size");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse,
		.args_doc = "PID",
		.doc = "Shows every chunk of the heap, and glibc's own structs among them, by "
		       "address.\vSizes are those of the chunks, with their headers; BYTES may end "
		       "in K, M or G (powers of 1024). ADDRESS is the chunk's header, USER the "
		       "pointer that malloc returned, USABLE what malloc_usable_size() says, "
		       "THREAD "
		       "the id of the thread whose tcache has the chunk; it is an orphan's in a "
		       "child "
		       "of fork whose parent had that thread.",
		.children = common_children,
	};
	static const struct answer answer = {
		.check = check_arena,
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	struct settings settings = {
		.arena = NONE,
		.max_size = UINT64_MAX,
		.limit = UINT64_MAX,
	};

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	return answer_give(&answer, &settings.common);
}

const struct command command_chunks = { "chunks", "every chunk, with its state", run };
