/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes whose malloc cannot be found: what the error says is why.
 *
 * Link: tests/unit/test_libc_errors.c tests/spawn.c, the reader, cmocka.
 * Needs at run time: tests/fixtures/idle{,-static}, MEMTOOL_BUILDDIR.
 */
#include "look.h"
#include "tests/spawn.h"

#include "symbols/libc.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBC "libc.so.6"
#define LDSO "/lib64/ld-linux-x86-64.so.2"

/* It must have that code and be one line with that text; ends it. */
static void expect_error(struct memtool_error *error, enum memtool_error_code code,
			 const char *text)
{
	assert_non_null(error);
	assert_int_equal(error->code, code);
	if (!strstr(error->message, text))
		fail_msg("\"%s\" is not in: %s", text, error->message);
	assert_null(strchr(error->message, '\n'));
	memtool_error_destroy(error);
}

static char directory[64]; /* with the one file that a test made; "" if there is none */
static char file[128];

static int setup(void **state)
{
	char template[] = P_tmpdir "/memtool-libc-XXXXXX";

	(void)state;
	unsetenv("DEBUGINFOD_URLS");
	assert_non_null(mkdtemp(template));
	strcpy(directory, template);
	return 0;
}

static int teardown(void **state)
{
	look_away();
	unlink(file);
	rmdir(directory);
	return spawn_teardown(state);
}

/* An ELF file in memory. */
struct copy {
	char *data;
	size_t size;
};

static struct copy read_copy(const char *path)
{
	FILE *stream = fopen(path, "rb");
	struct stat status;

	assert_non_null(stream);
	assert_int_equal(fstat(fileno(stream), &status), 0);
	struct copy copy = { malloc((size_t)status.st_size), (size_t)status.st_size };
	assert_non_null(copy.data);
	assert_int_equal(fread(copy.data, 1, copy.size, stream), copy.size);
	fclose(stream);
	return copy;
}

/* Writes it as a file of that name, and frees it. */
static void write_copy(struct copy copy, const char *name)
{
	snprintf(file, sizeof(file), "%s/%s", directory, name);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, copy.data, copy.size), copy.size);
	assert_int_equal(close(fd), 0);
	free(copy.data);
}

static Elf64_Ehdr *header_of(struct copy copy)
{
	return (Elf64_Ehdr *)(void *)copy.data;
}

static Elf64_Shdr *sections_of(struct copy copy)
{
	return (Elf64_Shdr *)(void *)(copy.data + header_of(copy)->e_shoff);
}

static Elf64_Shdr *symtab_of(struct copy copy)
{
	for (size_t i = 0; i < header_of(copy)->e_shnum; i++) {
		if (sections_of(copy)[i].sh_type == SHT_SYMTAB)
			return &sections_of(copy)[i];
	}
	fail_msg("no .symtab");
	return NULL;
}

/* Replaces a name in a string table by another one, which is no longer. */
static void rename_string(struct copy copy, size_t table, const char *from, const char *to)
{
	const Elf64_Shdr *section = &sections_of(copy)[table];
	char *at = memmem(copy.data + section->sh_offset, section->sh_size, from, strlen(from) + 1);

	assert_non_null(at);
	assert_true(strlen(to) <= strlen(from));
	strcpy(at, to);
}

static void expect_static_error(struct copy copy, const char *text)
{
	struct libc libc;

	write_copy(copy, "program");
	struct spawned *child = spawn_program(file);
	spawn_expect(child, "ready");
	look_at(child->pid);
	expect_error(libc_find(modules, &process->memory, &libc), MEMTOOL_ERROR_NOT_GLIBC, text);
}

/* It is found to be glibc's by its structure; symbols it has none. */
static void expect_recognised(struct copy copy)
{
	struct malloc_roots roots = { 0 };
	struct libc libc;

	write_copy(copy, "program");
	struct spawned *child = spawn_program(file);
	spawn_expect(child, "ready");
	look_at(child->pid);
	no_error(libc_find(modules, &process->memory, &libc));
	assert_string_equal(libc.module->name, file);
	assert_true(libc.module->executable);
	expect_error(libc_find_roots(&libc, &process->memory, &roots), MEMTOOL_ERROR_NO_SYMBOLS,
		     "not stripped");
}

static void test_static_stripped(void **state)
{
	struct copy copy = read_copy(spawn_path("tests/fixtures/idle-static"));

	(void)state;
	symtab_of(copy)->sh_type = SHT_PROGBITS;
	expect_recognised(copy);
}

static void test_static_without_sections(void **state)
{
	struct copy copy = read_copy(spawn_path("tests/fixtures/idle-static"));

	(void)state;
	header_of(copy)->e_shoff = 0;
	header_of(copy)->e_shnum = header_of(copy)->e_shstrndx = 0;
	expect_recognised(copy);
}

/*
 * No word leads to itself any more, less the offset of `next`; the program makes no second arena.
 */
