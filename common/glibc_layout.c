/* SPDX-License-Identifier: Apache-2.0 */
#include "common/glibc_layout.h"

#include <string.h>

/*
 * struct malloc_state from bins on is the same in all releases; before bins come 16 bytes of top.
 */
#define STATE(size_, have_fastchunks_, fastbins_, bins_) \
	.malloc_state = {                                \
		.size = (size_),                         \
		.mutex = 0,                              \
		.flags = 4,                              \
		.have_fastchunks = (have_fastchunks_),   \
		.fastbinsY = (fastbins_),                \
		.top = -16 + (bins_),                    \
		.last_remainder = -8 + (bins_),          \
		.bins = (bins_),                         \
		.binmap = (bins_) + 2032,                \
		.next = (bins_) + 2048,                  \
		.next_free = (bins_) + 2056,             \
		.attached_threads = (bins_) + 2064,      \
		.system_mem = (bins_) + 2072,            \
		.max_system_mem = (bins_) + 2080,        \
	}

/* struct malloc_par: n_mmaps follows what 2.35 and 2.43 put in front of it. */
#define PAR(size_, hp_pagesize_, n_mmaps_)                             \
	.malloc_par = {                                                \
		.size = (size_),                                       \
		.mmap_threshold = 16,                                  \
		.hp_pagesize = (hp_pagesize_),                         \
		.n_mmaps = (n_mmaps_),                                 \
		.n_mmaps_max = (n_mmaps_) + 4,                         \
		.mmapped_mem = ((n_mmaps_) + 16 + 7) & ~7,             \
		.sbrk_base = (((n_mmaps_) + 16 + 7) & ~7) + 16,        \
		.tcache_bins = (((n_mmaps_) + 16 + 7) & ~7) + 24,      \
		.tcache_max_bytes = (((n_mmaps_) + 16 + 7) & ~7) + 32, \
		.tcache_count = (((n_mmaps_) + 16 + 7) & ~7) + 40,     \
	}

#define HEAP_INFO(size_)             \
	.heap_info = {               \
		.size = (size_),     \
		.ar_ptr = 0,         \
		.prev = 8,           \
		.size_field = 16,    \
		.mprotect_size = 24, \
	}

/* struct tcache_perthread_struct: one counter a bin, then one pointer a bin. */
#define TCACHE(bins_, count_size_, ...)                    \
	.tcache = { .size = (bins_) * ((count_size_) + 8), \
		    .counts = 0,                           \
		    .entries = (bins_) * (count_size_),    \
		    .bins = (bins_),                       \
		    .count_size = (count_size_),           \
		    __VA_ARGS__ }

/*
 * Where a version stands in two rows, the released tarball's is first; the other is what that
 * release's stable branch became, which distributions ship under the same number.
 */
static const struct glibc_layout layouts[] = {
	{
		.name = "2.26",
		.first_version = 226,
		.last_version = 226,
		STATE(2192, GLIBC_ABSENT, 8, 104),
		PAR(112, GLIBC_ABSENT, 40),
		HEAP_INFO(32),
		TCACHE(64, 1, ),
	},
	{
		.name = "2.27-2.28",
		.first_version = 226,
		.last_version = 228,
		STATE(2200, 8, 16, 112),
		PAR(112, GLIBC_ABSENT, 40),
		HEAP_INFO(32),
		TCACHE(64, 1, ),
	},
	{
		.name = "2.29",
		.first_version = 227,
		.last_version = 229,
		STATE(2200, 8, 16, 112),
		PAR(112, GLIBC_ABSENT, 40),
		HEAP_INFO(32),
		TCACHE(64, 1, .key = true),
	},
	{
		.name = "2.30-2.31",
		.first_version = 228,
		.last_version = 231,
		STATE(2200, 8, 16, 112),
		PAR(112, GLIBC_ABSENT, 40),
		HEAP_INFO(32),
		TCACHE(64, 2, .key = true),
	},
	{
		.name = "2.32-2.34",
		.first_version = 232,
		.last_version = 234,
		STATE(2200, 8, 16, 112),
		PAR(112, GLIBC_ABSENT, 40),
		HEAP_INFO(32),
		TCACHE(64, 2, .key = true),
		.safe_linking = true,
	},
	{
		.name = "2.35-2.41",
		.first_version = 235,
		.last_version = 241,
		STATE(2200, 8, 16, 112),
		PAR(136, 48, 60),
		HEAP_INFO(48),
		TCACHE(64, 2, .key = true),
		.safe_linking = true,
		.heap_max_follows_hugetlb = true,
	},
	{
		.name = "2.42",
		.first_version = 242,
		.last_version = 242,
		STATE(2200, 8, 16, 112),
		PAR(136, 48, 60),
		HEAP_INFO(48),
		TCACHE(76, 2, .counts_down = true, .key = true),
		.safe_linking = true,
	},
	{
		.name = "2.43",
		.first_version = 243,
		.last_version = 243,
		STATE(2112, GLIBC_ABSENT, GLIBC_ABSENT, 24),
		PAR(144, 56, 68),
		HEAP_INFO(48),
		TCACHE(76, 2, .counts_down = true, .dummy = true, .key = true),
		.safe_linking = true,
		.mmapped_header_apart = true,
	},
	{
		.name = "2.44",
		.first_version = 244,
		.last_version = 244,
		STATE(2112, GLIBC_ABSENT, GLIBC_ABSENT, 24),
		PAR(136, 56, 68),
		HEAP_INFO(48),
		TCACHE(76, 2, .counts_down = true, .dummy = true, .key = true),
		.safe_linking = true,
		.mmapped_header_apart = true,
	},
};

