/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool ps: the processes that carry an inventory page.
 */
#include "cli/command.h"
#include "cli/csv.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/reading.h"
#include "cli/table.h"
#include "process_inventory.h"
#include "support/array.h"
#include "target/tasks.h"

#include <errno.h>
#include <string.h>

struct carrier {
	pid_t pid;
	char command[COMMAND_NAME_MAX];
	char glibc[sizeof(((struct inventory_header *)NULL)->glibc_version) + 1];
	uint64_t threads;
	bool overflow, late, foreign_malloc;
	char refused[200]; /* why its page cannot be believed; else empty */
};

DEFINE_ARRAY(carrier_array, struct carrier)

/* The threads that run the program: a first one that has ended is still in the list. */
static struct memtool_error *count_threads(pid_t pid, uint64_t *ret)
{
	_cleanup_(task_array_deinit) struct task_array tasks = { 0 };

	struct memtool_error *error = tasks_read(pid, &tasks);
	if (error)
		return error;
	*ret = 0;
	for (size_t i = 0; i < tasks.count; i++)
		*ret += task_runs_program(tasks.data[i].tid);
	return NULL;
}

/* What its page says, or why that is refused. */
static struct memtool_error *take_page(struct process *process, struct carrier *carrier)
{
	_cleanup_(inventory_deinit) struct inventory inventory = { 0 };
	_cleanup_(maps_deinit) struct maps maps = { 0 };

	struct memtool_error *error = maps_read(process->pid, &maps);
	if (!error)
		error = process_inventory(process, &maps, &inventory);
	if (error &&
	    (error->code == MEMTOOL_ERROR_CORRUPT || error->code == MEMTOOL_ERROR_UNSUPPORTED)) {
		snprintf(carrier->refused, sizeof(carrier->refused), "%s", error->message);
		memtool_error_destroy(error);
		return NULL;
	}
	if (error)
		return error;
	carrier->overflow = inventory.flags & INVENTORY_OVERFLOW;
	carrier->late = inventory.flags & INVENTORY_LATE;
	carrier->foreign_malloc = inventory.flags & INVENTORY_FOREIGN_MALLOC;
	memcpy(carrier->glibc, inventory.header.glibc_version,
	       sizeof(inventory.header.glibc_version));
	return NULL;
}

/* Whether process pid carries a page; one that we may not read carries none. */
static struct memtool_error *look_at(pid_t pid, bool *ret_found, struct carrier *ret)
{
	_cleanup_process_ struct process *process = NULL;
	struct carrier carrier = { .pid = pid };

	struct memtool_error *error = process_open(pid, &process);
	if (!error)
		error = take_page(process, &carrier);
	if (!error)
		error = count_threads(pid, &carrier.threads);
	*ret_found = !error;
	if (error) {
		if (error == memtool_error_no_memory)
			return error;
		memtool_error_destroy(error);
		return NULL;
	}
	process_thread_name(process, pid, carrier.command);
	*ret = carrier;
	return NULL;
}

static int compare_carriers(const void *a, const void *b)
{
	const struct carrier *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct memtool_error *find_carriers(struct carrier_array *carriers)
{
	_cleanup_closedir_ DIR *directory = opendir("/proc");
	struct dirent *entry;

	if (!directory)
		return memtool_error_os(errno, "cannot list /proc");
	while ((entry = readdir(directory))) {
		pid_t pid = atoi(entry->d_name);
		struct carrier carrier;
		bool found;

		if (pid <= 0)
			continue;
		struct memtool_error *error = look_at(pid, &found, &carrier);
		if (!error && found && !carrier_array_append(carriers, &carrier))
			error = memtool_error_no_memory;
		if (error)
			return error;
	}
	if (carriers->count)
		qsort(carriers->data, carriers->count, sizeof(*carriers->data), compare_carriers);
	return NULL;
}

static const char *remarks(const struct carrier *carrier)
{
	if (carrier->refused[0])
		return carrier->refused;
	if (carrier->foreign_malloc)
		return "its malloc is not glibc's";
	if (carrier->late)
		return "agent loaded late";
	return carrier->overflow ? "more threads than the page holds" : "";
}

static struct memtool_error *write_text(const struct carrier_array *carriers, struct output *output)
{
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);
	if (error)
		return error;

	table_column(table, "PID", TABLE_RIGHT);
	table_column(table, "COMMAND", TABLE_LEFT);
	table_column(table, "GLIBC", TABLE_LEFT);
	table_column(table, "THREADS", TABLE_RIGHT);
	table_column(table, "", TABLE_LEFT);
	for (size_t i = 0; i < carriers->count; i++) {
		const struct carrier *carrier = &carriers->data[i];
		table_row(table);
		table_printf(table, "%d", (int)carrier->pid);
		table_cell(table, carrier->command);
		table_cell(table, carrier->refused[0] ? "-" : carrier->glibc);
		table_count(table, carrier->threads);
		table_cell(table, remarks(carrier));
	}
	return table_print(table, output);
}

