/* SPDX-License-Identifier: Apache-2.0 */
#include "target/read_ahead.h"

#include "support/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE      UINT64_C(4096)
#define HUGE_PAGE (UINT64_C(2) << 20)
/*
 * What one processor has copied, another one looks at: all pieces together stay in a cache that
 * they share. Larger ones are read but a little faster, and looked at much more slowly.
 */
#define PIECE (UINT64_C(512) << 10)
/* Two copy twice as fast as one, and a third adds little to that. */
#define THREADS_MAX 2
/*
 * As many as are read at once, one of them by the caller; one that the caller looks at; the
 * rest so that neither side waits for the other.
 */
#define PIECES (THREADS_MAX + 6)
/* From here on the threads gain more than they cost. */
#define ENOUGH (UINT64_C(32) << 20)

struct piece {
	struct range range; /* what is to be read, or was */
	enum piece_state {
		PIECE_FREE,
		PIECE_READING,
		PIECE_READ,
	} state;
	bool dropped; /* free once it is no longer being read */
};

struct read_ahead {
	struct memory memory;
	struct memory *inner;
	pthread_t threads[THREADS_MAX];
	unsigned int thread_count;

	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	uint8_t *buffer;
	struct piece pieces[PIECES]; /* pieces[i] is at buffer + i * PIECE */
	/* Those that are being read or read: a ring; the one before first is taken. */
	unsigned int first, count;
	unsigned int reading; /* how many are, dropped ones too */
	struct range next; /* still to be read; empty: nothing */
	struct memtool_error *error; /* why there is no more */
	bool ends;
};

bool read_ahead_pays(uint64_t bytes)
{
	return bytes >= ENOUGH && usable_processors() > 1;
}

/* *ret is up to where there are bytes of range in buffer, *ret_whole that this is all of it. */
static struct memtool_error *read_piece(struct memory *inner, struct range range, uint8_t *buffer,
					uint64_t *ret, bool *ret_whole)
{
	uint64_t page = align_down(range.start, PAGE);
	struct range run;
	size_t count = 0;

	struct memtool_error *error =
		memory_find_present(inner, (struct range){ page, align_up(range.end, PAGE) }, &run);
	if (error)
		return error;
	uint64_t end = run.start > page ? range.start : run.end;
	if (end > range.end)
		end = range.end;
	if (end > range.start)
		error = memory_read_some(inner, range.start, buffer, end - range.start, &count);
	if (error)
		return error;
	*ret = range.start + count;
	*ret_whole = *ret == range.end;
	return NULL;
}

/* The place-th piece of the ring. */
static struct piece *ring_piece(struct read_ahead *self, unsigned int place)
{
	return &self->pieces[(self->first + place) % PIECES];
}

/* Of the ring, only the first count pieces are left. Called with the lock. */
static void drop_behind(struct read_ahead *self, unsigned int count)
{
	while (self->count > count) {
		struct piece *piece = ring_piece(self, --self->count);

		piece->dropped = piece->state == PIECE_READING;
		if (!piece->dropped)
			piece->state = PIECE_FREE;
	}
}

/* The piece that is to be read next, or NULL. Called with the lock. */
static struct piece *next_piece(struct read_ahead *self)
{
	struct piece *piece = ring_piece(self, self->count);

	if (self->next.start >= self->next.end || self->count == PIECES - 1 ||
	    piece->state != PIECE_FREE)
		return NULL;
	return piece;
}

/*
 * Takes a piece off what is to be read, and reads it; called with the lock, which is let go
 * meanwhile. Behind one that does not come whole, nothing more is read ahead.
 */
static void read_next(struct read_ahead *self, struct piece *piece)
{
	const uint64_t start = self->next.start;
	const uint64_t most = align_down(start + PIECE, PAGE);
	const uint64_t end = most < self->next.end ? most : self->next.end;
	const unsigned int slot = (unsigned int)(piece - self->pieces);
	uint64_t read = start;
	bool whole = false;

	*piece = (struct piece){ { start, end }, PIECE_READING, false };
	self->count++;
	self->reading++;
	self->next.start = end == self->next.end ? end : end - READ_AHEAD_OVERLAP;
	pthread_mutex_unlock(&self->lock);
	struct memtool_error *error = read_piece(self->inner, (struct range){ start, end },
						 self->buffer + slot * PIECE, &read, &whole);
	pthread_mutex_lock(&self->lock);
	self->reading--;
	piece->range.end = read;
	piece->state = piece->dropped ? PIECE_FREE : PIECE_READ;
	if (!piece->dropped && !whole) {
		drop_behind(self, (slot + PIECES - self->first) % PIECES + 1);
		self->next = (struct range){ 0 };
		memtool_error_destroy(self->error);
		self->error = no_cleanup_ptr(error);
	}
	memtool_error_destroy(error);
	pthread_cond_broadcast(&self->changed);
}

