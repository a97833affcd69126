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

/* Takes the word at target, which holds value, if it can be `next`; false if there was another. */
static bool take_next(const struct image *image, uint64_t target, uint64_t value,
		      struct glibc_scan_arena *found)
{
	for (size_t i = 0; i < sizeof(next_offsets) / sizeof(next_offsets[0]); i++) {
		if (target - value != next_offsets[i] || !is_arena(image, value, next_offsets[i]))
			continue;
		if (found->address && found->address != value)
			return false;
		*found = (struct glibc_scan_arena){ value, next_offsets[i] };
	}
	return true;
}

/* The aligned words of a segment that came from the file: how many, and the first one's address. */
static size_t data_words(const struct image_segment *segment, uint64_t *ret_address)
{
	uint64_t size = segment->file_size < segment->size ? segment->file_size : segment->size;
	uint64_t skipped = -segment->address & 7;

	if (!(segment->flags & PF_W) || size < skipped)
		return 0;
	*ret_address = segment->address + skipped;
	return (size - skipped) / 8;
}

static uint64_t word_at(const struct image_segment *segment, uint64_t address)
{
	uint64_t word;

	memcpy(&word, segment->bytes + (address - segment->address), sizeof(word));
	return word;
}

/* A program that is loaded where it was linked to has no relocations: there the word has it all. */
static bool find_next_in_data(const struct image *image, struct glibc_scan_arena *found)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];
		uint64_t at, left = data_words(segment, &at);
		for (; left; left--, at += 8) {
			if (!take_next(image, at, word_at(segment, at), found))
				return false;
		}
	}
	return true;
}

bool glibc_scan_main_arena(const struct image *image, struct glibc_scan_arena *ret)
{
	struct image_relocations relocations = { .image = image };
	struct glibc_scan_arena found = { 0 };
	uint64_t target, value;

	if (image->rela_size == 0 && image->relr_size == 0) {
		if (!find_next_in_data(image, &found))
			return false;
	}
	while (image_next_relative(&relocations, &target, &value)) {
		if (!take_next(image, target, value, &found))
			return false;
	}
	if (found.address)
		*ret = found;
	return found.address != 0;
}

/* Bins are numbered from 1 to 127; no chunk is ever put into the last. */
#define BINS_SIZE   UINT64_C(2032)
#define UNSORTED    1
#define ARENA_ALIGN 32 /* gcc's, of an object of that size */

/* bin_at(i): as if a chunk began two words before the links. */
static uint64_t bin_at(uint64_t bins, unsigned int i)
{
	return bins + (i - 1) * UINT64_C(16) - GLIBC_CHUNK_HDR_SZ;
}

/*
 * Whether the bins of an arena in use are at bins: each links to itself, or in both directions out
 * of the image; then it is marked in the binmap behind them, which the unsorted one is not.
 */
static bool are_used_bins(const struct image *image, uint64_t bins)
{
	uint64_t links[2 * (GLIBC_NBINS - 1)];
	uint32_t binmap[GLIBC_NBINS / 32];

	if (!image_read(image, bins, links, sizeof(links)) ||
	    !image_read(image, bins + BINS_SIZE, binmap, sizeof(binmap)))
		return false;
	for (unsigned int i = 1; i < GLIBC_NBINS; i++) {
		const uint64_t *link = &links[2 * (i - 1)];
		if (link[0] == bin_at(bins, i) && link[1] == link[0])
			continue;
		if (i == GLIBC_NBINS - 1 || (i != UNSORTED && !(binmap[i / 32] >> i % 32 & 1)))
			return false;
		for (int j = 0; j < 2; j++) {
			if (!link[j] || link[j] % GLIBC_MALLOC_ALIGNMENT ||
			    image_segment(image, link[j], 1))
				return false;
		}
	}
	return true;
}

/* Where `next` of main_arena can lead: to itself, or behind the heap_info that begins a heap. */
static bool is_next(uint64_t value, uint64_t arena)
{
	return value == arena || value % 4096 == 32 || value % 4096 == 48;
}

