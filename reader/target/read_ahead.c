/* SPDX-License-Identifier: Apache-2.0 */
#include "target/read_ahead.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE UINT64_C(4096)
/* As large as is read fastest (target/process_memory.c), and as a huge page. */
#define PIECE (UINT64_C(2) << 20)
/* One that is looked at, one that is read, and two so that neither side waits for the other. */
#define PIECES 4
/* From here on the thread gains more than it costs. */
#define ENOUGH (UINT64_C(32) << 20)

struct read_ahead {
	struct memory memory;
	struct memory *inner;
	pthread_t thread;
	pthread_mutex_t reading; /* whoever reads inner */

	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	uint8_t *buffer;
	struct range pieces[PIECES]; /* pieces[i] is at buffer + i * PIECE */
	unsigned int first, count; /* those that are read: a ring; the one before first is taken */
	struct range next; /* still to be read; empty: nothing */
	struct memtool_error *error; /* why there is no more */
	unsigned int restarts; /* what was begun before the last one is of no use */
	bool busy; /* reads just now */
	bool ends;
};

bool read_ahead_pays(uint64_t bytes)
{
	cpu_set_t cpus;

	return bytes >= ENOUGH && sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
	       CPU_COUNT(&cpus) > 1;
}

/*
 * Reads a piece from range's start on; *ret is up to where, *ret_whole that it does not end early.
 */
static struct memtool_error *read_piece(struct memory *inner, struct range range, uint8_t *buffer,
					uint64_t *ret, bool *ret_whole)
{
	uint64_t page = align_down(range.start, PAGE);
	struct range within = { page, align_down(range.start + PIECE, PAGE) }, run;
	size_t count = 0;

	if (within.end > range.end)
		within.end = align_up(range.end, PAGE);
	struct memtool_error *error = memory_find_present(inner, within, &run);
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
	*ret_whole = count && (*ret == within.end || *ret == range.end);
	return NULL;
}

/* Reads one piece; called with the lock, which is let go meanwhile. */
static void read_next(struct read_ahead *self)
{
	unsigned int restarts = self->restarts;
	unsigned int slot = (self->first + self->count) % PIECES;
	struct range next = self->next;
	uint64_t end = next.start;
	bool whole = false;

	self->busy = true;
	pthread_mutex_unlock(&self->lock);
	pthread_mutex_lock(&self->reading);
	struct memtool_error *error =
		read_piece(self->inner, next, self->buffer + slot * PIECE, &end, &whole);
	pthread_mutex_unlock(&self->reading);
	pthread_mutex_lock(&self->lock);
	self->busy = false;

	if (restarts != self->restarts) {
		memtool_error_destroy(error);
		return;
	}
	self->error = error;
	if (end > next.start) {
		self->pieces[slot] = (struct range){ next.start, end };
		self->count++;
	}
	if (whole && end < next.end)
		self->next.start = end - READ_AHEAD_OVERLAP;
	else
		self->next = (struct range){ 0 };
}

static void *run(void *argument)
{
	struct read_ahead *self = argument;

	pthread_mutex_lock(&self->lock);
	while (!self->ends) {
		if (self->next.start >= self->next.end || self->count == PIECES - 1) {
			pthread_cond_wait(&self->changed, &self->lock);
			continue;
		}
		read_next(self);
		pthread_cond_broadcast(&self->changed);
	}
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

static struct memtool_error *read_between(struct memory *memory, uint64_t address, void *buffer,
					  size_t length, size_t *ret)
{
	struct read_ahead *self = (struct read_ahead *)memory;

	pthread_mutex_lock(&self->reading);
	struct memtool_error *error = memory_read_some(self->inner, address, buffer, length, ret);
	pthread_mutex_unlock(&self->reading);
	return error;
}

static struct memtool_error *find_present(struct memory *memory, struct range within,
					  struct range *ret)
{
	struct read_ahead *self = (struct read_ahead *)memory;

	pthread_mutex_lock(&self->reading);
	struct memtool_error *error = memory_find_present(self->inner, within, ret);
	pthread_mutex_unlock(&self->reading);
	return error;
}

/* Called with the lock. */
static void restart(struct read_ahead *self, struct range range)
{
	self->restarts++;
	self->count = 0;
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

/* Whether address is in what is read or will be next, so that it is worth waiting for. */
static bool is_coming(const struct read_ahead *self, uint64_t address)
{
	return self->next.start < self->next.end && address >= self->next.start &&
	       address - self->next.start < PIECE;
}

/* Takes the first piece off the ring. Called with the lock. */
static unsigned int take_first(struct read_ahead *self)
{
	unsigned int slot = self->first;

	self->first = (slot + 1) % PIECES;
	self->count--;
	pthread_cond_broadcast(&self->changed);
	return slot;
}

static struct memtool_error *take(struct memory *memory, uint64_t address, size_t length,
				  struct range *ret_range, const uint8_t **ret)
{
	struct read_ahead *self = (struct read_ahead *)memory;
	struct memtool_error *error = NULL;

	*ret = NULL;
	pthread_mutex_lock(&self->lock);
	while (!*ret) {
		struct range *piece = &self->pieces[self->first];
		if (self->count == 0) {
			error = self->error;
			self->error = NULL;
			if (error || !is_coming(self, address))
				break;
			pthread_cond_wait(&self->changed, &self->lock);
		} else if (address < piece->start) {
			break;
		} else if (range_covers(*piece, address, length)) {
			*ret_range = *piece;
			*ret = self->buffer + take_first(self) * PIECE;
		} else {
			take_first(self);
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
	while (ahead->busy)
		pthread_cond_wait(&ahead->changed, &ahead->lock);
	pthread_mutex_unlock(&ahead->lock);
}

/* In huge pages if there are any, and faulted in: the kernel then copies without a fault. */
static uint8_t *create_buffer(void)
{
	uint8_t *buffer = aligned_alloc(PIECE, PIECES * PIECE);

	if (!buffer)
		return NULL;
	madvise(buffer, PIECES * PIECE, MADV_HUGEPAGE);
	for (size_t i = 0; i < PIECES * PIECE; i += PAGE)
		((volatile uint8_t *)buffer)[i] = 0;
	return buffer;
}

/* Signals are for the threads that the program has itself. */
static int start_thread(struct read_ahead *self)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int errnum = pthread_create(&self->thread, NULL, run, self);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return errnum;
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
		.reading = PTHREAD_MUTEX_INITIALIZER,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.buffer = buffer,
	};
	int errnum = start_thread(self);
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
	pthread_join(ahead->thread, NULL);
	memtool_error_destroy(ahead->error);
	free(ahead->buffer);
	free(ahead);
}

void read_ahead_set_inner(struct read_ahead *ahead, struct memory *inner)
{
	if (!ahead)
		return;
	pthread_mutex_lock(&ahead->reading);
	ahead->inner = inner;
	pthread_mutex_unlock(&ahead->reading);
}

struct memory *read_ahead_memory(struct read_ahead *ahead)
{
	return &ahead->memory;
}