static void *run(void *argument)
{
	struct read_ahead *self = argument;

	pthread_mutex_lock(&self->lock);
	while (!self->ends) {
		struct piece *piece = next_piece(self);

		if (piece)
			read_next(self, piece);
		else
			pthread_cond_wait(&self->changed, &self->lock);
	}
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

static struct memtool_error *read_between(struct memory *memory, uint64_t address, void *buffer,
					  size_t length, size_t *ret)
{
	return memory_read_some(((struct read_ahead *)memory)->inner, address, buffer, length, ret);
}

static struct memtool_error *find_present(struct memory *memory, struct range within,
					  struct range *ret)
{
	return memory_find_present(((struct read_ahead *)memory)->inner, within, ret);
}

/* Called with the lock. */
static void restart(struct read_ahead *self, struct range range)
{
	drop_behind(self, 0);
	self->next = range;
	memtool_error_destroy(self->error);
	self->error = NULL;
	pthread_cond_broadcast(&self->changed);
}

static void start(struct memory *memory, struct range range)
{
	struct read_ahead *self = (struct read_ahead *)memory;

	pthread_mutex_lock(&self->lock);
	restart(self, range);
	pthread_mutex_unlock(&self->lock);
}

/* Whether address is in what will be read next, so that it is worth waiting for. */
static bool is_coming(const struct read_ahead *self, uint64_t address)
{
	return self->next.start < self->next.end && address >= self->next.start &&
	       address - self->next.start < PIECE;
}

/* Takes the first piece off the ring. Its bytes stay as they are until another one is taken. */
static struct piece *take_first(struct read_ahead *self)
{
	struct piece *piece = ring_piece(self, 0);

	piece->dropped = piece->state == PIECE_READING;
	if (!piece->dropped)
		piece->state = PIECE_FREE;
	self->first = (self->first + 1) % PIECES;
	self->count--;
	pthread_cond_broadcast(&self->changed);
	return piece;
}

/* While what the caller wants is being read, it reads what comes next: it has a processor, too. */
static void help(struct read_ahead *self)
{
	struct piece *piece = next_piece(self);

	if (piece)
		read_next(self, piece);
	else
		pthread_cond_wait(&self->changed, &self->lock);
}

static struct memtool_error *take(struct memory *memory, uint64_t address, size_t length,
				  struct range *ret_range, const uint8_t **ret)
{
	struct read_ahead *self = (struct read_ahead *)memory;
	struct memtool_error *error = NULL;

	*ret = NULL;
	pthread_mutex_lock(&self->lock);
	while (!*ret) {
		struct piece *piece = ring_piece(self, 0);

		if (self->count == 0) {
			error = self->error;
			self->error = NULL;
			if (error || !is_coming(self, address))
				break;
			help(self);
		} else if (address < piece->range.start) {
			break;
		} else if (!range_covers(piece->range, address, length)) {
			take_first(self);
		} else if (piece->state == PIECE_READING) {
			help(self);
		} else {
			*ret_range = piece->range;
			*ret = self->buffer + (size_t)(take_first(self) - self->pieces) * PIECE;
		}
	}
	pthread_mutex_unlock(&self->lock);
	return error;
}

void read_ahead_rest(struct read_ahead *ahead)
{
	if (!ahead)
		return;
	pthread_mutex_lock(&ahead->lock);
	restart(ahead, (struct range){ 0 });
	while (ahead->reading)
		pthread_cond_wait(&ahead->changed, &ahead->lock);
	pthread_mutex_unlock(&ahead->lock);
}

/* In huge pages if there are any, and faulted in: the kernel then copies without a fault. */
static uint8_t *create_buffer(void)
{
	uint8_t *buffer = aligned_alloc(HUGE_PAGE, PIECES * PIECE);

	if (!buffer)
		return NULL;
	madvise(buffer, PIECES * PIECE, MADV_HUGEPAGE);
	for (size_t i = 0; i < PIECES * PIECE; i += PAGE)
		((volatile uint8_t *)buffer)[i] = 0;
	return buffer;
}

/*
 * One for each processor that the caller leaves. Zero if there is one thread at least, else an
 * errno.
 */
static int start_threads(struct read_ahead *self)
{
	const unsigned int wanted = usable_processors() - 1;
	int errnum;

	do {
		errnum = thread_start(&self->threads[self->thread_count], run, self);
		self->thread_count += !errnum;
	} while (!errnum && self->thread_count < THREADS_MAX && self->thread_count < wanted);
	return self->thread_count ? 0 : errnum;
}

struct memtool_error *read_ahead_create(struct memory *inner, struct read_ahead **ret)
{
	static const struct memory_ops ops = {
		.read = read_between,
		.find_present = find_present,
		.read_ahead = start,
		.take_ahead = take,
	};
	_cleanup_free_ struct read_ahead *self = malloc(sizeof(*self));
	_cleanup_free_ uint8_t *buffer = create_buffer();

	if (!self || !buffer)
		return memtool_error_no_memory;
	*self = (struct read_ahead){
		.memory = { &ops },
		.inner = inner,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.buffer = buffer,
	};
	int errnum = start_threads(self);
	if (errnum)
		return memtool_error_os(errnum, "cannot start a thread that reads ahead");
	buffer = NULL;
	*ret = no_cleanup_ptr(self);
	return NULL;
}

void read_ahead_destroy(struct read_ahead *ahead)
{
	if (!ahead)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->ends = true;
	pthread_cond_broadcast(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
	for (unsigned int i = 0; i < ahead->thread_count; i++)
		pthread_join(ahead->threads[i], NULL);
	memtool_error_destroy(ahead->error);
	free(ahead->buffer);
	free(ahead);
}

void read_ahead_set_inner(struct read_ahead *ahead, struct memory *inner)
{
	if (!ahead)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->inner = inner;
	pthread_mutex_unlock(&ahead->lock);
}

struct memory *read_ahead_memory(struct read_ahead *ahead)
{
	return &ahead->memory;
}
