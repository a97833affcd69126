/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open ELF file: a module's own, its debug file, or one that is made of what is in the target's
 * memory (symbols/memory_symbols.h). Its headers and sections, which is all that symbols and
 * build-ids take.
 *
 * libelf would do the same, and would have to be loaded for it by each run of the command, which
 * takes longer than what it would do: only DWARF goes by way of it (symbols/dwarf.h).
 *
 * Files are read with pread(2), not mapped: a file that is cut short while it is read gives an
 * error then, not SIGBUS. What they say may be hostile: sections are bounded, and read when they
 * are first asked for. Not for two threads at once.
 */
#ifndef SYMBOLS_ELF_FILE_H
#define SYMBOLS_ELF_FILE_H

#include "support/cleanup.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
	int fd; /* -1: there is none */
	void *bytes; /* of one in memory, whole; else NULL */
	size_t size;
	Elf64_Ehdr header;
	struct elf_section *sections; /* as of the section header table; none if that is no good */
	size_t section_count;
};

struct elf_section {
	Elf64_Shdr header;
	void *bytes; /* NULL: not read */
};

#define ELF_FILE_NONE     \
	{                 \
		.fd = -1, \
	}

/* Takes over fd, which may be -1, also on failure. False unless it is 64-bit x86-64 ELF. */
bool elf_file_open(int fd, struct elf_file *ret);

/* The same for size bytes that malloc(3) gave; takes them over, also on failure. */
bool elf_file_of_bytes(void *bytes, size_t size, struct elf_file *ret);

/* False of ELF_FILE_NONE. */
bool elf_file_is_open(const struct elf_file *file);

void elf_file_close(struct elf_file *file);

#define _cleanup_elf_file_ _cleanup_(elf_file_close)

enum build_id_match { BUILD_ID_NONE, BUILD_ID_SAME, BUILD_ID_OTHER };

/* How the file's build-id compares to one; BUILD_ID_NONE where either has none. */
enum build_id_match elf_file_match(const struct elf_file *file, const uint8_t *build_id,
				   size_t size);

/* The section of that index, or NULL. */
struct elf_section *elf_file_section(const struct elf_file *file, size_t index);

/* NULL if it has none. Sections last as long as the file is open, and so do their names. */
const char *elf_section_name(const struct elf_file *file, const struct elf_section *section);

/* The first section of a name or of a type, or NULL. */
struct elf_section *elf_file_find_name(const struct elf_file *file, const char *name);
struct elf_section *elf_file_find_type(const struct elf_file *file, Elf64_Word type);

/*
 * What is in it, header.sh_size bytes of any alignment up to 16; NULL if that is nothing, more than
 * max, or compressed, or cannot be read.
 */
const void *elf_section_bytes(const struct elf_file *file, struct elf_section *section,
			      uint64_t max);

/*
 * Copies size bytes from offset on, for what is looked at but once; false unless all of them can be
 * read.
 */
bool elf_section_read(const struct elf_file *file, const struct elf_section *section,
		      uint64_t offset, void *buffer, size_t size);

/* What its .gnu_debuglink names, or NULL. */
const char *elf_file_debug_link(const struct elf_file *file, uint32_t *ret_crc);

#endif
