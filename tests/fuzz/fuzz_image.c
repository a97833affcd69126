/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: an ELF file as common/image.h reads it, and where glibc's malloc is in it
 * (common/glibc_scan.h); then the same segments as memory at another address, which is how the
 * image of a running process comes.
 *
 * The input is the file's size in pages (2 bytes) and its words (sparse.h), so that a libc.so.6
 * takes a few hundred bytes: but for some tables, a word here and there matters.
 */
#include "common/glibc_scan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/image_file.h"

#include <inttypes.h>
#include <string.h>

/* Where the memory image lies. */
#define BIAS UINT64_C(0x7f5500000000)

const char fuzz_target[] = "image";

static void must_be_inside(const struct image *image, uint64_t address, uint64_t size)
{
	if (!image_bytes(image, address, size))
		fuzz_fail("0x%" PRIx64 " was found, but is not in the image", address);
}

static void scan_tls(const struct image *image)
{
	struct glibc_tls_slot slots[GLIBC_TLS_SLOTS];
	size_t count = glibc_scan_tls(image, slots), index;
	uint64_t offset;

	if (count > GLIBC_TLS_SLOTS)
		fuzz_fail("more TLS variables than there is room for");
	for (size_t i = 0; i < count; i++) {
		if (slots[i].offset % 8 || slots[i].offset >= image->tls_size)
			fuzz_fail("a TLS variable that is not in the TLS block");
	}
	if (glibc_scan_tcache(image, slots, count, &index) && index >= count)
		fuzz_fail("tcache is a TLS variable that there is not");
	if (glibc_scan_tcache_dummy(image, &offset) && offset >= image->tls_size)
		fuzz_fail("tcache is not in the TLS block");
}

static void scan(const struct image *image)
{
	struct image_symbol symbol;
	struct glibc_scan_arena arena;
	struct glibc_scan_par par;

	if (glibc_scan_main_arena(image, &arena))
		must_be_inside(image, arena.address, arena.next + 8);
	if (glibc_scan_mp(image, &par))
		must_be_inside(image, par.address, par.n_mmaps_max + 4);
	if (glibc_scan_used_arena(image, &arena)) {
		must_be_inside(image, arena.address, arena.next + 8);
		if (glibc_scan_used_mp(image, &arena, 0, &par))
			must_be_inside(image, par.address, par.n_mmaps_max + 4);
		if (glibc_scan_used_mp(image, &arena, UINT64_C(0x555555559000), &par))
			must_be_inside(image, par.address, par.n_mmaps_max + 4);
	}
	scan_tls(image);
	image_soname_is(image, "libc.so.6");
	image_find_function(image, "mallopt", &symbol);
}

/* The same by DT_HASH, where DT_GNU_HASH would be preferred. */
static void scan_both_hashes(struct image *image)
{
	scan(image);
	if (image->gnu_hash && image->hash) {
		image->gnu_hash = 0;
		scan(image);
	}
}

static void scan_in_memory(const struct image *file, uint64_t dynamic, uint64_t size)
{
	struct image image = { .bias = BIAS };

	for (size_t i = 0; i < file->segment_count; i++) {
		struct image_segment segment = file->segments[i];
		segment.address += BIAS;
		image_add_segment(&image, &segment);
	}
	image.tls = file->tls + BIAS;
	image.tls_file_size = file->tls_file_size;
	image.tls_size = file->tls_size;
	if (image_read_dynamic(&image, BIAS + dynamic, size))
		scan_both_hashes(&image);
}

/* Where the last PT_DYNAMIC says that the dynamic section is. */
static bool find_dynamic(const struct image_file *file, Elf64_Phdr *ret)
{
	Elf64_Ehdr header;
	bool found = false;

	memcpy(&header, file->bytes, sizeof(header));
	for (size_t i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		memcpy(&segment, file->bytes + header.e_phoff + i * sizeof(segment),
		       sizeof(segment));
		if (segment.p_type != PT_DYNAMIC)
			continue;
		*ret = segment;
		found = true;
	}
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct image_file file;
	struct image image;
	Elf64_Phdr dynamic;

	image_file_decode(&file, data, size);
	if (!image_of_file(file.bytes, file.size, &image))
		return 0;
	scan_both_hashes(&image);
	if (find_dynamic(&file, &dynamic))
		scan_in_memory(&image, dynamic.p_vaddr, dynamic.p_memsz);
	return 0;
}
