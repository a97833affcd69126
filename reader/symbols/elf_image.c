/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/elf_image.h"

#include "symbols/elf_note.h"

#include <elf.h>
#include <string.h>

#define PAGE        4096
#define PHDR_MAX    256 /* the kernel takes some 1170, no linker makes more than some 20 */
#define DYNAMIC_MAX (64 << 10)
#define TLS_MAX     (UINT64_C(1) << 32)

struct image {
	struct memory *memory;
	const struct maps *maps;
	const struct mapping *first;
	uint8_t page[PAGE]; /* what first begins with */
	size_t page_size; /* how much of it could be read */
	Elf64_Phdr phdr[PHDR_MAX];
	size_t phnum;
	uint64_t bias;
	struct range range;
};

static bool same_file(const struct mapping *a, const struct mapping *b)
{
	return a->inode == b->inode && a->device == b->device;
}

/* Reads from the page that is at hand, if it can. *ret_done: all of length could be read. */
static struct memtool_error *image_read(struct image *image, uint64_t address, void *buffer,
					size_t length, bool *ret_done)
{
	struct range page = { image->first->range.start,
			      image->first->range.start + image->page_size };
	size_t count = length;

	if (range_covers(page, address, length)) {
		memcpy(buffer, image->page + (address - page.start), length);
	} else {
		struct memtool_error *error =
			memory_read_some(image->memory, address, buffer, length, &count);
		if (error)
			return error;
	}
	*ret_done = count == length;
	return NULL;
}

static bool header_is_ours(const Elf64_Ehdr *header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_ident[EI_DATA] == ELFDATA2LSB &&
	       header->e_machine == EM_X86_64 &&
	       (header->e_type == ET_EXEC || header->e_type == ET_DYN) &&
	       header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum > 0 &&
	       header->e_phnum <= PHDR_MAX;
}

/* Where a piece of the file is mapped, going up from the first mapping of it; not far. */
static bool find_offset(const struct image *image, uint64_t offset, uint64_t *ret)
{
	const struct mapping *end = image->maps->data + image->maps->count;

	if (end - image->first > PHDR_MAX)
		end = image->first + PHDR_MAX;
	for (const struct mapping *m = image->first; m < end && same_file(m, image->first); m++) {
		if (offset >= m->offset && offset - m->offset < range_size(m->range)) {
			*ret = m->range.start + (offset - m->offset);
			return true;
		}
	}
	return false;
}

static struct memtool_error *read_headers(struct image *image, Elf64_Ehdr *ret, bool *ret_found)
{
	uint64_t address;
	bool done;
	struct memtool_error *error = memory_read_some(image->memory, image->first->range.start,
						       image->page, PAGE, &image->page_size);
	*ret_found = false;
	if (error || image->page_size < sizeof(*ret))
		return error;
	memcpy(ret, image->page, sizeof(*ret));
	if (!header_is_ours(ret) || !find_offset(image, ret->e_phoff, &address))
		return NULL;

	image->phnum = ret->e_phnum;
	error = image_read(image, address, image->phdr, image->phnum * sizeof(image->phdr[0]),
			   &done);
	if (!error)
		*ret_found = done;
	return error;
}

/* Where the image would be if its file's offset 0 is at first. */
static bool find_bias(struct image *image, const Elf64_Ehdr *header)
{
	for (size_t i = 0; i < image->phnum; i++) {
		const Elf64_Phdr *load = &image->phdr[i];
		if (load->p_type != PT_LOAD || align_down(load->p_offset, PAGE) != 0)
			continue;
		image->bias = image->first->range.start - align_down(load->p_vaddr, PAGE);
		return header->e_type == ET_DYN ? image->bias % PAGE == 0 : image->bias == 0;
	}
	return false;
}

/*
 * Whether the mappings are what loading this segment gives. Anonymous memory in the file's place
 * is accepted: programs move their code into huge pages.
 */
static bool load_is_mapped(const struct image *image, const Elf64_Phdr *load)
{
	uint64_t start = image->bias + align_down(load->p_vaddr, PAGE);
	const struct mapping *m = maps_find(image->maps, start);

	if (!m || ((load->p_flags & PF_X) && !m->executable))
		return false;
	if (m->inode == 0)
		return true;
	return same_file(m, image->first) &&
	       m->offset + (start - m->range.start) == align_down(load->p_offset, PAGE);
}

