/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/dwarf_types.h"

#include <dwarf.h>
#include <string.h>

#define DIES_MAX     4000000
#define MEMBERS_MAX  1000
#define IMPORTS_MAX  8 /* of partial units, in depth */
#define TYPEDEFS_MAX 32

const char *dwarf_name(const struct dwarf_reader *reader, Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);

	for (size_t i = 0; name && i < reader->text_count; i++) {
		const struct dwarf_text *text = &reader->texts[i];
		size_t at = (uintptr_t)name - (uintptr_t)text->start;
		if (at < text->size)
			return memchr(name, '\0', text->size - at) ? name : NULL;
	}
	return NULL;
}

struct search {
	const struct dwarf_reader *reader;
	struct dwarf_struct *structs;
	size_t count;
	size_t missing;
	size_t budget; /* DIEs that may still be looked at */
};

static bool is_definition(Dwarf_Die *die)
{
	return dwarf_tag(die) == DW_TAG_structure_type && dwarf_haschildren(die) > 0 &&
	       !dwarf_hasattr(die, DW_AT_declaration) && dwarf_bytesize(die) > 0;
}

static void take_struct(struct search *search, Dwarf_Die *die)
{
	const char *name = dwarf_name(search->reader, die);

	for (size_t i = 0; name && i < search->count; i++) {
		struct dwarf_struct *type = &search->structs[i];
		if (type->found || strcmp(type->name, name) != 0 || !is_definition(die))
			continue;
		type->die = *die;
		type->found = true;
		search->missing--;
	}
}

/* The structs at the top of a unit, and of the units that dwz(1) moved parts of it to. */
static void search_unit(struct search *search, Dwarf_Die *unit, unsigned int depth)
{
	Dwarf_Die die, imported;
	Dwarf_Attribute attribute;

	if (dwarf_child(unit, &die) != 0)
		return;
	do {
		if (search->missing == 0 || search->budget == 0)
			return;
		search->budget--;
		if (dwarf_tag(&die) == DW_TAG_structure_type)
			take_struct(search, &die);
		else if (dwarf_tag(&die) == DW_TAG_imported_unit && depth < IMPORTS_MAX &&
			 dwarf_attr(&die, DW_AT_import, &attribute) &&
			 dwarf_formref_die(&attribute, &imported))
			search_unit(search, &imported, depth + 1);
	} while (dwarf_siblingof(&die, &die) == 0);
}

static bool is_unit_of(const struct dwarf_reader *reader, Dwarf_Die *unit, const char *source_file)
{
	const char *name = dwarf_name(reader, unit);
	const char *slash = name ? strrchr(name, '/') : NULL;

	return name && strcmp(slash ? slash + 1 : name, source_file) == 0;
}

bool dwarf_find_structs(const struct dwarf_reader *reader, const char *source_file,
			struct dwarf_struct *structs, size_t count)
{
	struct search search = { reader, structs, count, count, DIES_MAX };
	Dwarf_Off offset = 0, next;
	size_t header_size;
	Dwarf_Die unit;

	while (search.missing > 0 && search.budget > 0 &&
	       dwarf_nextcu(reader->dwarf, offset, &next, &header_size, NULL, NULL, NULL) == 0) {
		/* All from one unit: in another one the same name may be another struct. */
		for (size_t i = 0; i < count; i++)
			structs[i].found = false;
		search.missing = count;
		if (dwarf_offdie(reader->dwarf, offset + header_size, &unit) &&
		    (!source_file || is_unit_of(reader, &unit, source_file)))
			search_unit(&search, &unit, 0);
		offset = next;
	}
	return search.missing == 0;
}

bool dwarf_struct_size(const struct dwarf_struct *type, uint64_t *ret)
{
	Dwarf_Die die = type->die;
	int size = dwarf_bytesize(&die);

	if (size < 0)
		return false;
	*ret = (uint64_t)size;
	return true;
}

bool dwarf_real_type(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Die at = *die;

	for (size_t i = 0; i < TYPEDEFS_MAX; i++) {
		Dwarf_Attribute attribute;
		if (!dwarf_attr(&at, DW_AT_type, &attribute) || !dwarf_formref_die(&attribute, &at))
			return false;
		switch (dwarf_tag(&at)) {
		case DW_TAG_typedef:
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_restrict_type:
		case DW_TAG_atomic_type:
			continue;
		}
		*ret = at;
		return true;
	}
	return false;
}

bool dwarf_number(Dwarf_Die *die, unsigned int name, Dwarf_Word *ret)
{
	Dwarf_Attribute attribute;

	return dwarf_attr(die, name, &attribute) && dwarf_formudata(&attribute, ret) == 0;
}

uint64_t dwarf_range_count(Dwarf_Die *range)
{
	Dwarf_Word value;

	if (dwarf_number(range, DW_AT_count, &value))
		return value;
	return dwarf_number(range, DW_AT_upper_bound, &value) ? value + 1 : 0;
}

/* Elements of an array of one dimension; 0 if it is not told. */
static uint64_t array_count(Dwarf_Die *array)
{
	Dwarf_Die range;

	if (dwarf_child(array, &range) != 0 || dwarf_tag(&range) != DW_TAG_subrange_type)
		return 0;
	return dwarf_range_count(&range);
}

static void describe_type(Dwarf_Die *die, struct dwarf_member *member)
{
	Dwarf_Die type, element;
	int size;

	member->count = 1;
	member->element_size = 0;
	if (!dwarf_real_type(die, &type))
		return;
	element = type;
	if (dwarf_tag(&type) == DW_TAG_array_type) {
		member->count = array_count(&type);
		if (!dwarf_real_type(&type, &element))
			return;
	}
	/* A pointer may have no size of its own (it is the address size of the unit). */
	size = dwarf_tag(&element) == DW_TAG_pointer_type ? (int)sizeof(uint64_t)
							  : dwarf_bytesize(&element);
	member->element_size = size > 0 ? (uint64_t)size : 0;
}

/* A constant, or, from old compilers, an expression that adds one; 0 if there is none. */
bool dwarf_member_offset(Dwarf_Die *die, uint64_t *ret)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *operations;
	size_t count;

	if (!dwarf_attr(die, DW_AT_data_member_location, &attribute)) {
		*ret = 0;
		return true;
	}
	if (dwarf_formudata(&attribute, ret) == 0)
		return true;
	if (dwarf_getlocation(&attribute, &operations, &count) != 0 || count != 1 ||
	    operations[0].atom != DW_OP_plus_uconst)
		return false;
	*ret = operations[0].number;
	return true;
}

bool dwarf_find_member(const struct dwarf_reader *reader, const struct dwarf_struct *type,
		       const char *name, struct dwarf_member *ret)
{
	Dwarf_Die structure = type->die, die;
	struct dwarf_member member;

	if (dwarf_child(&structure, &die) != 0)
		return false;
	for (size_t budget = MEMBERS_MAX; budget > 0; budget--) {
		const char *found =
			dwarf_tag(&die) == DW_TAG_member ? dwarf_name(reader, &die) : NULL;
		if (found && strcmp(found, name) == 0) {
			if (!dwarf_member_offset(&die, &member.offset))
				return false;
			describe_type(&die, &member);
			*ret = member;
			return true;
		}
		if (dwarf_siblingof(&die, &die) != 0)
			return false;
	}
	return false;
}
