/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/elf_note.h"

#include "support/range.h"

#include <elf.h>
#include <string.h>

bool elf_note_next(const uint8_t *notes, size_t size, uint64_t align, size_t *at,
		   struct elf_note *ret)
{
	Elf64_Nhdr header;

	if (*at > size || size - *at < sizeof(header))
		return false;
	memcpy(&header, notes + *at, sizeof(header));
	/* Notes of 8-byte alignment are padded to that, all others to 4. */
	align = align == 8 ? 8 : 4;
	/* 32-bit counts and a size of a MiB at most: nothing here overflows. */
	uint64_t name = *at + sizeof(header);
	uint64_t desc = align_up(name + header.n_namesz, align);
	if (desc + header.n_descsz > size)
		return false;
	*ret = (struct elf_note){
		.type = header.n_type,
		.name = notes + name,
		.name_size = header.n_namesz,
		.desc = notes + desc,
		.desc_size = header.n_descsz,
	};
	*at = align_up(desc + header.n_descsz, align);
	return true;
}

bool elf_note_is(const struct elf_note *note, uint32_t type, const char *owner)
{
	size_t size = strlen(owner) + 1;

	return note->type == type && note->name_size == size &&
	       memcmp(note->name, owner, size) == 0;
}
