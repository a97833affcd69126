/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/dwarf_fields.h"

#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIES_MAX       4000000 /* of a search */
#define MEMBERS_MAX    100000 /* of a description, at all depths */
#define DEPTH_MAX      12
#define FIELD_NAME_MAX 256 /* "a.b[3].c" */
#define OFFSET_END     (UINT64_C(1) << 40)

static bool is_aggregate(Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		return true;
	default:
		return false;
	}
}

/* The definition that a DIE is, or is a typedef of. */
static bool take_definition(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Die type = *die;

	if (dwarf_tag(die) == DW_TAG_typedef && !dwarf_real_type(die, &type))
		return false;
	if (!is_aggregate(&type) || dwarf_hasattr(&type, DW_AT_declaration) ||
	    dwarf_bytesize(&type) <= 0)
		return false;
	*ret = type;
	return true;
}

/*
 * Among the children of a unit, a namespace or a class. name is what is left of it: where the DIE's
 * name is what it has in front of a "::", the search goes on in there.
 */
static bool search(const struct dwarf_reader *reader, Dwarf_Die *parent, const char *name,
		   unsigned int depth, size_t *budget, Dwarf_Die *ret)
{
	Dwarf_Die die, inner;
	Dwarf_Attribute attribute;

	if (depth > DEPTH_MAX || dwarf_child(parent, &die) != 0)
		return false;
	do {
		if (*budget == 0)
			return false;
		--*budget;
		int tag = dwarf_tag(&die);
		if (tag == DW_TAG_imported_unit) {
			if (dwarf_attr(&die, DW_AT_import, &attribute) &&
			    dwarf_formref_die(&attribute, &inner) &&
			    search(reader, &inner, name, depth + 1, budget, ret))
				return true;
			continue;
		}
		if (tag != DW_TAG_namespace && tag != DW_TAG_typedef && !is_aggregate(&die))
			continue;
		const char *found = dwarf_name(reader, &die);
		size_t length = found ? strlen(found) : 0;
		if (!length || strncmp(found, name, length) != 0)
			continue;
		if (!name[length] && tag != DW_TAG_namespace && take_definition(&die, ret))
			return true;
		if (strncmp(name + length, "::", 2) == 0 &&
		    search(reader, &die, name + length + 2, depth + 1, budget, ret))
			return true;
	} while (dwarf_siblingof(&die, &die) == 0);
	return false;
}

bool dwarf_find_type(const struct dwarf_reader *reader, const char *name, Dwarf_Die *ret)
{
	size_t budget = DIES_MAX, header_size;
	Dwarf_Off offset = 0, next;
	Dwarf_Die unit;

	while (budget > 0 &&
	       dwarf_nextcu(reader->dwarf, offset, &next, &header_size, NULL, NULL, NULL) == 0) {
		if (dwarf_offdie(reader->dwarf, offset + header_size, &unit) &&
		    search(reader, &unit, name, 0, &budget, ret))
			return true;
		offset = next;
	}
	return false;
}

struct describer {
	const struct dwarf_reader *reader;
	struct struct_type type;
	size_t budget; /* members that may still be looked at */
};

/* Adds a field unless there are enough. False when out of memory, and so below. */
static bool add_field(struct describer *describer, const struct struct_field *field)
{
	if (describer->type.fields.count >= DWARF_FIELDS_MAX) {
		describer->type.cut = true;
		return true;
	}
	return struct_type_add(&describer->type, field);
}

/* False if enough has been looked at. */
static bool take_budget(struct describer *describer)
{
	if (describer->budget == 0) {
		describer->type.cut = true;
		return false;
	}
	describer->budget--;
	return true;
}

static enum field_kind kind_of_base(Dwarf_Die *type, uint64_t size)
{
	Dwarf_Word encoding = 0;

	dwarf_number(type, DW_AT_encoding, &encoding);
	if (encoding == DW_ATE_float)
		return size == 4 || size == 8 ? FIELD_FLOAT : FIELD_BYTES;
	if (size > 8)
		return FIELD_BYTES;
	switch (encoding) {
	case DW_ATE_boolean:
		return FIELD_BOOL;
	case DW_ATE_signed:
		return FIELD_SIGNED;
	case DW_ATE_signed_char: /* char; unsigned char is for bytes */
	case DW_ATE_UTF:
		return size == 1 ? FIELD_CHARACTERS : FIELD_UNSIGNED;
	default:
		return FIELD_UNSIGNED;
	}
}

