/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a module: the one that is mapped, what stands in for it where that cannot be had,
 * and its separate debug file. Each is looked for once, when it is first asked for, and stays open.
 *
 * That a file cannot be had is no error: whoever needs it says what it was needed for.
 */
#ifndef SYMBOLS_MODULE_FILES_H
#define SYMBOLS_MODULE_FILES_H

#include "symbols/elf_file.h"
#include "symbols/module.h"
#include "target/maps.h"
#include "target/process.h"

/* mapping is the module's first, of maps; all outlive the result. NULL when out of memory. */
struct module_files *module_files_create(struct process *process, const struct maps *maps,
					 const struct mapping *mapping);

/* NULL is fine. */
void module_files_destroy(struct module_files *files);

/* The file that is mapped, or NULL. */
const struct elf_file *module_file(struct module *module);

/*
 * The file that is mapped or, where that cannot be had, the dynamic symbols that are in the
 * target's memory, as a file (symbols/memory_symbols.h); NULL if these cannot be had either.
 */
const struct elf_file *module_symbol_file(struct module *module);

/* Its debug file where one is installed, or NULL. */
const struct elf_file *module_installed_debug_file(struct module *module);

/* Its debug file, or NULL; may take the time of a download. */
const struct elf_file *module_debug_file(struct module *module);

#endif
