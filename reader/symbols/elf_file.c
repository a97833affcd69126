/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/elf_file.h"

#include "symbols/elf_note.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Linked files have some 50; a section header has 64 bytes. */
#define SECTIONS_MAX (UINT64_C(1) << 20)
#define NAMES_MAX    (UINT64_C(16) << 20)
#define NOTES_MAX    (UINT64_C(1) << 20)
#define LINK_MAX     (UINT64_C(4) << 10) /* of a .gnu_debuglink: a file's name */
#define PHDR_MAX     256

/* Whether all of it could be read. */
static bool read_at(const struct elf_file *file, uint64_t offset, void *buffer, uint64_t size)
{
	uint64_t done = 0;

	if (file->bytes) {
		if (offset > file->size || size > file->size - offset)
			return false;
		memcpy(buffer, (const uint8_t *)file->bytes + offset, size);
		return true;
	}
	if (size > INT64_MAX || offset > INT64_MAX - size)
		return false;
	while (done < size) {
		ssize_t count = pread(file->fd, (uint8_t *)buffer + done, size - done,
				      (off_t)(offset + done));
		if (count <= 0)
			return false;
		done += (uint64_t)count;
	}
	return true;
}

static bool is_ours(const Elf64_Ehdr *header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_ident[EI_DATA] == ELFDATA2LSB &&
	       header->e_machine == EM_X86_64;
}

/* From SHN_LORESERVE on, section 0 has the number (elf(5), e_shnum). */
static uint64_t count_sections(const struct elf_file *file)
{
	const Elf64_Ehdr *header = &file->header;
	Elf64_Shdr first;

	if (header->e_shoff == 0 || header->e_shentsize != sizeof(first))
		return 0;
	if (header->e_shnum)
		return header->e_shnum;
	return read_at(file, header->e_shoff, &first, sizeof(first)) ? first.sh_size : 0;
}

/* A file whose section headers cannot be had has none. */
static void read_sections(struct elf_file *file)
{
	uint64_t count = count_sections(file);
	_cleanup_free_ Elf64_Shdr *headers = NULL;

	if (count == 0 || count > SECTIONS_MAX)
		return;
	headers = malloc(count * sizeof(*headers));
	if (!headers || !read_at(file, file->header.e_shoff, headers, count * sizeof(*headers)))
		return;
	file->sections = malloc(count * sizeof(*file->sections));
	if (!file->sections)
		return;
	for (size_t i = 0; i < count; i++)
		file->sections[i] = (struct elf_section){ .header = headers[i] };
	file->section_count = count;
}

/* Takes over what file has, also on failure. */
static bool open_headers(struct elf_file *file, struct elf_file *ret)
{
	if (!read_at(file, 0, &file->header, sizeof(file->header)) || !is_ours(&file->header)) {
		elf_file_close(file);
		return false;
	}
	read_sections(file);
	*ret = *file;
	return true;
}

bool elf_file_open(int fd, struct elf_file *ret)
{
	struct elf_file file = { .fd = fd };

	return fd >= 0 && open_headers(&file, ret);
}

bool elf_file_of_bytes(void *bytes, size_t size, struct elf_file *ret)
{
	struct elf_file file = { .fd = -1, .bytes = bytes, .size = size };

	return open_headers(&file, ret);
}

bool elf_file_is_open(const struct elf_file *file)
{
	return file->fd >= 0 || file->bytes;
}

void elf_file_close(struct elf_file *file)
{
	for (size_t i = 0; i < file->section_count; i++)
		free(file->sections[i].bytes);
	free(file->sections);
	free(file->bytes);
	cleanup_close(&file->fd);
	*file = (struct elf_file)ELF_FILE_NONE;
}

struct elf_section *elf_file_section(const struct elf_file *file, size_t index)
{
	return index < file->section_count ? &file->sections[index] : NULL;
}

/* Whether the file has the bytes as they are. */
static bool has_bytes(const Elf64_Shdr *header)
{
	return header->sh_type != SHT_NOBITS && !(header->sh_flags & SHF_COMPRESSED) &&
	       header->sh_size > 0;
}

bool elf_section_read(const struct elf_file *file, const struct elf_section *section,
		      uint64_t offset, void *buffer, size_t size)
{
	const Elf64_Shdr *header = &section->header;
	uint64_t at;

	if (!has_bytes(header) || offset > header->sh_size || size > header->sh_size - offset ||
	    __builtin_add_overflow(header->sh_offset, offset, &at))
		return false;
	if (!section->bytes)
		return read_at(file, at, buffer, size);
	memcpy(buffer, (const uint8_t *)section->bytes + offset, size);
	return true;
}

