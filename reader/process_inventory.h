/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inventory page of a process: found by its name in the maps, read, and checked against who the
 * process is. Needs no stop and no symbols.
 */
#ifndef PROCESS_INVENTORY_H
#define PROCESS_INVENTORY_H

#include "glibc/inventory.h"
#include "support/error.h"
#include "target/maps.h"
#include "target/process.h"

/*
 * MEMTOOL_ERROR_NO_SYMBOLS if there is none; MEMTOOL_ERROR_CORRUPT or MEMTOOL_ERROR_UNSUPPORTED if
 * there is one that is not to be believed, and no other.
 */
struct memtool_error *process_inventory(struct process *process, const struct maps *maps,
					struct inventory *ret);

#endif