static void break_ring(struct copy copy)
{
	static const uint64_t offsets[] = { 2152, 2160, 2072 };
	const Elf64_Phdr *segments = (const void *)(copy.data + header_of(copy)->e_phoff);
	size_t broken = 0;

	for (size_t i = 0; i < header_of(copy)->e_phnum; i++) {
		if (segments[i].p_type != PT_LOAD || !(segments[i].p_flags & PF_W))
			continue;
		for (uint64_t at = 0; at + 8 <= segments[i].p_filesz; at += 8) {
			void *word = copy.data + segments[i].p_offset + at;
			uint64_t value;
			memcpy(&value, word, sizeof(value));
			for (size_t j = 0; j < 3; j++) {
				if (segments[i].p_vaddr + at - value != offsets[j])
					continue;
				memset(word, 0, sizeof(value));
				broken++;
			}
		}
	}
	assert_true(broken > 0);
}

static void test_static_other_malloc(void **state)
{
	struct copy copy = read_copy(spawn_path("tests/fixtures/idle-static"));

	(void)state;
	rename_string(copy, symtab_of(copy)->sh_link, "main_arena", "our_arena");
	break_ring(copy);
	expect_static_error(copy, "no main_arena");
}

static void test_static_unknown_malloc(void **state)
{
	struct copy copy = read_copy(spawn_path("tests/fixtures/idle-static"));

	(void)state;
	symtab_of(copy)->sh_type = SHT_PROGBITS;
	break_ring(copy);
	expect_static_error(copy, "not recognised");
}

static void test_go(void **state)
{
	struct copy copy = read_copy(spawn_path("tests/fixtures/idle-static"));

	(void)state;
	rename_string(copy, header_of(copy)->e_shstrndx, "__libc_freeres_fn", ".note.go.buildid");
	symtab_of(copy)->sh_type = SHT_PROGBITS;
	break_ring(copy);
	expect_static_error(copy, "a Go program");
}

/* Modules that have but a name. */
static void expect_foreign(const char *name, const char *text)
{
	struct memory_buffer memory = memory_buffer(NULL, 0);
	struct module program = { .name = "/bin/program", .executable = true, .interpreted = true };
	struct module library = { .name = name };
	struct module *data[] = { &program, &library };
	struct modules foreign = { .data = data, .count = 2 };
	struct libc libc;

	expect_error(libc_find(&foreign, &memory.memory, &libc), MEMTOOL_ERROR_NOT_GLIBC, text);
}

static void test_foreign_libcs(void **state)
{
	(void)state;
	expect_foreign("/lib/ld-musl-x86_64.so.1", "musl");
	expect_foreign("/lib/libc.musl-x86_64.so.1", "musl");
	expect_foreign("/usr/lib/x86_64-linux-musl/libc.so", "musl");
	expect_foreign("/apex/com.android.runtime/lib64/bionic/libc.so", "bionic");
	expect_foreign("/system/bin/linker64", "bionic");
	expect_foreign("/lib/libother.so", "libc.so.6");
}

/* The libc in this process. */
static const struct module *find_own_libc(void)
{
	struct libc libc;

	look_at(getpid());
	no_error(libc_find(modules, &process->memory, &libc));
	return libc.module;
}

/* A libc of a build that nobody has a debug file of: it runs, but has no .symtab. */
static void test_no_debug_file(void **state)
{
	const struct module *own = find_own_libc();
	struct copy copy = read_copy(own->name);
	struct libc libc;
	struct malloc_roots roots = { .thread_count = 7 };

	(void)state;
	char *id = memmem(copy.data, copy.size, own->build_id, own->build_id_size);
	assert_non_null(id);
	memset(id, 0x5a, own->build_id_size);
	write_copy(copy, LIBC);
	look_away();

	struct spawned *child =
		spawn_program(LDSO, "--library-path", directory, spawn_path("tests/fixtures/idle"));
	spawn_expect(child, "ready");
	look_at(child->pid);
	no_error(libc_find(modules, &process->memory, &libc));
	assert_string_equal(libc.module->name, file);
	struct memtool_error *error = libc_find_roots(&libc, &process->memory, &roots);
	assert_non_null(error);
	assert_non_null(strstr(error->message, "libc6-dbg"));
	assert_non_null(strstr(error->message, "set DEBUGINFOD_URLS"));
	assert_non_null(strstr(error->message, "build-id 5a5a5a"));
	expect_error(error, MEMTOOL_ERROR_NO_SYMBOLS, "no debug file was found");
	assert_int_equal(roots.main_arena.source, ROOT_UNKNOWN);
	assert_int_equal(roots.thread_count, 7);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_static_stripped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_static_without_sections, setup, teardown),
		cmocka_unit_test_setup_teardown(test_static_other_malloc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_static_unknown_malloc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_libcs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_debug_file, setup, teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("libc errors", tests, NULL, NULL);
}
