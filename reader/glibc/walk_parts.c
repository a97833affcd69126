/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several arenas at once: the heap in parts, which several threads walk.
 *
 * A part is some segments that follow each other, and all else up to the next part. It is walked as
 * the whole would be, into a heap_copy of its own; what both only read, they share. The parts are
 * joined when the target runs again, and then nothing tells that they were parts.
 *
 * Each thread reads what it walks: unlike a single segment, whose next chunk is known only when
 * this one was seen, parts need nobody to read ahead of them.
 */
#include "glibc/walk.h"
#include "support/thread.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

/* From here on the threads gain more than they cost. */
#define ENOUGH (UINT64_C(32) << 20)
/* No more, as others want processors, too. */
#define THREADS_MAX 4
/* So many for each thread that all have work until the end, or nearly. */
#define PARTS_PER_THREAD 4
#define PARTS_MAX        (THREADS_MAX * PARTS_PER_THREAD)
/* What is read at once; it stays in the processor's own cache until it has been walked. */
#define PIECE (UINT64_C(512) << 10)
/* How often who waits for the other threads says how far they are. */
#define TICK_NS 10000000

struct walk_part {
	struct walk_parts *parts;
	struct range range;
	struct heap_copy copy; /* what the walk appends to is its own */
	struct heap heap; /* its findings */
	struct segment_array done; /* the segments as they were walked */
	struct memtool_error *error;
	/* For the thread that tells how far all have come. */
	atomic_ullong bytes_read, chunks;
};

struct walk_parts {
	struct heap_copy *whole;
	struct walk_part *parts;
	size_t count;
	pthread_t caller;
	atomic_bool interrupted;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t ended; /* one of the threads has */
	size_t next; /* the part that nobody walks yet */
	unsigned int running; /* threads besides the caller's */
};

static uint64_t segment_bytes(const struct heap_copy *copy, uint64_t *ret_largest)
{
	uint64_t total = 0;

	*ret_largest = 0;
	for (size_t i = 0; i < copy->segments.count; i++) {
		uint64_t size = range_size(copy->segments.data[i].range);
		total += size;
		if (size > *ret_largest)
			*ret_largest = size;
	}
	return total;
}

static unsigned int thread_limit(const struct heap_copy *copy)
{
	return copy->threads < THREADS_MAX ? copy->threads : THREADS_MAX;
}

bool walk_parts_pay(const struct heap_copy *copy)
{
	uint64_t largest;

	/*
	 * With two processors the target stands still no shorter than if one walks and the other
	 * reads ahead of it, and the parts take a fifth longer in all, to be joined.
	 */
	if (copy->live || copy->threads < 3)
		return false;
	/* Where one outweighs all others, those who read ahead of a walk do more. */
	uint64_t total = segment_bytes(copy, &largest);
	return total >= ENOUGH && largest <= total / 2;
}

/* Cuts at the starts of segments, so that each part has its share of their bytes. */
static void cut(struct walk_parts *parts)
{
	const struct segment_array *segments = &parts->whole->segments;
	uint64_t largest, bytes = 0;
	uint64_t share = segment_bytes(parts->whole, &largest) /
			 (thread_limit(parts->whole) * PARTS_PER_THREAD);

	parts->parts[0].range.start = 0;
	parts->count = 1;
	for (size_t i = 0; i < segments->count; i++) {
		struct walk_part *part = &parts->parts[parts->count - 1];

		if (bytes > share && parts->count < PARTS_MAX) {
			part->range.end = segments->data[i].range.start;
			part[1].range.start = part->range.end;
			parts->count++;
			bytes = 0;
		}
		bytes += range_size(segments->data[i].range);
	}
	parts->parts[parts->count - 1].range.end = UINT64_MAX;
}

/* Calls the function that wants to know, in the caller's thread. */
static void tell(struct walk_parts *parts)
{
	const struct progress_memory *counted = &parts->whole->counted;
	struct memtool_progress progress = counted->progress;

	for (size_t i = 0; i < parts->count; i++) {
		progress.bytes_read += atomic_load(&parts->parts[i].bytes_read);
		progress.chunks += atomic_load(&parts->parts[i].chunks);
	}
	if (counted->function && !counted->function(counted->context, &progress))
		atomic_store(&parts->interrupted, true);
}

