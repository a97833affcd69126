/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/elf_file.h"

#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <string.h>

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

enum build_id_match elf_file_match(const struct elf_file *file, const uint8_t *build_id,
				   size_t size)
{
	const void *own;
	ssize_t own_size = dwelf_elf_gnu_build_id(file->elf, &own);

	if (own_size <= 0 || size == 0)
		return BUILD_ID_NONE;
	return (size_t)own_size == size && memcmp(own, build_id, size) == 0 ? BUILD_ID_SAME
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

bool elf_file_has_section(const struct elf_file *file, const char *name)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(file->elf, section))) {
		const char *found = elf_section_name(file->elf, section);
		if (found && strcmp(found, name) == 0)
			return true;
	}
	return false;
}
