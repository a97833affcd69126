/* SPDX-License-Identifier: Apache-2.0 */
#include "common/image.h"

#include <string.h>

#ifndef DT_RELR
#define DT_RELRSZ 35
#define DT_RELR   36
#endif

bool image_add_segment(struct image *image, const struct image_segment *segment)
{
	if (image->segment_count == IMAGE_SEGMENTS)
		return false;
	image->segments[image->segment_count++] = *segment;
	return true;
}

static bool holds(const struct image_segment *segment, uint64_t address, uint64_t size)
{
	uint64_t offset = address - segment->address;

	return address >= segment->address && offset <= segment->size &&
	       size <= segment->size - offset;
}

const struct image_segment *image_segment(const struct image *image, uint64_t address,
					  uint64_t size)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		if (holds(&image->segments[i], address, size))
			return &image->segments[i];
	}
	return NULL;
}

const void *image_bytes(const struct image *image, uint64_t address, uint64_t size)
{
	const struct image_segment *segment = image_segment(image, address, size);

	return segment ? segment->bytes + (address - segment->address) : NULL;
}

bool image_read(const struct image *image, uint64_t address, void *buffer, size_t size)
{
	const void *bytes = image_bytes(image, address, size);

	if (!bytes)
		return false;
	memcpy(buffer, bytes, size);
	return true;
}

/*
 * ld.so adds the bias to the addresses of most objects' dynamic sections where they lie, but not of
 * all (the vDSO's), nor did it always for DT_RELR.
 */
static uint64_t dynamic_address(const struct image *image, uint64_t value)
{
	return image_segment(image, value, 1) ? value : value + image->bias;
}

static void take_dynamic(struct image *image, const Elf64_Dyn *entry)
{
	uint64_t value = entry->d_un.d_val;

	switch (entry->d_tag) {
	case DT_SONAME:
		image->soname = value;
		break;
	case DT_STRTAB:
		image->strtab = dynamic_address(image, value);
		break;
	case DT_STRSZ:
		image->strtab_size = value;
		break;
	case DT_SYMTAB:
		image->symtab = dynamic_address(image, value);
		break;
	case DT_VERSYM:
		image->versym = dynamic_address(image, value);
		break;
	case DT_HASH:
		image->hash = dynamic_address(image, value);
		break;
	case DT_GNU_HASH:
		image->gnu_hash = dynamic_address(image, value);
		break;
	case DT_RELA:
		image->rela = dynamic_address(image, value);
		break;
	case DT_RELASZ:
		image->rela_size = value;
		break;
	case DT_RELR:
		image->relr = dynamic_address(image, value);
		break;
	case DT_RELRSZ:
		image->relr_size = value;
		break;
	}
}

bool image_read_dynamic(struct image *image, uint64_t dynamic, uint64_t size)
{
	Elf64_Dyn entry;

	image->soname = UINT64_MAX;
	for (uint64_t done = 0; done + sizeof(entry) <= size; done += sizeof(entry)) {
		if (!image_read(image, dynamic + done, &entry, sizeof(entry)))
			return false;
		if (entry.d_tag == DT_NULL)
			break;
		take_dynamic(image, &entry);
	}
	return image->strtab && image->symtab;
}

static bool add_loaded(struct image *image, const Elf64_Phdr *header)
{
	uint64_t address = image->bias + header->p_vaddr;

	if (!(header->p_flags & PF_R))
		return true;
	return image_add_segment(image, &(struct image_segment){
						.address = address,
						.size = header->p_memsz,
						.file_size = header->p_filesz,
						.bytes = (const uint8_t *)(uintptr_t)address,
						.flags = header->p_flags,
					});
}

/* What of the segment's bytes the file has, if it was cut short. */
static bool add_from_file(struct image *image, const Elf64_Phdr *header, const uint8_t *file,
			  size_t file_size)
{
	uint64_t size = header->p_filesz;

	if (header->p_offset >= file_size)
		return true;
	if (size > file_size - header->p_offset)
		size = file_size - header->p_offset;
	return image_add_segment(image, &(struct image_segment){
						.address = header->p_vaddr,
						.size = size,
						.file_size = size,
						.bytes = file + header->p_offset,
						.flags = header->p_flags,
					});
}

bool image_read_headers(struct image *image, const Elf64_Phdr *headers, size_t count)
{
	const Elf64_Phdr *dynamic = NULL;

	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr *header = &headers[i];
		if (header->p_type == PT_DYNAMIC)
			dynamic = header;
		if (header->p_type != PT_TLS)
			continue;
		image->tls = image->bias + header->p_vaddr;
		/* No more than all of it (elf(5)), whatever a hostile file says. */
		image->tls_file_size =
			header->p_filesz < header->p_memsz ? header->p_filesz : header->p_memsz;
		image->tls_size = header->p_memsz;
	}
	image->soname = UINT64_MAX;
	return !dynamic ||
	       image_read_dynamic(image, image->bias + dynamic->p_vaddr, dynamic->p_memsz);
}

