/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload library that keeps the exact set of live allocations of the program it is loaded into:
 * each function of malloc(3) is passed on to the C library, and what it returned is recorded. libc
 * and ld.so call malloc through the same symbols once the program is linked, so what they allocate
 * for themselves is recorded too. Not recorded: glibc's tcache structs, which are cut from the heap
 * without a call, and what ld.so takes from its own memory before it has relocated libc.
 *
 * Links libc alone, and never allocates. An allocation and its record are one step for fork(), so
 * the child's set is exact as well. The set is right when no thread is inside malloc.
 */
#include "tests/oracle/record.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((__visibility__("default")))

static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
	void *(*memalign)(size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
} real;

/*
 * The first call comes from ld.so or from a constructor, before there can be a second thread: no
 * lock is needed to start.
 */
static enum { NOT_STARTED, STARTING, STARTED } stage;

static struct record_table *table;
static int table_lock;

/* Memory for what dlsym() allocates while the real functions are looked up; never given back. */
static _Alignas(16) char early[65536];
static size_t early_used;

/* Whether a fork wants all threads outside of the real functions. */
static int forking;
static __thread bool is_forking __attribute__((__tls_model__("initial-exec")));

static void give_up(const char *why)
{
	ssize_t ignored = write(2, why, strlen(why));

	(void)ignored;
	_exit(125);
}

static void *look_up(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		give_up("recorder: libc lacks a function of malloc\n");
	return function;
}

