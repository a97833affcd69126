/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules, symbols and roots of live programs: of this one, where the truth is at hand, and of
 * tests/fixtures/idle in each of the ways it can be linked and started.
 *
 * Link: tests/unit/test_symbols.c tests/spawn.c, the reader, cmocka.
 * Needs at run time: tests/fixtures/idle{,-no-pie,-static,-static-pie}, MEMTOOL_BUILDDIR, and the
 * debug file of libc (libc6-dbg on Debian).
 */
#include "look.h"
#include "tests/spawn.h"

#include "symbols/libc.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBC "libc.so.6"
#define LDSO "/lib64/ld-linux-x86-64.so.2"

static char directory[64]; /* of files that a test made; "" if there is none */

static void remove_directory(void)
{
	static const char *const names[] = { "program", LIBC, "odd-name" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	rmdir(directory);
	directory[0] = '\0';
}

static int teardown(void **state)
{
	look_away();
	if (*directory)
		remove_directory();
	return spawn_teardown(state);
}

/* A path in a directory of this test's own; good until the next call. */
static const char *own_path(const char *name)
{
	static char path[128];

	if (!*directory) {
		char template[] = P_tmpdir "/memtool-symbols-XXXXXX";
		assert_non_null(mkdtemp(template));
		strcpy(directory, template);
	}
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

struct bytes {
	char *data;
	size_t size;
};

static struct bytes read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat status;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	struct bytes bytes = { malloc((size_t)status.st_size), (size_t)status.st_size };
	assert_non_null(bytes.data);
	assert_int_equal(fread(bytes.data, 1, bytes.size, file), bytes.size);
	fclose(file);
	return bytes;
}

static void write_program(const char *path, struct bytes bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.data, bytes.size), bytes.size);
	assert_int_equal(close(fd), 0);
}

static void copy_program(const char *from, const char *to)
{
	struct bytes bytes = read_file(from);

	write_program(to, bytes);
	free(bytes.data);
}

/* What the program printed behind a word. */
static uint64_t told(const struct spawned *child, const char *word)
{
	const char *at = strstr(child->text, word);

	assert_non_null(at);
	return strtoull(at + strlen(word), NULL, 16);
}

static struct module *find_executable(void)
{
	struct module *found = NULL;

	for (size_t i = 0; i < modules->count; i++) {
		if (!modules->data[i]->executable)
			continue;
		assert_null(found);
		found = modules->data[i];
	}
	assert_non_null(found);
	return found;
}

static uint64_t word_at(uint64_t address)
{
	uint64_t word;

	no_error(memory_read_u64(&process->memory, address, "a word", &word));
	return word;
}

/* The roots against what only the real ones point at. */
static void check_roots(const struct libc *libc, const struct malloc_roots *roots, uint64_t fs_base)
{
	const struct glibc_layout *layout = glibc_layout_find(&libc->traits);

	assert_non_null(layout);
	assert_int_equal(roots->main_arena.source, ROOT_SYMBOLS);
	assert_int_equal(roots->mp.source, ROOT_SYMBOLS);
	assert_int_equal(roots->tcache.source, ROOT_SYMBOLS);
	assert_int_equal(roots->thread_arena.source, ROOT_SYMBOLS);

	/* The only arena is a ring of one, and the one the thread uses. */
	uint64_t arena = roots->main_arena.value;
	assert_int_equal(word_at(arena + layout->malloc_state.next), arena);
	assert_int_equal(word_at(arena + layout->malloc_state.attached_threads), 1);
	assert_int_equal(word_at(fs_base + roots->thread_arena.value), arena);
	/* What the program set by mallopt(3). */
	assert_int_equal(word_at(roots->mp.value + layout->malloc_par.mmap_threshold), 123457);
	/* The tcache struct is in a chunk of the heap, of that size and in use. */
	uint64_t tcache = word_at(fs_base + roots->tcache.value);
	uint64_t chunk_size = align_up(layout->tcache.size + GLIBC_SIZE_SZ, GLIBC_MALLOC_ALIGNMENT);
	assert_int_equal(word_at(tcache - GLIBC_SIZE_SZ), chunk_size | GLIBC_PREV_INUSE);
}

