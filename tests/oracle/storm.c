/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm SEED THREADS [mmap|end|fork|endless]: a random allocation storm, the same for the same seed
 * in one thread. The threads share one table of blocks, so that a block is mostly freed by another
 * thread than took it. When all have done their share they keep still and "ready" is printed.
 *
 *	mmap	everything from 128 KiB on is in a mapping of its own; else that bound rises with
 *		what is freed, and soon hardly anything is
 *	end	every second thread ends
 *	fork	the process forks after the storm; the child, which is single-threaded, goes on for
 *		a while, then prints "child PID" and keeps still as well
 *	endless	it goes on for ever in THREADS threads besides the main one, which prints "ready"
 *when all of them are at it
 */
#include "tests/fixtures/fixture.h"

#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SLOTS       4096
#define ROUNDS      60000
#define THREADS_MAX 64
#define PAGE        4096

static void *slots[SLOTS];
static uint64_t seed;
static bool some_end;
static pthread_barrier_t all_storm;

struct random {
	uint64_t state;
};

/* xorshift64*, Vigna 2016 */
static uint64_t next(struct random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * UINT64_C(0x2545f4914f6cdd1d);
}

static size_t below(struct random *random, size_t bound)
{
	return next(random) % bound;
}

/* 1 byte to 4 MiB, mostly small. */
static size_t any_size(struct random *random)
{
	size_t kind = below(random, 1000);

	if (kind < 700)
		return 1 + below(random, 256);
	if (kind < 900)
		return 1 + below(random, 4096);
	if (kind < 970)
		return 1 + below(random, 64 << 10);
	if (kind < 995)
		return 1 + below(random, 512 << 10);
	return 1 + below(random, 4 << 20);
}

/* Leaves in the block what a reader of raw memory could take for headers of chunks. */
static void scribble(struct random *random, char *user, size_t size)
{
	size_t header[2] = { 0, (below(random, 64) * PAGE + PAGE) | 2 };

	memset(user, 0x21, size < 256 ? size : 256);
	for (size_t page = (size_t)(-(uintptr_t)user & (PAGE - 1)), pages = 0;
	     page + sizeof(header) <= size && pages < 16; page += PAGE, pages++)
		memcpy(user + page, header, sizeof(header));
}

static void *allocate(struct random *random, void *old, size_t size)
{
	size_t alignment = (size_t)16 << below(random, 10);
	void *user = NULL;

	switch (below(random, 10)) {
	case 0:
	case 1:
	case 2:
		return realloc(old, size);
	case 3:
		user = calloc(1, size);
		break;
	case 4:
		if (posix_memalign(&user, alignment, size))
			user = NULL;
		break;
	case 5:
		user = below(random, 2) ? memalign(alignment, size)
					: aligned_alloc(alignment, size);
		break;
	default:
		user = malloc(size);
	}
	free(old);
	return user;
}

static void storm(struct random *random, size_t rounds)
{
	for (size_t i = 0; i < rounds; i++) {
		void **slot = &slots[below(random, SLOTS)];
		void *user = __atomic_exchange_n(slot, NULL, __ATOMIC_ACQ_REL);
		if (below(random, 4) == 0) {
			free(user);
			continue;
		}
		size_t size = any_size(random);
		user = allocate(random, user, size);
		if (!user)
			fixture_fail("storm: out of memory");
		scribble(random, user, size);
		free(__atomic_exchange_n(slot, user, __ATOMIC_ACQ_REL));
	}
}

static void *run(void *argument)
{
	size_t index = (size_t)(uintptr_t)argument;
	struct random random = { (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + index };

	storm(&random, ROUNDS);
	if (some_end && index % 2)
		return NULL;
	keep_still();
}

static void *run_for_ever(void *argument)
{
	struct random random = { (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + (uintptr_t)argument };

	storm(&random, ROUNDS / 60);
	pthread_barrier_wait(&all_storm);
	for (;;)
		storm(&random, ROUNDS);
	return NULL;
}

static void storm_for_ever(unsigned int count)
{
	pthread_barrier_init(&all_storm, NULL, count + 1);
	for (unsigned int i = 1; i <= count; i++)
		start_thread(run_for_ever, (void *)(uintptr_t)i);
	pthread_barrier_wait(&all_storm);
	fixture_ready_untouched();
}

static void go_on_in_child(void)
{
	struct random random = { seed + 77 };
	char line[32] = "child ", digits[16];
	size_t count = 0, length = strlen(line);
	pid_t pid = getpid();
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	storm(&random, 2000);
	do
		digits[count++] = (char)('0' + pid % 10);
	while (pid /= 10);
	while (count)
		line[length++] = digits[--count];
	line[length++] = '\n';
	if (write(1, line, length) != (ssize_t)length)
		_exit(1);
	while (read(0, &byte, 1) > 0)
		;
	_exit(0);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];

	if (argc < 3)
		fixture_fail("usage: storm SEED THREADS [mmap|end|fork|endless]");
	seed = strtoull(argv[1], NULL, 10);
	unsigned int count = (unsigned int)atoi(argv[2]);
	if (count == 0 || count > THREADS_MAX)
		fixture_fail("storm: 1 to 64 threads");
	if (argc > 3 && strcmp(argv[3], "mmap") == 0)
		mallopt(M_MMAP_THRESHOLD, 128 << 10);
	if (argc > 3 && strcmp(argv[3], "endless") == 0)
		storm_for_ever(count);
	some_end = argc > 3 && strcmp(argv[3], "end") == 0;
	/* The main thread is one of them. */
	for (unsigned int i = 1; i < count; i++)
		threads[i] = start_thread(run, (void *)(uintptr_t)i);
	struct random random = { (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) };
	storm(&random, ROUNDS);
	for (unsigned int i = 1; some_end && i < count; i += 2)
		pthread_join(threads[i], NULL);
	wait_still(some_end ? (count - 1) / 2 : count - 1);
	if (argc > 3 && strcmp(argv[3], "fork") == 0 && fork() == 0)
		go_on_in_child();
	fixture_ready();
}
