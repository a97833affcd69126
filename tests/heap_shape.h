/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has to hold of every struct heap, whatever memory it was read from: order, no overlaps,
 * lists and indexes in bounds, tallies that are the sums of the chunks; and, where the audit has no
 * doubt, that the sums are those of glibc's books. Needs no cmocka: fuzz targets use it, too.
 */
#ifndef TESTS_HEAP_SHAPE_H
#define TESTS_HEAP_SHAPE_H

#include "glibc/heap.h"

/* Says what the heap contradicts itself in; NULL if in nothing. */
const char *heap_contradiction(const struct heap *heap);

#endif