/* Looks at a program that is ready, and checks all that the symbols tell of it. */
static void check_program(const struct spawned *child, bool shared)
{
	struct libc libc;
	struct malloc_roots roots = { 0 };
	struct module_symbol symbol;

	look_at(child->pid);
	struct module *program = find_executable();
	assert_int_equal(program->interpreted, shared);
	assert_true(module_find_symbol(program, "idle_variable", &symbol));
	assert_int_equal(symbol.address, told(child, "variable "));
	assert_int_equal(symbol.size, sizeof(int));
	assert_false(symbol.tls);

	no_error(libc_find(modules, &process->memory, &libc));
	if (shared) {
		assert_ptr_equal(libc.module, modules_find(modules, told(child, "libc ")));
		assert_ptr_not_equal(libc.module, program);
		assert_string_equal(libc.version, gnu_get_libc_version());
	} else {
		assert_ptr_equal(libc.module, program);
		assert_string_equal(libc.version, "");
	}
	no_error(libc_find_roots(&libc, &process->memory, &roots));
	check_roots(&libc, &roots, told(child, "fs_base "));
}

static struct spawned *ready(struct spawned *child)
{
	spawn_expect(child, "ready");
	return child;
}

static void test_pie(void **state)
{
	(void)state;
	check_program(ready(spawn_program(spawn_path("tests/fixtures/idle"))), true);
	assert_int_not_equal(find_executable()->bias, 0);
}

static void test_no_pie(void **state)
{
	(void)state;
	check_program(ready(spawn_program(spawn_path("tests/fixtures/idle-no-pie"))), true);
	assert_int_equal(find_executable()->bias, 0);
}

static void test_static(void **state)
{
	(void)state;
	check_program(ready(spawn_program(spawn_path("tests/fixtures/idle-static"))), false);
	assert_int_equal(find_executable()->bias, 0);
	assert_int_equal(modules->count, 1);
}

static void test_static_pie(void **state)
{
	(void)state;
	check_program(ready(spawn_program(spawn_path("tests/fixtures/idle-static-pie"))), false);
	assert_int_not_equal(find_executable()->bias, 0);
	assert_int_equal(modules->count, 1);
}

/* dlmopen(3): two copies of one file, and the program's own is meant. */
static void test_second_libc(void **state)
{
	size_t libcs = 0;

	(void)state;
	check_program(ready(spawn_program(spawn_path("tests/fixtures/idle"), "dlmopen")), true);
	for (size_t i = 0; i < modules->count; i++) {
		const char *name = modules->data[i]->name;
		libcs += strcmp(strrchr(name, '/') + 1, LIBC) == 0;
		if (i > 0)
			assert_true(modules->data[i - 1]->range.end <=
				    modules->data[i]->range.start);
	}
	assert_int_equal(libcs, 2);
}

static const char *own_libc_path(void)
{
	struct link_map *map;
	void *libc = dlopen(LIBC, RTLD_NOLOAD | RTLD_LAZY);

	assert_non_null(libc);
	assert_int_equal(dlinfo(libc, RTLD_DI_LINKMAP, &map), 0);
	dlclose(libc);
	return map->l_name;
}

/*
 * Started as an argument of ld.so, which the kernel takes for the program, with a libc whose file
 * has another name.
 */
static void test_other_loader(void **state)
{
	(void)state;
	copy_program(own_libc_path(), own_path("odd-name"));
	assert_int_equal(symlink("odd-name", own_path(LIBC)), 0);
	check_program(ready(spawn_program(LDSO, "--library-path", directory,
					  spawn_path("tests/fixtures/idle"))),
		      true);
	assert_non_null(strstr(find_executable()->name, "/idle"));

	struct libc libc;
	no_error(libc_find(modules, &process->memory, &libc));
	assert_string_equal(strrchr(libc.module->name, '/'), "/odd-name");
}

/* Its file is gone: all of a static program's symbols are in it. */
static void test_deleted(void **state)
{
	(void)state;
	copy_program(spawn_path("tests/fixtures/idle-static"), own_path("program"));
	struct spawned *child = ready(spawn_program(own_path("program")));
	assert_int_equal(unlink(own_path("program")), 0);
	check_program(child, false);
	assert_true(find_executable()->deleted);
}

/* Another program has its name now: that one's symbols are elsewhere. */
static void test_replaced(void **state)
{
	(void)state;
	copy_program(spawn_path("tests/fixtures/idle-static-pie"), own_path("program"));
	struct spawned *child = ready(spawn_program(own_path("program")));
	assert_int_equal(unlink(own_path("program")), 0);
	copy_program(spawn_path("tests/fixtures/idle-static"), own_path("program"));
	check_program(child, false);
}

