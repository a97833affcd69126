/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notes (elf(5), "Notes"), of memory or of a file.
 */
#ifndef SYMBOLS_ELF_NOTE_H
#define SYMBOLS_ELF_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_note {
	uint32_t type;
	const uint8_t *name;
	uint32_t name_size;
	const uint8_t *desc;
	uint32_t desc_size;
};

/*
 * The note at *at of [notes, notes + size), where it begins with 0; *at is that of the next one
 * then. align is that of the section or segment. False at the end, and where a note is cut off.
 */
bool elf_note_next(const uint8_t *notes, size_t size, uint64_t align, size_t *at,
		   struct elf_note *ret);

/* owner is the name, which the note has with the NUL behind it. */
bool elf_note_is(const struct elf_note *note, uint32_t type, const char *owner);

#endif
