/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module_tls_offset(): where the TLS block of a module lies below the thread pointer.
 *
 * x86-64 is TLS variant II (Ulrich Drepper, "ELF Handling For Thread-Local Storage", sections 3 and
 * 3.4.6): the block of the executable, which is the first module, ends at the thread pointer, so
 * its offset is its size rounded up to its alignment. The other modules' offsets are chosen by
 * ld.so, and show in the words of the GOT that it filled in: for an R_X86_64_TPOFF64 relocation
 * against the module's own block (no symbol) the word is addend - offset.
 */
#include "symbols/module.h"

#include "symbols/dynamic.h"

#include <elf.h>

#define CHECKED_MAX 4 /* that many relocations must agree; there may be thousands */

static bool is_own_tpoff(const Elf64_Rela *rela)
{
	return ELF64_R_TYPE(rela->r_info) == R_X86_64_TPOFF64 && ELF64_R_SYM(rela->r_info) == 0;
}

struct agreement {
	uint64_t offset;
	size_t checked;
};

static struct memtool_error *check_word(const struct module *module, struct memory *memory,
					const Elf64_Rela *rela, struct agreement *agreement)
{
	uint64_t address = module->bias + rela->r_offset;
	uint64_t word;
	struct memtool_error *error;

	if (!range_covers(module->range, address, sizeof(word)))
		return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
					    "a TLS relocation of %s lies outside of it",
					    module->name);
	error = memory_read_u64(memory, address, "a TLS word of the GOT", &word);
	if (error)
		return error;

	uint64_t offset = (uint64_t)rela->r_addend - word;
	if (agreement->checked++ && offset != agreement->offset)
		return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
					    "the TLS relocations of %s contradict each other",
					    module->name);
	agreement->offset = offset;
	return NULL;
}

static struct memtool_error *offset_from_relocations(const struct module *module,
						     struct memory *memory, struct range rela,
						     struct agreement *agreement)
{
	Elf64_Rela entries[512];
	uint64_t at = rela.start;

	while (rela.end - at >= sizeof(entries[0]) && agreement->checked < CHECKED_MAX) {
		size_t size = sizeof(entries);
		if (size > rela.end - at)
			size = (rela.end - at) / sizeof(entries[0]) * sizeof(entries[0]);
		struct memtool_error *error =
			memory_read(memory, at, entries, size, "a relocation table");
		if (error)
			return error;
		for (size_t i = 0; i < size / sizeof(entries[0]); i++) {
			if (!is_own_tpoff(&entries[i]) || agreement->checked == CHECKED_MAX)
				continue;
			error = check_word(module, memory, &entries[i], agreement);
			if (error)
				return error;
		}
		at += size;
	}
	return NULL;
}

struct memtool_error *module_tls_offset(struct module *module, struct memory *memory, uint64_t *ret)
{
	struct agreement agreement = { 0 };
	struct dynamic dynamic;

	if (module->tls_size && module->executable) {
		*ret = align_up(module->tls_size, module->tls_align);
		return NULL;
	}
	if (module->tls_size) {
		struct memtool_error *error = dynamic_read(module, memory, &dynamic);
		if (!error)
			error = offset_from_relocations(module, memory, dynamic.rela, &agreement);
		if (error)
			return error;
	}
	if (agreement.checked == 0)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED, "%s %s", module->name,
					    module->tls_size
						    ? "does not show where its TLS block lies"
						    : "has no thread-local storage");
	/* The block lies below the thread pointer, and all of it does. */
	if (agreement.offset < module->tls_size || agreement.offset > UINT32_MAX)
		return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
					    "%s gives an impossible place for its TLS block",
					    module->name);
	*ret = agreement.offset;
	return NULL;
}
