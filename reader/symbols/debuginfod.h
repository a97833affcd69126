/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug files from the servers that DEBUGINFOD_URLS names.
 */
#ifndef SYMBOLS_DEBUGINFOD_H
#define SYMBOLS_DEBUGINFOD_H

#include "symbols/module.h"

/* A descriptor of the module's debug file, or -1; may take the time of a download. */
int debuginfod_fetch(const struct module *module);

#endif
