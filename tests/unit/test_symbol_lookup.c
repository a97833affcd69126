/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols by name and by address, and thread-local variables: of this process, where dlsym(3) and
 * the compiler tell the truth, and of tests/fixtures/tls.
 *
 * Needs at run time: tests/fixtures/tls and its plug-in, MEMTOOL_BUILDDIR, libc6-dbg.
 */
#include "look.h"
#include "tests/spawn.h"

#include "symbols/symbol_at.h"
#include "symbols/symbols_by_name.h"
#include "symbols/tls_variable.h"
#include "target/stop.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBC "libc.so.6"

static struct symbol_array found;

static int teardown(void **state)
{
	symbols_deinit(&found);
	look_away();
	return spawn_teardown(state);
}

static void find(const char *name)
{
	symbols_deinit(&found);
	no_error(symbols_by_name(modules, name, &found));
}

static const struct symbol *find_one(const char *name)
{
	find(name);
	if (found.count != 1)
		fail_msg("%zu symbols are named %s", found.count, name);
	return &found.data[0];
}

/* Of a symbol of libc with versions: the one of that version. */
static const struct symbol *of_version(const char *version)
{
	const struct symbol *one = NULL;

	for (size_t i = 0; i < found.count; i++) {
		if (!found.data[i].version || strcmp(found.data[i].version, version) != 0)
			continue;
		assert_null(one);
		one = &found.data[i];
	}
	assert_non_null(one);
	return one;
}

int test_variable[3];
static int test_local_variable = 1;

int test_function(int argument);
__attribute__((__noinline__)) int test_function(int argument)
{
	return argument + test_local_variable++;
}

static void test_own_symbols(void **state)
{
	(void)state;
	look_at(getpid());
	const struct symbol *symbol = find_one("test_variable");
	assert_int_equal(symbol->address, (uintptr_t)test_variable);
	/* Sanitizers put a red zone behind it. */
	assert_true(symbol->size >= sizeof(test_variable));
	assert_int_equal(symbol->type, SYMBOL_OBJECT);
	assert_int_equal(symbol->binding, SYMBOL_BOUND_GLOBAL);
	assert_true(symbol->module->executable);
	assert_null(symbol->version);

	symbol = find_one("test_local_variable");
	assert_int_equal(symbol->binding, SYMBOL_BOUND_LOCAL);
	symbol = find_one("test_function");
	assert_int_equal(symbol->address, (uintptr_t)test_function);
	assert_int_equal(symbol->type, SYMBOL_FUNCTION);

	find("no_symbol_has_this_name");
	assert_int_equal(found.count, 0);
	find("");
	assert_int_equal(found.count, 0);
	find("@@");
	assert_int_equal(found.count, 0);
}

static void test_versions(void **state)
{
	static const char *const versions[] = { "GLIBC_2.2.5", "GLIBC_2.3.4" };
	void *handle = dlopen(LIBC, RTLD_NOLOAD | RTLD_LAZY);

	(void)state;
	assert_non_null(handle);
	look_at(getpid());
	/* Sanitizers bring one without a version. */
	find("regexec");
	assert_true(found.count >= 2);
	for (size_t i = 0; i < 2; i++) {
		const struct symbol *symbol = of_version(versions[i]);
		assert_int_equal(symbol->address,
				 (uintptr_t)dlvsym(handle, "regexec", versions[i]));
		assert_int_equal(symbol->default_version, i == 1);
	}
	assert_int_equal(find_one("regexec@GLIBC_2.2.5")->address,
			 (uintptr_t)dlvsym(handle, "regexec", versions[0]));
	assert_int_equal(find_one("regexec@@GLIBC_2.3.4")->address,
			 (uintptr_t)dlvsym(handle, "regexec", versions[1]));
	find("regexec@GLIBC_1.0");
	assert_int_equal(found.count, 0);
	dlclose(handle);
}

static void test_of_libc(void **state)
{
	(void)state;
	look_at(getpid());
	find("malloc");
	assert_true(found.count >= 1);
	bool any = false;
	for (size_t i = 0; i < found.count; i++)
		any |= found.data[i].address == (uintptr_t)dlsym(RTLD_DEFAULT, "malloc");
	assert_true(any);
	find("memcpy");
	assert_int_equal(of_version("GLIBC_2.14")->type, SYMBOL_IFUNC);
	/* Of the debug file alone. */
	find("main_arena");
	assert_int_equal(found.count, 1);
	assert_int_equal(found.data[0].type, SYMBOL_OBJECT);
	assert_int_equal(found.data[0].binding, SYMBOL_BOUND_LOCAL);
}

static void expect_at(const void *address, const char *name, uint64_t offset)
{
	struct symbol symbol;
	bool is_found;
	struct module *module = modules_find(modules, (uintptr_t)address);

	assert_non_null(module);
	no_error(symbol_at(module, (uintptr_t)address, &is_found, &symbol));
	assert_true(is_found);
	assert_string_equal(symbol.name, name);
	assert_int_equal((uintptr_t)address - symbol.address, offset);
	assert_ptr_equal(symbol.module, module);
	symbol_deinit(&symbol);
}