const void *elf_section_bytes(const struct elf_file *file, struct elf_section *section,
			      uint64_t max)
{
	const Elf64_Shdr *header = &section->header;
	_cleanup_free_ void *bytes = NULL;

	if (!has_bytes(header) || header->sh_size > max)
		return NULL;
	if (!section->bytes) {
		bytes = malloc(header->sh_size);
		if (!bytes || !read_at(file, header->sh_offset, bytes, header->sh_size))
			return NULL;
		section->bytes = no_cleanup_ptr(bytes);
	}
	return section->bytes;
}

const char *elf_section_name(const struct elf_file *file, const struct elf_section *section)
{
	size_t index = file->header.e_shstrndx;

	if (index == SHN_XINDEX && file->section_count)
		index = file->sections[0].header.sh_link;
	struct elf_section *names = elf_file_section(file, index);
	const char *text = names ? elf_section_bytes(file, names, NAMES_MAX) : NULL;
	uint64_t at = section->header.sh_name;
	/* Where the last of the names ends, each does. */
	if (!text || at >= names->header.sh_size || text[names->header.sh_size - 1] != '\0')
		return NULL;
	return text + at;
}

struct elf_section *elf_file_find_name(const struct elf_file *file, const char *name)
{
	for (size_t i = 0; i < file->section_count; i++) {
		const char *found = elf_section_name(file, &file->sections[i]);
		if (found && strcmp(found, name) == 0)
			return &file->sections[i];
	}
	return NULL;
}

struct elf_section *elf_file_find_type(const struct elf_file *file, Elf64_Word type)
{
	for (size_t i = 0; i < file->section_count; i++) {
		if (file->sections[i].header.sh_type == type)
			return &file->sections[i];
	}
	return NULL;
}

static enum build_id_match match_notes(const uint8_t *notes, size_t size, uint64_t align,
				       const uint8_t *build_id, size_t build_id_size)
{
	struct elf_note note;
	size_t at = 0;

	while (elf_note_next(notes, size, align, &at, &note)) {
		if (!elf_note_is(&note, NT_GNU_BUILD_ID, ELF_NOTE_GNU) || note.desc_size == 0)
			continue;
		return note.desc_size == build_id_size &&
				       memcmp(note.desc, build_id, build_id_size) == 0
			       ? BUILD_ID_SAME
			       : BUILD_ID_OTHER;
	}
	return BUILD_ID_NONE;
}

/* Of a file without sections: by its program headers, which a debug file's may not fit. */
static enum build_id_match match_segments(const struct elf_file *file, const uint8_t *build_id,
					  size_t size)
{
	enum build_id_match match = BUILD_ID_NONE;
	Elf64_Phdr headers[PHDR_MAX];
	size_t count = file->header.e_phnum;

	if (file->header.e_phentsize != sizeof(headers[0]) || count > PHDR_MAX ||
	    !read_at(file, file->header.e_phoff, headers, count * sizeof(headers[0])))
		return BUILD_ID_NONE;
	for (size_t i = 0; i < count && match == BUILD_ID_NONE; i++) {
		_cleanup_free_ uint8_t *notes = NULL;
		uint64_t length = headers[i].p_filesz;

		if (headers[i].p_type != PT_NOTE || length > NOTES_MAX)
			continue;
		notes = malloc(length);
		if (notes && read_at(file, headers[i].p_offset, notes, length))
			match = match_notes(notes, length, headers[i].p_align, build_id, size);
	}
	return match;
}

enum build_id_match elf_file_match(const struct elf_file *file, const uint8_t *build_id,
				   size_t size)
{
	enum build_id_match match = BUILD_ID_NONE;

	if (size == 0)
		return BUILD_ID_NONE;
	if (file->section_count == 0)
		return match_segments(file, build_id, size);
	for (size_t i = 0; i < file->section_count && match == BUILD_ID_NONE; i++) {
		struct elf_section *section = &file->sections[i];
		if (section->header.sh_type != SHT_NOTE)
			continue;
		const uint8_t *notes = elf_section_bytes(file, section, NOTES_MAX);
		if (notes)
			match = match_notes(notes, section->header.sh_size,
					    section->header.sh_addralign, build_id, size);
	}
	return match;
}

/* A name, zeros up to a multiple of four bytes, and the CRC, as objcopy(1) writes them. */
const char *elf_file_debug_link(const struct elf_file *file, uint32_t *ret_crc)
{
	struct elf_section *section = elf_file_find_name(file, ".gnu_debuglink");
	const char *name = section ? elf_section_bytes(file, section, LINK_MAX) : NULL;

	if (!name)
		return NULL;
	size_t size = section->header.sh_size, length = strnlen(name, size);
	size_t crc = (length + sizeof(*ret_crc)) & ~(sizeof(*ret_crc) - 1);
	if (length == 0 || crc + sizeof(*ret_crc) > size)
		return NULL;
	memcpy(ret_crc, name + crc, sizeof(*ret_crc));
	return name;
}
