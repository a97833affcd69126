/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with a small heap in which there is some of everything, for make_seed to look at:
 *
 *	seed_heap lists		free lists of each kind, mmapped chunks, memalign
 *	seed_heap threads	the same in three threads' arenas
 *	seed_heap split		a main arena that a foreign sbrk() has cut in two
 *	seed_heap morecore	one that goes on in mmapped memory, brk having failed
 *
 * Prints "ready" and keeps still until its standard input ends. Any glibc from 2.26 on runs it.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCKS  10
#define THREADS 3

static pthread_barrier_t built;

static void *take(size_t size)
{
	void *block = malloc(size);

	if (!block)
		abort();
	memset(block, 'x', size);
	return block;
}

/* Frees every other of some blocks: the first seven stay in the tcache. */
static void leave_free(size_t size)
{
	void *blocks[2 * BLOCKS];

	for (size_t i = 0; i < 2 * BLOCKS; i++)
		blocks[i] = take(size);
	for (size_t i = 0; i < 2 * BLOCKS; i += 2)
		free(blocks[i]);
}

static void make_lists(void)
{
	leave_free(24);
	leave_free(100);
	leave_free(200);
	leave_free(2000);
	/* Sorts what is unsorted into its bins. */
	take(5000);
	leave_free(300);
}

static void make_mmapped(void)
{
	take(40000);
	if (!memalign(16384, 40000))
		abort();
	if (!realloc(take(40000), 60000))
		abort();
}

static void *thread_main(void *argument)
{
	make_lists();
	pthread_barrier_wait(&built);
	for (;;)
		pause();
	return argument;
}

static void make_threads(void)
{
	pthread_barrier_init(&built, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, thread_main, NULL) != 0)
			abort();
	}
	pthread_barrier_wait(&built);
}

static void split(void)
{
	take(100);
	if (sbrk(8192) == (void *)-1)
		abort();
	for (int i = 0; i < 40; i++)
		take(2000);
	make_lists();
}

static void morecore(void)
{
	char *end = sbrk(0);
	char *page = (char *)(((size_t)end + 4095) & ~(size_t)4095);

	/* A mapping in brk's way. */
	if (mmap(page, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page)
		abort();
	for (int i = 0; i < 100; i++)
		take(2000);
	make_lists();
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "lists";
	char byte;

	/* Small parts, and small blocks that have mappings of their own. */
	mallopt(M_TOP_PAD, 0);
	mallopt(M_MMAP_THRESHOLD, 32768);
	if (strcmp(kind, "split") == 0)
		split();
	else if (strcmp(kind, "morecore") == 0)
		morecore();
	else
		make_lists();
	make_mmapped();
	if (strcmp(kind, "threads") == 0)
		make_threads();
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
