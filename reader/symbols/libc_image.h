/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct image (common/image.h) of a module of the target: from its file, whose data are as they
 * were before anything ran, or, where that is gone or may not be read, from its memory as it is
 * now.
 */
#ifndef SYMBOLS_LIBC_IMAGE_H
#define SYMBOLS_LIBC_IMAGE_H

#include "common/image.h"
#include "support/cleanup.h"
#include "support/error.h"
#include "symbols/module.h"
#include "target/memory.h"

#include <stdlib.h>

struct libc_image {
	struct image image;
	uint64_t bias; /* what makes an address of the image one of the target: 0 if it is one */
	uint8_t *bytes[IMAGE_SEGMENTS]; /* what the segments are copied to */
};

/*
 * Without code that nothing looks at (glibc_scan_functions). *ret_found: whether there is a file to
 * be read, and it is of use; without, nothing is made.
 */
struct memtool_error *libc_image_of_file(struct module *module, bool *ret_found,
					 struct libc_image *ret);

/* Without what is no part of the file (.bss). Unreadable memory is left out. */
struct memtool_error *libc_image_of_memory(const struct module *module, struct memory *memory,
					   bool *ret_found, struct libc_image *ret);

static inline void libc_image_deinit(struct libc_image *image)
{
	for (size_t i = 0; i < IMAGE_SEGMENTS; i++)
		free(image->bytes[i]);
	*image = (struct libc_image){ 0 };
}

#define _cleanup_libc_image_ _cleanup_(libc_image_deinit)

#endif
