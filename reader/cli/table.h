/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aligned tables for people; libsmartcols aligns them. It holds all rows until it prints, so
 * it is for what has thousands of rows, not millions.
 *
 * Filling a table never fails on the spot: table_print() reports what went wrong. Cells are filled
 * from left to right; those left out stay empty. Bytes that are not printable are shown as \xNN.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/output.h"
#include "support/error.h"

struct table;

enum table_column { TABLE_LEFT, TABLE_RIGHT };

struct memtool_error *table_create(struct table **ret);

/* NULL is fine. */
void table_destroy(struct table *table);

/* All columns come before the first row. name must outlive the table. */
void table_column(struct table *table, const char *name, enum table_column alignment);

void table_row(struct table *table);
void table_cell(struct table *table, const char *text);
void table_printf(struct table *table, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/* Cells in the forms of units.h. */
void table_bytes(struct table *table, uint64_t bytes);
void table_count(struct table *table, uint64_t count);
void table_hex(struct table *table, uint64_t value);

struct memtool_error *table_print(struct table *table, struct output *output);

#define _cleanup_table_ _cleanup_(cleanup_table)
static inline void cleanup_table(struct table **table)
{
	table_destroy(*table);
}

#endif