/* Of a type that is neither a struct nor an array; 0 if it is not told. */
static uint64_t take_scalar(Dwarf_Die *type, enum field_kind *ret_kind)
{
	int size = dwarf_bytesize(type);

	switch (dwarf_tag(type)) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		*ret_kind = FIELD_POINTER;
		return sizeof(uint64_t);
	case DW_TAG_base_type:
		*ret_kind = kind_of_base(type, size > 0 ? (uint64_t)size : 0);
		break;
	case DW_TAG_enumeration_type:
		*ret_kind = size > 8 ? FIELD_BYTES : FIELD_SIGNED;
		break;
	default:
		*ret_kind = FIELD_BYTES;
	}
	return size > 0 ? (uint64_t)size : 0;
}

/* One place that something of the struct is at. */
struct place {
	char name[FIELD_NAME_MAX];
	uint64_t offset;
	unsigned int depth;
};

static bool add_members(struct describer *describer, Dwarf_Die *type, const struct place *place);
static bool add_array(struct describer *describer, Dwarf_Die *array, const struct place *place);

/* Whatever has the type that die has. */
static bool add_value(struct describer *describer, Dwarf_Die *die, const struct place *place)
{
	struct struct_field field = { .name = (char *)place->name, .offset = place->offset };
	char name[DWARF_TYPE_NAME_MAX];
	Dwarf_Die type;

	if (place->offset >= OFFSET_END || !dwarf_real_type(die, &type) || !take_budget(describer))
		return true;
	if (is_aggregate(&type) && place->depth < DEPTH_MAX)
		return add_members(describer, &type, place);
	if (dwarf_tag(&type) == DW_TAG_array_type && place->depth < DEPTH_MAX)
		return add_array(describer, &type, place);
	dwarf_type_name(describer->reader, die, name);
	field.type = name;
	field.size = take_scalar(&type, &field.kind);
	/* A single one is a number to most programs. */
	if (field.kind == FIELD_CHARACTERS)
		field.kind = FIELD_UNSIGNED;
	return add_field(describer, &field);
}

/* sizeof; of an array that of all elements. 0 if it is not told. */
static uint64_t size_of(Dwarf_Die *type, unsigned int depth)
{
	enum field_kind kind;
	Dwarf_Die element;

	if (dwarf_tag(type) != DW_TAG_array_type)
		return take_scalar(type, &kind);
	if (depth >= DEPTH_MAX || !dwarf_real_type(type, &element))
		return 0;
	uint64_t size = size_of(&element, depth + 1), count = 1;
	Dwarf_Die range;
	if (dwarf_child(type, &range) != 0)
		return 0;
	for (unsigned int i = 0; i < DEPTH_MAX; i++) {
		if (dwarf_tag(&range) == DW_TAG_subrange_type &&
		    __builtin_mul_overflow(count, dwarf_range_count(&range), &count))
			return 0;
		if (dwarf_siblingof(&range, &range) != 0)
			break;
	}
	return __builtin_mul_overflow(size, count, &size) || size >= OFFSET_END ? 0 : size;
}

/* Bytes of an array that get no fields of their own: of characters all, else those behind some. */
static bool add_rest(struct describer *describer, Dwarf_Die *array, const struct place *place,
		     enum field_kind kind, uint64_t size)
{
	char type[DWARF_TYPE_NAME_MAX], element[DWARF_TYPE_NAME_MAX / 2];
	struct struct_field field = { .name = (char *)place->name,
				      .type = type,
				      .kind = kind,
				      .offset = place->offset,
				      .size = size };

	dwarf_type_name(describer->reader, array, type);
	snprintf(element, sizeof(element), "%.*s", (int)sizeof(element) - 1, type);
	snprintf(type, sizeof(type), kind == FIELD_CHARACTERS ? "%s[%" PRIu64 "]" : "%s[]", element,
		 size);
	return add_field(describer, &field);
}

