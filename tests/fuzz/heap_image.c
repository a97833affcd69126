/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/heap_image.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sparse.h"

#include <stdlib.h>
#include <string.h>

enum image_flags {
	IMAGE_LIVE = 1,
	IMAGE_NO_TCACHE = 2, /* where threads keep it is not known */
	IMAGE_NO_THREAD_ARENA = 4,
	IMAGE_OTHERS = 8,
	IMAGE_UNCONFIRMED = 16,
	IMAGE_TLS = 32, /* where it may be is known: from what stands for tcache's offset on */
};

enum thread_flags {
	THREAD_UNKNOWN = 1,
	THREAD_INSIDE = 2,
};

#define ROWS_MAX 32
#define TLS_MAX  (UINT64_C(64) << 10)

void heap_image_clear(struct heap_image *image)
{
	uint8_t *storage = image->storage;

	if (!storage)
		storage = calloc(1, HEAP_IMAGE_BYTES);
	if (!storage)
		fuzz_fail("no memory for an image");
	memset(storage, 0, image->used);
	*image = (struct heap_image){ .storage = storage };
	image->roots.threads = image->threads;
}

struct heap_region *heap_image_add(struct heap_image *image, uint64_t address, uint64_t length,
				   enum heap_region_kind kind)
{
	size_t at = image->region_count;

	if (at == HEAP_IMAGE_REGIONS || length == 0 || length % HEAP_IMAGE_PAGE ||
	    address % HEAP_IMAGE_PAGE || length > HEAP_IMAGE_BYTES - image->used ||
	    address > UINT64_MAX - length)
		return NULL;
	while (at > 0 && image->regions[at - 1].address >= address)
		at--;
	if (at > 0 && image->regions[at - 1].address + image->regions[at - 1].length > address)
		return NULL;
	if (at < image->region_count && image->regions[at].address < address + length)
		return NULL;
	memmove(&image->regions[at + 1], &image->regions[at],
		(image->region_count - at) * sizeof(image->regions[0]));
	image->regions[at] = (struct heap_region){ address, (uint32_t)length, kind,
						   image->storage + image->used };
	image->region_count++;
	image->used += length;
	return &image->regions[at];
}

struct root_thread *heap_image_add_thread(struct heap_image *image, uint64_t fs_base)
{
	struct root_thread *thread = &image->threads[image->roots.thread_count];

	if (image->roots.thread_count == HEAP_IMAGE_THREADS)
		return NULL;
	*thread = (struct root_thread){
		.tid = HEAP_IMAGE_TID + (pid_t)image->roots.thread_count,
		.fs_base = fs_base,
		.source = ROOT_SYMBOLS,
	};
	image->roots.thread_count++;
	return thread;
}

uint8_t *heap_image_at(struct heap_image *image, uint64_t address, size_t length)
{
	for (size_t i = 0; i < image->region_count; i++) {
		const struct heap_region *region = &image->regions[i];
		struct range range = { region->address, region->address + region->length };
		if (range_covers(range, address, length))
			return region->bytes + (address - region->address);
	}
	return NULL;
}

static void take_header(struct fuzz_input *input, struct heap_image *image)
{
	struct malloc_roots *roots = &image->roots;
	size_t rows;

	glibc_layout_table(&rows);
	image->row = (uint8_t)(fuzz_take(input, 1) % rows);
	uint8_t flags = (uint8_t)fuzz_take(input, 1);
	image->live = flags & IMAGE_LIVE;
	image->others = flags & IMAGE_OTHERS;
	image->unconfirmed = flags & IMAGE_UNCONFIRMED;
	image->late_after = (uint8_t)fuzz_take(input, 1);
	roots->main_arena = (struct root){ fuzz_take(input, 8), ROOT_SYMBOLS };
	roots->mp = (struct root){ fuzz_take(input, 8), ROOT_SYMBOLS };
	roots->tcache = (struct root){ (uint64_t)(int64_t)(int32_t)fuzz_take(input, 4),
				       flags & IMAGE_NO_TCACHE ? ROOT_UNKNOWN : ROOT_SYMBOLS };
	roots->thread_arena =
		(struct root){ (uint64_t)(int64_t)(int32_t)fuzz_take(input, 4),
			       flags & IMAGE_NO_THREAD_ARENA ? ROOT_UNKNOWN : ROOT_SYMBOLS };
	roots->tls.offset = roots->tcache.value;
	roots->tls.size = flags & IMAGE_TLS ? -roots->tls.offset % TLS_MAX : 0;
}