/* A memtool_progress_fn: of one part. */
static bool note_progress(void *context, const struct memtool_progress *progress)
{
	struct walk_part *part = context;

	atomic_store(&part->bytes_read, progress->bytes_read);
	atomic_store(&part->chunks, progress->chunks);
	if (pthread_equal(part->parts->caller, pthread_self()))
		tell(part->parts);
	return !atomic_load(&part->parts->interrupted);
}

static void begin_part(struct walk_parts *parts, struct walk_part *part)
{
	const struct heap_copy *whole = parts->whole;

	part->parts = parts;
	part->heap = *whole->heap;
	part->heap.audit = (struct audit){ 0 };
	part->copy = (struct heap_copy){
		.layout = whole->layout,
		.anonymous = whole->anonymous,
		.anonymous_count = whole->anonymous_count,
		.heap = &part->heap,
		.arenas = whole->arenas,
		.segments = whole->segments,
		.mmapped = whole->mmapped,
		.counted = progress_memory(whole->counted.inner, &part->copy.chunks.count,
					   note_progress, part),
	};
	part->copy.memory = &part->copy.counted.memory;
}

static struct memtool_error *walk_part(struct walk_part *part)
{
	_cleanup_(walk_deinit) struct walk walk;

	walk_init(&walk, &part->copy, PIECE, SEARCH_BUDGET / part->parts->count);
	struct memtool_error *error = walk_range(&walk, part->range);
	part->done = walk.done;
	walk.done = (struct segment_array){ 0 };
	return error;
}

/* Once a part has failed, no further one is begun. */
static struct walk_part *next_part(struct walk_parts *parts, const struct walk_part *last)
{
	struct walk_part *part = NULL;

	pthread_mutex_lock(&parts->lock);
	if (last && last->error)
		parts->next = parts->count;
	if (parts->next < parts->count)
		part = &parts->parts[parts->next++];
	pthread_mutex_unlock(&parts->lock);
	return part;
}

static void walk_some(struct walk_parts *parts)
{
	struct walk_part *part = NULL;

	while ((part = next_part(parts, part)))
		part->error = walk_part(part);
}

static void *run(void *argument)
{
	struct walk_parts *parts = argument;

	walk_some(parts);
	pthread_mutex_lock(&parts->lock);
	parts->running--;
	pthread_cond_signal(&parts->ended);
	pthread_mutex_unlock(&parts->lock);
	return NULL;
}

static void wait_for_others(struct walk_parts *parts)
{
	pthread_mutex_lock(&parts->lock);
	while (parts->running) {
		struct timespec tick;

		clock_gettime(CLOCK_MONOTONIC, &tick);
		tick.tv_nsec += TICK_NS;
		tick.tv_sec += tick.tv_nsec / 1000000000;
		tick.tv_nsec %= 1000000000;
		if (pthread_cond_clockwait(&parts->ended, &parts->lock, CLOCK_MONOTONIC, &tick) ==
		    0)
			continue;
		pthread_mutex_unlock(&parts->lock);
		tell(parts);
		pthread_mutex_lock(&parts->lock);
	}
	pthread_mutex_unlock(&parts->lock);
}

