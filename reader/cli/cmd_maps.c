/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool maps: what is mapped where, as the kernel tells it, and of which module it is.
 */
#include "cli/csv.h"
#include "cli/inspection.h"
#include "cli/mapping_view.h"
#include "cli/table.h"

#include <inttypes.h>

/* The module whose memory it is, also where the kernel has no name for that (.bss); or NULL. */
static const struct module *module_of(const struct inspection *inspection,
				      const struct mapping *mapping)
{
	return modules_find(inspection->modules, mapping->range.start);
}

static void print_name(const struct inspection *inspection, const struct mapping *mapping,
		       struct table *table)
{
	const struct module *module = module_of(inspection, mapping);

	if (!*mapping->name && module)
		table_printf(table, "[part of %s]", module->name);
	else
		table_printf(table, "%s%s", mapping->name, mapping->deleted ? " (deleted)" : "");
}

static struct memtool_error *write_text(const struct inspection *inspection,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);

	if (error)
		return error;
	table_column(table, "START", TABLE_LEFT);
	table_column(table, "END", TABLE_LEFT);
	table_column(table, "SIZE", TABLE_RIGHT);
	table_column(table, "PERM", TABLE_LEFT);
	table_column(table, "OFFSET", TABLE_RIGHT);
	table_column(table, "DEVICE", TABLE_LEFT);
	table_column(table, "INODE", TABLE_RIGHT);
	table_column(table, "NAME", TABLE_LEFT);
	for (size_t i = 0; i < inspection->maps.count; i++) {
		const struct mapping *mapping = &inspection->maps.data[i];
		table_row(table);
		table_hex(table, mapping->range.start);
		table_hex(table, mapping->range.end);
		table_bytes(table, range_size(mapping->range));
		table_cell(table, mapping_permissions(mapping).text);
		table_hex(table, mapping->offset);
		table_cell(table, mapping_device(mapping).text);
		table_printf(table, "%" PRIu64, mapping->inode);
		print_name(inspection, mapping, table);
	}
	return table_print(table, output);
}

static void map_json(const struct inspection *inspection, const struct mapping *mapping,
		     struct json *json)
{
	const struct module *module = module_of(inspection, mapping);

	json_object(json, NULL);
	mapping_json(json, mapping);
	if (module)
		json_string(json, "module", module->name);
	else
		json_null(json, "module");
	json_end(json);
}

static struct memtool_error *write_json(const struct inspection *inspection,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	struct json json = json_start(output, 2);

	json_object(&json, NULL);
	json_int(&json, "pid", inspection->process->pid);
	json_array(&json, "maps");
	for (size_t i = 0; i < inspection->maps.count; i++)
		map_json(inspection, &inspection->maps.data[i], &json);
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct inspection *inspection,
					 const void *settings __attribute__((__unused__)),
					 struct output *output)
{
	for (size_t i = 0; i < inspection->maps.count; i++) {
		struct json json = json_start(output, 0);
		map_json(inspection, &inspection->maps.data[i], &json);
	}
	return NULL;
}

static struct memtool_error *write_csv(const struct inspection *inspection,
				       const void *settings __attribute__((__unused__)),
				       struct output *output)
{
	struct csv csv = csv_start(output, "start,end,size,permissions,offset,device,inode,name,"
					   "deleted,module");

	for (size_t i = 0; i < inspection->maps.count; i++) {
		const struct mapping *mapping = &inspection->maps.data[i];
		const struct module *module = module_of(inspection, mapping);
		csv_hex(&csv, mapping->range.start);
		csv_hex(&csv, mapping->range.end);
		csv_uint(&csv, range_size(mapping->range));
		csv_string(&csv, mapping_permissions(mapping).text);
		csv_hex(&csv, mapping->offset);
		csv_string(&csv, mapping_device(mapping).text);
		csv_uint(&csv, mapping->inode);
		csv_string(&csv, mapping->name);
		csv_bool(&csv, mapping->deleted);
		csv_string(&csv, module ? module->name : "");
		csv_end_row(&csv);
	}
	return NULL;
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp = TARGET_ARGP(
		"Shows the memory mappings of a process: address range, size, permissions, offset "
		"into the file, device, inode and name, as the kernel tells them."
		"\vMemory without a name that belongs to a module, such as its .bss, is shown as "
		"part of that. The process is not stopped. jsonl and csv have a line for each "
		"mapping.");
	static const struct inspect_answer answer = {
		.level = INSPECT_MODULES,
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	struct common_options settings = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	return inspect_give(&answer, &settings);
}

const struct command command_maps = { "maps", "memory mappings, and whose they are", run };
