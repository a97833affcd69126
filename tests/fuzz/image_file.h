/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is mostly zeros, as an input of fuzz_image: its size in pages, then its words
 * (sparse.h).
 */
#ifndef TESTS_FUZZ_IMAGE_FILE_H
#define TESTS_FUZZ_IMAGE_FILE_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_FILE_PAGE  4096
#define IMAGE_FILE_PAGES 768

struct image_file {
	uint8_t *bytes; /* room for IMAGE_FILE_PAGES */
	size_t size;
};

/* file is one zeroed or used before. Its bytes are never freed. */
void image_file_decode(struct image_file *file, const uint8_t *data, size_t size);
/* How many bytes it takes; 0 if they are more than capacity. */
size_t image_file_encode(const struct image_file *file, uint8_t *data, size_t capacity);

#endif
