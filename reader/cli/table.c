/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "cli/units.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <string.h>

struct table {
	struct libscols_table *scols;
	struct libscols_line *line;
	size_t next; /* column */
	int errnum; /* of the first failure */
};

/* libsmartcols answers with 0 or a negative errno. */
static void check(struct table *table, int result)
{
	if (result < 0 && !table->errnum)
		table->errnum = -result;
}

struct memtool_error *table_create(struct table **ret)
{
	struct table *table = calloc(1, sizeof(*table));
	if (!table)
		return memtool_error_no_memory;
	table->scols = scols_new_table();
	if (!table->scols) {
		free(table);
		return memtool_error_no_memory;
	}
	*ret = table;
	return NULL;
}

void table_destroy(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->scols);
	free(table);
}

void table_column(struct table *table, const char *name, enum table_column alignment)
{
	if (!scols_table_new_column(table->scols, name, 0,
				    alignment == TABLE_RIGHT ? SCOLS_FL_RIGHT : 0))
		check(table, -ENOMEM);
}

void table_row(struct table *table)
{
	table->line = scols_table_new_line(table->scols, NULL);
	table->next = 0;
	if (!table->line)
		check(table, -ENOMEM);
}

/* Takes over text. */
static void set_cell(struct table *table, char *text)
{
	if (text && table->line && scols_line_refer_data(table->line, table->next++, text) == 0)
		return;
	free(text);
	check(table, -ENOMEM);
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
	_cleanup_free_ char *text = NULL;

	/* The columns are as wide as what is in them: a cut address is worth nothing. */
	check(table, scols_table_set_termforce(table->scols, SCOLS_TERMFORCE_NEVER));
	if (!table->errnum)
		check(table, scols_print_table_to_string(table->scols, &text));
	if (table->errnum)
		return memtool_error_os(table->errnum, "cannot make a table");
	if (text)
		write_lines(output, text);
	return NULL;
}
