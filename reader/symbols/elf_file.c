/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/elf_file.h"

#include <gelf.h>
#include <string.h>

#define NOTES_MAX (UINT64_C(1) << 20) /* bytes of notes that are read at once */
#define LINK_MAX  (UINT64_C(4) << 10) /* of a .gnu_debuglink: a file's name */

static bool elf_is_ours(Elf *elf)
{
	GElf_Ehdr header;

	return elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header) &&
	       header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
	       header.e_machine == EM_X86_64;
}

bool elf_file_open(int descriptor, struct elf_file *ret)
{
	_cleanup_close_ int fd = descriptor;

	if (fd < 0 || elf_version(EV_CURRENT) == EV_NONE)
		return false;
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || !elf_is_ours(elf)) {
		elf_end(elf);
		return false;
	}
	*ret = (struct elf_file){ no_cleanup_fd(fd), elf };
	return true;
}

void elf_file_close(struct elf_file *file)
{
	elf_end(file->elf);
	cleanup_close(&file->fd);
	*file = (struct elf_file)ELF_FILE_NONE;
}

/* The build-id among notes, which may be NULL: where it is, or NULL. */
static const uint8_t *find_build_id(Elf_Data *notes, size_t *ret_size)
{
	size_t at = 0, next, name, desc;
	GElf_Nhdr note;

	for (; notes && (next = gelf_getnote(notes, at, &note, &name, &desc)) > 0; at = next) {
		const char *bytes = notes->d_buf;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof(ELF_NOTE_GNU) ||
		    memcmp(bytes + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) != 0)
			continue;
		*ret_size = note.n_descsz;
		return (const uint8_t *)bytes + desc;
	}
	return NULL;
}

/* Of a file without sections: by its program headers, which a debug file's do not fit. */
static const uint8_t *segment_build_id(Elf *elf, size_t *ret_size)
{
	GElf_Phdr header;
	size_t count;

	if (elf_getphdrnum(elf, &count) < 0)
		return NULL;
	for (size_t i = 0; i < count && gelf_getphdr(elf, (int)i, &header); i++) {
		if (header.p_type != PT_NOTE || header.p_filesz > NOTES_MAX)
			continue;
		Elf_Data *notes =
			elf_getdata_rawchunk(elf, (int64_t)header.p_offset, header.p_filesz,
					     header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		const uint8_t *found = find_build_id(notes, ret_size);
		if (found)
			return found;
	}
	return NULL;
}

static const uint8_t *own_build_id(Elf *elf, size_t *ret_size)
{
	Elf_Scn *section = elf_nextscn(elf, NULL);
	GElf_Shdr header;

	if (!section)
		return segment_build_id(elf, ret_size);
	for (; section; section = elf_nextscn(elf, section)) {
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_NOTE ||
		    header.sh_size > NOTES_MAX)
			continue;
		const uint8_t *found = find_build_id(elf_getdata(section, NULL), ret_size);
		if (found)
			return found;
	}
	return NULL;
}

enum build_id_match elf_file_match(const struct elf_file *file, const uint8_t *build_id,
				   size_t size)
{
	size_t own_size = 0;
	const uint8_t *own = own_build_id(file->elf, &own_size);

	if (!own || own_size == 0 || size == 0)
		return BUILD_ID_NONE;
	return own_size == size && memcmp(own, build_id, size) == 0 ? BUILD_ID_SAME
								    : BUILD_ID_OTHER;
}

const char *elf_section_name(Elf *elf, Elf_Scn *section)
{
	GElf_Shdr header;
	size_t names;

	return elf_getshdrstrndx(elf, &names) == 0 && gelf_getshdr(section, &header)
		       ? elf_strptr(elf, names, header.sh_name)
		       : NULL;
}

static Elf_Scn *find_section(Elf *elf, const char *name)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		const char *found = elf_section_name(elf, section);
		if (found && strcmp(found, name) == 0)
			return section;
	}
	return NULL;
}

bool elf_file_has_section(const struct elf_file *file, const char *name)
{
	return find_section(file->elf, name) != NULL;
}

/* A name, zeros up to a multiple of four bytes, and the CRC, as objcopy(1) writes them. */
const char *elf_file_debug_link(const struct elf_file *file, uint32_t *ret_crc)
{
	Elf_Scn *section = find_section(file->elf, ".gnu_debuglink");
	GElf_Shdr header;

	if (!section || !gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS ||
	    header.sh_size > LINK_MAX)
		return NULL;
	Elf_Data *data = elf_rawdata(section, NULL);
	if (!data || !data->d_buf)
		return NULL;
	size_t length = strnlen(data->d_buf, data->d_size);
	size_t crc = (length + sizeof(*ret_crc)) & ~(sizeof(*ret_crc) - 1);
	if (length == 0 || crc + sizeof(*ret_crc) > data->d_size)
		return NULL;
	memcpy(ret_crc, (const char *)data->d_buf + crc, sizeof(*ret_crc));
	return data->d_buf;
}
