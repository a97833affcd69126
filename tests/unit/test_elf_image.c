/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF images that lie: the image of this process's libc, copied, and changed byte by byte.
 *
 * Link: tests/unit/test_elf_image.c, the reader, cmocka. Needs nothing at run time.
 */
#include "symbols/dynamic.h"
#include "symbols/dynamic_symbol.h"
#include "symbols/elf_image.h"
#include "symbols/libc.h"
#include "symbols/libc_version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REGIONS_MAX 16

/* The image as it is in this process, and a copy of it that tests change and put right again. */
static struct {
	struct maps maps;
	struct module module;
	size_t first; /* index of its first mapping */
	struct memory_region regions[REGIONS_MAX];
	size_t region_count;
	struct memory_buffer memory;
} image;

static void no_error(struct memtool_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static void copy_region(struct process *process, struct range range)
{
	size_t size = range_size(range);
	void *bytes = malloc(size);

	assert_non_null(bytes);
	assert_true(image.region_count < REGIONS_MAX);
	no_error(memory_read(&process->memory, range.start, bytes, size, "the image"));
	image.regions[image.region_count++] = (struct memory_region){ range.start, size, bytes };
}

static int setup(void **state)
{
	struct process *process;
	struct modules *modules;
	struct libc libc;

	(void)state;
	no_error(process_open(getpid(), &process));
	no_error(maps_read(getpid(), &image.maps));
	no_error(modules_load(process, &image.maps, &modules));
	no_error(libc_find(modules, &process->memory, &libc));
	image.module = *libc.module;
	for (size_t i = 0; i < image.maps.count; i++) {
		const struct mapping *m = &image.maps.data[i];
		if (m->range.start == image.module.range.start)
			image.first = i;
		if (m->readable && range_contains(image.module.range, m->range.start))
			copy_region(process, m->range);
	}
	image.memory = memory_buffer(image.regions, image.region_count);
	modules_destroy(modules);
	process_close(process);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < image.region_count; i++)
		free((void *)image.regions[i].bytes);
	maps_deinit(&image.maps);
	return 0;
}

/* The copy of what is at address; size bytes from there are in one region. */
static uint8_t *copy_of(uint64_t address, size_t size)
{
	for (size_t i = 0; i < image.region_count; i++) {
		const struct memory_region *region = &image.regions[i];
		if (address >= region->address && address - region->address < region->length) {
			assert_true(region->length - (address - region->address) >= size);
			return (uint8_t *)region->bytes + (address - region->address);
		}
	}
	fail_msg("0x%lx is not in the image", (unsigned long)address);
	return NULL;
}

static Elf64_Ehdr *header(void)
{
	return (Elf64_Ehdr *)(void *)copy_of(image.module.range.start, sizeof(Elf64_Ehdr));
}

static Elf64_Phdr *find_phdr(uint32_t type)
{
	Elf64_Ehdr *ehdr = header();
	Elf64_Phdr *phdr = (Elf64_Phdr *)(void *)((uint8_t *)ehdr + ehdr->e_phoff);

	for (size_t i = 0; i < ehdr->e_phnum; i++) {
		if (phdr[i].p_type == type)
			return &phdr[i];
	}
	fail_msg("no segment of type %u", type);
	return NULL;
}

static bool read_image(struct module *ret)
{
	bool found = true;

	*ret = (struct module){ .name = "changed" };
	no_error(elf_image_read(&image.memory.memory, &image.maps, image.first, &found, ret));
	return found;
}

static void test_unchanged(void **state)
{
	struct module module;
	struct dynamic dynamic;
	char version[16];
	uint64_t offset;

	(void)state;
	assert_true(read_image(&module));
	assert_int_equal(module.range.start, image.module.range.start);
	assert_int_equal(module.range.end, image.module.range.end);
	assert_int_equal(module.bias, image.module.bias);
	assert_int_equal(module.dynamic.start, image.module.dynamic.start);
	assert_int_not_equal(module.build_id_size, 0);
	assert_int_not_equal(module.tls_size, 0);
	no_error(dynamic_read(&module, &image.memory.memory, &dynamic));
	assert_string_equal(dynamic.soname, "libc.so.6");
	assert_false(dynamic.executable);
	assert_int_not_equal(range_size(dynamic.rela), 0);
	no_error(module_tls_offset(&module, &image.memory.memory, &offset));
	assert_true(offset >= module.tls_size);
	no_error(libc_version_read(&module, &image.maps, &image.memory.memory, version));
	assert_string_equal(version, gnu_get_libc_version());
}

