/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/debuginfod.h"

#include "support/cleanup.h"

#include <elfutils/libdwfl.h>

/* libdwfl loads libdebuginfod by itself, if it is installed. */
int debuginfod_fetch(const struct module *module)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
	};
	_cleanup_free_ char *path = NULL;
	int fd = -1;

	Dwfl *dwfl = dwfl_begin(&callbacks);
	if (!dwfl)
		return -1;
	dwfl_report_begin(dwfl);
	Dwfl_Module *reported =
		dwfl_report_module(dwfl, module->name, module->range.start, module->range.end);
	if (reported &&
	    dwfl_module_report_build_id(reported, module->build_id, module->build_id_size, 0) == 0)
		fd = dwfl_standard_find_debuginfo(reported, NULL, module->name, 0, NULL, NULL, 0,
						  &path);
	dwfl_report_end(dwfl, NULL, NULL);
	dwfl_end(dwfl);
	return fd;
}
