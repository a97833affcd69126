/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a type is called: dwarf_type_name().
 */
#include "symbols/dwarf_fields.h"

#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX      16 /* pointers to pointers to ... */
#define DIMENSIONS_MAX 8

struct text {
	const struct dwarf_reader *reader;
	char *at;
	size_t left; /* with the NUL */
};

static void put(struct text *text, const char *string)
{
	int length = snprintf(text->at, text->left, "%s", string);
	size_t taken = (size_t)length < text->left ? (size_t)length : text->left - 1;

	text->at += taken;
	text->left -= taken;
}

static void put_tagged(struct text *text, Dwarf_Die *die, const char *tag)
{
	const char *name = dwarf_name(text->reader, die);

	put(text, tag);
	put(text, name ? name : "{...}");
}

static void put_dimensions(struct text *text, Dwarf_Die *array)
{
	char number[24];
	Dwarf_Die range;

	if (dwarf_child(array, &range) != 0)
		return;
	for (unsigned int i = 0; i < DIMENSIONS_MAX; i++) {
		if (dwarf_tag(&range) == DW_TAG_subrange_type) {
			snprintf(number, sizeof(number), "[%" PRIu64 "]",
				 dwarf_range_count(&range));
			put(text, number);
		}
		if (dwarf_siblingof(&range, &range) != 0)
			break;
	}
}

static bool next_type(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attribute;

	return dwarf_attr(die, DW_AT_type, &attribute) && dwarf_formref_die(&attribute, ret);
}

static void put_type_of(struct text *text, Dwarf_Die *die, unsigned int depth);

/* The type that die has, then a suffix: "char" and " *". */
static void put_suffixed(struct text *text, Dwarf_Die *die, unsigned int depth, const char *suffix)
{
	put_type_of(text, die, depth + 1);
	/* "char **" */
	if (suffix[0] == ' ' && text->at[-1] == '*')
		suffix++;
	put(text, suffix);
}

static void put_type(struct text *text, Dwarf_Die *type, unsigned int depth)
{
	switch (dwarf_tag(type)) {
	case DW_TAG_structure_type:
		put_tagged(text, type, "struct ");
		return;
	case DW_TAG_class_type:
		put_tagged(text, type, "class ");
		return;
	case DW_TAG_union_type:
		put_tagged(text, type, "union ");
		return;
	case DW_TAG_enumeration_type:
		put_tagged(text, type, "enum ");
		return;
	case DW_TAG_const_type:
		put(text, "const ");
		put_type_of(text, type, depth + 1);
		return;
	case DW_TAG_volatile_type:
		put(text, "volatile ");
		put_type_of(text, type, depth + 1);
		return;
	case DW_TAG_atomic_type:
		put(text, "_Atomic ");
		put_type_of(text, type, depth + 1);
		return;
	case DW_TAG_restrict_type:
		put_type_of(text, type, depth + 1);
		return;
	case DW_TAG_pointer_type:
		put_suffixed(text, type, depth, " *");
		return;
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		put_suffixed(text, type, depth, " &");
		return;
	case DW_TAG_array_type:
		put_type_of(text, type, depth + 1);
		put_dimensions(text, type);
		return;
	case DW_TAG_subroutine_type:
		put_suffixed(text, type, depth, " ()");
		return;
	default:
		put_tagged(text, type, "");
	}
}

static void put_type_of(struct text *text, Dwarf_Die *die, unsigned int depth)
{
	Dwarf_Die type;

	if (depth >= DEPTH_MAX)
		put(text, "...");
	else if (!next_type(die, &type))
		put(text, "void");
	else
		put_type(text, &type, depth);
}

void dwarf_type_name(const struct dwarf_reader *reader, Dwarf_Die *die,
		     char ret[DWARF_TYPE_NAME_MAX])
{
	struct text text = { reader, ret, DWARF_TYPE_NAME_MAX };

	put_type_of(&text, die, 0);
}