bool glibc_scan_used_arena(const struct image *image, struct glibc_scan_arena *ret)
{
	struct glibc_scan_arena found = { 0 };

	for (size_t i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];
		uint64_t at, left = data_words(segment, &at);
		for (; left > 1; left--, at += 8) {
			/* The last bin, which is always empty, shows where all of them are. */
			uint64_t bins = at - (BINS_SIZE - 16), next;
			if (word_at(segment, at) != at - GLIBC_CHUNK_HDR_SZ ||
			    !are_used_bins(image, bins) ||
			    !image_read(image, bins + BINS_TO_NEXT, &next, sizeof(next)))
				continue;
			for (size_t j = 0; j < sizeof(next_offsets) / sizeof(next_offsets[0]);
			     j++) {
				uint64_t arena = bins + BINS_TO_NEXT - next_offsets[j];
				if (arena % ARENA_ALIGN || !is_next(next, arena) ||
				    !is_arena(image, arena, next_offsets[j]))
					continue;
				if (found.address)
					return false;
				found = (struct glibc_scan_arena){ arena, next_offsets[j] };
			}
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

/* To the end of n_mmaps_max, wherever it is. */
#define PAR_START_SIZE 76

bool glibc_scan_mp(const struct image *image, struct glibc_scan_par *ret)
{
	struct glibc_scan_par found = { 0 };

	for (size_t i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];
		uint64_t at, left = data_words(segment, &at);
		for (; left * 8 >= PAR_START_SIZE; left--, at += 8) {
			uint32_t offset = match_par(segment->bytes + (at - segment->address));
			if (!offset)
				continue;
			if (found.address)
				return false;
			found = (struct glibc_scan_par){ at, offset };
		}
	}
	if (found.address)
		*ret = found;
	return found.address != 0;
}

/* The words behind no_dyn_threshold, for one offset of n_mmaps_max. */
struct par_tail {
	uint64_t mmapped_mem, max_mmapped_mem, sbrk_base;
	uint64_t tcache_bins, tcache_max_bytes, tcache_count;
};

#define THRESHOLD_MAX (UINT64_C(32) << 20) /* half a HEAP_MAX_SIZE; from 2.35 on there is none */
#define ARENAS_MAX    (UINT64_C(1) << 32)
#define TCACHE_MAX    (UINT64_C(5) << 20) /* 2.42: chunks of less than 4 MiB */
#define MMAP_PAGE     4096

/* n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold; what malloc itself keeps true of them. */
static bool par_is_possible(const uint64_t *start, const uint32_t *counts,
			    const struct par_tail *tail)
{
	return start[3] != 0 && start[3] <= ARENAS_MAX && start[4] <= ARENAS_MAX &&
	       counts[0] <= counts[2] && counts[3] <= 1 && counts[2] <= INT32_MAX &&
	       tail->mmapped_mem % 16 == 0 && tail->mmapped_mem <= tail->max_mmapped_mem &&
	       tail->mmapped_mem / MMAP_PAGE >= counts[0] && tail->tcache_bins != 0 &&
	       tail->tcache_bins <= GLIBC_TCACHE_SMALL_BINS &&
	       tail->tcache_max_bytes <= TCACHE_MAX && tail->tcache_count <= UINT16_MAX;
}

/*
 * How many of the values that a program could have changed, but hardly ever does, are the initial.
 */
static unsigned int initial_values(const uint64_t *start, const uint32_t *counts,
				   const struct par_tail *tail)
{
	return (start[1] == par_start[1]) + (start[3] == par_start[3]) +
	       (start[4] == par_start[4]) + (counts[1] == N_MMAPS_MAX_DEFAULT) +
	       (tail->tcache_bins == GLIBC_TCACHE_SMALL_BINS) +
	       (tail->tcache_max_bytes == 0x408 || tail->tcache_max_bytes == 0x411) +
	       (tail->tcache_count == 7 || tail->tcache_count == 16);
}

/* With sbrk_base and so many initial values it is mp_; without, it takes so many more of them. */
#define ANCHOR_WEIGHT 3
#define ENOUGH        4

/* How sure it is that mp_ of this kind is at bytes: 0, or from ENOUGH on. */
static unsigned int weigh_par(const uint8_t *bytes, uint32_t n_mmaps_max, uint64_t sbrk_base)
{
	uint64_t start[sizeof(par_start) / sizeof(par_start[0])];
	uint32_t counts[4];
	struct par_tail tail;

	memcpy(start, bytes, sizeof(start));
	memcpy(counts, bytes + n_mmaps_max - 4, sizeof(counts));
	memcpy(&tail, bytes + ((n_mmaps_max + 12 + 7) & ~7U), sizeof(tail));
	if (!par_is_possible(start, counts, &tail) ||
	    (n_mmaps_max == n_mmaps_max_offsets[0] && start[2] > THRESHOLD_MAX))
		return 0;
	unsigned int weight = initial_values(start, counts, &tail);
	if (sbrk_base && tail.sbrk_base == sbrk_base)
		weight += ANCHOR_WEIGHT;
	return weight >= ENOUGH ? weight : 0;
}

/* To the end of tcache_count, where there is most in front of it. */
#define PAR_SIZE 136

/* Both grew in 2.43, and malloc_state of 2.26 had the malloc_par of its time. */
static bool go_together(uint32_t next, uint32_t n_mmaps_max)
{
	if (next == GLIBC_NEXT_WITH_DUMMY || n_mmaps_max == 72)
		return next == GLIBC_NEXT_WITH_DUMMY && n_mmaps_max == 72;
	return next != 2152 || n_mmaps_max == 44;
}

bool glibc_scan_used_mp(const struct image *image, const struct glibc_scan_arena *arena,
			uint64_t sbrk_base, struct glibc_scan_par *ret)
{
	struct glibc_scan_par found = { 0 };
	unsigned int best = 0;
	bool unique = false;

	for (size_t i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];
		uint64_t at, left = data_words(segment, &at);
		for (; left * 8 >= PAR_SIZE; left--, at += 8) {
			const uint8_t *bytes = segment->bytes + (at - segment->address);
			for (size_t j = 0;
			     j < sizeof(n_mmaps_max_offsets) / sizeof(n_mmaps_max_offsets[0]);
			     j++) {
				if (!go_together(arena->next, n_mmaps_max_offsets[j]))
					continue;
				unsigned int weight =
					weigh_par(bytes, n_mmaps_max_offsets[j], sbrk_base);
				if (weight == 0 || weight < best)
					continue;
				unique = weight > best;
				best = weight;
				found = (struct glibc_scan_par){ at, n_mmaps_max_offsets[j] };
			}
		}
	}
	if (unique)
		*ret = found;
	return unique;
}