static void take_thread(struct fuzz_input *input, struct heap_image *image)
{
	uint8_t flags = (uint8_t)fuzz_take(input, 1);
	struct root_thread *thread = heap_image_add_thread(image, fuzz_take(input, 8));

	if (!thread)
		return;
	thread->unknown = flags & THREAD_UNKNOWN;
	thread->inside = flags & THREAD_INSIDE ? image->roots.main_arena.value : 0;
}

static void take_region(struct fuzz_input *input, struct heap_image *image)
{
	enum heap_region_kind kind = (enum heap_region_kind)(fuzz_take(input, 1) % REGION_KINDS);
	uint64_t address = align_down(fuzz_take(input, 8), HEAP_IMAGE_PAGE);
	uint64_t pages = fuzz_take(input, 2);
	struct heap_region *region = heap_image_add(image, address, pages * HEAP_IMAGE_PAGE, kind);

	fuzz_take_runs(input, region ? region->bytes : NULL, region ? region->length : 0);
}

void heap_image_decode(struct heap_image *image, const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };

	heap_image_clear(image);
	take_header(&input, image);
	for (uint64_t count = fuzz_take(&input, 1); count && input.left; count--)
		take_thread(&input, image);
	for (uint64_t count = fuzz_take(&input, 1); count && input.left; count--)
		take_region(&input, image);
	for (uint64_t count = fuzz_take(&input, 1); count && input.left; count--) {
		struct late_word word = { fuzz_take(&input, 8), fuzz_take(&input, 8) };
		if (image->late_count < HEAP_IMAGE_LATE)
			image->late[image->late_count++] = word;
	}
}

static void put_header(struct fuzz_output *output, const struct heap_image *image)
{
	const struct malloc_roots *roots = &image->roots;
	uint8_t flags = image->live ? IMAGE_LIVE : 0;

	flags |= image->others ? IMAGE_OTHERS : 0;
	flags |= image->unconfirmed ? IMAGE_UNCONFIRMED : 0;
	flags |= roots->tls.size ? IMAGE_TLS : 0;
	flags |= roots->tcache.source ? 0 : IMAGE_NO_TCACHE;
	flags |= roots->thread_arena.source ? 0 : IMAGE_NO_THREAD_ARENA;
	fuzz_put(output, image->row, 1);
	fuzz_put(output, flags, 1);
	fuzz_put(output, image->late_after, 1);
	fuzz_put(output, roots->main_arena.value, 8);
	fuzz_put(output, roots->mp.value, 8);
	fuzz_put(output, roots->tcache.value, 4);
	fuzz_put(output, roots->thread_arena.value, 4);
}

size_t heap_image_encode(const struct heap_image *image, uint8_t *data, size_t capacity)
{
	struct fuzz_output output = { .bytes = data, .capacity = capacity };

	put_header(&output, image);
	fuzz_put(&output, image->roots.thread_count, 1);
	for (size_t i = 0; i < image->roots.thread_count; i++) {
		fuzz_put(&output,
			 (image->threads[i].unknown ? THREAD_UNKNOWN : 0) |
				 (image->threads[i].inside ? THREAD_INSIDE : 0),
			 1);
		fuzz_put(&output, image->threads[i].fs_base, 8);
	}
	fuzz_put(&output, image->region_count, 1);
	for (size_t i = 0; i < image->region_count; i++) {
		const struct heap_region *region = &image->regions[i];
		fuzz_put(&output, region->kind, 1);
		fuzz_put(&output, region->address, 8);
		fuzz_put(&output, region->length / HEAP_IMAGE_PAGE, 2);
		fuzz_put_runs(&output, region->bytes, region->length);
	}
	fuzz_put(&output, image->late_count, 1);
	for (size_t i = 0; i < image->late_count; i++) {
		fuzz_put(&output, image->late[i].address, 8);
		fuzz_put(&output, image->late[i].value, 8);
	}
	return output.full ? 0 : output.size;
}

