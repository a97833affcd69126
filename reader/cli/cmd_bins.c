/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool bins: every free list that is not empty, or whose counter says so.
 */
#include "cli/answer.h"
#include "cli/csv.h"
#include "cli/json.h"
#include "cli/table.h"
#include "cli/units.h"

#include <inttypes.h>

struct settings {
	struct common_options common;
	bool chunks;
};

static const enum chunk_state list_states[] = {
	[LIST_TCACHE] = CHUNK_TCACHE,     [LIST_FASTBIN] = CHUNK_FASTBIN,
	[LIST_UNSORTED] = CHUNK_UNSORTED, [LIST_SMALLBIN] = CHUNK_SMALLBIN,
	[LIST_LARGEBIN] = CHUNK_LARGEBIN,
};

static const char *kind_name(const struct heap_list *list)
{
	return chunk_state_name(list_states[list->kind]);
}

static const struct chunk *list_chunk(const struct heap *heap, const struct heap_list *list,
				      size_t index)
{
	return &heap->chunks[heap->listed[list->first + index]];
}

static uint64_t list_bytes(const struct heap *heap, const struct heap_list *list)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < list->count; i++)
		bytes += chunk_size(list_chunk(heap, list, i));
	return bytes;
}

/* In units of 16 bytes; beyond all bounds between bins. */
#define SIZES_END (UINT64_C(1) << 31)

/* The smallest chunk size, in units of 16, whose bin of this kind is not below bin. */
static uint64_t first_of_bin(enum chunk_state state, uint32_t bin)
{
	uint64_t low = GLIBC_MINSIZE / 16;
	uint64_t high = SIZES_END;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		struct chunk chunk = { .state = state, .size_8 = middle * 2 };
		uint32_t found;
		if (heap_chunk_bin(&chunk, &found) && found < bin)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * The sizes that glibc puts in the list's bin: found from heap_chunk_bin(), which is monotonic in
 * size. *ret_max is 0 where there is no upper bound. False for the unsorted list, which has all.
 */
static bool list_sizes(const struct heap_list *list, uint64_t *ret_min, uint64_t *ret_max)
{
	if (list->kind == LIST_UNSORTED)
		return false;
	uint64_t end = first_of_bin(list_states[list->kind], list->bin + 1);
	*ret_min = first_of_bin(list_states[list->kind], list->bin) * 16;
	*ret_max = end == SIZES_END ? 0 : (end - 1) * 16;
	return true;
}

static void print_sizes(const struct heap_list *list, struct table *table)
{
	uint64_t min, max;

	if (!list_sizes(list, &min, &max))
		table_cell(table, "any");
	else if (max == 0)
		table_printf(table, "%" PRIu64 "-", min);
	else if (min == max)
		table_printf(table, "%" PRIu64, min);
	else
		table_printf(table, "%" PRIu64 "-%" PRIu64, min, max);
}

struct owner_text {
	char text[32];
};

/* "thread 4711", "arena 0", or, of a thread that a fork left behind, "orphan 0" */
static struct owner_text owner_of(const struct heap *heap, const struct heap_list *list)
{
	struct owner_text owner;

	if (list->kind != LIST_TCACHE)
		snprintf(owner.text, sizeof(owner.text), "arena %u", list->owner);
	else if (list->owner >= heap->thread_count)
		snprintf(owner.text, sizeof(owner.text), "orphan %zu",
			 list->owner - heap->thread_count);
	else
		snprintf(owner.text, sizeof(owner.text), "thread %d",
			 (int)heap->threads[list->owner].tid);
	return owner;
}

static struct memtool_error *print_lists(const struct heap *heap, const struct heap_list *lists,
					 size_t count, struct output *output)
{
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);
	if (error)
		return error;

	table_column(table, "LIST", TABLE_LEFT);
	table_column(table, "OWNER", TABLE_LEFT);
	table_column(table, "BIN", TABLE_RIGHT);
	table_column(table, "SIZES", TABLE_RIGHT);
	table_column(table, "CHUNKS", TABLE_RIGHT);
	table_column(table, "COUNTER", TABLE_RIGHT);
	table_column(table, "BYTES", TABLE_RIGHT);
	for (const struct heap_list *list = lists; list < lists + count; list++) {
		table_row(table);
		table_cell(table, kind_name(list));
		table_cell(table, owner_of(heap, list).text);
		table_printf(table, "%u", list->bin);
		print_sizes(list, table);
		table_count(table, list->count);
		if (list->counter < 0)
			table_cell(table, "-");
		else
			table_printf(table, "%" PRId64, list->counter);
		table_bytes(table, list_bytes(heap, list));
	}
	return table_print(table, output);
}

#define CHUNKS_PER_LINE 4

static void print_chunks(const struct heap *heap, const struct heap_list *list,
			 struct output *output)
{
	for (size_t i = 0; i < list->count && !output_failed(output); i++) {
		output_text(output, i % CHUNKS_PER_LINE ? " " : "    ");
		output_hex(output, chunk_address(list_chunk(heap, list, i)));
		if (i % CHUNKS_PER_LINE == CHUNKS_PER_LINE - 1 || i + 1 == list->count)
			output_char(output, '\n');
	}
}

