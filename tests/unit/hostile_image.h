/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The valid image that the tests of hostile heaps make something in wrong: three arenas with a few
 * chunks of every state in each.
 */
#ifndef TESTS_HOSTILE_IMAGE_H
#define TESTS_HOSTILE_IMAGE_H

#include "heap_builder.h"

#define KIND(kind) BUILDER_KIND(AUDIT_##kind)
#define ANY_DOUBT  (BUILDER_KIND(AUDIT_KINDS) - 1 - KIND(LOCKED) - KIND(INSIDE))

#define NOWHERE UINT64_C(0x666666660000)

enum { MAIN, OTHER, NEWEST, ARENAS };

struct image {
	struct heap_builder *b;
	struct builder_arena *arenas[ARENAS];
	struct builder_thread *threads[2];
	uint64_t witness; /* the first chunk of main_arena, which nothing here touches */
	/* Of each arena, in the order of addresses: */
	uint64_t big[ARENAS]; /* in use, 0x210 */
	uint64_t cached[ARENAS][3]; /* in tcache bin 3 of threads[0], but NEWEST's of threads[1] */
	uint64_t fast[ARENAS][3]; /* in fastbin 2, or in use where there are no fastbins */
	uint64_t unsorted[ARENAS][3];
	uint64_t small[ARENAS][3]; /* bin 9 */
	uint64_t large[ARENAS][3]; /* bin 68 */
	uint64_t last[ARENAS]; /* in use, before top */
	uint64_t top[ARENAS];
	uint64_t heaps[2]; /* of OTHER: the first, and the one in use */
	uint64_t fenced; /* what is left before the fenceposts of OTHER's first heap, unsorted */
	uint64_t mmapped[2];
};

void hostile_build(struct heap_builder *b, struct image *image);
/* Builds it anew. */
void hostile_rebuild(struct heap_builder *b, struct image *image);

/* What is done to the image, and the findings of which at least one has to be there. */
struct hostile_case {
	const char *name;
	uint32_t kinds;
	void (*corrupt)(struct image *image, int which);
};

/* Each case for each arena; the first chunk of main_arena is to be told in any case. */
void hostile_run(struct heap_builder *b, const struct hostile_case *cases, size_t count);

#define HOSTILE_RUN(state, cases) hostile_run(*(state), cases, sizeof(cases) / sizeof((cases)[0]))

#endif
