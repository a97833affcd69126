/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool peek of structs: the fields of one, with what its pointers lead to.
 */
#include "cli/address_view.h"
#include "cli/csv.h"
#include "cli/field_value.h"
#include "cli/peek.h"
#include "cli/table.h"
#include "cli/utf8.h"

#include <inttypes.h>
#include <string.h>

#define STRUCT_MAX (UINT64_C(16) << 20)
#define STRING_MAX 64 /* of what a char * leads to */

void peek_struct_deinit(struct peek_settings *settings)
{
	struct_type_deinit(&settings->structure);
	for (size_t i = 0; i < settings->images.count; i++)
		parts_deinit(&settings->images.data[i].parts);
	peek_images_deinit(&settings->images);
}

static struct memtool_error *add_image(struct inspection *inspection, uint64_t address, pid_t tid,
				       struct peek_settings *settings)
{
	struct peek_image image = { .address = address, .tid = tid };
	uint64_t size = settings->structure.size;

	if (size == 0 || size > STRUCT_MAX || address > UINT64_MAX - size)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "no %s of %" PRIu64 " bytes fits at 0x%" PRIx64,
					    peek_type_name(settings), size, address);
	struct memtool_error *error =
		parts_read(&inspection->process->memory, address, size, &image.parts);
	if (error)
		return error;
	if (image.parts.count == 1 && !image.parts.data[0].bytes)
		error = memtool_error_create(MEMTOOL_ERROR_FAULT,
					     "nothing of the %" PRIu64 " bytes at 0x%" PRIx64
					     " in process %d can be read",
					     size, address, (int)inspection->process->pid);
	if (!error && !peek_images_append(&settings->images, &image))
		error = memtool_error_no_memory;
	if (error)
		parts_deinit(&image.parts);
	return error;
}

static struct memtool_error *add_threads(struct inspection *inspection,
					 struct peek_settings *settings)
{
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < inspection->threads.count && !error; i++) {
		const struct root_thread *thread = &inspection->threads.data[i];
		if (thread->fs_base && (!settings->tid || settings->tid == thread->tid))
			error = add_image(inspection, thread->fs_base, thread->tid, settings);
	}
	if (!error && !settings->images.count)
		error = settings->tid ? memtool_error_create(
						MEMTOOL_ERROR_INVALID,
						"process %d has no thread %d whose TCB is known",
						(int)inspection->process->pid, (int)settings->tid)
				      : memtool_error_create(
						MEMTOOL_ERROR_UNSUPPORTED,
						"of no thread of process %d the TCB is known",
						(int)inspection->process->pid);
	return error;
}

static struct memtool_error *find(struct inspection *inspection, void *settings_)
{
	struct peek_settings *settings = settings_;
	uint64_t address;
	struct memtool_error *error = peek_type_describe(inspection, settings);

	if (error)
		return error;
	if (!settings->has_place)
		return add_threads(inspection, settings);
	error = place_find(&settings->place, inspection, &address);
	return error ? error : add_image(inspection, address, 0, settings);
}

/* NULL if not all of them could be read. */
static const uint8_t *bytes_of(const struct peek_image *image, const struct struct_field *field)
{
	for (size_t i = 0; i < image->parts.count; i++) {
		const struct part *part = &image->parts.data[i];
		uint64_t at = image->address + field->offset - part->address;

		if (part->bytes && image->address + field->offset >= part->address &&
		    at <= part->length && field->size <= part->length - at)
			return part->bytes + at;
	}
	return NULL;
}

static bool is_string(const struct struct_field *field)
{
	return strcmp(field->type, "char *") == 0 || strcmp(field->type, "const char *") == 0;
}

/* The string that a char * leads to behind what else is known of the place, if it is printable. */
static struct memtool_error *add_string(const struct inspection *inspection, uint64_t address,
					char **text)
{
	char string[STRING_MAX + 1], *joined;
	size_t length;
	struct memtool_error *error = memory_read_some(&inspection->process->memory, address,
						       string, STRING_MAX, &length);

	if (error)
		return error;
	string[length] = '\0';
	for (const char *at = string; *at; at++) {
		if (*at < ' ' || *at == 0x7f)
			return NULL;
	}
	if (!*string)
		return NULL;
	if (asprintf(&joined, "%s \"%s\"", *text, string) < 0)
		return memtool_error_no_memory;
	free(*text);
	*text = joined;
	return NULL;
}