static void make_table(void)
{
	size_t size = sizeof(*table) + RECORD_CAPACITY * sizeof(struct record);
	int fd = memfd_create(RECORD_NAME, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		give_up("recorder: no memfd\n");
	table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (table == MAP_FAILED)
		give_up("recorder: no memory\n");
	close(fd);
	table->capacity = RECORD_CAPACITY;
	table->magic = RECORD_MAGIC;
}

static bool started(void)
{
	if (stage != NOT_STARTED)
		return stage == STARTED;
	stage = STARTING;
	real.malloc = look_up("malloc");
	real.calloc = look_up("calloc");
	real.realloc = look_up("realloc");
	real.free = look_up("free");
	real.memalign = look_up("memalign");
	real.aligned_alloc = look_up("aligned_alloc");
	real.posix_memalign = look_up("posix_memalign");
	real.valloc = look_up("valloc");
	real.pvalloc = look_up("pvalloc");
	make_table();
	stage = STARTED;
	return true;
}

static void *take_early(size_t size)
{
	void *user = early + early_used;

	size = (size + 15) & ~(size_t)15;
	if (size > sizeof(early) - early_used)
		give_up("recorder: dlsym() allocates too much\n");
	early_used += size;
	return user;
}

static bool is_early(const void *user)
{
	return (const char *)user >= early && (const char *)user < early + sizeof(early);
}

static void lock(int *word)
{
	while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(int *word)
{
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

static void enter(void)
{
	if (is_forking)
		return;
	for (;;) {
		__atomic_fetch_add(&table->inside, 1, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&forking, __ATOMIC_SEQ_CST))
			return;
		__atomic_fetch_sub(&table->inside, 1, __ATOMIC_SEQ_CST);
		sched_yield();
	}
}

static void leave(void)
{
	if (!is_forking)
		__atomic_fetch_sub(&table->inside, 1, __ATOMIC_SEQ_CST);
}

static void before_fork(void)
{
	lock(&forking);
	while (__atomic_load_n(&table->inside, __ATOMIC_SEQ_CST))
		sched_yield();
	is_forking = true;
}

static void after_fork(void)
{
	is_forking = false;
	unlock(&forking);
}

__attribute__((__constructor__)) static void watch_forks(void)
{
	started();
	if (pthread_atfork(before_fork, after_fork, after_fork))
		give_up("recorder: pthread_atfork\n");
}

static size_t home(uint64_t user)
{
	return (size_t)((user >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (RECORD_CAPACITY - 1);
}

static size_t next_slot(size_t slot)
{
	return (slot + 1) & (RECORD_CAPACITY - 1);
}

/* Linear probing: the slot that holds user, or the empty one where it would go. */
static size_t find(uint64_t user)
{
	size_t slot = home(user);

	while (table->records[slot].user && table->records[slot].user != user)
		slot = next_slot(slot);
	return slot;
}

/*
 * A thread is suspended between any two instructions: whatever it has got to, the slot is empty or
 * holds one of the records.
 */
static void set_slot(size_t slot, struct record record)
{
	__atomic_store_n(&table->records[slot].user, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&table->records[slot].usable, record.usable, __ATOMIC_SEQ_CST);
	__atomic_store_n(&table->records[slot].user, record.user, __ATOMIC_SEQ_CST);
}

static void add(uint64_t user, uint64_t usable)
{
	size_t slot = find(user);

	if (table->records[slot].user)
		table->twice++;
	else if (++table->count > RECORD_CAPACITY / 4 * 3)
		give_up("recorder: too many allocations\n");
	set_slot(slot, (struct record){ user, usable });
}

/* Empties a slot, and moves up what comes after it and would no longer be found. */
static void drop(size_t slot)
{
	struct record *records = table->records;

	for (size_t next = next_slot(slot); records[next].user; next = next_slot(next)) {
		size_t from_home = (next - home(records[next].user)) & (RECORD_CAPACITY - 1);
		size_t from_hole = (next - slot) & (RECORD_CAPACITY - 1);
		if (from_home >= from_hole) {
			set_slot(slot, records[next]);
			slot = next;
		}
	}
	set_slot(slot, (struct record){ 0, 0 });
	table->count--;
}

static void *record(void *user)
{
	if (user) {
		size_t usable = malloc_usable_size(user);
		lock(&table_lock);
		add((uintptr_t)user, usable);
		unlock(&table_lock);
	}
	return user;
}

static void forget(void *user)
{
	lock(&table_lock);
	size_t slot = find((uintptr_t)user);
	if (table->records[slot].user)
		drop(slot);
	else
		table->unknown++;
	unlock(&table_lock);
}

EXPORT void *malloc(size_t size)
{
	if (!started())
		return take_early(size);
	enter();
	void *user = record(real.malloc(size));
	leave();
	return user;
}

EXPORT void *calloc(size_t count, size_t size)
{
	if (!started())
		return take_early(count * size); /* zeroed: it is never used twice */
	enter();
	void *user = record(real.calloc(count, size));
	leave();
	return user;
}

/* Forgotten before it is freed: another thread may get the same address at once. */
EXPORT void free(void *user)
{
	if (!user || is_early(user))
		return;
	enter();
	forget(user);
	real.free(user);
	leave();
}

EXPORT void *realloc(void *user, size_t size)
{
	if (!started())
		give_up("recorder: dlsym() calls realloc\n");
	if (is_early(user)) {
		/* Its size was not kept: whatever may be its, as far as there is anything. */
		size_t most = (size_t)(early + sizeof(early) - (char *)user);
		void *copy = malloc(size);
		return copy ? memcpy(copy, user, size < most ? size : most) : NULL;
	}
	enter();
	if (user)
		forget(user);
	void *moved = record(real.realloc(user, size));
	if (!moved && user && size)
		record(user); /* it failed, and user is as it was */
	leave();
	return moved;
}

EXPORT void *reallocarray(void *user, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(user, bytes);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
	started();
	enter();
	void *user = record(real.memalign(alignment, size));
	leave();
	return user;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	started();
	enter();
	void *user = record(real.aligned_alloc(alignment, size));
	leave();
	return user;
}

EXPORT int posix_memalign(void **ret, size_t alignment, size_t size)
{
	started();
	enter();
	int error = real.posix_memalign(ret, alignment, size);
	if (!error)
		record(*ret);
	leave();
	return error;
}

EXPORT void *valloc(size_t size)
{
	started();
	enter();
	void *user = record(real.valloc(size));
	leave();
	return user;
}

EXPORT void *pvalloc(size_t size)
{
	started();
	enter();
	void *user = record(real.pvalloc(size));
	leave();
	return user;
}