static void write_late(struct heap_image *image)
{
	for (size_t i = 0; i < image->late_count; i++) {
		uint8_t *at = heap_image_at(image, image->late[i].address, sizeof(uint64_t));
		if (at)
			memcpy(at, &image->late[i].value, sizeof(uint64_t));
	}
}

static struct memtool_error *image_read(struct memory *memory, uint64_t address, void *buffer,
					size_t length, size_t *ret)
{
	struct heap_image_memory *self = (struct heap_image_memory *)memory;
	size_t count = 0;

	if (self->reads++ == self->image->late_after)
		write_late(self->image);
	struct memtool_error *error = self->buffer.memory.ops->read(&self->buffer.memory, address,
								    buffer, length, &count);
	self->bytes += count;
	*ret = count;
	return error;
}

static void memory_init(struct heap_image_memory *memory, struct heap_image *image)
{
	static const struct memory_ops ops = { .read = image_read };
	size_t count = 0;

	for (size_t i = 0; i < image->region_count; i++) {
		const struct heap_region *region = &image->regions[i];
		if (region->kind != REGION_UNREADABLE)
			memory->regions[count++] =
				(struct memory_region){ region->address, region->length,
							region->bytes };
	}
	memory->memory.ops = &ops;
	memory->image = image;
	memory->buffer = memory_buffer(memory->regions, count);
	memory->reads = 0;
	memory->bytes = 0;
}

/* What the reader is told to be anonymous. */
static size_t list_anonymous(const struct heap_image *image, struct range ret[HEAP_IMAGE_REGIONS])
{
	size_t count = 0;

	for (size_t i = 0; i < image->region_count; i++) {
		const struct heap_region *region = &image->regions[i];
		uint64_t end = region->address + region->length;

		if (region->kind == REGION_FILE)
			continue;
		/* The kernel merges neighbours. */
		if (count && ret[count - 1].end == region->address)
			ret[count - 1].end = end;
		else
			ret[count++] = (struct range){ region->address, end };
	}
	return count;
}

/* All rows but the image's own. */
static size_t list_others(const struct heap_image *image, const struct glibc_layout **ret)
{
	size_t rows, count = 0;
	const struct glibc_layout *table = glibc_layout_table(&rows);

	for (size_t i = 0; i < rows && count < ROWS_MAX; i++) {
		if (i != image->row)
			ret[count++] = &table[i];
	}
	return count;
}

struct memtool_error *heap_image_walk(struct heap_image *image, struct heap_image_memory *memory,
				      struct heap **ret)
{
	const struct glibc_layout *others[ROWS_MAX];
	struct range anonymous[HEAP_IMAGE_REGIONS];
	struct heap_copy *copy = NULL;
	uint64_t expected_bytes;
	bool locked;
	size_t rows;

	memory_init(memory, image);
	const struct heap_source source = {
		.memory = &memory->memory,
		.layout = &glibc_layout_table(&rows)[image->row],
		.other_layouts = others,
		.other_count = image->others ? list_others(image, others) : 0,
		.layout_unconfirmed = image->unconfirmed,
		.roots = &image->roots,
		.anonymous = anonymous,
		.anonymous_count = list_anonymous(image, anonymous),
		.live = image->live,
	};
	struct memtool_error *error = heap_has_locked_arena(&source, &locked);
	if (!error)
		error = heap_expected_bytes(&source, &expected_bytes);
	if (!error)
		error = heap_copy(&source, &copy);
	return error ? error : heap_finish(copy, ret);
}