/* What a field leads to, to be freed; NULL for nothing. */
static struct memtool_error *target_of(const struct inspection *inspection,
				       const struct peek_settings *settings,
				       const struct struct_field *field, const uint8_t *bytes,
				       char **ret)
{
	_cleanup_free_ char *text = NULL;
	struct memtool_error *error = NULL;

	if (bytes && field->kind == FIELD_POINTER) {
		uint64_t address = field_number(field, bytes);
		error = address_brief(inspection, address, settings->demangle, &text);
		if (!error && text && is_string(field))
			error = add_string(inspection, address, &text);
	}
	if (!error)
		*ret = no_cleanup_ptr(text);
	return error;
}

static struct memtool_error *field_row(const struct inspection *inspection,
				       const struct peek_settings *settings,
				       const struct peek_image *image,
				       const struct struct_field *field, struct table *table)
{
	const uint8_t *bytes = bytes_of(image, field);
	_cleanup_free_ char *value = bytes ? field_text(field, bytes) : strdup("not readable");
	_cleanup_free_ char *target = NULL;
	struct memtool_error *error = target_of(inspection, settings, field, bytes, &target);

	if (!error && !value)
		error = memtool_error_no_memory;
	if (error)
		return error;
	table_row(table);
	table_printf(table, "%" PRIu64, field->offset);
	if (field->bits)
		table_printf(table, "%u:%u", field->first_bit, field->bits);
	else
		table_printf(table, "%" PRIu64, field->size);
	table_cell(table, field->type);
	table_cell(table, field->name);
	table_cell(table, value);
	table_cell(table, target ? target : "");
	return NULL;
}

static void title_text(const struct peek_settings *settings, const struct peek_image *image,
		       struct output *output)
{
	utf8_write_printable(output, peek_type_name(settings));
	output_printf(output, " at 0x%" PRIx64 ", %" PRIu64 " bytes", image->address,
		      settings->structure.size);
	if (image->tid)
		output_printf(output, ", of thread %d", (int)image->tid);
	if (settings->module) {
		output_text(output, ", as of ");
		utf8_write_printable(output, settings->module->name);
	}
	output_text(output, settings->structure.cut ? "; only its first fields\n" : "\n");
}

static struct memtool_error *image_text(const struct inspection *inspection,
					const struct peek_settings *settings,
					const struct peek_image *image, struct output *output)
{
	_cleanup_table_ struct table *table = NULL;
	struct memtool_error *error = table_create(&table);

	if (error)
		return error;
	table_column(table, "OFFSET", TABLE_RIGHT);
	table_column(table, "SIZE", TABLE_RIGHT);
	table_column(table, "TYPE", TABLE_LEFT);
	table_column(table, "FIELD", TABLE_LEFT);
	table_column(table, "VALUE", TABLE_LEFT);
	table_column(table, "TO", TABLE_LEFT);
	for (size_t i = 0; i < settings->structure.fields.count && !error; i++)
		error = field_row(inspection, settings, image, &settings->structure.fields.data[i],
				  table);
	if (error)
		return error;
	title_text(settings, image, output);
	return table_print(table, output);
}

static struct memtool_error *write_text(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct peek_settings *settings = settings_;
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < settings->images.count && !error; i++) {
		if (i)
			output_char(output, '\n');
		error = image_text(inspection, settings, &settings->images.data[i], output);
	}
	return error;
}