static void test_by_address(void **state)
{
	void *handle = dlopen(LIBC, RTLD_NOLOAD | RTLD_LAZY);

	(void)state;
	look_at(getpid());
	expect_at(test_variable, "test_variable", 0);
	expect_at((char *)test_variable + 9, "test_variable", 9);
	expect_at(&test_local_variable, "test_local_variable", 0);
	expect_at((char *)(uintptr_t)test_function + 1, "test_function", 1);
	expect_at((char *)dlvsym(handle, "regexec", "GLIBC_2.3.4") + 3, "regexec", 3);
	expect_at(dlsym(handle, "printf"), "printf", 0);
	/* Two names of one function in libc: the shorter one. */
	expect_at(dlsym(handle, "__libc_calloc"), "calloc", 0);
	find("main_arena");
	assert_int_equal(found.count, 1);
	expect_at((char *)(uintptr_t)found.data[0].address + 96, "main_arena", 96);
	dlclose(handle);

	/* The ELF header, where no symbol is. */
	struct symbol symbol;
	bool is_found;
	struct module *module = modules_find(modules, (uintptr_t)test_variable);
	no_error(symbol_at(module, module->range.start, &is_found, &symbol));
	assert_false(is_found);
}

static struct module *libc_module(void)
{
	struct libc libc;

	no_error(libc_find(modules, &process->memory, &libc));
	return libc.module;
}

static void test_own_tls(void **state)
{
	uint64_t fs_base = (uintptr_t)__builtin_thread_pointer(), block;
	struct tls_module tls;
	struct symbol symbol;
	bool is_found;

	(void)state;
	look_at(getpid());
	find("errno");
	assert_true(found.count >= 1);
	const struct symbol *symbol_errno = NULL;
	for (size_t i = 0; i < found.count; i++)
		if (found.data[i].module == libc_module())
			symbol_errno = &found.data[i];
	assert_non_null(symbol_errno);
	assert_int_equal(symbol_errno->type, SYMBOL_TLS);
	no_error(tls_module_find(modules, NULL, symbol_errno->module, &process->memory, &tls));
	assert_true(tls.is_static);
	no_error(tls_block_find(&tls, &process->memory, fs_base, &is_found, &block));
	assert_true(is_found);
	assert_int_equal(block + symbol_errno->address, (uintptr_t)&errno);

	no_error(
		symbol_at_tls(symbol_errno->module, symbol_errno->address + 1, &is_found, &symbol));
	assert_true(is_found);
	assert_string_equal(symbol.name, "errno");
	symbol_deinit(&symbol);
	no_error(symbol_at_tls(symbol_errno->module, 1 << 20, &is_found, &symbol));
	assert_false(is_found);
}

/* A number that the program printed behind a word. */
static uint64_t told(const struct spawned *child, const char *word, int base)
{
	char key[32];

	snprintf(key, sizeof(key), "%s ", word);
	for (const char *line = child->text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, strlen(key)) == 0)
			return strtoull(line + strlen(key), NULL, base);
	}
	fail_msg("the program did not tell %s", word);
	return 0;
}

static uint64_t fs_base_of(const struct stop *stop, pid_t tid)
{
	size_t count;
	const struct stopped_thread *threads = stop_list(stop, &count);

	for (size_t i = 0; i < count; i++)
		if (threads[i].tid == tid)
			return threads[i].fs_base;
	fail_msg("thread %d is not among those that are stopped", tid);
	return 0;
}

/* Where a thread has a variable, as its address; 0 if it has none as yet. */
static uint64_t variable_of(const struct symbol *symbol, uint64_t fs_base)
{
	struct tls_module tls;
	struct libc libc;
	bool allocated;
	uint64_t block;

	no_error(libc_find(modules, &process->memory, &libc));
	no_error(tls_module_find(modules, &libc, symbol->module, &process->memory, &tls));
	no_error(tls_block_find(&tls, &process->memory, fs_base, &allocated, &block));
	return allocated ? block + symbol->address : 0;
}

static void test_tls_of_threads(void **state)
{
	struct stop *stop;

	(void)state;
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/tls"),
					      spawn_path("tests/fixtures/.libs/tls_plugin.so"));
	spawn_expect(child, "ready");
	look_at(child->pid);
	no_error(stop_threads(process, &stop));
	uint64_t main_fs = fs_base_of(stop, child->pid);
	uint64_t worker_fs = fs_base_of(stop, (pid_t)told(child, "worker-tid", 10));
	stop_resume(stop, NULL);

	const struct symbol *symbol = find_one("tls_variable");
	assert_int_equal(variable_of(symbol, main_fs), told(child, "main", 16));
	assert_int_equal(variable_of(symbol, worker_fs), told(child, "worker", 16));
	symbol = find_one("plugin_variable");
	assert_int_equal(variable_of(symbol, main_fs), told(child, "plugin", 16));
	assert_int_equal(variable_of(symbol, worker_fs), 0);
}

/* Without libc nothing is known of what is not static. */
static void test_tls_without_libc(void **state)
{
	struct tls_module tls;

	(void)state;
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/tls"),
					      spawn_path("tests/fixtures/.libs/tls_plugin.so"));
	spawn_expect(child, "ready");
	look_at(child->pid);
	const struct symbol *symbol = find_one("plugin_variable");
	struct memtool_error *error =
		tls_module_find(modules, NULL, symbol->module, &process->memory, &tls);
	assert_non_null(error);
	assert_int_equal(error->code, MEMTOOL_ERROR_UNSUPPORTED);
	memtool_error_destroy(error);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_own_symbols, teardown),
		cmocka_unit_test_teardown(test_versions, teardown),
		cmocka_unit_test_teardown(test_of_libc, teardown),
		cmocka_unit_test_teardown(test_by_address, teardown),
		cmocka_unit_test_teardown(test_own_tls, teardown),
		cmocka_unit_test_teardown(test_tls_of_threads, teardown),
		cmocka_unit_test_teardown(test_tls_without_libc, teardown),
	};

	(void)test_function(1);
	spawn_watchdog(300);
	return cmocka_run_group_tests_name("symbol lookup", tests, NULL, NULL);
}