static bool find_range(struct image *image)
{
	const struct mapping *end = image->maps->data + image->maps->count;
	uint64_t limit = 0;

	for (size_t i = 0; i < image->phnum; i++) {
		const Elf64_Phdr *load = &image->phdr[i];
		if (load->p_type != PT_LOAD || load->p_memsz == 0)
			continue;
		uint64_t start = image->bias + load->p_vaddr;
		if (start < image->first->range.start || load->p_memsz > UINT64_MAX - PAGE - start)
			return false;
		if (load->p_filesz > 0 && !load_is_mapped(image, load))
			return false;
		if (start + load->p_memsz > limit)
			limit = align_up(start + load->p_memsz, PAGE);
	}

	/* Not past a mapping of another file, whatever the headers say. */
	image->range.start = image->range.end = image->first->range.start;
	for (const struct mapping *m = image->first; m < end && m->range.start < limit; m++) {
		if (m->inode != 0 && !same_file(m, image->first))
			break;
		image->range.end = m->range.end < limit ? m->range.end : limit;
	}
	return image->range.end > image->range.start;
}

/* Go's linker: its name with a NUL and the type of its build id (cmd/internal/buildid). */
#define GO_NOTE        "Go"
#define NT_GO_BUILD_ID 4

/* What the notes in [data, data + size) tell. */
static void take_notes(const uint8_t *data, size_t size, uint64_t align, struct module *ret)
{
	struct elf_note note;
	size_t at = 0;

	while (elf_note_next(data, size, align, &at, &note)) {
		if (elf_note_is(&note, NT_GNU_BUILD_ID, ELF_NOTE_GNU) &&
		    note.desc_size <= BUILD_ID_MAX && !ret->build_id_size) {
			memcpy(ret->build_id, note.desc, note.desc_size);
			ret->build_id_size = note.desc_size;
		}
		/* The name is padded to 4 bytes, which Go counts. */
		if (note.type == NT_GO_BUILD_ID && note.name_size == sizeof(GO_NOTE) + 1 &&
		    memcmp(note.name, GO_NOTE, sizeof(GO_NOTE)) == 0)
			ret->go = true;
	}
}

static struct memtool_error *read_notes(struct image *image, const Elf64_Phdr *phdr,
					struct module *ret)
{
	uint64_t address = image->bias + phdr->p_vaddr;
	size_t size = phdr->p_filesz < PAGE ? phdr->p_filesz : PAGE;
	uint8_t notes[PAGE];
	bool done;

	if (size == 0 || !range_covers(image->range, address, size))
		return NULL;
	struct memtool_error *error = image_read(image, address, notes, size, &done);
	if (!error && done)
		take_notes(notes, size, phdr->p_align, ret);
	return error;
}

static void set_tls(const Elf64_Phdr *phdr, struct module *ret)
{
	uint64_t align = phdr->p_align ? phdr->p_align : 1;

	if (phdr->p_memsz > TLS_MAX || align > TLS_MAX || (align & (align - 1)))
		return;
	ret->tls_vaddr = phdr->p_vaddr;
	ret->tls_size = phdr->p_memsz;
	ret->tls_align = align;
}

static void set_dynamic(const struct image *image, const Elf64_Phdr *phdr, struct module *ret)
{
	uint64_t start = image->bias + phdr->p_vaddr;
	uint64_t size = phdr->p_memsz < DYNAMIC_MAX ? phdr->p_memsz : DYNAMIC_MAX;

	if (range_covers(image->range, start, size))
		ret->dynamic = (struct range){ start, start + size };
}

struct memtool_error *elf_image_read(struct memory *memory, const struct maps *maps, size_t first,
				     bool *ret_found, struct module *ret)
{
	struct image image = { .memory = memory, .maps = maps, .first = &maps->data[first] };
	struct module module = *ret;
	Elf64_Ehdr header;
	bool found;
	struct memtool_error *error = read_headers(&image, &header, &found);

	if (!error && found)
		found = find_bias(&image, &header) && find_range(&image);
	if (error || !found) {
		if (!error)
			*ret_found = false;
		return error;
	}

	module.range = image.range;
	module.bias = image.bias;
	for (size_t i = 0; i < image.phnum && !error; i++) {
		const Elf64_Phdr *phdr = &image.phdr[i];
		if (phdr->p_type == PT_INTERP)
			module.interpreted = true;
		else if (phdr->p_type == PT_TLS)
			set_tls(phdr, &module);
		else if (phdr->p_type == PT_DYNAMIC)
			set_dynamic(&image, phdr, &module);
		else if (phdr->p_type == PT_NOTE)
			error = read_notes(&image, phdr, &module);
	}
	if (error)
		return error;
	*ret = module;
	*ret_found = true;
	return NULL;
}
