/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF image as it lies in the memory of the target: what its headers and notes say of it.
 *
 * Only the target's memory and its list of mappings are looked at, never a file. Both are hostile,
 * and the headers are believed only as far as the mappings bear them out.
 */
#ifndef SYMBOLS_ELF_IMAGE_H
#define SYMBOLS_ELF_IMAGE_H

#include "support/error.h"
#include "symbols/module.h"
#include "target/maps.h"
#include "target/memory.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * If a loaded 64-bit x86-64 image begins at maps->data[first], sets *ret_found and fills in range,
 * bias, build_id, go, interpreted, dynamic and tls_* of *ret. A file that is mapped as mere data is
 * none, nor is what cannot be read. One read of a page, where headers and notes lie in it. Fails
 * only when nothing can be read any more.
 */
struct memtool_error *elf_image_read(struct memory *memory, const struct maps *maps, size_t first,
				     bool *ret_found, struct module *ret);

#endif
