/* SPDX-License-Identifier: Apache-2.0 */
#include "common/glibc_scan.h"

#include "common/glibc_layout.h"

#include <string.h>

/* Offsets of `next`: 2.26 as released (and before), 2.27 to 2.42, from 2.43 on. */
static const uint32_t next_offsets[] = { 2152, 2160, 2072 };

/* Of malloc_state: from `bins` on all releases are the same. */
#define BINS_TO_NEXT     2048
#define NEXT_TO_ATTACHED 16
#define NEXT_TO_END      40
#define FLAGS_OFFSET     4
#define FLAGS_MAX        7
#define THREADS_MAX      (UINT64_C(1) << 22) /* the kernel's PID_MAX_LIMIT */

/* The bins of an arena not yet initialised are all 0; later no link ever is. */
static bool bins_are_plausible(const struct image *image, uint64_t bins)
{
	uint64_t links[2 * (GLIBC_NBINS - 1)];
	bool initialised;

	if (!image_read(image, bins, links, sizeof(links)))
		return false;
	initialised = links[0] != 0;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if ((links[i] != 0) != initialised || links[i] % GLIBC_SIZE_SZ)
			return false;
	}
	return true;
}

static bool is_arena(const struct image *image, uint64_t address, uint32_t next)
{
	const struct image_segment *segment = image_segment(image, address, next + NEXT_TO_END);
	uint64_t attached;
	uint32_t flags;

	return segment && segment->flags & PF_W && address % GLIBC_MALLOC_ALIGNMENT == 0 &&
	       image_read(image, address + FLAGS_OFFSET, &flags, sizeof(flags)) &&
	       flags <= FLAGS_MAX &&
	       image_read(image, address + next + NEXT_TO_ATTACHED, &attached, sizeof(attached)) &&
	       attached <= THREADS_MAX && bins_are_plausible(image, address + next - BINS_TO_NEXT);
}

bool glibc_scan_main_arena(const struct image *image, struct glibc_scan_arena *ret)
{
	struct image_relocations relocations = { .image = image };
	struct glibc_scan_arena found = { 0 };
	uint64_t target, value;

	while (image_next_relative(&relocations, &target, &value)) {
		for (size_t i = 0; i < sizeof(next_offsets) / sizeof(next_offsets[0]); i++) {
			if (target - value != next_offsets[i] ||
			    !is_arena(image, value, next_offsets[i]))
				continue;
			if (found.address && found.address != value)
				return false;
			found.address = value;
			found.next = next_offsets[i];
		}
	}
	if (found.address)
		*ret = found;
	return found.address != 0;
}

/* malloc_par: trim_threshold, top_pad, mmap_threshold, arena_test, arena_max at its start. */
static const uint64_t par_start[] = { 0x20000, 0x20000, 0x20000, 8, 0 };

#define N_MMAPS_MAX_DEFAULT 65536

/* Offsets of n_mmaps_max, which follows n_mmaps: up to 2.34, 2.35 to 2.42, from 2.43 on. */
static const uint32_t n_mmaps_max_offsets[] = { 44, 64, 72 };

/* The offset of n_mmaps_max, if mp_ as it is initialised begins at bytes, or 0. */
static uint32_t match_par(const uint8_t *bytes)
{
	uint32_t n_mmaps[2];

	if (memcmp(bytes, par_start, sizeof(par_start)) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(n_mmaps_max_offsets) / sizeof(n_mmaps_max_offsets[0]); i++) {
		uint32_t offset = n_mmaps_max_offsets[i];
		memcpy(n_mmaps, bytes + offset - sizeof(n_mmaps[0]), sizeof(n_mmaps));
		if (n_mmaps[0] == 0 && n_mmaps[1] == N_MMAPS_MAX_DEFAULT)
			return offset;
	}
	return 0;
}

bool glibc_scan_mp(const struct image *image, struct glibc_scan_par *ret)
{
	const uint64_t needed = 76; /* to the end of n_mmaps_max, wherever it is */
	struct glibc_scan_par found = { 0 };

	for (size_t i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];
		uint64_t size = segment->file_size;
		if (!(segment->flags & PF_W))
			continue;
		if (size > segment->size)
			size = segment->size;
		for (uint64_t at = -segment->address & 7; at < size && size - at >= needed;
		     at += 8) {
			uint32_t offset = match_par(segment->bytes + at);
			if (!offset)
				continue;
			if (found.address)
				return false;
			found.address = segment->address + at;
			found.n_mmaps_max = offset;
		}
	}
	if (found.address)
		*ret = found;
	return found.address != 0;
}

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

static bool any_initialised(const struct image *image, const struct glibc_tls_slot *slots,
			    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (slots[i].offset < image->tls_file_size)
			return true;
	}
	return false;
}

/* The slot whose initial value is the address of the dummy; count if there is none. */
static size_t find_by_dummy(const struct image *image, const struct glibc_tls_slot *slots,
			    size_t count)
{
	struct image_relocations relocations = { .image = image };
	uint64_t target, value;
	size_t found = count;

	/* Up to 2.42 `tcache` starts as NULL, in .tbss. */
	if (!any_initialised(image, slots, count))
		return count;
	while (image_next_relative(&relocations, &target, &value)) {
		if (target - image->tls >= image->tls_file_size || !is_dummy(image, value))
			continue;
		for (size_t i = 0; i < count; i++) {
			if (slots[i].offset != target - image->tls)
				continue;
			if (found != count)
				return count;
			found = i;
		}
	}
	return found;
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

bool glibc_scan_tcache(const struct image *image, const struct glibc_tls_slot *slots, size_t count,
		       size_t *ret_index)
{
	size_t found = find_by_dummy(image, slots, count);

	if (found == count) {
		size_t error = find_by_code(image, "__errno_location", slots, count, count);
		found = find_by_code(image, "malloc", slots, count, error);
		if (found != find_by_code(image, "free", slots, count, error))
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