_Static_assert(sizeof(layouts) / sizeof(layouts[0]) == GLIBC_LAYOUTS, "the count of rows");

const struct glibc_layout *glibc_layout_table(size_t *ret_count)
{
	*ret_count = sizeof(layouts) / sizeof(layouts[0]);
	return layouts;
}

/* A trait that is not known fits everything. */
static bool fits(uint64_t trait, uint64_t value)
{
	return trait == 0 || trait == value;
}

static bool structs_fit(const struct glibc_layout *layout, const struct glibc_traits *traits)
{
	return fits(traits->malloc_state_size, layout->malloc_state.size) &&
	       fits(traits->malloc_state_next, layout->malloc_state.next) &&
	       fits(traits->malloc_par_size, layout->malloc_par.size) &&
	       fits(traits->malloc_par_n_mmaps_max, layout->malloc_par.n_mmaps_max);
}

/* How many releases a version is away from those of a row; an unknown one counts as the newest. */
static unsigned int distance(const struct glibc_layout *layout, unsigned int version)
{
	if (version == 0)
		version = layouts[GLIBC_LAYOUTS - 1].last_version;
	if (version < layout->first_version)
		return layout->first_version - version;
	return version > layout->last_version ? version - layout->last_version : 0;
}

/* A known version must be in the row. */
static bool is_own(const struct glibc_layout *layout, unsigned int version)
{
	return version != 0 && distance(layout, version) == 0;
}

size_t glibc_layout_fitting(const struct glibc_traits *traits,
			    const struct glibc_layout *ret[GLIBC_LAYOUTS], size_t *ret_own)
{
	size_t count = 0, own = 0;

	for (size_t i = 0; i < GLIBC_LAYOUTS; i++) {
		if (!structs_fit(&layouts[i], traits))
			continue;
		own += is_own(&layouts[i], traits->version);
		/* In its place among those found; of equals the one that stands first. */
		size_t at = count++;
		for (; at > 0 && distance(ret[at - 1], traits->version) >
					 distance(&layouts[i], traits->version);
		     at--)
			ret[at] = ret[at - 1];
		ret[at] = &layouts[i];
	}
	*ret_own = own;
	return count;
}

const struct glibc_layout *glibc_layout_find(const struct glibc_traits *traits)
{
	const struct glibc_layout *found[GLIBC_LAYOUTS];
	size_t own, count = glibc_layout_fitting(traits, found, &own);

	/* Without a version the rest must leave no choice. */
	if (own > 0 || (traits->version == 0 && count == 1))
		return found[0];
	return NULL;
}

#define FIELD(name)                                                 \
	{                                                           \
#name, offsetof(struct glibc_layout, name),         \
			sizeof(((struct glibc_layout *)NULL)->name) \
	}

static const struct {
	const char *name;
	size_t offset;
	size_t size;
} fields[] = {
	FIELD(malloc_state.size),
	FIELD(malloc_state.mutex),
	FIELD(malloc_state.flags),
	FIELD(malloc_state.have_fastchunks),
	FIELD(malloc_state.fastbinsY),
	FIELD(malloc_state.top),
	FIELD(malloc_state.last_remainder),
	FIELD(malloc_state.bins),
	FIELD(malloc_state.binmap),
	FIELD(malloc_state.next),
	FIELD(malloc_state.next_free),
	FIELD(malloc_state.attached_threads),
	FIELD(malloc_state.system_mem),
	FIELD(malloc_state.max_system_mem),
	FIELD(malloc_par.size),
	FIELD(malloc_par.mmap_threshold),
	FIELD(malloc_par.hp_pagesize),
	FIELD(malloc_par.n_mmaps),
	FIELD(malloc_par.n_mmaps_max),
	FIELD(malloc_par.mmapped_mem),
	FIELD(malloc_par.sbrk_base),
	FIELD(malloc_par.tcache_bins),
	FIELD(malloc_par.tcache_max_bytes),
	FIELD(malloc_par.tcache_count),
	FIELD(heap_info.size),
	FIELD(heap_info.ar_ptr),
	FIELD(heap_info.prev),
	FIELD(heap_info.size_field),
	FIELD(heap_info.mprotect_size),
	FIELD(tcache.size),
	FIELD(tcache.counts),
	FIELD(tcache.entries),
	FIELD(tcache.bins),
	FIELD(tcache.count_size),
	FIELD(tcache.counts_down),
	FIELD(tcache.dummy),
	FIELD(tcache.key),
	FIELD(safe_linking),
	FIELD(mmapped_header_apart),
	FIELD(heap_max_follows_hugetlb),
};

const char *glibc_layout_difference(const struct glibc_layout *a, const struct glibc_layout *b)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (memcmp((const char *)a + fields[i].offset, (const char *)b + fields[i].offset,
			   fields[i].size))
			return fields[i].name;
	}
	return NULL;
}

unsigned int glibc_version_parse(const char *text, size_t length)
{
	unsigned int minor = 0;
	size_t i = 2;

	if (length < 3 || text[0] != '2' || text[1] != '.')
		return 0;
	for (; i < length && i < 5 && text[i] >= '0' && text[i] <= '9'; i++)
		minor = minor * 10 + (unsigned int)(text[i] - '0');
	/* One number of at most two digits: 2.100 would not fit the notation. */
	if (i == 2 || minor > 99)
		return 0;
	return 200 + minor;
}
