/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile_image.h"

static void build_holes(struct builder_arena *arena, uint64_t size, uint32_t bin, uint64_t *chunks)
{
	for (size_t i = 0; i < 3; i++) {
		chunks[i] = builder_hole(arena, size);
		builder_chunk(arena, 0x20);
		builder_link(arena, chunks[i], bin);
	}
}

static void build_arena(struct image *image, int which)
{
	struct builder_arena *arena = image->arenas[which];

	image->big[which] = builder_chunk(arena, 0x210);
	for (size_t i = 0; i < 3; i++) {
		image->cached[which][i] = builder_chunk(arena, 0x50);
		builder_tcache(image->threads[which == NEWEST], image->cached[which][i]);
	}
	for (size_t i = 0; i < 3; i++) {
		image->fast[which][i] = builder_chunk(arena, 0x40);
		if (image->b->layout->malloc_state.fastbinsY != GLIBC_ABSENT)
			builder_fastbin(arena, image->fast[which][i]);
	}
	build_holes(arena, 0xa0, 1, image->unsorted[which]);
	build_holes(arena, 0x90, 9, image->small[which]);
	build_holes(arena, 0x500, 68, image->large[which]);
	if (which == OTHER) {
		image->fenced = builder_fence(arena);
		builder_link(arena, image->fenced, 1);
		builder_heap(arena, image->heaps[1], 0x4000);
	}
	image->last[which] = builder_chunk(arena, 0x90);
	image->top[which] = builder_top(arena);
}

void hostile_build(struct heap_builder *b, struct image *image)
{
	*image = (struct image){
		.b = b,
		.heaps = { BUILDER_HEAPS + 3 * GLIBC_DEFAULT_HEAP_MAX, BUILDER_HEAPS },
	};
	b->tcache_count = 100;
	builder_set(b, b->mp + b->layout->malloc_par.tcache_count, b->tcache_count);
	image->arenas[MAIN] = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x5000);
	image->witness = builder_chunk(image->arenas[MAIN], 0x30);
	image->arenas[OTHER] = builder_arena(b, image->heaps[0], 0x4000);
	image->arenas[NEWEST] =
		builder_arena(b, BUILDER_HEAPS + 5 * GLIBC_DEFAULT_HEAP_MAX, 0x4000);
	for (int i = 0; i < 2; i++) {
		struct builder_arena *arena = image->arenas[i ? NEWEST : MAIN];
		image->threads[i] = builder_thread(b, 100 + i, arena);
		builder_tcache_struct(image->threads[i], arena);
	}
	for (int which = 0; which < ARENAS; which++)
		build_arena(image, which);
	image->mmapped[0] = builder_mmapped(b, BUILDER_MMAP, 0x3000, 0, false);
	image->mmapped[1] = builder_mmapped(b, BUILDER_MMAP + 0x3000, 0x5000, 0x1000 - 16, false);
}

void hostile_rebuild(struct heap_builder *b, struct image *image)
{
	builder_reset(b);
	hostile_build(b, image);
}

void hostile_run(struct heap_builder *b, const struct hostile_case *cases, size_t count)
{
	for (size_t i = 0; i < count * ARENAS; i++) {
		const struct hostile_case *hostile = &cases[i / ARENAS];
		struct image image;

		hostile_rebuild(b, &image);
		hostile->corrupt(&image, i % ARENAS);
		print_message("%s, arena %zu\n", hostile->name, i % ARENAS);
		builder_read(b);
		builder_assert_found(b, hostile->kinds);
		builder_assert_item(b, image.witness, CHUNK_IN_USE, 0x30);
	}
}
