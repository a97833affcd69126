/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in modules of the command (cli/modules.c), where it is linked.
 */
#include "cli/shell/edit.h"
#include "cli/table_format.h"

struct memtool_error *line_editor_load(const struct line_editor **ret)
{
	*ret = &memtool_line_editor;
	return NULL;
}

struct memtool_error *table_formatter_load(const struct table_formatter **ret)
{
	*ret = &memtool_table_formatter;
	return NULL;
}
