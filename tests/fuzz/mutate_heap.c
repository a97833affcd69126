/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutates an input of fuzz_heap as what it is: words of its memory, its roots and threads, and
 * which of its memory can be read.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/heap_image.h"
#include "tests/fuzz/mutate.h"

#include <string.h>

/* A word of the image's memory. */
struct place {
	uint64_t address;
	uint8_t *bytes;
};

static struct place pick_place(struct fuzz_random *random, struct heap_image *image)
{
	struct heap_region *region = &image->regions[fuzz_below(random, image->region_count)];
	size_t offset = 8 * fuzz_pick_word(random, region->bytes, region->length);

	return (struct place){ region->address + offset, region->bytes + offset };
}

static uint64_t word_of(struct place place)
{
	uint64_t word;

	memcpy(&word, place.bytes, sizeof(word));
	return word;
}

/* A word that stands somewhere in the image, the address of one, or of a chunk whose size it is. */
static uint64_t pick_other(struct fuzz_random *random, struct heap_image *image)
{
	struct place place = pick_place(random, image);

	switch (fuzz_below(random, 4)) {
	case 0:
		return align_down(place.address, 16);
	case 1:
		return align_down(place.address, 16) + 16;
	case 2:
		return align_down(place.address, HEAP_IMAGE_PAGE);
	default:
		return word_of(place);
	}
}

static uint64_t new_word(struct fuzz_random *random, struct heap_image *image, struct place place)
{
	return fuzz_mutate_word(random, word_of(place), place.address, pick_other(random, image));
}

static void change_word(struct fuzz_random *random, struct heap_image *image)
{
	struct place place = pick_place(random, image);
	uint64_t word = new_word(random, image, place);

	memcpy(place.bytes, &word, sizeof(word));
}

static void add_late(struct fuzz_random *random, struct heap_image *image)
{
	struct place place = pick_place(random, image);
	size_t at = image->late_count < HEAP_IMAGE_LATE ? image->late_count++
							: fuzz_below(random, HEAP_IMAGE_LATE);

	image->late[at] = (struct late_word){ place.address, new_word(random, image, place) };
	image->late_after = (uint8_t)fuzz_below(random, 64);
	image->live = fuzz_below(random, 4) != 0;
}

/* Some words from one place to another, as a chunk or a struct of its own. */
static void copy_words(struct fuzz_random *random, struct heap_image *image)
{
	struct place from = pick_place(random, image), to = pick_place(random, image);
	size_t length = 8 * (1 + fuzz_below(random, 64));
	uint8_t *source = heap_image_at(image, from.address, length);
	uint8_t *target = heap_image_at(image, to.address, length);

	if (source && target)
		memmove(target, source, length);
}

static void change_region(struct fuzz_random *random, struct heap_image *image)
{
	struct heap_region *region = &image->regions[fuzz_below(random, image->region_count)];

	switch (fuzz_below(random, 4)) {
	case 0:
		region->kind = (enum heap_region_kind)fuzz_below(random, REGION_KINDS);
		break;
	case 1:
		/* Its end, or all but its end, becomes another region, which may be dropped. */
		if (region->length > HEAP_IMAGE_PAGE)
			region->length =
				HEAP_IMAGE_PAGE *
				(uint32_t)(1 +
					   fuzz_below(random, region->length / HEAP_IMAGE_PAGE));
		break;
	case 2:
		heap_image_add(image, region->address + region->length,
			       HEAP_IMAGE_PAGE * (1 + fuzz_below(random, 64)),
			       (enum heap_region_kind)fuzz_below(random, REGION_KINDS));
		break;
	default:
		heap_image_add(image, align_down(pick_other(random, image), HEAP_IMAGE_PAGE),
			       HEAP_IMAGE_PAGE * (1 + fuzz_below(random, 64)),
			       (enum heap_region_kind)fuzz_below(random, REGION_KINDS));
	}
}

static void change_root(struct fuzz_random *random, struct heap_image *image)
{
	struct malloc_roots *roots = &image->roots;
	struct root *all[] = { &roots->main_arena, &roots->mp, &roots->tcache,
			       &roots->thread_arena };
	struct root *root = all[fuzz_below(random, 4)];

	root->value = fuzz_mutate_word(random, root->value, root->value, pick_other(random, image));
	if (root != &roots->tcache && root != &roots->thread_arena)
		return;
	root->source = fuzz_below(random, 2) ? ROOT_SYMBOLS : ROOT_UNKNOWN;
	/* How much is the decoder's matter. */
	roots->tls.size = root->source ? 0 : fuzz_below(random, 4);
}

static void change_layout(struct fuzz_random *random, struct heap_image *image)
{
	if (fuzz_below(random, 2))
		image->row = (uint8_t)fuzz_below(random, 16);
	image->others = fuzz_below(random, 2);
	image->unconfirmed = fuzz_below(random, 2);
}

static void change_threads(struct fuzz_random *random, struct heap_image *image)
{
	struct root_thread *thread;

	if (!image->roots.thread_count || fuzz_below(random, 2)) {
		heap_image_add_thread(image, pick_other(random, image));
		return;
	}
	thread = &image->threads[fuzz_below(random, image->roots.thread_count)];
	switch (fuzz_below(random, 3)) {
	case 0:
		thread->unknown = !thread->unknown;
		break;
	case 1:
		thread->inside = thread->inside ? 0 : image->roots.main_arena.value;
		break;
	default:
		thread->fs_base =
			image->threads[fuzz_below(random, image->roots.thread_count)].fs_base;
	}
}

static void mutate(struct fuzz_random *random, struct heap_image *image)
{
	if (!image->region_count) {
		heap_image_add(image, UINT64_C(0x555555559000), 8 * HEAP_IMAGE_PAGE,
			       REGION_ANONYMOUS);
		return;
	}
	switch (fuzz_below(random, 24)) {
	case 0:
		change_layout(random, image);
		break;
	case 1:
		image->live = !image->live;
		break;
	case 2:
		change_root(random, image);
		break;
	case 3:
		change_threads(random, image);
		break;
	case 4:
		change_region(random, image);
		break;
	case 5:
	case 6:
		add_late(random, image);
		break;
	case 7:
	case 8:
		copy_words(random, image);
		break;
	default:
		change_word(random, image);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	static struct heap_image image;
	struct fuzz_random random = fuzz_random(seed);
	size_t encoded;

	if (fuzz_below(&random, 32) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	heap_image_decode(&image, data, size);
	for (uint64_t steps = 1 + fuzz_below(&random, 4); steps; steps--)
		mutate(&random, &image);
	encoded = heap_image_encode(&image, data, max_size);
	return encoded ? encoded : LLVMFuzzerMutate(data, size, max_size);
}