static struct memtool_error *one_field_json(const struct inspection *inspection,
					    const struct peek_settings *settings,
					    const struct peek_image *image,
					    const struct struct_field *field, struct json *json)
{
	const uint8_t *bytes = bytes_of(image, field);
	_cleanup_free_ char *target = NULL;
	struct memtool_error *error = target_of(inspection, settings, field, bytes, &target);

	if (error)
		return error;
	json_object(json, NULL);
	json_string(json, "name", field->name);
	json_string(json, "type", field->type);
	json_uint(json, "offset", field->offset);
	json_uint(json, "size", field->size);
	if (field->bits) {
		json_uint(json, "bits", field->bits);
		json_uint(json, "first_bit", field->first_bit);
	}
	if (bytes)
		error = field_json(field, bytes, "value", json);
	else
		json_null(json, "value");
	if (target)
		json_string(json, "to", target);
	else
		json_null(json, "to");
	json_end(json);
	return error;
}

static struct memtool_error *image_json(const struct inspection *inspection,
					const struct peek_settings *settings,
					const struct peek_image *image, struct json *json)
{
	struct memtool_error *error = NULL;

	json_object(json, NULL);
	json_hex(json, "address", image->address);
	json_string(json, "struct", peek_type_name(settings));
	json_uint(json, "size", settings->structure.size);
	if (image->tid)
		json_int(json, "thread", image->tid);
	if (settings->module)
		json_string(json, "module", settings->module->name);
	json_bool(json, "cut", settings->structure.cut);
	json_array(json, "fields");
	for (size_t i = 0; i < settings->structure.fields.count && !error; i++)
		error = one_field_json(inspection, settings, image,
				       &settings->structure.fields.data[i], json);
	json_end(json);
	json_end(json);
	return error;
}

static struct memtool_error *write_json(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct peek_settings *settings = settings_;
	struct json json = json_start(output, 4);
	struct memtool_error *error = NULL;

	json_object(&json, NULL);
	json_int(&json, "pid", inspection->process->pid);
	json_array(&json, "structs");
	for (size_t i = 0; i < settings->images.count && !error; i++)
		error = image_json(inspection, settings, &settings->images.data[i], &json);
	json_end(&json);
	json_end(&json);
	return error;
}

static struct memtool_error *write_jsonl(const struct inspection *inspection, const void *settings_,
					 struct output *output)
{
	const struct peek_settings *settings = settings_;
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < settings->images.count && !error; i++) {
		struct json json = json_start(output, 0);
		error = image_json(inspection, settings, &settings->images.data[i], &json);
	}
	return error;
}

static struct memtool_error *field_csv(const struct inspection *inspection,
				       const struct peek_settings *settings,
				       const struct peek_image *image,
				       const struct struct_field *field, struct csv *csv)
{
	const uint8_t *bytes = bytes_of(image, field);
	_cleanup_free_ char *value = bytes ? field_text(field, bytes) : strdup("");
	_cleanup_free_ char *target = NULL;
	struct memtool_error *error = target_of(inspection, settings, field, bytes, &target);

	if (!error && !value)
		error = memtool_error_no_memory;
	if (error)
		return error;
	csv_hex(csv, image->address);
	if (image->tid)
		csv_uint(csv, (uint64_t)image->tid);
	else
		csv_empty(csv);
	csv_uint(csv, field->offset);
	csv_uint(csv, field->size);
	csv_string(csv, field->type);
	csv_string(csv, field->name);
	csv_string(csv, value);
	csv_string(csv, target ? target : "");
	csv_end_row(csv);
	return NULL;
}

static struct memtool_error *write_csv(const struct inspection *inspection, const void *settings_,
				       struct output *output)
{
	const struct peek_settings *settings = settings_;
	struct csv csv = csv_start(output, "address,thread,offset,size,type,field,value,to");
	const struct struct_fields *fields = &settings->structure.fields;
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < settings->images.count; i++) {
		for (size_t j = 0; j < fields->count && !error; j++)
			error = field_csv(inspection, settings, &settings->images.data[i],
					  &fields->data[j], &csv);
	}
	return error;
}

const struct inspect_answer peek_struct_answer = {
	.level = INSPECT_HEAP,
	.find = find,
	.writers = { [FORMAT_TEXT] = write_text,
		     [FORMAT_JSON] = write_json,
		     [FORMAT_JSONL] = write_jsonl,
		     [FORMAT_CSV] = write_csv },
};