/* Each makes of the image something that is none, or not ours. */
static void test_no_image(void **state)
{
	const Elf64_Ehdr good_header = *header();
	Elf64_Phdr *load = find_phdr(PT_LOAD);
	const Elf64_Phdr good_load = *load;
	struct module module;

	(void)state;
#define REFUSED(object, good, change)                   \
	do {                                            \
		(object)->change;                       \
		if (read_image(&module))                \
			fail_msg("accepted: " #change); \
		*(object) = good;                       \
	} while (0)
	REFUSED(header(), good_header, e_ident[0] = 0);
	REFUSED(header(), good_header, e_ident[EI_CLASS] = ELFCLASS32);
	REFUSED(header(), good_header, e_ident[EI_DATA] = ELFDATA2MSB);
	REFUSED(header(), good_header, e_machine = EM_386);
	REFUSED(header(), good_header, e_type = ET_CORE);
	REFUSED(header(), good_header, e_type = ET_EXEC); /* its addresses would be others */
	REFUSED(header(), good_header, e_phentsize = 32);
	REFUSED(header(), good_header, e_phnum = 0);
	REFUSED(header(), good_header, e_phnum = UINT16_MAX);
	REFUSED(header(), good_header, e_phoff = UINT64_MAX);
	REFUSED(header(), good_header, e_phoff = UINT64_C(1) << 40);
	REFUSED(load, good_load, p_offset = 1 << 20);
	REFUSED(load, good_load, p_memsz = UINT64_MAX);
	REFUSED(load, good_load, p_type = PT_NULL);
	REFUSED(load, good_load, p_flags = PF_R | PF_X); /* but it is not mapped so */
#undef REFUSED
	assert_true(read_image(&module));
}

/* Segments that do not lie in the image are as if they were not there. */
static void test_segments_elsewhere(void **state)
{
	Elf64_Phdr *tls = find_phdr(PT_TLS), *dynamic = find_phdr(PT_DYNAMIC);
	const Elf64_Phdr good_tls = *tls, good_dynamic = *dynamic;
	struct module module;
	uint64_t offset;

	(void)state;
	tls->p_align = 3;
	assert_true(read_image(&module));
	assert_int_equal(module.tls_size, 0);
	*tls = good_tls;
	tls->p_memsz = UINT64_MAX;
	assert_true(read_image(&module));
	assert_int_equal(module.tls_size, 0);
	*tls = good_tls;

	dynamic->p_vaddr = UINT64_MAX - 8;
	assert_true(read_image(&module));
	assert_int_equal(range_size(module.dynamic), 0);
	struct memtool_error *error = module_tls_offset(&module, &image.memory.memory, &offset);
	assert_non_null(error);
	assert_int_equal(error->code, MEMTOOL_ERROR_UNSUPPORTED);
	memtool_error_destroy(error);
	*dynamic = good_dynamic;
}

/* A relocation's word in the GOT that differs from what the others say. */
static void test_relocations_contradict(void **state)
{
	struct module module;
	struct dynamic dynamic;
	uint64_t offset;
	size_t changed = 0;

	(void)state;
	assert_true(read_image(&module));
	no_error(dynamic_read(&module, &image.memory.memory, &dynamic));
	Elf64_Rela *rela =
		(Elf64_Rela *)(void *)copy_of(dynamic.rela.start, range_size(dynamic.rela));
	for (; changed == 0; rela++) {
		if (ELF64_R_TYPE(rela->r_info) != R_X86_64_TPOFF64 || ELF64_R_SYM(rela->r_info))
			continue;
		uint8_t *word = copy_of(module.bias + rela->r_offset, 8);
		*word ^= 8;
		struct memtool_error *error =
			module_tls_offset(&module, &image.memory.memory, &offset);
		*word ^= 8;
		assert_non_null(error);
		assert_int_equal(error->code, MEMTOOL_ERROR_CORRUPT);
		memtool_error_destroy(error);
		changed++;
	}
}

static bool find_function(const struct dynamic *dynamic, const char *name,
			  struct dynamic_symbol *ret)
{
	bool found = true;

	no_error(dynamic_find_function(&image.module, &image.memory.memory, dynamic, name, &found,
				       ret));
	return found;
}

/* By either kind of hash, and what this process's ld.so has bound it to. */
static void test_functions(void **state)
{
	static const char *const names[] = { "malloc", "free", "gnu_get_libc_version", "strlen" };
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	struct dynamic_symbol symbol, malloc_symbol = { 0 };
	struct dynamic dynamic;
	uint64_t bound = 0;
	bool found;

	(void)state;
	assert_non_null(libc);
	no_error(dynamic_read(&image.module, &image.memory.memory, &dynamic));
	assert_int_not_equal(dynamic.gnu_hash, 0);
	for (int kind = 0; kind < 2; kind++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			assert_true(find_function(&dynamic, names[i], &symbol));
			/*
			 * strlen is chosen at run time: its symbol is that of the function that
			 * does so.
			 */
			if (strcmp(names[i], "strlen") != 0)
				assert_int_equal(symbol.address, (uintptr_t)dlsym(libc, names[i]));
			if (i == 0)
				malloc_symbol = symbol;
		}
		assert_false(find_function(&dynamic, "no_such_function", &symbol));
		assert_false(find_function(&dynamic, "", &symbol));
		/* Data are no function. */
		assert_false(find_function(&dynamic, "environ", &symbol));
		dynamic.gnu_hash = 0;
		if (dynamic.hash == 0)
			break;
	}
	dynamic.hash = 0;
	assert_false(find_function(&dynamic, "malloc", &symbol));

	no_error(dynamic_bound_to(&image.module, &image.memory.memory, &dynamic,
				  malloc_symbol.index, &found, &bound));
	assert_true(found);
	assert_int_equal(bound, (uintptr_t)dlsym(RTLD_DEFAULT, "malloc"));
	no_error(dynamic_bound_to(&image.module, &image.memory.memory, &dynamic, UINT32_MAX, &found,
				  &bound));
	assert_false(found);
	dlclose(libc);
}

