/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library's heap is inside. memtool.h tells what is promised of it.
 */
#ifndef API_HEAP_H
#define API_HEAP_H

#include "glibc/heap.h"
#include "memtool.h"

struct memtool_heap {
	struct heap *heap;
	char glibc[16]; /* its version, or "" */
};

/* Takes over heap, also on failure. glibc is a version, or "". */
struct memtool_error *api_heap_create(struct heap *heap, const char *glibc,
				      struct memtool_heap **ret);

#endif
