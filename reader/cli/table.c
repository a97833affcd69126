/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "cli/table_format.h"
#include "cli/units.h"
#include "cli/utf8.h"
#include "support/array.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

DEFINE_ARRAY(table_columns, struct table_format_column)
DEFINE_ARRAY(table_cells, char *)

struct table {
	struct table_columns columns;
	struct table_cells cells; /* of one row after another */
	size_t rows;
	bool out_of_memory;
};

struct memtool_error *table_create(struct table **ret)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return memtool_error_no_memory;
	*ret = table;
	return NULL;
}

void table_destroy(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cells.count; i++)
		free(table->cells.data[i]);
	table_cells_deinit(&table->cells);
	table_columns_deinit(&table->columns);
	free(table);
}

void table_column(struct table *table, const char *name, enum table_column alignment)
{
	const struct table_format_column column = { name, alignment == TABLE_RIGHT };

	table->out_of_memory |= !table_columns_append(&table->columns, &column);
}

/* Takes over text, which may be NULL for an empty cell. */
static void append_cell(struct table *table, char *text)
{
	if (table->cells.count < table->rows * table->columns.count &&
	    table_cells_append(&table->cells, &text))
		return;
	free(text);
	table->out_of_memory = true;
}

/* Empty cells where the last row has none. */
static void end_row(struct table *table)
{
	while (table->cells.count < table->rows * table->columns.count && !table->out_of_memory)
		append_cell(table, NULL);
}

void table_row(struct table *table)
{
	end_row(table);
	table->rows++;
}

/* Takes over text. */
static void set_cell(struct table *table, char *text)
{
	if (text)
		append_cell(table, text);
	else
		table->out_of_memory = true;
}

void table_cell(struct table *table, const char *text)
{
	set_cell(table, strdup(text));
}

void table_printf(struct table *table, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	set_cell(table, text);
}

void table_bytes(struct table *table, uint64_t bytes)
{
	table_cell(table, units_bytes(bytes).text);
}

void table_count(struct table *table, uint64_t count)
{
	table_cell(table, units_count(count).text);
}

void table_hex(struct table *table, uint64_t value)
{
	table_printf(table, "0x%" PRIx64, value);
}

/* Without the blanks that libsmartcols leaves behind the last column's empty cells. */
static void write_lines(struct output *output, const char *text)
{
	while (*text) {
		size_t line = strcspn(text, "\n");
		size_t length = line;
		while (length > 0 && text[length - 1] == ' ')
			length--;
		output_write(output, text, length);
		output_char(output, '\n');
		text += line + (text[line] == '\n');
	}
}

struct memtool_error *table_print(struct table *table, struct output *output)
{
	const struct table_formatter *formatter;
	_cleanup_free_ char *text = NULL;

	end_row(table);
	if (table->out_of_memory)
		return memtool_error_no_memory;
	struct memtool_error *error = table_formatter_load(&formatter);
	if (error)
		return error;
	/* How wide a character is. */
	utf8_use_locale();
	int errnum = formatter->format(table->columns.data, table->columns.count, table->cells.data,
				       table->rows, &text);
	if (errnum)
		return memtool_error_os(errnum, "cannot make a table");
	if (text)
		write_lines(output, text);
	return NULL;
}
