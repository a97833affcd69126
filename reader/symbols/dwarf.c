/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/dwarf.h"

#include "symbols/debuginfod.h"
#include "symbols/dwarf_layout.h"
#include "symbols/dwarf_struct.h"

__attribute__((__visibility__("default"))) const struct dwarf memtool_dwarf = {
	.read_layout = dwarf_layout_read,
	.read_struct = dwarf_struct_read,
	.fetch_file = debuginfod_fetch,
};
