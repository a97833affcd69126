/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/dynamic.h"

#include <elf.h>
#include <string.h>

#define RELA_MAX (UINT64_C(64) << 20)

struct tags {
	uint64_t symtab, strtab, strtab_size, gnu_hash, hash, versym, verdef;
	uint64_t soname, rela, rela_size;
	bool has_soname;
};

static void take_tag(const Elf64_Dyn *entry, struct tags *tags, struct dynamic *dynamic)
{
	switch (entry->d_tag) {
	case DT_SYMTAB:
		tags->symtab = entry->d_un.d_ptr;
		break;
	case DT_GNU_HASH:
		tags->gnu_hash = entry->d_un.d_ptr;
		break;
	case DT_HASH:
		tags->hash = entry->d_un.d_ptr;
		break;
	case DT_STRTAB:
		tags->strtab = entry->d_un.d_ptr;
		break;
	case DT_STRSZ:
		tags->strtab_size = entry->d_un.d_val;
		break;
	case DT_VERSYM:
		tags->versym = entry->d_un.d_ptr;
		break;
	case DT_VERDEF:
		tags->verdef = entry->d_un.d_ptr;
		break;
	case DT_SONAME:
		tags->soname = entry->d_un.d_val;
		tags->has_soname = true;
		break;
	case DT_RELA:
		tags->rela = entry->d_un.d_ptr;
		break;
	case DT_RELASZ:
		tags->rela_size = entry->d_un.d_val;
		break;
	case DT_DEBUG:
		dynamic->executable = true;
		dynamic->debug = entry->d_un.d_ptr;
		break;
	}
}

/* Up to DT_NULL or the end, in pieces. */
static struct memtool_error *read_tags(const struct module *module, struct memory *memory,
				       struct tags *tags, struct dynamic *dynamic)
{
	Elf64_Dyn entries[64];
	uint64_t at = module->dynamic.start;

	while (at < module->dynamic.end) {
		size_t size = sizeof(entries), count;
		if (size > module->dynamic.end - at)
			size = module->dynamic.end - at;
		struct memtool_error *error = memory_read_some(memory, at, entries, size, &count);
		if (error)
			return error;
		for (size_t i = 0; i < count / sizeof(entries[0]); i++) {
			if (entries[i].d_tag == DT_NULL)
				return NULL;
			take_tag(&entries[i], tags, dynamic);
		}
		if (count < sizeof(entries))
			return NULL;
		at += count;
	}
	return NULL;
}

/* A pointer from the section as a runtime address; 0 if it is none, or points out of the module. */
static uint64_t runtime_address(const struct module *module, uint64_t pointer, uint64_t length)
{
	if (pointer == 0)
		return 0;
	if (range_covers(module->range, pointer, length))
		return pointer;
	if (range_covers(module->range, module->bias + pointer, length))
		return module->bias + pointer;
	return 0;
}

static struct memtool_error *read_soname(const struct module *module, struct memory *memory,
					 const struct tags *tags, struct dynamic *dynamic)
{
	uint64_t strtab = runtime_address(module, tags->strtab, 1);
	char soname[SONAME_MAX];
	size_t count;

	if (!tags->has_soname || !strtab || !range_covers(module->range, strtab + tags->soname, 1))
		return NULL;
	struct memtool_error *error =
		memory_read_some(memory, strtab + tags->soname, soname, sizeof(soname), &count);
	if (!error && memchr(soname, '\0', count))
		strcpy(dynamic->soname, soname);
	return error;
}

struct memtool_error *dynamic_read(const struct module *module, struct memory *memory,
				   struct dynamic *ret)
{
	struct dynamic dynamic = { 0 };
	struct tags tags = { 0 };

	struct memtool_error *error = read_tags(module, memory, &tags, &dynamic);
	if (!error)
		error = read_soname(module, memory, &tags, &dynamic);
	if (error)
		return error;

	uint64_t rela = runtime_address(module, tags.rela, tags.rela_size);
	dynamic.symtab = runtime_address(module, tags.symtab, 1);
	dynamic.strtab = runtime_address(module, tags.strtab, 1);
	dynamic.gnu_hash = runtime_address(module, tags.gnu_hash, 1);
	dynamic.hash = runtime_address(module, tags.hash, 1);
	dynamic.strtab_size = tags.strtab_size;
	dynamic.versym = runtime_address(module, tags.versym, 1);
	dynamic.verdef = runtime_address(module, tags.verdef, 1);
	if (rela && tags.rela_size <= RELA_MAX)
		dynamic.rela = (struct range){ rela, rela + tags.rela_size };
	*ret = dynamic;
	return NULL;
}
