/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/key.h"

#include "agent/functions.h"
#include "agent/locate.h"
#include "agent/page.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <threads.h>

#define EXPORT __attribute__((__visibility__("default")))

/* pthread_key_t and tss_t are both unsigned int, so it may be either. */
typedef int key_create_function(pthread_key_t *, void (*)(void *));
typedef int key_delete_function(pthread_key_t);
typedef int setspecific_function(pthread_key_t, const void *);
typedef void *getspecific_function(pthread_key_t);

#define KEYS_WITHOUT_MALLOC 32
#define OUR_KEY             (KEYS_WITHOUT_MALLOC - 1)

enum key_state { KEY_NONE, KEY_BUSY, KEY_READY, KEY_UNUSABLE };
static int key_state;

/* Threads that are using the key just now: it cannot be given up then. */
static unsigned int key_users;

/* fs_base of the thread in entry 0. */
static uint64_t first_thread;

static bool begin_use(void)
{
	__atomic_fetch_add(&key_users, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&key_state, __ATOMIC_SEQ_CST) == KEY_READY)
		return true;
	__atomic_fetch_sub(&key_users, 1, __ATOMIC_SEQ_CST);
	return false;
}

static void end_use(void)
{
	__atomic_fetch_sub(&key_users, 1, __ATOMIC_SEQ_CST);
}

static void delete_key(pthread_key_t key)
{
	((key_delete_function *)functions_known(FUNCTION_KEY_DELETE))(key);
}

/* The value is an entry, and how often the destructor has run. */
#define ROUND_BITS 3

static uintptr_t value_of(unsigned int entry)
{
	return (uintptr_t)(entry + 1) << ROUND_BITS;
}

static bool set_value(uintptr_t value)
{
	setspecific_function *set = (setspecific_function *)functions_known(FUNCTION_SETSPECIFIC);

	if (!begin_use())
		return false;
	bool done = set(OUR_KEY, (const void *)value) == 0;
	end_use();
	return done;
}

/*
 * Sets itself again until the last round of destructors, so that the thread stays in the page while
 * those of the program run. After that only libc's own remain; one of them frees the tcache.
 */
static void thread_ends(void *value)
{
	uintptr_t next = (uintptr_t)value + 1;
	unsigned int round = next & ((1 << ROUND_BITS) - 1);

	if (round < PTHREAD_DESTRUCTOR_ITERATIONS && set_value(next))
		return;
	page_leave((unsigned int)((uintptr_t)value >> ROUND_BITS) - 1);
}

/*
 * The lowest number that is free is given first: takes them until ours comes, and gives them back.
 */
static bool take_key(key_create_function *create)
{
	pthread_key_t keys[KEYS_WITHOUT_MALLOC];
	unsigned int count = 0;
	bool taken = false;

	while (!taken && count < KEYS_WITHOUT_MALLOC && create(&keys[count], thread_ends) == 0) {
		if (keys[count] > OUR_KEY) {
			delete_key(keys[count]);
			break;
		}
		taken = keys[count] == OUR_KEY;
		count += !taken;
	}
	while (count)
		delete_key(keys[--count]);
	return taken;
}

static int make(void)
{
	uint64_t create = functions_find(FUNCTION_KEY_CREATE);

	if (!create || !functions_find(FUNCTION_KEY_DELETE) ||
	    !functions_find(FUNCTION_SETSPECIFIC) || !functions_find(FUNCTION_GETSPECIFIC))
		return KEY_NONE;
	return take_key((key_create_function *)create) ? KEY_READY : KEY_UNUSABLE;
}

bool key_make(void)
{
	int state = KEY_NONE;

	if (!__atomic_compare_exchange_n(&key_state, &state, KEY_BUSY, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_ACQUIRE))
		return state == KEY_READY;
	state = make();
	__atomic_store_n(&key_state, state, __ATOMIC_SEQ_CST);
	if (state == KEY_READY && thread_pointer() == first_thread)
		set_value(value_of(0));
	return state == KEY_READY;
}

void key_own_first_entry(void)
{
	first_thread = thread_pointer();
	set_value(value_of(0));
}

void key_enter_thread(void)
{
	getspecific_function *get = (getspecific_function *)functions_known(FUNCTION_GETSPECIFIC);

	if (!begin_use()) {
		page_overflow();
		return;
	}
	/* A thrd_create() of another library may have called our pthread_create() as well. */
	bool entered = get(OUR_KEY) != NULL;
	end_use();
	if (entered)
		return;
	unsigned int entry = page_enter();
	if (entry == PAGE_NO_ENTRY || set_value(value_of(entry)))
		return;
	page_leave(entry);
	page_overflow();
}

/* Without waiting: while a thread uses the key, or makes it, it stays. */
static bool give_up(void)
{
	int state = KEY_READY;

	if (!__atomic_compare_exchange_n(&key_state, &state, KEY_BUSY, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return false;
	if (__atomic_load_n(&key_users, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&key_state, KEY_READY, __ATOMIC_SEQ_CST);
		return false;
	}
	delete_key(OUR_KEY);
	__atomic_store_n(&key_state, KEY_UNUSABLE, __ATOMIC_SEQ_CST);
	return true;
}

/* A key for the program, by next; failure is what that returns if there is none. */
static int create_key(key_create_function *next, int failure, pthread_key_t *key,
		      void (*destructor)(void *))
{
	pthread_key_t freed;

	if (!next)
		return failure;
	int result = next(key, destructor);
	if (result != 0 || *key < KEYS_WITHOUT_MALLOC || !give_up())
		return result;
	if (next(&freed, destructor) == 0) {
		pthread_key_t higher = freed > *key ? freed : *key;
		*key = freed > *key ? *key : freed;
		delete_key(higher);
	}
	return 0;
}

EXPORT int pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
	return create_key((key_create_function *)functions_find(FUNCTION_KEY_CREATE), EAGAIN, key,
			  destructor);
}

_Static_assert(thrd_success == 0, "as create_key() takes it");

EXPORT int tss_create(tss_t *key, tss_dtor_t destructor)
{
	return create_key((key_create_function *)functions_find(FUNCTION_TSS_CREATE), thrd_error,
			  key, destructor);
}
