/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How glibc lays out its malloc: every offset and convention that differs between releases.
 *
 * All knowledge of versions ends here. The table covers x86-64 glibc 2.26 to 2.44; a layout may
 * also be filled in from DWARF (symbols/dwarf_layout.h). Pure: no I/O, no allocation.
 *
 * Sources: malloc/malloc.c and malloc/arena.c of each release. Offsets are bytes. Constant in all
 * of them, and so not fields here: SIZE_SZ 8, MALLOC_ALIGNMENT 16, MINSIZE 32, the three flag bits
 * of a size field, NBINS 128, and that in malloc_state top, last_remainder, bins and binmap lie
 * together.
 */
#ifndef COMMON_GLIBC_LAYOUT_H
#define COMMON_GLIBC_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GLIBC_SIZE_SZ          8
#define GLIBC_CHUNK_HDR_SZ     16
#define GLIBC_MALLOC_ALIGNMENT 16
#define GLIBC_MINSIZE          32

#define GLIBC_PREV_INUSE     1
#define GLIBC_IS_MMAPPED     2
#define GLIBC_NON_MAIN_ARENA 4
#define GLIBC_SIZE_BITS      7

#define GLIBC_NBINS             128
#define GLIBC_NFASTBINS         10
#define GLIBC_NONCONTIGUOUS_BIT 2
#define GLIBC_DEFAULT_HEAP_MAX  (UINT64_C(64) << 20)
#define GLIBC_TCACHE_SMALL_BINS 64
#define GLIBC_TCACHE_MAX_BINS   76
#define GLIBC_MALLOC_STATE_MAX  2208 /* room for any release's malloc_state */
#define GLIBC_MALLOC_PAR_MAX    160
#define GLIBC_TCACHE_STRUCT_MAX 1024

/* An offset of a field that the release does not have. */
#define GLIBC_ABSENT UINT16_MAX

struct glibc_layout {
	/* For people: the releases that share it ("2.35-2.41"), or "dwarf". */
	const char *name;
	/* 2.35 is 235; what releases the row is for. 0 if unknown. */
	uint16_t first_version;
	uint16_t last_version;

	struct {
		uint16_t size;
		uint16_t mutex;
		uint16_t flags;
		uint16_t have_fastchunks; /* GLIBC_ABSENT before 2.27 and from 2.43 */
		uint16_t fastbinsY; /* GLIBC_ABSENT from 2.43 */
		uint16_t top;
		uint16_t last_remainder;
		uint16_t bins;
		uint16_t binmap;
		uint16_t next;
		uint16_t next_free;
		uint16_t attached_threads;
		uint16_t system_mem;
		uint16_t max_system_mem;
	} malloc_state;

	struct {
		uint16_t size;
		uint16_t mmap_threshold;
		uint16_t hp_pagesize; /* GLIBC_ABSENT before 2.35 */
		uint16_t n_mmaps;
		uint16_t n_mmaps_max;
		uint16_t mmapped_mem;
		uint16_t sbrk_base;
		uint16_t tcache_bins;
		uint16_t tcache_max_bytes;
		uint16_t tcache_count;
	} malloc_par;

	struct {
		uint16_t size;
		uint16_t ar_ptr;
		uint16_t prev;
		uint16_t size_field;
		uint16_t mprotect_size;
	} heap_info;

	struct {
		uint16_t size; /* of tcache_perthread_struct */
		uint16_t counts; /* counts, or num_slots from 2.42 */
		uint16_t entries;
		uint16_t bins; /* 64, or 76 from 2.42 */
		uint8_t count_size; /* bytes of one counter: 1 or 2 */
		/* 2.42: the counter is of free slots; entries = mp_.tcache_count - counter */
		bool counts_down;
		/*
		 * 2.43: the TLS pointer is never NULL; without a tcache it points into libc itself
		 */
		bool dummy;
		/* tcache_entry has a key behind next (2.29) */
		bool key;
	} tcache;

	/* 2.32: next of tcache and fastbin chunks is stored as next ^ (address of next >> 12) */
	bool safe_linking;
	/*
	 * 2.43: an mmapped chunk's size field does not count its header, and bit 0 of prev_size
	 * says MAP_HUGETLB. Before: prev_size + size is the mapping.
	 */
	bool mmapped_header_apart;
	/* 2.35-2.41: HEAP_MAX_SIZE is 4 * mp_.hp_pagesize where that is set */
	bool heap_max_follows_hugetlb;
};

/* What a binary shows of itself; 0 where it is not known. */
struct glibc_traits {
	unsigned int version; /* 2.36 is 236 */
	uint64_t malloc_state_size; /* st_size of main_arena */
	uint64_t malloc_state_next; /* offset of its `next` */
	uint64_t malloc_par_size; /* st_size of mp_ */
	uint64_t malloc_par_n_mmaps_max; /* offset of its `n_mmaps_max` */
};

/*
 * The row of the table that fits all that is known, or NULL. Where branches of one release differ
 * (2.26 to 2.29), the row of the released tarball is taken unless a size says otherwise.
 */
const struct glibc_layout *glibc_layout_find(const struct glibc_traits *traits);

/* At most so many rows fit anything. */
#define GLIBC_LAYOUTS 9

/*
 * All rows that fit what is known but for the version, and so how many: those of that version
 * first, *ret_own of them, then the others, the nearest release first. Which of them it is, is for
 * what lies in memory to say.
 */
size_t glibc_layout_fitting(const struct glibc_traits *traits,
			    const struct glibc_layout *ret[GLIBC_LAYOUTS], size_t *ret_own);

/* The rows of the table, for tests and for trying each. */
const struct glibc_layout *glibc_layout_table(size_t *ret_count);

/* The first field in which a and b differ ("malloc_state.top"), or NULL; names are not compared. */
const char *glibc_layout_difference(const struct glibc_layout *a, const struct glibc_layout *b);

/*
 * "2.36" or "2.36.9000" at the start of text as 236, or 0. Reads no further than length bytes.
 */
unsigned int glibc_version_parse(const char *text, size_t length);

#endif
