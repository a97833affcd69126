/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The separate debug file of a module: where distributions put it, and how to know that it is it.
 *
 * Every file found is checked: its build-id must be the module's; the CRC that .gnu_debuglink gives
 * counts only where there is no build-id to compare. So it does no harm to look below our own root
 * too, where the debug packages more often are than in a container.
 */
#ifndef SYMBOLS_DEBUG_FILE_H
#define SYMBOLS_DEBUG_FILE_H

#include "symbols/elf_file.h"
#include "symbols/module.h"

/* By build-id, then by the .gnu_debuglink of file (which may be none). False if there is none. */
bool debug_file_find(const struct module *module, pid_t pid, const struct elf_file *file,
		     struct elf_file *ret);

/* From debuginfod, where DEBUGINFOD_URLS is set; may take the time of a download. */
bool debug_file_fetch(const struct module *module, struct elf_file *ret);

#endif