/* Whatever is read out of it, it stays within what is mapped. */
static void read_all(void)
{
	struct module module;
	struct dynamic dynamic;
	uint64_t offset;

	struct dynamic_symbol symbol = { 0 };
	bool found;

	if (!read_image(&module))
		return;
	assert_int_equal(module.range.start, image.module.range.start);
	assert_true(module.range.end <= image.maps.data[image.maps.count - 1].range.end);
	assert_true(module.build_id_size <= BUILD_ID_MAX);
	assert_true(range_covers(module.range, module.dynamic.start, range_size(module.dynamic)) ||
		    range_size(module.dynamic) == 0);
	assert_int_equal(module.tls_align & (module.tls_align - 1), 0);
	no_error(dynamic_read(&module, &image.memory.memory, &dynamic));
	assert_true(range_covers(module.range, dynamic.rela.start, range_size(dynamic.rela)) ||
		    range_size(dynamic.rela) == 0);
	assert_non_null(memchr(dynamic.soname, '\0', sizeof(dynamic.soname)));
	no_error(dynamic_find_function(&module, &image.memory.memory, &dynamic, "malloc", &found,
				       &symbol));
	no_error(dynamic_bound_to(&module, &image.memory.memory, &dynamic, symbol.index, &found,
				  &offset));
	struct memtool_error *error = module_tls_offset(&module, &image.memory.memory, &offset);
	if (!error)
		assert_true(offset >= module.tls_size);
	memtool_error_destroy(error);
}

/* Every byte of it set to values that make large, small and odd numbers. */
static void change_bytes(uint64_t address, size_t size)
{
	uint8_t *bytes = copy_of(address, size);

	for (size_t i = 0; i < size; i++) {
		const uint8_t good = bytes[i];
		const uint8_t bad[] = { 0, 0x7f, 0x80, 0xff, good ^ 1 };
		for (size_t j = 0; j < sizeof(bad); j++) {
			bytes[i] = bad[j];
			read_all();
		}
		bytes[i] = good;
	}
}

static void test_any_byte(void **state)
{
	struct dynamic dynamic;

	(void)state;
	no_error(dynamic_read(&image.module, &image.memory.memory, &dynamic));
	/* Headers and notes. */
	change_bytes(image.module.range.start, 0x400);
	change_bytes(image.module.dynamic.start, range_size(image.module.dynamic));
	if (range_size(dynamic.rela) > 4096)
		dynamic.rela.end = dynamic.rela.start + 4096;
	change_bytes(dynamic.rela.start, range_size(dynamic.rela));
	/* Sizes, the filter, and the symbol that is looked for. */
	struct dynamic_symbol symbol;
	assert_true(find_function(&dynamic, "malloc", &symbol));
	change_bytes(dynamic.gnu_hash, 64);
	change_bytes(dynamic.symtab + symbol.index * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
}

/* Chains that have no end: all hashes are that of the name, and no name is. */
static void test_endless_chain(void **state)
{
	struct dynamic_symbol symbol;
	struct dynamic dynamic;
	const uint32_t hash = 0x0d39ad3c; /* of "malloc" (DT_GNU_HASH), last bit clear */

	(void)state;
	no_error(dynamic_read(&image.module, &image.memory.memory, &dynamic));
	uint32_t *table = (uint32_t *)(void *)copy_of(dynamic.gnu_hash, 16);
	const size_t words = 4 + 2 * table[2] + table[0] + 4096;
	uint32_t *good = malloc(4 * words);
	assert_non_null(good);
	memcpy(good, table, 4 * words);
	for (size_t i = 4; i < 4 + 2 * (size_t)table[2]; i++)
		table[i] = UINT32_MAX;
	for (size_t i = 4 + 2 * (size_t)table[2]; i < words; i++)
		table[i] = i < 4 + 2 * (size_t)table[2] + table[0] ? table[1] : hash;
	dynamic.strtab = image.module.range.start;
	assert_false(find_function(&dynamic, "malloc", &symbol));
	memcpy(table, good, 4 * words);
	free(good);
}

/* Cut off at each place: what is not there cannot be read, and that is all. */
static void test_cut_off(void **state)
{
	struct memory_region *first = &image.regions[0];
	const struct memory_region good = *first;

	(void)state;
	for (first->length = 0; first->length < 0x400; first->length++)
		read_all();
	*first = good;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unchanged),
		cmocka_unit_test(test_no_image),
		cmocka_unit_test(test_segments_elsewhere),
		cmocka_unit_test(test_relocations_contradict),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_endless_chain),
		cmocka_unit_test(test_cut_off),
	};

	return cmocka_run_group_tests_name("ELF images", tests, setup, teardown);
}