static struct memtool_error *write_text(const struct reading *reading, const void *settings_,
					struct output *output)
{
	const struct settings *settings = settings_;
	const struct heap *heap = reading->heap;

	if (!settings->chunks)
		return print_lists(heap, heap->lists, heap->list_count, output);
	for (size_t i = 0; i < heap->list_count; i++) {
		const struct heap_list *list = &heap->lists[i];
		output_printf(output, "%s of %s, bin %u, %s chunk%s, %s:\n", kind_name(list),
			      owner_of(heap, list).text, list->bin, units_count(list->count).text,
			      list->count == 1 ? "" : "s",
			      units_bytes(list_bytes(heap, list)).text);
		print_chunks(heap, list, output);
	}
	return NULL;
}

static void list_json(const struct heap *heap, const struct heap_list *list, struct json *json)
{
	uint64_t min, max;
	bool bounded = list_sizes(list, &min, &max);

	json_object(json, NULL);
	json_string(json, "kind", kind_name(list));
	if (list->kind != LIST_TCACHE)
		json_uint(json, "arena", list->owner);
	else if (list->owner >= heap->thread_count)
		json_uint(json, "orphan", list->owner - heap->thread_count);
	else
		json_int(json, "thread", heap->threads[list->owner].tid);
	json_uint(json, "bin", list->bin);
	if (bounded)
		json_uint(json, "min_size", min);
	if (bounded && max)
		json_uint(json, "max_size", max);
	json_uint(json, "count", list->count);
	if (list->counter >= 0)
		json_int(json, "counter", list->counter);
	json_uint(json, "bytes", list_bytes(heap, list));
	json_array(json, "chunks");
	for (size_t i = 0; i < list->count && !output_failed(json->output); i++)
		json_hex(json, NULL, chunk_address(list_chunk(heap, list, i)));
	json_end(json);
	json_end(json);
}

static struct memtool_error *write_json(const struct reading *reading,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	struct json json = json_start(output, 2);

	json_object(&json, NULL);
	json_int(&json, "pid", reading->session->process->pid);
	json_array(&json, "lists");
	for (size_t i = 0; i < reading->heap->list_count; i++)
		list_json(reading->heap, &reading->heap->lists[i], &json);
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct reading *reading,
					 const void *settings __attribute__((__unused__)),
					 struct output *output)
{
	for (size_t i = 0; i < reading->heap->list_count; i++) {
		struct json json = json_start(output, 0);
		list_json(reading->heap, &reading->heap->lists[i], &json);
	}
	return NULL;
}

static void csv_if(struct csv *csv, bool applies, uint64_t value)
{
	if (applies)
		csv_uint(csv, value);
	else
		csv_empty(csv);
}

static void list_csv(const struct heap *heap, const struct heap_list *list, struct csv *csv)
{
	bool of_arena = list->kind != LIST_TCACHE;
	bool of_thread = !of_arena && list->owner < heap->thread_count;
	uint64_t min, max;
	bool bounded = list_sizes(list, &min, &max);

	csv_string(csv, kind_name(list));
	csv_if(csv, of_arena, list->owner);
	csv_if(csv, of_thread, of_thread ? (uint64_t)heap->threads[list->owner].tid : 0);
	csv_uint(csv, list->bin);
	csv_if(csv, bounded, min);
	csv_if(csv, bounded && max, max);
	csv_uint(csv, list->count);
	csv_if(csv, list->counter >= 0, (uint64_t)list->counter);
	csv_uint(csv, list_bytes(heap, list));
	csv_end_row(csv);
}

static struct memtool_error *write_csv(const struct reading *reading,
				       const void *settings __attribute__((__unused__)),
				       struct output *output)
{
	struct csv csv =
		csv_start(output, "kind,arena,thread,bin,min_size,max_size,count,counter,bytes");

	for (size_t i = 0; i < reading->heap->list_count; i++)
		list_csv(reading->heap, &reading->heap->lists[i], &csv);
	return NULL;
}

static const struct argp_option argp_options[] = {
	{ "chunks", 'c', NULL, 0, "in text, list the addresses of the chunks too", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument __attribute__((__unused__)), struct argp_state *state)
{
	struct settings *settings = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &settings->common;
		return 0;
	case 'c':
		settings->chunks = true;
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
		.doc = "Shows every free list that is not empty, from its head on: the tcaches of "
		       "all threads, and of each arena the fastbins, the unsorted list, the small "
		       "and the large bins.\vSIZES are the chunk sizes that go into the bin, "
		       "COUNTER is what glibc itself counts, where it does. json and jsonl have "
		       "the addresses of the chunks (headers, not user pointers). "
		       "An orphan is the tcache of a thread that a fork did not take along.",
		.children = common_children,
	};
	static const struct answer answer = {
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	struct settings settings = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	return answer_give(&answer, &settings.common);
}

const struct command command_bins = { "bins", "free lists: tcaches, fastbins, bins", run };
