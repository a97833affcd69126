/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool thread: one thread, and the chunks of its tcache and of its arena.
 */
#include "cli/answer.h"
#include "cli/chunk_rows.h"
#include "cli/json.h"
#include "cli/thread_rows.h"
#include "cli/units.h"

#include <limits.h>

struct settings {
	struct common_options common;
	pid_t tid;
};

/* NULL if there is none. */
static const struct heap_thread *find_thread(const struct heap *heap, pid_t tid)
{
	for (size_t i = 0; i < heap->thread_count; i++) {
		if (heap->threads[i].tid == tid)
			return &heap->threads[i];
	}
	return NULL;
}

static struct memtool_error *check(const struct reading *reading, const void *settings_)
{
	const struct settings *settings = settings_;

	if (find_thread(reading->heap, settings->tid))
		return NULL;
	return memtool_error_create(MEMTOOL_ERROR_INVALID, "process %d has no thread %d",
				    (int)reading->session->process->pid, (int)settings->tid);
}

struct owner {
	uint32_t thread; /* indexes, as in struct chunk */
	uint32_t arena;
};

/* What lies in another arena, as what it freed of others does, may be in its tcache. */
static bool is_its(const struct chunk *chunk, const void *owner_)
{
	const struct owner *owner = owner_;

	return chunk->thread == owner->thread ||
	       (chunk->arena == owner->arena && chunk->arena != CHUNK_NO_ARENA);
}

static void write_chunks(const struct heap *heap, const struct heap_thread *thread,
			 enum format format, struct output *output)
{
	const struct owner owner = { (uint32_t)(thread - heap->threads), thread->arena };
	const struct chunk_selection selection = { is_its, &owner, UINT64_MAX };

	chunk_rows_write(heap, &selection, format, output);
}

static struct memtool_error *write_text(const struct reading *reading, const void *settings_,
					struct output *output)
{
	const struct settings *settings = settings_;
	const struct heap_thread *thread = find_thread(reading->heap, settings->tid);
	struct memtool_error *error = thread_rows_print(reading, thread, 1, output);

	if (error)
		return error;
	output_char(output, '\n');
	write_chunks(reading->heap, thread, FORMAT_TEXT, output);
	return NULL;
}

static struct memtool_error *write_json(const struct reading *reading, const void *settings_,
					struct output *output)
{
	const struct settings *settings = settings_;
	const struct heap_thread *thread = find_thread(reading->heap, settings->tid);
	struct json json = json_start(output, 1);

	json_object(&json, NULL);
	json_int(&json, "pid", reading->session->process->pid);
	thread_json(reading, thread, "thread", &json);
	json_array(&json, "chunks");
	write_chunks(reading->heap, thread, FORMAT_JSON, output);
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct reading *reading, const void *settings_,
					 struct output *output)
{
	const struct settings *settings = settings_;

	write_chunks(reading->heap, find_thread(reading->heap, settings->tid), FORMAT_JSONL,
		     output);
	return NULL;
}

static struct memtool_error *write_csv(const struct reading *reading, const void *settings_,
				       struct output *output)
{
	const struct settings *settings = settings_;

	write_chunks(reading->heap, find_thread(reading->heap, settings->tid), FORMAT_CSV, output);
	return NULL;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct settings *settings = state->input;
	uint64_t tid;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &settings->common;
		return 0;
	case ARGP_KEY_ARG:
		/* The first is the child's. */
		if (!settings->common.pid)
			return ARGP_ERR_UNKNOWN;
		if (settings->tid)
			argp_error(state, "too many operands: '%s'", argument);
		if (!units_parse_number(argument, INT_MAX, &tid) || tid == 0)
			argp_error(state, "'%s' is not a thread id", argument);
		settings->tid = (pid_t)tid;
		return 0;
	case ARGP_KEY_END:
		if (settings->common.pid && !settings->tid)
			argp_error(state, "a thread id is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "PID TID",
		.doc = "Shows one thread as threads does, and the chunks of its tcache and of the "
		       "arena it allocates from as chunks does."
		       "\vOther threads may allocate from that arena, too. jsonl and csv have a "
		       "line for each chunk, and nothing of the thread.",
		.children = common_children,
	};
	static const struct answer answer = {
		.check = check,
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	struct settings settings = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	return answer_give(&answer, &settings.common);
}

const struct command command_thread = { "thread", "one thread, and the chunks it works with", run };
