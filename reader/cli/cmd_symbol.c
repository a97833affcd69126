/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool symbol: where the symbols of some names are, in all modules; of a thread-local variable,
 * where each thread has it.
 */
#include "cli/csv.h"
#include "cli/inspection.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/symbol_view.h"
#include "cli/table.h"
#include "symbols/symbols_by_name.h"
#include "symbols/tls_variable.h"

#include <inttypes.h>

/* A thread-local variable in one thread. */
struct instance {
	pid_t tid;
	bool unknown; /* where the thread's TLS is could not be told without a stop */
	bool allocated;
	uint64_t address;
};

DEFINE_ARRAY(instance_array, struct instance)

/* What goes with the symbol of that index. */
struct instances {
	struct instance_array threads;
	bool unknown; /* where threads have it cannot be told */
};

struct settings {
	struct common_options common;
	char **names;
	size_t name_count;
	bool demangle;
	bool contains; /* a name is a part of a symbol's */
	/* What was found. */
	struct symbol_array symbols;
	struct instances *instances;
	bool missing; /* a name that no module has */
};

static struct memtool_error *find_name(struct inspection *inspection, struct settings *settings,
				       const char *name)
{
	if (settings->contains)
		return symbols_by_text(inspection->modules, name, SYMBOL_CONTAINS,
				       &settings->symbols);
	return symbols_by_name(inspection->modules, name, &settings->symbols);
}

/* Nothing found at all is an error, one name of several a line on standard error. */
static struct memtool_error *find_names(struct inspection *inspection, struct settings *settings)
{
	struct memtool_error *missing = NULL;

	for (size_t i = 0; i < settings->name_count; i++) {
		size_t before = settings->symbols.count;
		struct memtool_error *error = find_name(inspection, settings, settings->names[i]);
		if (!error && settings->symbols.count == before) {
			settings->missing = true;
			error = memtool_error_create(
				MEMTOOL_ERROR_INVALID, "no module of process %d has a symbol %s",
				(int)inspection->process->pid, settings->names[i]);
			if (missing)
				message_error(missing);
			memtool_error_destroy(missing);
			missing = error;
			error = NULL;
		}
		if (error) {
			memtool_error_destroy(missing);
			return error;
		}
	}
	if (!missing || !settings->symbols.count)
		return missing;
	message_error(missing);
	memtool_error_destroy(missing);
	return NULL;
}

static struct memtool_error *find_instances(struct inspection *inspection,
					    const struct symbol *symbol, struct instances *ret)
{
	struct tls_module tls;
	struct memtool_error *error = NULL;

	/* Once, when the first thread-local variable comes. */
	if (!inspection->threads.count)
		error = session_list_threads(inspection->session, &inspection->threads,
					     &inspection->stopped_ns);
	if (!error)
		error = tls_module_find(inspection->modules, inspection->libc, symbol->module,
					&inspection->process->memory, &tls);
	if (memtool_error_catch(&error, MEMTOOL_ERROR_UNSUPPORTED)) {
		ret->unknown = true;
		return NULL;
	}
	for (size_t i = 0; i < inspection->threads.count && !error; i++) {
		const struct root_thread *thread = &inspection->threads.data[i];
		struct instance instance = { .tid = thread->tid, .unknown = thread->unknown };

		if (!thread->fs_base && !thread->unknown)
			continue;
		if (thread->fs_base)
			error = tls_block_find(&tls, &inspection->process->memory, thread->fs_base,
					       &instance.allocated, &instance.address);
		instance.address += symbol->address;
		/* A running thread's dtv may have gone meanwhile. */
		if (memtool_error_catch(&error, MEMTOOL_ERROR_FAULT))
			instance.allocated = false;
		if (!error && !instance_array_append(&ret->threads, &instance))
			error = memtool_error_no_memory;
	}
	return error;
}

static struct memtool_error *find(struct inspection *inspection, void *settings_)
{
	struct settings *settings = settings_;
	struct memtool_error *error = find_names(inspection, settings);

	if (error)
		return error;
	settings->instances = calloc(settings->symbols.count + 1, sizeof(*settings->instances));
	if (!settings->instances)
		return memtool_error_no_memory;
	for (size_t i = 0; i < settings->symbols.count && !error; i++) {
		if (settings->symbols.data[i].type == SYMBOL_TLS)
			error = find_instances(inspection, &settings->symbols.data[i],
					       &settings->instances[i]);
	}
	return error;
}

