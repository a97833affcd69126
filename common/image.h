/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct image: a shared object as it lies in memory, or in its file, and what its dynamic section
 * says of it: symbols and relative relocations.
 *
 * Pure: it looks only at bytes that it was given, allocates nothing and calls nothing of libc that
 * has a state; so the agent may use it before main() and the reader on a copy. What it looks at may
 * be hostile: all addresses are checked against the segments and every loop ends.
 *
 * Addresses are those at run time. In a file, bias is 0 and they are the file's own.
 */
#ifndef COMMON_IMAGE_H
#define COMMON_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_SEGMENTS 16

struct image_segment {
	uint64_t address;
	uint64_t size; /* of what is in bytes */
	uint64_t file_size; /* of what came from the file; the rest is .bss */
	const uint8_t *bytes;
	uint32_t flags; /* PF_R, PF_W, PF_X */
};

struct image {
	uint64_t bias;
	struct image_segment segments[IMAGE_SEGMENTS];
	size_t segment_count;
	/* The TLS initialisation image (PT_TLS). */
	uint64_t tls;
	uint64_t tls_file_size;
	uint64_t tls_size;
	/* Of the dynamic section; an address is 0 where there is none. */
	uint64_t soname; /* offset in strtab; UINT64_MAX if there is none */
	uint64_t strtab, strtab_size;
	uint64_t symtab, versym;
	uint64_t hash, gnu_hash;
	uint64_t rela, rela_size;
	uint64_t relr, relr_size;
};

/*
 * headers: the program headers of an object that the dynamic linker has loaded and relocated in
 * this very process. Its memory is not copied. False if it has more segments than IMAGE_SEGMENTS or
 * a dynamic section that makes no sense; a static program that is not PIE has none at all.
 */
bool image_of_loaded(const Elf64_Phdr *headers, size_t count, uint64_t bias, struct image *ret);

/* The same of a file's contents. False as well for what is no x86-64 ELF file. */
bool image_of_file(const void *file, size_t size, struct image *ret);

/*
 * For images that come by another way, a copy of another process's memory: set bias, add each
 * segment, then read what the program headers say of the rest, or the dynamic section at dynamic
 * alone.
 */
bool image_add_segment(struct image *image, const struct image_segment *segment);
bool image_read_headers(struct image *image, const Elf64_Phdr *headers, size_t count);
bool image_read_dynamic(struct image *image, uint64_t dynamic, uint64_t size);

/* The segment that holds all of [address, address + size), or NULL. */
const struct image_segment *image_segment(const struct image *image, uint64_t address,
					  uint64_t size);

/* The bytes there, of any alignment, or NULL. */
const void *image_bytes(const struct image *image, uint64_t address, uint64_t size);

/* Copies from there; false, and nothing is copied, where not all of it is in one segment. */
bool image_read(const struct image *image, uint64_t address, void *buffer, size_t size);

bool image_soname_is(const struct image *image, const char *soname);

struct image_symbol {
	uint64_t address;
	uint64_t size;
};

/*
 * A function that the object defines, of its default version; by DT_GNU_HASH or DT_HASH. No
 * STT_GNU_IFUNC, whose address is not the function's.
 */
bool image_find_function(const struct image *image, const char *name, struct image_symbol *ret);

/*
 * Goes over the relative relocations, of DT_RELA and of DT_RELR: target is the address of a word
 * that holds an address of the object itself, value that address. Begin with { .image = image }.
 * For DT_RELR the value is only in the word: there it is what the word holds now.
 */
struct image_relocations {
	const struct image *image;
	uint64_t rela_done;
	uint64_t relr_done;
	uint64_t base; /* address that the lowest bit of the next bitmap stands for */
	uint64_t bitmap; /* what is left of the one begun */
	uint64_t bitmap_at; /* address that its lowest bit stands for */
	const struct image_segment *segment; /* where the last target was: the next one is too */
};

bool image_next_relative(struct image_relocations *relocations, uint64_t *ret_target,
			 uint64_t *ret_value);

/*
 * The same for R_X86_64_TPOFF64 without a symbol: target is the word of the GOT, value the offset
 * in the object's own TLS block.
 */
bool image_next_tpoff(struct image_relocations *relocations, uint64_t *ret_target,
		      uint64_t *ret_value);

#endif
