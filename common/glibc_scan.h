/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognises glibc's malloc in an image of libc (or of a program that has it linked in) without any
 * symbol of malloc's own: main_arena and mp_ by how they are initialised, the TLS variables by the
 * words of the GOT that lead to them.
 *
 * Pure: see common/image.h. What is not recognised beyond doubt is not found: each function fails
 * where there is none or more than one that fits. Sources: malloc/malloc.c and malloc/arena.c of
 * glibc 2.26 to 2.44.
 */
#ifndef COMMON_GLIBC_SCAN_H
#define COMMON_GLIBC_SCAN_H

#include "common/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offset of `next` from 2.43 on, when the fastbins went and __tcache_dummy came. */
#define GLIBC_NEXT_WITH_DUMMY 2072

struct glibc_scan_arena {
	uint64_t address;
	uint32_t next; /* offset of `next` in malloc_state */
};

/*
 * main_arena's `next` is initialised to main_arena itself, by a relocation or, in a static program
 * that is not PIE, by the linker: there is no other word at that distance from where it points to.
 * In memory that holds with DT_RELA always, otherwise until there is a second arena.
 */
bool glibc_scan_main_arena(const struct image *image, struct glibc_scan_arena *ret);

/* For memory alone: main_arena once malloc has been used, by its bins, most of which are empty. */
bool glibc_scan_used_arena(const struct image *image, struct glibc_scan_arena *ret);

struct glibc_scan_par {
	uint64_t address;
	uint32_t n_mmaps_max; /* offset of it in malloc_par */
};

/* mp_ by its initial values: in memory it is found as long as none of them was changed. */
bool glibc_scan_mp(const struct image *image, struct glibc_scan_par *ret);

/*
 * For memory alone: mp_ whatever it counts by now and however it was tuned, by what malloc keeps
 * true of its fields, by those that still have their initial value, and by what main_arena, which
 * is known, tells of its kind and of sbrk_base; 0 if it does not.
 */
bool glibc_scan_used_mp(const struct image *image, const struct glibc_scan_arena *arena,
			uint64_t sbrk_base, struct glibc_scan_par *ret);

/* A TLS variable of the image, of 8 bytes or more, that its code reaches through the GOT. */
struct glibc_tls_slot {
	uint64_t got; /* address of the word, which holds its offset from the thread pointer */
	uint64_t offset; /* in the image's TLS block */
};

#define GLIBC_TLS_SLOTS 32

/*
 * `tcache` and `thread_arena` are among them. Returns how many there are, GLIBC_TLS_SLOTS at most.
 */
size_t glibc_scan_tls(const struct image *image, struct glibc_tls_slot *ret);

/* Of code only that of these functions is looked at: an image may be without all the rest. */
#define GLIBC_SCAN_FUNCTIONS 3
extern const char *const glibc_scan_functions[GLIBC_SCAN_FUNCTIONS];

/*
 * Which of slots is that of `tcache`: from 2.43 on the one whose initial value points to zeroes in
 * read-only data (__tcache_dummy); before, the one that malloc() and free() both use first, but for
 * errno's. Where it is known which slot is thread_arena's, it should not be among them: a malloc
 * without tcache uses that first.
 */
bool glibc_scan_tcache(const struct image *image, const struct glibc_tls_slot *slots, size_t count,
		       size_t *ret_index);

/*
 * From 2.43 on, without the GOT, which a static program does without: the offset in the TLS block
 * of the word whose initial value points to __tcache_dummy, as above.
 */
bool glibc_scan_tcache_dummy(const struct image *image, uint64_t *ret);

/* Whether a chunk with this size field could hold a tcache_perthread_struct of any release. */
bool glibc_is_tcache_chunk(uint64_t size_field);

#endif
