/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: walk, tag and audit of a memory image of any row of the layout table, held or
 * running.
 *
 * Whatever is in the image, there is a heap, it does not contradict itself (heap_shape.h), and to
 * make it cost no more than what is stated here.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/heap_image.h"
#include "tests/heap_shape.h"

#include <inttypes.h>

/*
 * Memory, as a multiple of the image's, and for each thread; the constant is for the windows and
 * the findings that are kept. A chunk takes at least 32 bytes of the target and, while an array
 * doubles, at most three times the 16 to 52 bytes that are kept of it.
 */
#define MEMORY_FACTOR 8
#define MEMORY_THREAD (8 << 10)
#define MEMORY_FIXED  (UINT64_C(9) << 20)

/*
 * Bytes read: each is walked once, searched for parts, for mmapped chunks and behind damage, which
 * have budgets (regions.c, walk.c). A running target's segments are walked up to five times.
 */
#define READ_FACTOR UINT64_C(16)
#define READ_FIXED  (UINT64_C(140) << 20)
/* Reads: at each page there may be 43 places for the chunk of a mapping, looked at twice. */
#define READS_A_PAGE 128
#define READS_FIXED  (UINT64_C(1) << 16)
#define LIVE_FACTOR  5

const char fuzz_target[] = "heap";

static void check_cost(const struct heap_image_memory *memory, const struct heap_image *image)
{
	uint64_t factor = image->live ? LIVE_FACTOR : 1;
	uint64_t peak = fuzz_meter_peak();

	if (memory->bytes > factor * READ_FACTOR * image->used + READ_FIXED)
		fuzz_fail("%" PRIu64 " bytes were read of an image of %zu", memory->bytes,
			  image->used);
	if (memory->reads > factor * READS_A_PAGE * (image->used / HEAP_IMAGE_PAGE) + READS_FIXED)
		fuzz_fail("%" PRIu64 " reads for an image of %zu bytes", memory->reads,
			  image->used);
	if (peak >
	    MEMORY_FACTOR * image->used + MEMORY_THREAD * image->roots.thread_count + MEMORY_FIXED)
		fuzz_fail("%" PRIu64 " bytes of memory for an image of %zu", peak, image->used);
}

static void check_heap(const struct heap *heap, const struct heap_image *image)
{
	const char *wrong = heap_contradiction(heap);

	if (wrong)
		fuzz_fail("%s", wrong);
	/* main_arena itself need not be in memory that was mapped. */
	if (heap->chunk_count > image->used / GLIBC_CHUNK_HDR_SZ + 1)
		fuzz_fail("%zu chunks in an image of %zu bytes", heap->chunk_count, image->used);
	for (size_t i = 0; i < heap->chunk_count; i++) {
		if (heap_usable_size(heap, &heap->chunks[i]) > chunk_size(&heap->chunks[i]))
			fuzz_fail("more is usable of a chunk than its size");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct heap_image image;
	static struct heap_image_memory memory;
	struct heap *heap = NULL;

	heap_image_decode(&image, data, size);
	fuzz_meter_start();
	struct memtool_error *error = heap_image_walk(&image, &memory, &heap);
	if (error && (error->code != MEMTOOL_ERROR_UNSUPPORTED || !image.unconfirmed))
		fuzz_fail("there is no heap: %s", error->message);
	check_cost(&memory, &image);
	if (error)
		memtool_error_destroy(error);
	else
		check_heap(heap, &image);
	heap_destroy(heap);
	return 0;
}