bool image_of_loaded(const Elf64_Phdr *headers, size_t count, uint64_t bias, struct image *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->bias = bias;
	for (size_t i = 0; i < count; i++) {
		if (headers[i].p_type == PT_LOAD && !add_loaded(ret, &headers[i]))
			return false;
	}
	return image_read_headers(ret, headers, count);
}

bool image_of_file(const void *file, size_t size, struct image *ret)
{
	Elf64_Phdr headers[4 * IMAGE_SEGMENTS];
	Elf64_Ehdr header;

	memset(ret, 0, sizeof(*ret));
	if (size < sizeof(header))
		return false;
	memcpy(&header, file, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
	    header.e_phentsize != sizeof(headers[0]) ||
	    header.e_phnum > sizeof(headers) / sizeof(headers[0]) || header.e_phoff > size ||
	    header.e_phnum * sizeof(headers[0]) > size - header.e_phoff)
		return false;
	memcpy(headers, (const uint8_t *)file + header.e_phoff,
	       header.e_phnum * sizeof(headers[0]));
	for (size_t i = 0; i < header.e_phnum; i++) {
		if (headers[i].p_type == PT_LOAD && !add_from_file(ret, &headers[i], file, size))
			return false;
	}
	return image_read_headers(ret, headers, header.e_phnum);
}

/* The next of DT_RELA that has this type and no symbol. */
static bool next_rela(struct image_relocations *relocations, uint32_t type, uint64_t *ret_target,
		      uint64_t *ret_addend)
{
	const struct image *image = relocations->image;
	Elf64_Rela rela;

	while (relocations->rela_done + sizeof(rela) <= image->rela_size &&
	       image_read(image, image->rela + relocations->rela_done, &rela, sizeof(rela))) {
		relocations->rela_done += sizeof(rela);
		if (rela.r_info != ELF64_R_INFO(0, type))
			continue;
		*ret_target = image->bias + rela.r_offset;
		*ret_addend = (uint64_t)rela.r_addend;
		return true;
	}
	return false;
}

/*
 * The next word that DT_RELR names. An even entry is an address; an odd one a bitmap for the 63
 * words behind those named so far (the generic ABI, "Relative Relocation Table").
 */
static bool next_relr(struct image_relocations *relocations, uint64_t *ret_target)
{
	const struct image *image = relocations->image;
	uint64_t entry;

	while (!relocations->bitmap) {
		if (relocations->relr_done + sizeof(entry) > image->relr_size ||
		    !image_read(image, image->relr + relocations->relr_done, &entry, sizeof(entry)))
			return false;
		relocations->relr_done += sizeof(entry);
		if (!(entry & 1)) {
			*ret_target = image->bias + entry;
			relocations->base = *ret_target + sizeof(uint64_t);
			return true;
		}
		relocations->bitmap = entry >> 1;
		relocations->bitmap_at = relocations->base;
		relocations->base += 63 * sizeof(uint64_t);
	}
	int skipped = __builtin_ctzll(relocations->bitmap);
	*ret_target = relocations->bitmap_at + (uint64_t)skipped * sizeof(uint64_t);
	/* One shift more would be one too many for the highest bit. */
	relocations->bitmap = relocations->bitmap >> skipped >> 1;
	relocations->bitmap_at = *ret_target + sizeof(uint64_t);
	return true;
}

static bool read_target(struct image_relocations *relocations, uint64_t target, uint64_t *ret)
{
	const struct image_segment *segment = relocations->segment;

	if (!segment || !holds(segment, target, sizeof(*ret)))
		segment = image_segment(relocations->image, target, sizeof(*ret));
	if (!segment)
		return false;
	relocations->segment = segment;
	memcpy(ret, segment->bytes + (target - segment->address), sizeof(*ret));
	return true;
}

bool image_next_relative(struct image_relocations *relocations, uint64_t *ret_target,
			 uint64_t *ret_value)
{
	const struct image *image = relocations->image;
	uint64_t target, addend;

	if (next_rela(relocations, R_X86_64_RELATIVE, &target, &addend)) {
		*ret_target = target;
		*ret_value = image->bias + addend;
		return true;
	}
	while (next_relr(relocations, &target)) {
		if (read_target(relocations, target, ret_value)) {
			*ret_target = target;
			return true;
		}
	}
	return false;
}

bool image_next_tpoff(struct image_relocations *relocations, uint64_t *ret_target,
		      uint64_t *ret_value)
{
	return next_rela(relocations, R_X86_64_TPOFF64, ret_target, ret_value);
}