static void carrier_json(const struct carrier *carrier, struct json *json)
{
	json_object(json, NULL);
	json_int(json, "pid", carrier->pid);
	json_string(json, "command", carrier->command);
	if (carrier->refused[0])
		json_null(json, "glibc");
	else
		json_string(json, "glibc", carrier->glibc);
	json_uint(json, "threads", carrier->threads);
	json_bool(json, "overflow", carrier->overflow);
	json_bool(json, "late", carrier->late);
	json_bool(json, "foreign_malloc", carrier->foreign_malloc);
	if (carrier->refused[0])
		json_string(json, "refused", carrier->refused);
	else
		json_null(json, "refused");
	json_end(json);
}

static void write_json(const struct carrier_array *carriers, struct output *output)
{
	struct json json = json_start(output, 2);

	json_object(&json, NULL);
	json_array(&json, "processes");
	for (size_t i = 0; i < carriers->count; i++)
		carrier_json(&carriers->data[i], &json);
	json_end(&json);
	json_end(&json);
}

static void write_jsonl(const struct carrier_array *carriers, struct output *output)
{
	for (size_t i = 0; i < carriers->count; i++) {
		struct json json = json_start(output, 0);
		carrier_json(&carriers->data[i], &json);
	}
}

static void write_csv(const struct carrier_array *carriers, struct output *output)
{
	struct csv csv =
		csv_start(output, "pid,command,glibc,threads,overflow,late,foreign_malloc,refused");

	for (size_t i = 0; i < carriers->count; i++) {
		const struct carrier *carrier = &carriers->data[i];
		csv_uint(&csv, (uint64_t)carrier->pid);
		csv_string(&csv, carrier->command);
		csv_string(&csv, carrier->glibc);
		csv_uint(&csv, carrier->threads);
		csv_bool(&csv, carrier->overflow);
		csv_bool(&csv, carrier->late);
		csv_bool(&csv, carrier->foreign_malloc);
		csv_string(&csv, carrier->refused);
		csv_end_row(&csv);
	}
}

static struct memtool_error *list(const struct common_options *settings)
{
	_cleanup_(carrier_array_deinit) struct carrier_array carriers = { 0 };
	_cleanup_output_ struct output *output = NULL;

	struct memtool_error *error = find_carriers(&carriers);
	if (!error)
		error = output_open(settings->output, &output);
	if (error)
		return error;
	switch (settings->format) {
	case FORMAT_JSON:
		write_json(&carriers, output);
		break;
	case FORMAT_JSONL:
		write_jsonl(&carriers, output);
		break;
	case FORMAT_CSV:
		write_csv(&carriers, output);
		break;
	default:
		error = write_text(&carriers, output);
	}
	return error ? error : output_finish(output);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->input;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "too many operands: '%s'", argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.doc = "Lists the processes that carry the agent's inventory page, of those that "
		       "we may read. Of one whose page cannot be believed it says why.\vjsonl and "
		       "csv have a line for each process.",
		.children = output_children,
	};
	struct common_options settings = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	_cleanup_error_ struct memtool_error *error = list(&settings);
	if (!error)
		return STATUS_ANSWERED;
	message_error(error);
	return STATUS_FAILED;
}

const struct command command_ps = { "ps", "processes that carry the agent's page", run };
