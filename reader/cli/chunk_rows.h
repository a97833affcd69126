/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks one after the other, in each format. There may be tens of millions, so rows are put
 * together by hand, right in the output's buffer.
 */
#ifndef CLI_CHUNK_ROWS_H
#define CLI_CHUNK_ROWS_H

#include "cli/options.h"
#include "cli/output.h"
#include "glibc/heap.h"

struct chunk_selection {
	bool (*is_wanted)(const struct chunk *chunk, const void *context);
	const void *context;
	uint64_t limit; /* of rows */
};

/* With the header of text and CSV; of JSON the elements alone, the array around them is open. */
void chunk_rows_write(const struct heap *heap, const struct chunk_selection *selection,
		      enum format format, struct output *output);

#endif
