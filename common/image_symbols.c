/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names in an image: its SONAME, and functions by DT_GNU_HASH or DT_HASH.
 */
#include "common/image.h"

#include <string.h>

#define VERSYM_HIDDEN 0x8000 /* not the default version (ld.so's VERSYM_HIDDEN) */

/* Whether the string table has name at that offset. */
static bool string_is(const struct image *image, uint64_t offset, const char *name)
{
	size_t size = strlen(name) + 1;

	if (offset >= image->strtab_size || size > image->strtab_size - offset)
		return false;
	const void *bytes = image_bytes(image, image->strtab + offset, size);
	return bytes && memcmp(bytes, name, size) == 0;
}

bool image_soname_is(const struct image *image, const char *soname)
{
	return string_is(image, image->soname, soname);
}

static bool is_default_version(const struct image *image, uint32_t index)
{
	uint16_t version;

	return !image->versym || (image_read(image, image->versym + index * sizeof(version),
					     &version, sizeof(version)) &&
				  !(version & VERSYM_HIDDEN));
}

static bool symbol_matches(const struct image *image, uint32_t index, const char *name,
			   struct image_symbol *ret)
{
	Elf64_Sym symbol;

	if (!image_read(image, image->symtab + index * sizeof(symbol), &symbol, sizeof(symbol)) ||
	    symbol.st_shndx == SHN_UNDEF || symbol.st_value == 0 ||
	    ELF64_ST_TYPE(symbol.st_info) != STT_FUNC ||
	    ELF64_ST_BIND(symbol.st_info) == STB_LOCAL || !string_is(image, symbol.st_name, name) ||
	    !is_default_version(image, index))
		return false;
	ret->address = image->bias + symbol.st_value;
	ret->size = symbol.st_size;
	return true;
}

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (uint8_t)*name;
	return hash;
}

/* "GNU Hash ELF Sections": header, Bloom filter, buckets, then one hash for each symbol. */
static bool find_by_gnu_hash(const struct image *image, const char *name, struct image_symbol *ret)
{
	struct {
		uint32_t buckets, first, bloom_words, bloom_shift;
	} header;
	uint32_t hash = gnu_hash_of(name), index, entry;
	uint64_t word, at = image->gnu_hash + sizeof(header);

	if (!image_read(image, image->gnu_hash, &header, sizeof(header)) || !header.buckets ||
	    !header.bloom_words || header.bloom_shift > 31)
		return false;
	if (!image_read(image, at + hash / 64 % header.bloom_words * sizeof(word), &word,
			sizeof(word)) ||
	    !(word >> hash % 64 & word >> (hash >> header.bloom_shift) % 64 & 1))
		return false;
	at += header.bloom_words * sizeof(word);
	if (!image_read(image, at + hash % header.buckets * UINT64_C(4), &index, sizeof(index)) ||
	    index < header.first)
		return false;
	at += header.buckets * UINT64_C(4);
	/* The last of a chain has bit 0 set; a table without one ends with its segment. */
	for (;; index++) {
		if (!image_read(image, at + (index - header.first) * UINT64_C(4), &entry,
				sizeof(entry)))
			return false;
		if ((entry | 1) == (hash | 1) && symbol_matches(image, index, name, ret))
			return true;
		if (entry & 1)
			return false;
	}
}

static uint32_t elf_hash_of(const char *name)
{
	uint32_t hash = 0;

	for (; *name; name++) {
		hash = (hash << 4) + (uint8_t)*name;
		hash = (hash ^ (hash & 0xf0000000) >> 24) & 0x0fffffff;
	}
	return hash;
}

/* System V ABI, "Hash Table": nbucket, nchain, buckets, chains. */
static bool find_by_elf_hash(const struct image *image, const char *name, struct image_symbol *ret)
{
	uint32_t counts[2], index;
	uint64_t buckets = image->hash + sizeof(counts), chains;

	if (!image_read(image, image->hash, counts, sizeof(counts)) || !counts[0])
		return false;
	chains = buckets + counts[0] * UINT64_C(4);
	if (!image_bytes(image, chains, counts[1] * UINT64_C(4)) ||
	    !image_read(image, buckets + elf_hash_of(name) % counts[0] * UINT64_C(4), &index,
			sizeof(index)))
		return false;
	for (uint32_t steps = 0; index && steps < counts[1]; steps++) {
		if (symbol_matches(image, index, name, ret))
			return true;
		if (!image_read(image, chains + index * UINT64_C(4), &index, sizeof(index)))
			return false;
	}
	return false;
}

bool image_find_function(const struct image *image, const char *name, struct image_symbol *ret)
{
	if (image->gnu_hash)
		return find_by_gnu_hash(image, name, ret);
	return image->hash && find_by_elf_hash(image, name, ret);
}
