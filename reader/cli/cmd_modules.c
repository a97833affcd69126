/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool modules: the ELF files in a process, and where symbols of each can be had.
 */
#include "cli/build_id.h"
#include "cli/csv.h"
#include "cli/inspection.h"
#include "cli/json.h"
#include "cli/table.h"

struct settings {
	struct common_options common;
	struct module_tables *tables; /* of each module */
	size_t count;
};

static struct memtool_error *find_tables(struct inspection *inspection, void *settings_)
{
	struct settings *settings = settings_;
	const struct modules *modules = inspection->modules;
	struct memtool_error *error = NULL;

	settings->tables = calloc(modules->count + 1, sizeof(*settings->tables));
	if (!settings->tables)
		return memtool_error_no_memory;
	for (; settings->count < modules->count && !error; settings->count++)
		error = module_find_tables(modules->data[settings->count],
					   &settings->tables[settings->count]);
	return error;
}

/* The best table that there is. */
static const char *symbols_of(const struct module_tables *tables)
{
	if (tables->symtab)
		return "symtab";
	if (tables->debug_path)
		return "debug";
	if (!tables->dynsym)
		return "none";
	return tables->file_missing ? "memory" : "dynsym";
}

static const char *role_of(const struct module *module)
{
	if (module->executable)
		return "program";
	return module->linker ? "linker" : "library";
}

/* A file that is deleted can be had all the same where the kernel lets us. */
static void name_cell(struct table *table, const struct module *module,
		      const struct module_tables *tables)
{
	const char *note = module->deleted ? "deleted" : tables->file_missing;

	if (note)
		table_printf(table, "%s (%s)", module->name, note);
	else
		table_cell(table, module->name);
}

static struct memtool_error *write_text(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct settings *settings = settings_;
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);

	if (error)
		return error;
	table_column(table, "START", TABLE_LEFT);
	table_column(table, "END", TABLE_LEFT);
	table_column(table, "BIAS", TABLE_LEFT);
	table_column(table, "ROLE", TABLE_LEFT);
	table_column(table, "SYMBOLS", TABLE_LEFT);
	table_column(table, "BUILD-ID", TABLE_LEFT);
	table_column(table, "NAME", TABLE_LEFT);
	table_column(table, "DEBUG FILE", TABLE_LEFT);
	for (size_t i = 0; i < settings->count; i++) {
		const struct module *module = inspection->modules->data[i];
		const struct module_tables *tables = &settings->tables[i];
		table_row(table);
		table_hex(table, module->range.start);
		table_hex(table, module->range.end);
		table_hex(table, module->bias);
		table_cell(table, role_of(module));
		table_cell(table, symbols_of(tables));
		table_cell(table, module->build_id_size ? build_id_of(module).text : "-");
		name_cell(table, module, tables);
		table_cell(table, tables->debug_path ? tables->debug_path : "");
	}
	return table_print(table, output);
}

static void string_or_null(struct json *json, const char *name, const char *value)
{
	if (value && *value)
		json_string(json, name, value);
	else
		json_null(json, name);
}

static void module_json(const struct module *module, const struct module_tables *tables,
			struct json *json)
{
	json_object(json, NULL);
	json_hex(json, "start", module->range.start);
	json_hex(json, "end", module->range.end);
	json_hex(json, "bias", module->bias);
	json_string(json, "name", module->name);
	string_or_null(json, "build_id", build_id_of(module).text);
	json_bool(json, "deleted", module->deleted);
	json_string(json, "role", role_of(module));
	json_string(json, "symbols", symbols_of(tables));
	json_bool(json, "file", !tables->file_missing);
	string_or_null(json, "file_missing", tables->file_missing);
	json_bool(json, "symtab", tables->symtab);
	json_bool(json, "dynsym", tables->dynsym);
	string_or_null(json, "debug_file", tables->debug_path);
	json_end(json);
}

static struct memtool_error *write_json(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct settings *settings = settings_;
	struct json json = json_start(output, 2);

	json_object(&json, NULL);
	json_int(&json, "pid", inspection->process->pid);
	json_array(&json, "modules");
	for (size_t i = 0; i < settings->count; i++)
		module_json(inspection->modules->data[i], &settings->tables[i], &json);
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct inspection *inspection, const void *settings_,
					 struct output *output)
{
	const struct settings *settings = settings_;

	for (size_t i = 0; i < settings->count; i++) {
		struct json json = json_start(output, 0);
		module_json(inspection->modules->data[i], &settings->tables[i], &json);
	}
	return NULL;
}

static struct memtool_error *write_csv(const struct inspection *inspection, const void *settings_,
				       struct output *output)
{
	const struct settings *settings = settings_;
	struct csv csv = csv_start(output, "start,end,bias,name,build_id,deleted,role,symbols,file,"
					   "symtab,dynsym,debug_file,file_missing");

	for (size_t i = 0; i < settings->count; i++) {
		const struct module *module = inspection->modules->data[i];
		const struct module_tables *tables = &settings->tables[i];
		csv_hex(&csv, module->range.start);
		csv_hex(&csv, module->range.end);
		csv_hex(&csv, module->bias);
		csv_string(&csv, module->name);
		csv_string(&csv, build_id_of(module).text);
		csv_bool(&csv, module->deleted);
		csv_string(&csv, role_of(module));
		csv_string(&csv, symbols_of(tables));
		csv_bool(&csv, !tables->file_missing);
		csv_bool(&csv, tables->symtab);
		csv_bool(&csv, tables->dynsym);
		csv_string(&csv, tables->debug_path ? tables->debug_path : "");
		csv_string(&csv, tables->file_missing ? tables->file_missing : "");
		csv_end_row(&csv);
	}
	return NULL;
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp = TARGET_ARGP(
		"Shows the ELF files mapped in a process: address range, load bias, build-id and "
		"name, and where symbols of each can be had."
		"\vSYMBOLS is symtab (the file's full table), debug (that of an installed debug "
		"file), dynsym (only what the file exports), memory (the same, read from memory "
		"as the file cannot be had, which NAME says why) or none. BIAS is what to add to "
		"the file's addresses. The process is not stopped. jsonl and csv have a line for "
		"each "
		"module.");
	static const struct inspect_answer answer = {
		.level = INSPECT_MODULES,
		.find = find_tables,
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	struct settings settings = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	enum exit_status status = inspect_give(&answer, &settings.common);
	for (size_t i = 0; i < settings.count; i++)
		free(settings.tables[i].debug_path);
	free(settings.tables);
	return status;
}

const struct command command_modules = { "modules", "ELF files, and where their symbols are", run };