/* By as many threads as can be had; the caller's is one. */
static void walk_all_parts(struct walk_parts *parts)
{
	unsigned int limit = thread_limit(parts->whole), count = 0;
	pthread_t threads[THREADS_MAX];

	pthread_mutex_lock(&parts->lock);
	while (count + 1 < limit && count + 1 < parts->count &&
	       thread_start(&threads[count], run, parts) == 0)
		count++;
	parts->running = count;
	pthread_mutex_unlock(&parts->lock);
	walk_some(parts);
	wait_for_others(parts);
	for (unsigned int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	tell(parts);
}

static struct walk_parts *create_parts(struct heap_copy *whole)
{
	_cleanup_free_ struct walk_parts *parts = malloc(sizeof(*parts));
	_cleanup_free_ struct walk_part *data = calloc(PARTS_MAX, sizeof(*data));

	if (!parts || !data)
		return NULL;
	*parts = (struct walk_parts){
		.whole = whole,
		.parts = no_cleanup_ptr(data),
		.caller = pthread_self(),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.ended = PTHREAD_COND_INITIALIZER,
	};
	cut(parts);
	for (size_t i = 0; i < parts->count; i++)
		begin_part(parts, &parts->parts[i]);
	return no_cleanup_ptr(parts);
}

struct memtool_error *copy_parts(struct heap_copy *copy)
{
	struct memtool_error *error = NULL;

	copy->parts = create_parts(copy);
	if (!copy->parts)
		return memtool_error_no_memory;
	walk_all_parts(copy->parts);
	for (size_t i = 0; i < copy->parts->count && !error; i++)
		error = no_cleanup_ptr(copy->parts->parts[i].error);
	if (!error && atomic_load(&copy->parts->interrupted))
		error = memtool_error_create(MEMTOOL_ERROR_INTERRUPTED, "interrupted");
	return error;
}

void walk_parts_destroy(struct walk_parts *parts)
{
	if (!parts)
		return;
	for (size_t i = 0; i < parts->count; i++) {
		struct walk_part *part = &parts->parts[i];

		audit_deinit(&part->heap.audit);
		chunk_array_deinit(&part->copy.chunks);
		single_links_deinit(&part->copy.single_links);
		double_links_deinit(&part->copy.double_links);
		segment_array_deinit(&part->done);
		memtool_error_destroy(part->error);
	}
	free(parts->parts);
	free(parts);
}

/* Copies what is not needed any more: its pages are given back as it goes, lest there be two. */
static void move_bytes(void *to, uint8_t *from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PIECE) {
		size_t count = bytes - i < PIECE ? bytes - i : PIECE;
		uint64_t start = align_up((uintptr_t)from + i, PAGE);
		uint64_t end = align_down((uintptr_t)from + i + count, PAGE);

		memcpy((uint8_t *)to + i, from + i, count);
		if (start < end)
			madvise((void *)start, end - start, MADV_DONTNEED);
	}
}

/* Appends a part's chunks, and all that refers to them by index. There is room. */
static void join(struct heap_copy *whole, struct walk_part *part)
{
	const size_t base = whole->chunks.count;
	struct single_links *singles = &part->copy.single_links;
	struct double_links *doubles = &part->copy.double_links;

	move_bytes(whole->chunks.data + base, (uint8_t *)part->copy.chunks.data,
		   part->copy.chunks.count * sizeof(struct chunk));
	whole->chunks.count += part->copy.chunks.count;

	for (size_t i = 0; i < singles->count; i++)
		singles->data[i].index += base;
	move_bytes(whole->single_links.data + whole->single_links.count, (uint8_t *)singles->data,
		   singles->count * sizeof(struct single_link));
	whole->single_links.count += singles->count;

	for (size_t i = 0; i < doubles->count; i++)
		doubles->data[i].index += base;
	move_bytes(whole->double_links.data + whole->double_links.count, (uint8_t *)doubles->data,
		   doubles->count * sizeof(struct double_link));
	whole->double_links.count += doubles->count;

	for (size_t i = 0; i < part->done.count; i++) {
		struct heap_segment *segment = &whole->segments.data[whole->segments.count++];

		*segment = part->done.data[i];
		segment->first_chunk += base;
		segment->end_chunk += base;
	}
	audit_append(&whole->heap->audit, &part->heap.audit);
}

/* Room for what all parts have, not touched before it is needed. */
static bool make_room(struct heap_copy *whole)
{
	struct walk_part *parts = whole->parts->parts;
	size_t chunks = 0, singles = 0, doubles = 0, segments = 0;

	for (size_t i = 0; i < whole->parts->count; i++) {
		chunks += parts[i].copy.chunks.count;
		singles += parts[i].copy.single_links.count;
		doubles += parts[i].copy.double_links.count;
		segments += parts[i].done.count;
	}
	segment_array_deinit(&whole->segments);
	return chunk_array_reserve(&whole->chunks, chunks) &&
	       single_links_reserve(&whole->single_links, singles) &&
	       double_links_reserve(&whole->double_links, doubles) &&
	       segment_array_reserve(&whole->segments, segments);
}

bool walk_parts_join(struct heap_copy *copy)
{
	if (!make_room(copy))
		return false;
	for (size_t i = 0; i < copy->parts->count; i++)
		join(copy, &copy->parts->parts[i]);
	walk_parts_destroy(copy->parts);
	copy->parts = NULL;
	return true;
}
