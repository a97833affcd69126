/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool chunks: every chunk, one after the other. There may be tens of millions, so rows are put
 * together by hand, right in the output's buffer.
 */
#include "cli/answer.h"
#include "cli/digits.h"
#include "cli/json.h"
#include "cli/units.h"

#include <string.h>

#define NONE UINT32_MAX

struct settings {
	struct common_options common;
	uint32_t states; /* bit 1 << enum chunk_state; 0: all */
	uint32_t arena; /* NONE: all */
	uint64_t min_size;
	uint64_t max_size;
	uint64_t limit;
};

/* What is told of one chunk. */
struct row {
	uint64_t address;
	uint64_t user;
	uint64_t size;
	uint64_t usable;
	const char *state;
	uint32_t arena; /* NONE where it does not apply, and so below */
	uint32_t tid;
	uint32_t bin;
	bool orphan; /* of the tcache of a thread that is gone, and has no tid */
};

static struct row make_row(const struct heap *heap, const struct chunk *chunk)
{
	const struct heap_thread *thread =
		chunk->thread == CHUNK_NO_THREAD ? NULL : &heap->threads[chunk->thread];
	uint32_t bin;

	return (struct row){
		.address = chunk_address(chunk),
		.user = chunk_user(chunk),
		.size = chunk_size(chunk),
		.usable = heap_usable_size(heap, chunk),
		.state = chunk_state_name(chunk->state),
		.arena = chunk->arena == CHUNK_NO_ARENA ? NONE : chunk->arena,
		.tid = !thread || thread->orphan ? NONE : (uint32_t)thread->tid,
		.bin = heap_chunk_bin(chunk, &bin) ? bin : NONE,
		.orphan = thread && thread->orphan,
	};
}

/* No row of any format is longer. */
#define ROW_MAX 320

static char *put_json_row(char *p, const struct row *row)
{
	p = put_literal(p, "{\"address\":\"");
	p = put_hex(p, row->address);
	p = put_literal(p, "\",\"user\":\"");
	p = put_hex(p, row->user);
	p = put_literal(p, "\",\"size\":");
	p = put_decimal(p, row->size);
	p = put_literal(p, ",\"usable\":");
	p = put_decimal(p, row->usable);
	p = put_literal(p, ",\"state\":\"");
	p = put_text(p, row->state, strlen(row->state));
	p = put_literal(p, "\",\"arena\":");
	p = row->arena == NONE ? put_literal(p, "null") : put_decimal(p, row->arena);
	if (row->tid != NONE) {
		p = put_literal(p, ",\"thread\":");
		p = put_decimal(p, row->tid);
	}
	if (row->bin != NONE) {
		p = put_literal(p, ",\"bin\":");
		p = put_decimal(p, row->bin);
	}
	if (row->orphan)
		p = put_literal(p, ",\"orphan\":true");
	*p++ = '}';
	return p;
}

static char *put_jsonl_row(char *p, const struct row *row)
{
	p = put_json_row(p, row);
	*p++ = '\n';
	return p;
}

/* Behind a comma; nothing for NONE. */
static char *put_csv_number(char *p, uint32_t value)
{
	*p++ = ',';
	return value == NONE ? p : put_decimal(p, value);
}

static char *put_csv_row(char *p, const struct row *row)
{
	p = put_hex(p, row->address);
	*p++ = ',';
	p = put_hex(p, row->user);
	*p++ = ',';
	p = put_decimal(p, row->size);
	*p++ = ',';
	p = put_decimal(p, row->usable);
	*p++ = ',';
	p = put_text(p, row->state, strlen(row->state));
	p = put_csv_number(p, row->arena);
	p = put_csv_number(p, row->tid);
	p = put_csv_number(p, row->bin);
	*p++ = '\n';
	return p;
}

/* Moves [start, p) to the right end of width columns, and puts a space behind. */
static char *align_right(char *start, char *p, size_t width)
{
	size_t length = (size_t)(p - start);

	if (length < width) {
		memmove(start + width - length, start, length);
		memset(start, ' ', width - length);
		p = start + width;
	}
	*p++ = ' ';
	return p;
}

static char *put_cell(char *p, uint32_t value, size_t width)
{
	return align_right(p, value == NONE ? put_literal(p, "-") : put_decimal(p, value), width);
}

#define TEXT_HEADER \
	"ADDRESS        USER                SIZE   USABLE STATE         ARENA  THREAD BIN\n"

static char *put_text_row(char *p, const struct row *row)
{
	size_t state_length = strlen(row->state);

	p = align_right(p, put_hex(p, row->address), 14);
	p = align_right(p, put_hex(p, row->user), 14);
	p = align_right(p, put_decimal(p, row->size), 9);
	p = align_right(p, put_decimal(p, row->usable), 8);
	p = put_text(p, row->state, state_length);
	memset(p, ' ', 14);
	p += state_length < 13 ? 14 - state_length : 1;
	p = put_cell(p, row->arena, 5);
	if (row->orphan)
		p = align_right(p, put_literal(p, "orphan"), 7);
	else
		p = put_cell(p, row->tid, 7);
	p = put_cell(p, row->bin, 3);
	p[-1] = '\n';
	return p;
}

static bool is_wanted(const struct settings *settings, const struct chunk *chunk)
{
	return (!settings->states || settings->states >> chunk->state & 1) &&
	       (settings->arena == NONE || settings->arena == chunk->arena) &&
	       chunk_size(chunk) >= settings->min_size && chunk_size(chunk) <= settings->max_size;
}

/* between is written between two rows. */
static void write_rows(const struct heap *heap, const struct settings *settings,
		       struct output *output, char *(*put_row)(char *, const struct row *),
		       const char *between)
{
	size_t between_length = strlen(between);
	uint64_t count = 0;

	for (size_t i = 0; i < heap->chunk_count && count < settings->limit; i++) {
		if (!is_wanted(settings, &heap->chunks[i]))
			continue;
		struct row row = make_row(heap, &heap->chunks[i]);
		char *p = output_reserve(output, ROW_MAX);
		if (count++ > 0)
			p = put_text(p, between, between_length);
		output_commit(output, put_row(p, &row));
		if (output_failed(output))
			break;
	}
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

static struct memtool_error *write_text(const struct reading *reading, const void *settings,
					struct output *output)
{
	output_text(output, TEXT_HEADER);
	write_rows(reading->heap, settings, output, put_text_row, "");
	return NULL;
}

static struct memtool_error *write_json(const struct reading *reading, const void *settings,
					struct output *output)
{
	struct json json = json_start(output, 1);

	json_object(&json, NULL);
	json_int(&json, "pid", reading->session->process->pid);
	json_array(&json, "chunks");
	output_char(output, '\n');
	write_rows(reading->heap, settings, output, put_json_row, ",\n");
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct reading *reading, const void *settings,
					 struct output *output)
{
	write_rows(reading->heap, settings, output, put_jsonl_row, "");
	return NULL;
}

static struct memtool_error *write_csv(const struct reading *reading, const void *settings,
				       struct output *output)
{
	output_text(output, "address,user,size,usable,state,arena,thread,bin\n");
	write_rows(reading->heap, settings, output, put_csv_row, "");
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
