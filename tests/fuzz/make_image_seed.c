/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes an input for fuzz_image out of a libc.so.6:
 *
 *	make_image_seed LIBC FILE
 *
 * Only the words are kept that its malloc is found by, so that nearly every word of the input
 *matters.
 */
#include "common/glibc_scan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/image_file.h"

#include <stdio.h>
#include <string.h>

const char fuzz_target[] = "make_image_seed";

/* What is found in a libc. */
struct found {
	struct glibc_scan_arena arena;
	struct glibc_scan_par par;
	struct glibc_tls_slot tcache;
};

static bool find_malloc(const struct image_file *file, struct found *ret)
{
	struct glibc_tls_slot slots[GLIBC_TLS_SLOTS];
	struct found found;
	struct image image;
	size_t index;

	memset(&found, 0, sizeof(found));
	if (!image_of_file(file->bytes, file->size, &image) ||
	    !image_soname_is(&image, "libc.so.6") || !glibc_scan_main_arena(&image, &found.arena) ||
	    !glibc_scan_mp(&image, &found.par) ||
	    !glibc_scan_tcache(&image, slots, glibc_scan_tls(&image, slots), &index))
		return false;
	found.tcache = slots[index];
	memcpy(ret, &found, sizeof(found));
	return true;
}

/* Makes blocks of that size zero where that changes nothing. */
static void blank(struct image_file *file, size_t size, const struct found *wanted)
{
	uint8_t saved[65536], zeros[65536] = { 0 };
	struct found found;

	for (size_t at = 0; at + size <= file->size; at += size) {
		if (memcmp(file->bytes + at, zeros, size) == 0)
			continue;
		memcpy(saved, file->bytes + at, size);
		memset(file->bytes + at, 0, size);
		if (!find_malloc(file, &found) || memcmp(&found, wanted, sizeof(found)) != 0)
			memcpy(file->bytes + at, saved, size);
	}
}

static void seed_from_libc(const char *libc, const char *path)
{
	static const size_t sizes[] = { 65536, 4096, 512, 64, 8 };
	static uint8_t data[IMAGE_FILE_PAGES * IMAGE_FILE_PAGE];
	static struct image_file image;
	struct found found;
	FILE *file = fopen(libc, "rb");

	/* Makes room. */
	image_file_decode(&image, (const uint8_t *)"", 0);
	if (!file)
		fuzz_fail("%s cannot be opened", libc);
	image.size = fread(image.bytes, 1, IMAGE_FILE_PAGES * IMAGE_FILE_PAGE, file);
	image.size = (image.size + IMAGE_FILE_PAGE - 1) / IMAGE_FILE_PAGE * IMAGE_FILE_PAGE;
	fclose(file);
	if (!find_malloc(&image, &found))
		fuzz_fail("%s: no malloc is found in it", libc);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		blank(&image, sizes[i], &found);
	size_t size = image_file_encode(&image, data, sizeof(data));
	file = fopen(path, "wb");
	if (!size || !file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
		fuzz_fail("%s cannot be written", path);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: make_image_seed LIBC FILE\n");
		return 64;
	}
	seed_from_libc(argv[1], argv[2]);
	return 0;
}