/* A program that maps ELF files as data does not have them as modules. */
static void test_data_is_no_module(void **state)
{
	(void)state;
	char *path = strdup(spawn_path("tests/fixtures/idle-static-pie"));
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/idle"), "map", path);
	ready(child);
	free(path);
	look_at(child->pid);
	struct module *program = find_executable();
	assert_null(modules_find(modules, told(child, "mapped ")));
	assert_ptr_equal(modules_find(modules, told(child, "variable ")), program);
}

int test_variable = 7;
static __thread int test_tls_variable = 9;

static void find(struct module *module, const char *name, struct module_symbol *ret)
{
	if (!module_find_symbol(module, name, ret))
		fail_msg("%s has no symbol %s", module->name, name);
}

/* Of this process: what the compiler and dlsym(3) say. */
static void test_own_symbols(void **state)
{
	struct module_symbol symbol;
	uint64_t fs_base = (uintptr_t)__builtin_thread_pointer(), offset;

	(void)state;
	look_at(getpid());
	struct module *program = find_executable();

	find(program, "test_variable", &symbol);
	assert_int_equal(symbol.address, (uintptr_t)&test_variable);
	find(program, "test_own_symbols", &symbol);
	assert_int_equal(symbol.address, (uintptr_t)test_own_symbols);
	assert_ptr_equal(modules_find(modules, symbol.address), program);
	find(program, "test_tls_variable", &symbol);
	assert_true(symbol.tls);
	no_error(module_tls_offset(program, &process->memory, &offset));
	assert_int_equal(fs_base - offset + symbol.address, (uintptr_t)&test_tls_variable);
	assert_int_equal(symbol.size, sizeof(test_tls_variable));

	assert_false(module_find_symbol(program, "no_such_symbol", &symbol));
	/* It is referred to here, but is not defined here. */
	assert_false(module_find_symbol(program, "dlvsym", &symbol));
}

/* The same of libc: a versioned function, where the old version is not meant, and errno. */
static void test_own_libc_symbols(void **state)
{
	void *handle = dlopen(LIBC, RTLD_NOLOAD | RTLD_LAZY);
	uint64_t fs_base = (uintptr_t)__builtin_thread_pointer(), offset;
	struct module_symbol symbol;
	struct libc libc;

	(void)state;
	assert_non_null(handle);
	uintptr_t new_one = (uintptr_t)dlvsym(handle, "regexec", "GLIBC_2.3.4");
	assert_int_not_equal(new_one, (uintptr_t)dlvsym(handle, "regexec", "GLIBC_2.2.5"));
	dlclose(handle);

	look_at(getpid());
	no_error(libc_find(modules, &process->memory, &libc));
	find(libc.module, "regexec", &symbol);
	assert_int_equal(symbol.address, new_one);
	find(libc.module, "errno", &symbol);
	assert_true(symbol.tls);
	no_error(module_tls_offset(libc.module, &process->memory, &offset));
	assert_int_equal(fs_base - offset + symbol.address, (uintptr_t)&errno);
}

static void test_module_ranges(void **state)
{
	(void)state;
	look_at(getpid());
	for (size_t i = 0; i < modules->count; i++) {
		const struct module *module = modules->data[i];
		const struct mapping *first = maps_find(&maps, module->range.start);
		assert_non_null(first);
		assert_int_equal(first->range.start, module->range.start);
		assert_ptr_equal(modules_find(modules, module->range.start), module);
		assert_ptr_equal(modules_find(modules, module->range.end - 1), module);
		assert_ptr_not_equal(modules_find(modules, module->range.end), module);
	}
	assert_null(modules_find(modules, 0));
	assert_null(modules_find(modules, UINT64_MAX));
	assert_null(modules_find(modules, (uintptr_t) & (int){ 0 }));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_pie, teardown),
		cmocka_unit_test_teardown(test_no_pie, teardown),
		cmocka_unit_test_teardown(test_static, teardown),
		cmocka_unit_test_teardown(test_static_pie, teardown),
		cmocka_unit_test_teardown(test_second_libc, teardown),
		cmocka_unit_test_teardown(test_other_loader, teardown),
		cmocka_unit_test_teardown(test_deleted, teardown),
		cmocka_unit_test_teardown(test_replaced, teardown),
		cmocka_unit_test_teardown(test_data_is_no_module, teardown),
		cmocka_unit_test_teardown(test_own_symbols, teardown),
		cmocka_unit_test_teardown(test_own_libc_symbols, teardown),
		cmocka_unit_test_teardown(test_module_ranges, teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("symbols", tests, NULL, NULL);
}
