/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognising the TLS variables of malloc: by libc's relocations, the initial value of `tcache` and
 * the code that loads it.
 */
#include "common/glibc_scan.h"

#include "common/glibc_layout.h"

#include <string.h>

size_t glibc_scan_tls(const struct image *image, struct glibc_tls_slot *ret)
{
	struct image_relocations relocations = { .image = image };
	struct glibc_tls_slot slot;
	size_t count = 0;

	while (count < GLIBC_TLS_SLOTS && image_next_tpoff(&relocations, &slot.got, &slot.offset)) {
		if (slot.offset % 8 == 0 && image->tls_size >= 8 &&
		    slot.offset <= image->tls_size - 8)
			ret[count++] = slot;
	}
	return count;
}

/* Bytes of tcache_perthread_struct from 2.42 on, which those of __tcache_dummy have at least. */
#define DUMMY_SIZE 760

static bool is_dummy(const struct image *image, uint64_t address)
{
	const struct image_segment *segment = image_segment(image, address, DUMMY_SIZE);

	if (!segment || segment->flags & PF_W)
		return false;
	const uint8_t *bytes = segment->bytes + (address - segment->address);
	for (size_t i = 0; i < DUMMY_SIZE; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

/*
 * Takes the word at target for that of the dummy, if it is in the TLS image; false if a second is.
 */
static bool take_dummy(const struct image *image, uint64_t target, uint64_t value,
		       uint64_t *ret_offset)
{
	uint64_t offset = target - image->tls;

	if (offset % 8 || offset > image->tls_file_size - sizeof(value) || !is_dummy(image, value))
		return true;
	if (*ret_offset != UINT64_MAX)
		return false;
	*ret_offset = offset;
	return true;
}

bool glibc_scan_tcache_dummy(const struct image *image, uint64_t *ret)
{
	struct image_relocations relocations = { .image = image };
	uint64_t target, value, found = UINT64_MAX;
	bool relocated = image->rela_size || image->relr_size;

	if (!image->tls || image->tls_file_size < sizeof(value))
		return false;
	for (uint64_t i = 0; !relocated && i <= image->tls_file_size - sizeof(value); i += 8) {
		if (!image_read(image, image->tls + i, &value, sizeof(value)) ||
		    !take_dummy(image, image->tls + i, value, &found))
			return false;
	}
	while (relocated && image_next_relative(&relocations, &target, &value)) {
		if (!take_dummy(image, target, value, &found))
			return false;
	}
	if (found != UINT64_MAX)
		*ret = found;
	return found != UINT64_MAX;
}

/* The slot whose initial value is the address of the dummy; count if there is none. */
static size_t find_by_dummy(const struct image *image, const struct glibc_tls_slot *slots,
			    size_t count)
{
	uint64_t offset;

	if (!glibc_scan_tcache_dummy(image, &offset))
		return count;
	for (size_t i = 0; i < count; i++) {
		if (slots[i].offset == offset)
			return i;
	}
	return count;
}

/* An instruction of 7 bytes: REX.W, opcode, ModRM for a register and rip-relative, disp32. */
#define LOAD_SIZE 7

/* Whether it is a MOV or an ADD of 64 bits from memory; then the address it reads. */
static bool decode_load(const uint8_t *bytes, uint64_t address, uint64_t *ret)
{
	int32_t displacement;

	if ((bytes[0] != 0x48 && bytes[0] != 0x4c) || (bytes[1] != 0x8b && bytes[1] != 0x03) ||
	    (bytes[2] & 0xc7) != 0x05)
		return false;
	memcpy(&displacement, bytes + 3, sizeof(displacement));
	*ret = address + LOAD_SIZE + (uint64_t)(int64_t)displacement;
	return true;
}

/*
 * The first slot, but for excluded, whose word the code of that function loads; count if it loads
 * none. Each byte is tried as the start of an instruction: a wrong start would have to hit the very
 * address of a slot with the four bytes that it takes for a displacement.
 */
static size_t find_by_code(const struct image *image, const char *function,
			   const struct glibc_tls_slot *slots, size_t count, size_t excluded)
{
	struct image_symbol symbol;
	uint64_t target;

	if (!image_find_function(image, function, &symbol))
		return count;
	const uint8_t *code = image_bytes(image, symbol.address, symbol.size);
	for (uint64_t at = 0; code && at + LOAD_SIZE <= symbol.size; at++) {
		if (!decode_load(code + at, symbol.address + at, &target))
			continue;
		for (size_t i = 0; i < count; i++) {
			if (i != excluded && slots[i].got == target)
				return i;
		}
	}
	return count;
}

enum { ERRNO_LOCATION, MALLOC, FREE };

const char *const glibc_scan_functions[GLIBC_SCAN_FUNCTIONS] = {
	[ERRNO_LOCATION] = "__errno_location",
	[MALLOC] = "malloc",
	[FREE] = "free",
};

bool glibc_scan_tcache(const struct image *image, const struct glibc_tls_slot *slots, size_t count,
		       size_t *ret_index)
{
	const char *const *functions = glibc_scan_functions;
	size_t found = find_by_dummy(image, slots, count);

	if (found == count) {
		size_t error = find_by_code(image, functions[ERRNO_LOCATION], slots, count, count);
		found = find_by_code(image, functions[MALLOC], slots, count, error);
		if (found != find_by_code(image, functions[FREE], slots, count, error))
			return false;
	}
	if (found == count)
		return false;
	*ret_index = found;
	return true;
}

bool glibc_is_tcache_chunk(uint64_t size_field)
{
	/* 2.26 to 2.29; to 2.41; from 2.42 on. malloc may give 16 bytes more than it must. */
	static const uint16_t sizes[] = { 0x250, 0x260, 0x290, 0x2a0, 0x300, 0x310, 0x320 };

	if (size_field & GLIBC_IS_MMAPPED)
		return false;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if ((size_field & ~(uint64_t)GLIBC_SIZE_BITS) == sizes[i])
			return true;
	}
	return false;
}
