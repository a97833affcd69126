/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open ELF file: a module's own, or its debug file.
 *
 * Files are read with pread(2), not mapped: a file that is cut short while it is read gives an
 * error then, not SIGBUS.
 */
#ifndef SYMBOLS_ELF_FILE_H
#define SYMBOLS_ELF_FILE_H

#include "support/cleanup.h"

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
	int fd;
	Elf *elf; /* NULL: there is none, and no descriptor */
};

#define ELF_FILE_NONE    \
	{                \
		-1, NULL \
	}

/* Takes over fd, which may be -1, also on failure. False unless it is 64-bit x86-64 ELF. */
bool elf_file_open(int fd, struct elf_file *ret);

void elf_file_close(struct elf_file *file);

#define _cleanup_elf_file_ _cleanup_(elf_file_close)

enum build_id_match { BUILD_ID_NONE, BUILD_ID_SAME, BUILD_ID_OTHER };

/* How the file's build-id compares to one; BUILD_ID_NONE where either has none. */
enum build_id_match elf_file_match(const struct elf_file *file, const uint8_t *build_id,
				   size_t size);

/* NULL if it has none. */
const char *elf_section_name(Elf *elf, Elf_Scn *section);

bool elf_file_has_section(const struct elf_file *file, const char *name);

/* What its .gnu_debuglink names, which lasts as long as the file is open, or NULL. */
const char *elf_file_debug_link(const struct elf_file *file, uint32_t *ret_crc);

#endif
