/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the debug information of a file: dwarf_reader_open().
 */
#include "symbols/dwarf_types.h"

#include <gelf.h>
#include <string.h>

#define SECTIONS_MAX (UINT64_C(1) << 30) /* bytes of all debug sections; libc's have 20 MiB */

static const char *section_name(Elf *elf, Elf_Scn *section)
{
	GElf_Shdr header;
	size_t names;

	return elf_getshdrstrndx(elf, &names) == 0 && gelf_getshdr(section, &header)
		       ? elf_strptr(elf, names, header.sh_name)
		       : NULL;
}

/* Size of a section when it is inflated, if it is one of debug information. */
static uint64_t debug_section_size(Elf_Scn *section, const char *name)
{
	GElf_Shdr header;
	GElf_Chdr compressed;

	if (!name || strncmp(name, ".debug_", 7) != 0 || !gelf_getshdr(section, &header) ||
	    header.sh_type == SHT_NOBITS)
		return 0;
	if (header.sh_flags & SHF_COMPRESSED)
		return gelf_getchdr(section, &compressed) ? compressed.ch_size : 0;
	return header.sh_size;
}

/* Whether there is debug information that is worth opening. */
static bool is_usable(Elf *elf)
{
	Elf_Scn *section = NULL;
	uint64_t total = 0;
	bool found = false;

	while ((section = elf_nextscn(elf, section))) {
		const char *name = section_name(elf, section);
		uint64_t size = debug_section_size(section, name);
		if (size > SECTIONS_MAX - total)
			return false;
		total += size;
		found |= size > 0 && strcmp(name, ".debug_info") == 0;
	}
	return found;
}

/* Notes the sections with strings in them, as libdw has left them: inflated. */
static void add_texts(Elf *elf, struct dwarf_reader *reader)
{
	static const char *const names[] = { ".debug_info", ".debug_types", ".debug_str",
					     ".debug_line_str" };
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		const char *name = section_name(elf, section);
		for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
			Elf_Data *data =
				strcmp(name, names[i]) == 0 ? elf_getdata(section, NULL) : NULL;
			if (data && data->d_buf && reader->text_count < DWARF_TEXTS_MAX)
				reader->texts[reader->text_count++] =
					(struct dwarf_text){ data->d_buf, data->d_size };
		}
	}
}

struct memtool_error *dwarf_reader_open(const struct elf_file *file, bool *ret_found,
					struct dwarf_reader *ret)
{
	_cleanup_dwarf_reader_ struct dwarf_reader reader = { 0 };

	*ret_found = false;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return NULL;
	reader.elf = elf_begin(file->fd, ELF_C_READ, NULL);
	if (!reader.elf || !is_usable(reader.elf))
		return NULL;
	reader.dwarf = dwarf_begin_elf(reader.elf, DWARF_C_READ, NULL);
	if (!reader.dwarf)
		return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
					    "debug information cannot be read: %s",
					    dwarf_errmsg(-1));
	add_texts(reader.elf, &reader);
	/* What dwz(1) moved to a file that several share; libdw finds and opens that. */
	Dwarf *shared = dwarf_getalt(reader.dwarf);
	if (shared)
		add_texts(dwarf_getelf(shared), &reader);
	*ret = reader;
	reader = (struct dwarf_reader){ 0 };
	*ret_found = true;
	return NULL;
}

void dwarf_reader_close(struct dwarf_reader *reader)
{
	dwarf_end(reader->dwarf);
	elf_end(reader->elf);
	*reader = (struct dwarf_reader){ 0 };
}
