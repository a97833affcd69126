/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of the process: each enters itself in the page when it starts; key.h is how it
 * leaves.
 *
 * pthread_create() and thrd_create() of the agent stand in front of libc's. A thread runs through a
 * function of ours that ends in a jump to its own: nothing of the agent is on its stack.
 */
#include "agent/agent.h"
#include "agent/bitmap.h"
#include "agent/functions.h"
#include "agent/key.h"
#include "agent/page.h"

#include <errno.h>
#include <pthread.h>
#include <threads.h>

#define EXPORT __attribute__((__visibility__("default")))

typedef int create_function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int c11_create_function(thrd_t *, thrd_start_t, void *);

/*
 * What threads that were created but do not run yet are to call. In memory of the process's own, so
 * that a copy of the process, made at whatever moment, has them too.
 */
struct start {
	void *function;
	void *argument;
};

#define STARTS 2048

static struct start starts[STARTS];
static uint64_t starts_taken[BITMAP_WORDS(STARTS)];

/* NULL: the thread has to be created without us. */
static struct start *new_start(void *function, void *argument)
{
	agent_start();
	if (!page_is_ours())
		return NULL;
	unsigned int place = key_make() ? bitmap_claim(starts_taken, STARTS) : STARTS;
	if (place >= STARTS) {
		page_overflow();
		return NULL;
	}
	starts[place] = (struct start){ function, argument };
	return &starts[place];
}

static void free_start(const struct start *start)
{
	bitmap_release(starts_taken, (unsigned int)(start - starts));
}

static struct start begin(const struct start *place)
{
	struct start start = *place;

	free_start(place);
	key_enter_thread();
	return start;
}

static void *start_thread(void *argument)
{
	struct start start = begin(argument);

	return ((void *(*)(void *))start.function)(start.argument);
}

static int start_c11_thread(void *argument)
{
	struct start start = begin(argument);

	return ((thrd_start_t)start.function)(start.argument);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*function)(void *), void *argument)
{
	create_function *next = (create_function *)functions_find(FUNCTION_PTHREAD_CREATE);

	if (!next)
		return EAGAIN;
	struct start *start = new_start((void *)function, argument);
	if (!start)
		return next(thread, attributes, function, argument);
	int error = next(thread, attributes, start_thread, start);
	if (error)
		free_start(start);
	return error;
}

EXPORT int thrd_create(thrd_t *thread, thrd_start_t function, void *argument)
{
	c11_create_function *next = (c11_create_function *)functions_find(FUNCTION_THRD_CREATE);

	if (!next)
		return thrd_error;
	struct start *start = new_start((void *)function, argument);
	if (!start)
		return next(thread, function, argument);
	int result = next(thread, start_c11_thread, start);
	if (result != thrd_success)
		free_start(start);
	return result;
}
