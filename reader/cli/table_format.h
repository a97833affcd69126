/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the cells of a table to lines of text, by libsmartcols. A module of the command, see
 * cli/modules.c: JSON and CSV need none of it.
 */
#ifndef CLI_TABLE_FORMAT_H
#define CLI_TABLE_FORMAT_H

#include "support/error.h"

struct table_format_column {
	const char *name;
	bool right; /* aligned */
};

struct table_formatter {
	/*
	 * Returns 0 or an errno. cells are those of the rows, one after another, each with one a
	 * column; NULL is empty. *ret_text is freed by the caller, and NULL if there are no rows.
	 */
	int (*format)(const struct table_format_column *columns, size_t column_count,
		      char *const *cells, size_t row_count, char **ret_text);
};

/* The function; it lasts as long as the program. */
struct memtool_error *table_formatter_load(const struct table_formatter **ret);

/* The one there is, for table_formatter_load(): what the module exports has this name. */
extern const struct table_formatter memtool_table_formatter;

#endif
