/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libraries that belong to this command: the agent, and the modules of cli/modules.c.
 */
#ifndef CLI_OWN_FILE_H
#define CLI_OWN_FILE_H

#include "support/error.h"

/*
 * The path of one, freed by the caller; it is there at least. In a build tree it is that of
 * in_build_tree below the directory of the program; where the program was installed below another
 * root (DESTDIR, an unpacked package), name below that root too; else name where it is installed.
 */
struct memtool_error *own_file_find(const char *in_build_tree, const char *name, char **ret);

#endif