static bool add_array(struct describer *describer, Dwarf_Die *array, const struct place *place)
{
	uint64_t whole = size_of(array, 0), one, shown;
	enum field_kind kind = FIELD_BYTES;
	Dwarf_Die element;

	if (!whole || !dwarf_real_type(array, &element) || !(one = size_of(&element, 0)))
		return true;
	if (dwarf_tag(&element) != DW_TAG_array_type && !is_aggregate(&element))
		take_scalar(&element, &kind);
	if (kind == FIELD_CHARACTERS)
		return add_rest(describer, array, place, kind, whole);
	/* Those of several dimensions are counted through. */
	shown = whole / one < DWARF_ELEMENTS_SHOWN ? whole / one : DWARF_ELEMENTS_SHOWN;
	struct place inner = { .depth = place->depth + 1 };
	for (uint64_t i = 0; i < shown; i++) {
		snprintf(inner.name, sizeof(inner.name), "%.200s[%" PRIu64 "]", place->name, i);
		inner.offset = place->offset + i * one;
		if (!add_value(describer, array, &inner))
			return false;
	}
	if (whole / one == shown)
		return true;
	snprintf(inner.name, sizeof(inner.name), "%.200s[%" PRIu64 "...%" PRIu64 "]", place->name,
		 shown, whole / one - 1);
	inner.offset = place->offset + shown * one;
	return add_rest(describer, array, &inner, FIELD_BYTES, whole - shown * one);
}

/* DW_AT_data_bit_offset counts from the struct, the older DW_AT_bit_offset from the high end. */
static bool add_bits(struct describer *describer, Dwarf_Die *member, const struct place *place,
		     uint64_t base, Dwarf_Word bits)
{
	struct struct_field field = { .name = (char *)place->name, .bits = (unsigned int)bits };
	char name[DWARF_TYPE_NAME_MAX];
	Dwarf_Word at, storage;
	Dwarf_Die type;

	if (bits == 0 || bits > 64 || !dwarf_real_type(member, &type))
		return true;
	uint64_t size = take_scalar(&type, &field.kind);
	if (dwarf_number(member, DW_AT_data_bit_offset, &at)) {
		if (at >= OFFSET_END)
			return true;
		field.offset = base + at / 8;
		at %= 8;
	} else {
		if (!dwarf_number(member, DW_AT_byte_size, &storage))
			storage = size;
		if (!dwarf_number(member, DW_AT_bit_offset, &at) || storage > 8 ||
		    at > 8 * storage || bits > 8 * storage - at)
			return true;
		at = 8 * storage - at - bits;
		field.offset = place->offset + at / 8;
		at %= 8;
	}
	/* 64 bits that begin within a byte take 9 bytes; no compiler makes such. */
	if (at + bits > 64)
		return true;
	field.first_bit = (unsigned int)at;
	field.size = (at + bits + 7) / 8;
	dwarf_type_name(describer->reader, member, name);
	field.type = name;
	return add_field(describer, &field);
}

static bool add_member(struct describer *describer, Dwarf_Die *member, const struct place *place)
{
	struct place inner = { .depth = place->depth + 1 };
	const char *name = dwarf_name(describer->reader, member);
	uint64_t offset;
	Dwarf_Word bits;

	/* Of static members there is none in the struct; virtual bases move. */
	if (dwarf_hasattr(member, DW_AT_external) || dwarf_hasattr(member, DW_AT_declaration) ||
	    !dwarf_member_offset(member, &offset) || offset >= OFFSET_END)
		return true;
	/* A struct without a name lends its members to the one around it, as a base class does. */
	if (!name || dwarf_tag(member) == DW_TAG_inheritance)
		memcpy(inner.name, place->name, sizeof(inner.name));
	else
		snprintf(inner.name, sizeof(inner.name), "%.180s%s%.64s", place->name,
			 *place->name ? "." : "", name);
	inner.offset = place->offset + offset;
	if (dwarf_number(member, DW_AT_bit_size, &bits))
		return add_bits(describer, member, &inner, place->offset, bits);
	return add_value(describer, member, &inner);
}

static bool add_members(struct describer *describer, Dwarf_Die *type, const struct place *place)
{
	Dwarf_Die die;

	if (dwarf_child(type, &die) != 0)
		return true;
	do {
		if (!take_budget(describer))
			return true;
		int tag = dwarf_tag(&die);
		if ((tag == DW_TAG_member || tag == DW_TAG_inheritance) &&
		    !add_member(describer, &die, place))
			return false;
	} while (dwarf_siblingof(&die, &die) == 0);
	return true;
}

struct memtool_error *dwarf_describe(const struct dwarf_reader *reader, Dwarf_Die *type,
				     struct struct_type *ret)
{
	struct describer describer = { .reader = reader, .budget = MEMBERS_MAX };
	const struct place whole = { .name = "" };
	int size = dwarf_bytesize(type);

	describer.type.size = size > 0 ? (uint64_t)size : 0;
	if (!add_members(&describer, type, &whole)) {
		struct_type_deinit(&describer.type);
		return memtool_error_no_memory;
	}
	*ret = describer.type;
	return NULL;
}