static void print_row(const struct settings *settings, const struct symbol *symbol,
		      const struct instance *instance, struct table *table)
{
	_cleanup_free_ char *name = symbol_view_name(symbol, settings->demangle, true);

	table_row(table);
	if (symbol->type != SYMBOL_TLS)
		table_hex(table, symbol->address);
	else if (instance && instance->allocated)
		table_hex(table, instance->address);
	else
		table_cell(table, instance && !instance->unknown ? "not allocated" : "not known");
	table_printf(table, "%" PRIu64, symbol->size);
	table_cell(table, symbol_type_name(symbol->type));
	table_cell(table, symbol_binding_name(symbol->binding));
	if (instance)
		table_printf(table, "%d", (int)instance->tid);
	else
		table_cell(table, "-");
	table_cell(table, name ? name : symbol->name);
	table_cell(table, symbol->module->name);
}

static struct memtool_error *write_text(const struct inspection *inspection
					__attribute__((__unused__)),
					const void *settings_, struct output *output)
{
	const struct settings *settings = settings_;
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);

	if (error)
		return error;
	table_column(table, "ADDRESS", TABLE_LEFT);
	table_column(table, "SIZE", TABLE_RIGHT);
	table_column(table, "TYPE", TABLE_LEFT);
	table_column(table, "BINDING", TABLE_LEFT);
	table_column(table, "THREAD", TABLE_RIGHT);
	table_column(table, "NAME", TABLE_LEFT);
	table_column(table, "MODULE", TABLE_LEFT);
	for (size_t i = 0; i < settings->symbols.count; i++) {
		const struct instance_array *threads = &settings->instances[i].threads;
		for (size_t j = 0; j < threads->count; j++)
			print_row(settings, &settings->symbols.data[i], &threads->data[j], table);
		if (!threads->count)
			print_row(settings, &settings->symbols.data[i], NULL, table);
	}
	return table_print(table, output);
}

static void instances_json(const struct instances *instances, struct json *json)
{
	if (instances->unknown) {
		json_null(json, "threads");
		return;
	}
	json_array(json, "threads");
	for (size_t i = 0; i < instances->threads.count; i++) {
		const struct instance *instance = &instances->threads.data[i];
		json_object(json, NULL);
		json_int(json, "tid", instance->tid);
		if (instance->allocated)
			json_hex(json, "address", instance->address);
		else
			json_null(json, "address");
		if (instance->unknown)
			json_bool(json, "unknown", true);
		json_end(json);
	}
	json_end(json);
}

static void symbol_json(const struct settings *settings, size_t index, struct json *json)
{
	const struct symbol *symbol = &settings->symbols.data[index];

	json_object(json, NULL);
	json_string(json, "name", symbol->name);
	if (settings->demangle) {
		_cleanup_free_ char *demangled = symbol_view_name(symbol, true, true);
		json_string(json, "demangled", demangled ? demangled : symbol->name);
	}
	if (symbol->version)
		json_string(json, "version", symbol->version);
	else
		json_null(json, "version");
	json_bool(json, "default_version", symbol->default_version);
	json_string(json, "module", symbol->module->name);
	json_string(json, "type", symbol_type_name(symbol->type));
	json_string(json, "binding", symbol_binding_name(symbol->binding));
	json_uint(json, "size", symbol->size);
	if (symbol->type == SYMBOL_TLS) {
		json_uint(json, "tls_offset", symbol->address);
		instances_json(&settings->instances[index], json);
	} else {
		json_hex(json, "address", symbol->address);
	}
	json_end(json);
}

static struct memtool_error *write_json(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct settings *settings = settings_;
	struct json json = json_start(output, 2);

	json_object(&json, NULL);
	json_int(&json, "pid", inspection->process->pid);
	json_array(&json, "symbols");
	for (size_t i = 0; i < settings->symbols.count; i++)
		symbol_json(settings, i, &json);
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct inspection *inspection
					 __attribute__((__unused__)),
					 const void *settings_, struct output *output)
{
	const struct settings *settings = settings_;

	for (size_t i = 0; i < settings->symbols.count; i++) {
		struct json json = json_start(output, 0);
		symbol_json(settings, i, &json);
	}
	return NULL;
}

