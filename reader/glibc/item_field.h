/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of glibc's own structs by name, as far as struct glibc_layout knows them.
 */
#ifndef GLIBC_ITEM_FIELD_H
#define GLIBC_ITEM_FIELD_H

#include "glibc/heap.h"

/* "max_system_mem", "bins[253]" */
#define ITEM_FIELD_MAX 32

/*
 * The field of item that offset, from the start of the item, is in. False where there is none that
 * is known: items that are not glibc's structs, headers, padding.
 */
bool item_field(const struct heap *heap, const struct chunk *item, uint64_t offset,
		char ret[ITEM_FIELD_MAX]);

#endif
