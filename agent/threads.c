/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/threads.h"

#include "agent/agent.h"
#include "agent/bitmap.h"
#include "agent/page.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <threads.h>

#define EXPORT __attribute__((__visibility__("default")))

typedef int create_function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int c11_create_function(thrd_t *, thrd_start_t, void *);
typedef int key_create_function(pthread_key_t *, void (*)(void *));
typedef int setspecific_function(pthread_key_t, const void *);
typedef void *getspecific_function(pthread_key_t);

static uint64_t functions[FUNCTIONS];

void threads_set_functions(const struct objects *objects)
{
	for (enum object_function i = 0; i < FUNCTIONS; i++) {
		if (objects->functions[i])
			__atomic_store_n(&functions[i], objects->functions[i], __ATOMIC_RELEASE);
	}
}

/* Up to 2.33 libpthread may come after we were started. In another libc we were not started. */
static uint64_t function_address(enum object_function function)
{
	uint64_t address = __atomic_load_n(&functions[function], __ATOMIC_ACQUIRE);
	struct objects objects;

	if (address)
		return address;
	objects_find(&objects);
	threads_set_functions(&objects);
	return objects.functions[function];
}

/*
 * The key whose destructor tells of a thread's end. Its value is the thread's entry and how often
 * the destructor has run.
 */
enum key_state { KEY_NONE, KEY_BUSY, KEY_READY, KEY_UNUSABLE };
static int key_state;
static pthread_key_t key;

/* nptl keeps the values of that many keys in struct pthread, and allocates for more. */
#define KEYS_WITHOUT_MALLOC 32

#define ROUND_BITS 3

static int set_value(uintptr_t value)
{
	return ((setspecific_function *)functions[FUNCTION_SETSPECIFIC])(key, (const void *)value);
}

/*
 * Sets itself again until the last round of destructors, so that the thread stays in the page while
 * those of the program run. After that only libc's own remain; one of them frees the tcache.
 */
static void thread_ends(void *value)
{
	uintptr_t next = (uintptr_t)value + 1;
	unsigned int round = next & ((1 << ROUND_BITS) - 1);

	if (round < PTHREAD_DESTRUCTOR_ITERATIONS && set_value(next) == 0)
		return;
	page_leave((unsigned int)((uintptr_t)value >> ROUND_BITS) - 1);
}

static uintptr_t key_value(unsigned int entry)
{
	return (uintptr_t)(entry + 1) << ROUND_BITS;
}

static int make_key(void)
{
	uint64_t create = function_address(FUNCTION_KEY_CREATE);

	if (!create || !function_address(FUNCTION_SETSPECIFIC) ||
	    !function_address(FUNCTION_GETSPECIFIC))
		return KEY_NONE;
	if (((key_create_function *)create)(&key, thread_ends) || key >= KEYS_WITHOUT_MALLOC)
		return KEY_UNUSABLE;
	return KEY_READY;
}

static bool have_key(void)
{
	int state = KEY_NONE;

	if (__atomic_compare_exchange_n(&key_state, &state, KEY_BUSY, false, __ATOMIC_ACQUIRE,
					__ATOMIC_ACQUIRE)) {
		state = make_key();
		__atomic_store_n(&key_state, state, __ATOMIC_RELEASE);
	}
	return state == KEY_READY;
}

void threads_own_first_entry(void)
{
	if (have_key())
		set_value(key_value(0));
}

static void thread_begins(void)
{
	/* A thrd_create() of another library may have called our pthread_create() as well. */
	if (((getspecific_function *)functions[FUNCTION_GETSPECIFIC])(key))
		return;
	unsigned int entry = page_enter();
	if (entry != PAGE_NO_ENTRY && set_value(key_value(entry)))
		page_leave(entry);
}

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
	unsigned int place = have_key() ? bitmap_claim(starts_taken, STARTS) : STARTS;
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
	thread_begins();
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
	create_function *next = (create_function *)function_address(FUNCTION_PTHREAD_CREATE);

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
	c11_create_function *next = (c11_create_function *)function_address(FUNCTION_THRD_CREATE);

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
