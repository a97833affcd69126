/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glibc's own lists of threads where libpthread 2.33 tells of them, as does
 * tests/fixtures/libpthread_2_33: of this process, whose threads are in the lists of its ld.so, as
 * they were there.
 *
 * Needs at run time: tests/fixtures/libpthread_2_33, MEMTOOL_BUILDDIR. Skipped where libc does not
 * export how ld.so's lists are laid out, as it does from 2.34 on.
 */
#include "tests/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbols/thread_list.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const names[] = { "_thread_db_pthread_list", "_thread_db_pthread_tid",
				     "_thread_db_rtld_global__dl_stack_used",
				     "_thread_db_rtld_global__dl_stack_user" };

#define LIST 0
#define TID  1

static uint32_t descriptors[4][3];
static uint64_t *cache;
static struct process *process;
static struct maps maps;
static struct modules *modules;
static struct libc libc;

static void no_error(struct memtool_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static bool load_libpthread(void)
{
	void *library = dlopen(spawn_path("tests/fixtures/.libs/libpthread_2_33.so"), RTLD_NOW);
	void *(*descriptor)(const char *name), *(*get_cache)(void);

	assert_non_null(library);
	*(void **)&descriptor = dlsym(library, "descriptor");
	*(void **)&get_cache = dlsym(library, "cache");
	for (size_t i = 0; i < 4; i++) {
		const void *real = dlsym(RTLD_DEFAULT, names[i]);
		if (!real)
			return false;
		memcpy(descriptors[i], real, sizeof(descriptors[i]));
		memcpy(descriptor(names[i]), real, sizeof(descriptors[i]));
	}
	cache = get_cache();
	return true;
}

/* A libc that has no descriptors itself: any library will do. */
static struct module *find_other(void)
{
	for (size_t i = 0; i < modules->count; i++) {
		if (strstr(modules->data[i]->name, "libcmocka"))
			return modules->data[i];
	}
	fail_msg("libcmocka is no module");
	return NULL;
}

static int setup(void **state)
{
	(void)state;
	if (!load_libpthread())
		return 0;
	no_error(process_open(getpid(), &process));
	no_error(maps_read(getpid(), &maps));
	no_error(modules_load(process, &maps, &modules));
	libc.module = find_other();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	modules_destroy(modules);
	maps_deinit(&maps);
	process_close(process);
	return 0;
}

struct known {
	int32_t tid;
	pthread_barrier_t barrier;
};

static void *stay(void *argument)
{
	struct known *known = argument;

	known->tid = (int32_t)syscall(SYS_gettid);
	pthread_barrier_wait(&known->barrier);
	pthread_barrier_wait(&known->barrier);
	return NULL;
}

static bool has(const struct listed_threads *threads, int32_t tid, pthread_t thread)
{
	for (size_t i = 0; i < threads->count; i++) {
		if (threads->data[i].tid == tid)
			return threads->data[i].fs_base == (uint64_t)thread;
	}
	return false;
}

static void test_threads_of_ld_so(void **state)
{
	struct listed_threads threads = { 0 };
	struct known known = { 0 };
	pthread_t other;

	(void)state;
	if (!modules)
		skip();
	pthread_barrier_init(&known.barrier, NULL, 2);
	assert_int_equal(pthread_create(&other, NULL, stay, &known), 0);
	pthread_barrier_wait(&known.barrier);
	struct memtool_error *error = libc_list_threads(&libc, modules, &process->memory, &threads);
	pthread_barrier_wait(&known.barrier);
	no_error(error);
	assert_int_equal(threads.count, 2);
	assert_true(has(&threads, getpid(), pthread_self()));
	assert_true(has(&threads, known.tid, other));
	pthread_join(other, NULL);
	listed_threads_deinit(&threads);
}

/* Of ld.so's list, which is another, there is no word. */
static void test_cache_of_libpthread(void **state)
{
	static uint8_t pthread[2048] __attribute__((__aligned__(64)));
	struct listed_threads threads = { 0 };
	const int32_t tid = 4711;

	(void)state;
	if (!modules)
		skip();
	uint64_t *node = (uint64_t *)(pthread + descriptors[LIST][2]);
	memcpy(pthread + descriptors[TID][2], &tid, sizeof(tid));
	cache[0] = cache[1] = (uint64_t)(uintptr_t)node;
	node[0] = node[1] = (uint64_t)(uintptr_t)cache;
	no_error(libc_list_cached_stacks(&libc, modules, &process->memory, &threads));
	assert_int_equal(threads.count, 1);
	assert_int_equal(threads.data[0].tid, tid);
	assert_int_equal(threads.data[0].fs_base, (uintptr_t)pthread);
	listed_threads_deinit(&threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_of_ld_so),
		cmocka_unit_test(test_cache_of_libpthread),
	};

	spawn_watchdog(60);
	return cmocka_run_group_tests(tests, setup, teardown);
}
