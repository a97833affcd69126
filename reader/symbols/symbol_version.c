/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/symbol_version.h"

#include <string.h>

#define VERSION_MAX   256 /* of the text */
#define VERSION_INDEX 0x7fff /* the rest of a .gnu.version entry says that it is hidden */

static const char *version_behind_name(const struct symtab *table, const char *tail,
				       size_t *ret_length)
{
	const char *end = table->strings + table->strings_size;

	while (tail < end && *tail == '@')
		tail++;
	size_t left = (size_t)(end - tail);
	*ret_length = strnlen(tail, left < VERSION_MAX ? left : VERSION_MAX);
	return *ret_length ? tail : NULL;
}

/* The first name of one definition: its own; the others are those it inherits from. */
static const char *definition_name(const struct symtab_section *definitions, size_t at,
				   const Elf64_Verdef *definition, size_t *ret_length)
{
	Elf64_Verdaux name;

	if (definition->vd_aux > definitions->size - at ||
	    definitions->size - at - definition->vd_aux < sizeof(name))
		return NULL;
	memcpy(&name, definitions->bytes + at + definition->vd_aux, sizeof(name));
	if (name.vda_name >= definitions->strings_size)
		return NULL;
	size_t left = definitions->strings_size - name.vda_name;
	*ret_length = strnlen(definitions->strings + name.vda_name,
			      left < VERSION_MAX ? left : VERSION_MAX);
	return *ret_length ? definitions->strings + name.vda_name : NULL;
}

const char *symbol_version(const struct elf_file *file, const struct symtab *table, size_t index,
			   const char *tail, size_t *ret_length)
{
	struct symtab_section definitions;
	Elf64_Verdef definition;
	size_t at = 0;

	if (tail < table->strings + table->strings_size && *tail == '@')
		return version_behind_name(table, tail, ret_length);
	if (!table->versions || !symtab_version_definitions(file, &definitions))
		return NULL;
	unsigned int wanted = table->versions[index] & VERSION_INDEX;
	/* 0 and 1 are no versions: local, and global without one. */
	while (wanted > VER_NDX_GLOBAL && definitions.size - at >= sizeof(definition)) {
		memcpy(&definition, definitions.bytes + at, sizeof(definition));
		if (definition.vd_ndx == wanted)
			return definition_name(&definitions, at, &definition, ret_length);
		/* Forward only, so there is an end. */
		if (definition.vd_next == 0 || definition.vd_next > definitions.size - at)
			break;
		at += definition.vd_next;
	}
	return NULL;
}
