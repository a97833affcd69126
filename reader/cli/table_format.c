/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table_format.h"

#include <errno.h>
#include <libsmartcols.h>

static int add_row(struct libscols_table *table, char *const *cells, size_t count)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	int result = line ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && result == 0; i++)
		result = cells[i] ? scols_line_set_data(line, i, cells[i]) : 0;
	return result;
}

/* libsmartcols answers with 0 or a negative errno. */
static int fill(struct libscols_table *table, const struct table_format_column *columns,
		size_t column_count, char *const *cells, size_t row_count)
{
	/* The columns are as wide as what is in them: a cut address is worth nothing. */
	int result = scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);

	for (size_t i = 0; i < column_count && result == 0; i++) {
		if (!scols_table_new_column(table, columns[i].name, 0,
					    columns[i].right ? SCOLS_FL_RIGHT : 0))
			result = -ENOMEM;
	}
	for (size_t i = 0; i < row_count && result == 0; i++)
		result = add_row(table, cells + i * column_count, column_count);
	return result;
}

static int format(const struct table_format_column *columns, size_t column_count,
		  char *const *cells, size_t row_count, char **ret_text)
{
	struct libscols_table *table = scols_new_table();
	char *text = NULL;

	if (!table)
		return ENOMEM;
	int result = fill(table, columns, column_count, cells, row_count);
	if (result == 0)
		result = scols_print_table_to_string(table, &text);
	scols_unref_table(table);
	if (result < 0)
		return -result;
	*ret_text = text;
	return 0;
}

__attribute__((__visibility__("default"))) const struct table_formatter memtool_table_formatter = {
	.format = format,
};
