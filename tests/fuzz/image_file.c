/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/image_file.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sparse.h"

#include <stdlib.h>
#include <string.h>

void image_file_decode(struct image_file *file, const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };

	if (!file->bytes)
		file->bytes = calloc(IMAGE_FILE_PAGES, IMAGE_FILE_PAGE);
	if (!file->bytes)
		fuzz_fail("no memory for a file");
	memset(file->bytes, 0, file->size);
	file->size = (1 + fuzz_take(&input, 2) % IMAGE_FILE_PAGES) * IMAGE_FILE_PAGE;
	fuzz_take_runs(&input, file->bytes, file->size);
}

size_t image_file_encode(const struct image_file *file, uint8_t *data, size_t capacity)
{
	struct fuzz_output output = { .bytes = data, .capacity = capacity };

	fuzz_put(&output, file->size / IMAGE_FILE_PAGE - 1, 2);
	fuzz_put_runs(&output, file->bytes, file->size);
	return output.full ? 0 : output.size;
}