static void csv_row(const struct symbol *symbol, const struct instance *instance, struct csv *csv)
{
	if (symbol->type != SYMBOL_TLS)
		csv_hex(csv, symbol->address);
	else if (instance && instance->allocated)
		csv_hex(csv, instance->address);
	else
		csv_empty(csv);
	csv_uint(csv, symbol->size);
	csv_string(csv, symbol_type_name(symbol->type));
	csv_string(csv, symbol_binding_name(symbol->binding));
	if (instance)
		csv_uint(csv, (uint64_t)instance->tid);
	else
		csv_empty(csv);
	csv_string(csv, symbol->name);
	csv_string(csv, symbol->version ? symbol->version : "");
	csv_bool(csv, symbol->default_version);
	csv_string(csv, symbol->module->name);
	csv_end_row(csv);
}

static struct memtool_error *write_csv(const struct inspection *inspection
				       __attribute__((__unused__)),
				       const void *settings_, struct output *output)
{
	const struct settings *settings = settings_;
	struct csv csv = csv_start(output, "address,size,type,binding,thread,name,version,"
					   "default_version,module");

	for (size_t i = 0; i < settings->symbols.count; i++) {
		const struct instance_array *threads = &settings->instances[i].threads;
		for (size_t j = 0; j < threads->count; j++)
			csv_row(&settings->symbols.data[i], &threads->data[j], &csv);
		if (!threads->count)
			csv_row(&settings->symbols.data[i], NULL, &csv);
	}
	return NULL;
}

enum { OPTION_NO_STOP = 512 };

static const struct argp_option argp_options[] = {
	OPTION_DEMANGLE,
	{ "part", 'p', NULL, 0, "every symbol that has NAME anywhere in its name", 0 },
	{ "no-stop", OPTION_NO_STOP, NULL, 0,
	  "take the threads from glibc's own list; without this the process is stopped for a "
	  "moment "
	  "where a thread-local variable is asked for",
	  0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct settings *settings = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &settings->common;
		return 0;
	case 'C':
		settings->demangle = true;
		return 0;
	case 'p':
		settings->contains = true;
		return 0;
	case OPTION_NO_STOP:
		settings->common.session.no_stop = true;
		return 0;
	case ARGP_KEY_ARG:
		/* The first is the child's. */
		if (!settings->common.pid)
			return ARGP_ERR_UNKNOWN;
		if (!*argument)
			argp_error(state, "a name is empty");
		settings->names[settings->name_count++] = argument;
		return 0;
	case ARGP_KEY_END:
		if (settings->common.pid && !settings->name_count)
			argp_error(state, "a symbol's name is missing");
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
		.args_doc = "PID NAME...",
		.doc = "Shows where the symbols of some names are: all of a name, in all modules, "
		       "with size, type, binding and version. A thread-local variable is shown "
		       "for each thread."
		       "\vNAME is exact and as the file has it (mangled); NAME@VERSION is that "
		       "version alone. Of an ifunc the address is that of the function that "
		       "chooses the real one. Symbols come from each module's file, or from an "
		       "installed debug file. A name that no module has is told on standard "
		       "error, and makes the exit status 2. jsonl has a line for each symbol, "
		       "csv one for each symbol and thread.",
		.children = target_children,
	};
	static const struct inspect_answer answer = {
		.level = INSPECT_MODULES,
		.find = find,
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	_cleanup_free_ char **names = calloc((size_t)argc + 1, sizeof(*names));
	struct settings settings = { .names = names };

	if (!names) {
		message_error(memtool_error_no_memory);
		return STATUS_FAILED;
	}
	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	enum exit_status status = inspect_give(&answer, &settings.common);
	for (size_t i = 0; settings.instances && i < settings.symbols.count; i++)
		instance_array_deinit(&settings.instances[i].threads);
	free(settings.instances);
	symbols_deinit(&settings.symbols);
	return settings.missing ? STATUS_FAILED : status;
}

const struct command command_symbol = { "symbol", "where the symbols of a name are", run };
