/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C structs in DWARF: the complete definition by name, the members, and what these are.
 *
 * The debug information may be hostile. libdw follows references without asking whether they run in
 * circles, and gives out strings that may have no end; here each walk has a limit, and a string
 * that does not end in its section is none.
 */
#ifndef SYMBOLS_DWARF_TYPES_H
#define SYMBOLS_DWARF_TYPES_H

#include "support/error.h"
#include "symbols/elf_file.h"

#include <elfutils/libdw.h>

#define DWARF_TEXTS_MAX 8

struct dwarf_reader {
	Elf *elf;
	Dwarf *dwarf; /* NULL: none */
	/* The sections that strings are in. */
	struct dwarf_text {
		const char *start;
		size_t size;
	} texts[DWARF_TEXTS_MAX];
	size_t text_count;
};

/*
 * Opens the debug information of a file, which must outlive the reader. *ret_found says whether
 * there is any, of a size that is sane even when inflated.
 */
struct memtool_error *dwarf_reader_open(const struct elf_file *file, bool *ret_found,
					struct dwarf_reader *ret);

void dwarf_reader_close(struct dwarf_reader *reader);

#define _cleanup_dwarf_reader_ _cleanup_(dwarf_reader_close)

/* The name of a DIE, or NULL. */
const char *dwarf_name(const struct dwarf_reader *reader, Dwarf_Die *die);

/* The type of a DIE (its DW_AT_type), behind typedefs and qualifiers. */
bool dwarf_real_type(Dwarf_Die *die, Dwarf_Die *ret);

/* An attribute that is a constant. */
bool dwarf_number(Dwarf_Die *die, unsigned int name, Dwarf_Word *ret);

/* Elements in one dimension of an array, by its DW_TAG_subrange_type; 0 if it is not told. */
uint64_t dwarf_range_count(Dwarf_Die *range);

/* Where in its struct a member is; false if that is not the same for all. */
bool dwarf_member_offset(Dwarf_Die *die, uint64_t *ret);

struct dwarf_struct {
	const char *name; /* the tag: "malloc_state" */
	bool found;
	Dwarf_Die die;
};

/*
 * Searches the units whose source file has that base name (NULL: all units), until one has every
 * struct; one counts where it is defined, not where it is only declared. True if all are found.
 */
bool dwarf_find_structs(const struct dwarf_reader *reader, const char *source_file,
			struct dwarf_struct *structs, size_t count);

/* sizeof; false if it is not told. */
bool dwarf_struct_size(const struct dwarf_struct *type, uint64_t *ret);

struct dwarf_member {
	uint64_t offset;
	uint64_t count; /* elements of an array; 1 for anything else */
	uint64_t element_size; /* 0 if it is not told */
};

bool dwarf_find_member(const struct dwarf_reader *reader, const struct dwarf_struct *type,
		       const char *name, struct dwarf_member *ret);

#endif
