/* SPDX-License-Identifier: Apache-2.0 */
/* The agent as an object file: what it asks of a system, and what it brings into a program. */
#include "common/image.h"
#include "tests/agent_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t *file;
static size_t file_size;
static struct image image;
static Elf64_Phdr headers[32];
static size_t header_count;

static int open_agent(void **state)
{
	struct stat status;
	Elf64_Ehdr header;
	int fd = open(agent_path(), O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	file_size = (size_t)status.st_size;
	file = mmap(NULL, file_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	assert_ptr_not_equal(file, MAP_FAILED);
	assert_true(image_of_file(file, file_size, &image));
	memcpy(&header, file, sizeof(header));
	header_count = header.e_phnum;
	assert_in_range(header_count, 1, sizeof(headers) / sizeof(headers[0]));
	memcpy(headers, file + header.e_phoff, header_count * sizeof(headers[0]));
	return 0;
}

static const Elf64_Phdr *find_header(uint32_t type)
{
	for (size_t i = 0; i < header_count; i++) {
		if (headers[i].p_type == type)
			return &headers[i];
	}
	return NULL;
}

/* The nth entry of the dynamic section with that tag; *ret_found is false if there is none. */
static uint64_t dynamic_value(int64_t tag, size_t nth, bool *ret_found)
{
	const Elf64_Phdr *dynamic = find_header(PT_DYNAMIC);

	assert_non_null(dynamic);
	for (uint64_t done = 0; done < dynamic->p_filesz; done += sizeof(Elf64_Dyn)) {
		Elf64_Dyn entry;
		assert_true(image_read(&image, dynamic->p_vaddr + done, &entry, sizeof(entry)));
		*ret_found = entry.d_tag == tag && nth-- == 0;
		if (*ret_found)
			return entry.d_un.d_val;
	}
	*ret_found = false;
	return 0;
}

static uint64_t need_value(int64_t tag)
{
	bool found;
	uint64_t value = dynamic_value(tag, 0, &found);

	assert_true(found);
	return value;
}

static const char *string_at(uint64_t offset)
{
	assert_in_range(offset, 0, image.strtab_size - 1);
	const char *string = image_bytes(&image, image.strtab + offset, 1);
	assert_non_null(string);
	return string;
}

static void test_links_libc_alone(void **state)
{
	(void)state;
	bool found;

	assert_string_equal(string_at(dynamic_value(DT_NEEDED, 0, &found)), "libc.so.6");
	assert_true(found);
	dynamic_value(DT_NEEDED, 1, &found);
	assert_false(found);
}

/* GLIBC_2.17 and older: nothing else is a version that every libc since then has. */
static void check_version(const char *name)
{
	unsigned int minor = 0;
	const char *prefix = "GLIBC_2.", *digit = name + strlen(prefix);

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		fail_msg("it needs version %s", name);
	while (*digit >= '0' && *digit <= '9')
		minor = minor * 10 + (unsigned int)(*digit++ - '0');
	if (minor > 17 || (*digit && *digit != '.'))
		fail_msg("it needs version %s", name);
}

static void test_old_symbols_alone(void **state)
{
	(void)state;
	uint64_t at = need_value(DT_VERNEED);
	Elf64_Verneed need;
	Elf64_Vernaux version;

	/* One library, as there is but one DT_NEEDED. */
	assert_int_equal(need_value(DT_VERNEEDNUM), 1);
	assert_true(image_read(&image, at, &need, sizeof(need)));
	assert_string_equal(string_at(need.vn_file), "libc.so.6");
	assert_in_range(need.vn_cnt, 1, 32);
	at += need.vn_aux;
	for (unsigned int i = 0; i < need.vn_cnt; i++) {
		assert_true(image_read(&image, at, &version, sizeof(version)));
		check_version(string_at(version.vna_name));
		at += version.vna_next;
	}
}

/* Symbols in .dynsym: there are as many as DT_HASH or the section header says. */
static size_t symbol_count(void)
{
	Elf64_Ehdr header;
	Elf64_Shdr section;

	memcpy(&header, file, sizeof(header));
	for (size_t i = 0; i < header.e_shnum; i++) {
		memcpy(&section, file + header.e_shoff + i * sizeof(section), sizeof(section));
		if (section.sh_type == SHT_DYNSYM)
			return section.sh_size / sizeof(Elf64_Sym);
	}
	fail_msg("it has no .dynsym");
	return 0;
}

static const char *const wrappers[] = { "pthread_create", "pthread_key_create", "thrd_create",
					"tss_create" };

static bool is_wrapper(const char *name)
{
	bool found = false;

	for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++)
		found = found || strcmp(name, wrappers[i]) == 0;
	return found;
}

static void test_exports_wrappers_alone(void **state)
{
	(void)state;
	size_t count = symbol_count(), exported = 0;

	for (size_t i = 1; i < count; i++) {
		Elf64_Sym symbol;
		assert_true(image_read(&image, image.symtab + i * sizeof(symbol), &symbol,
				       sizeof(symbol)));
		if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) == STB_LOCAL)
			continue;
		const char *name = string_at(symbol.st_name);
		if (!is_wrapper(name))
			fail_msg("it exports %s", name);
		exported++;
	}
	assert_int_equal(exported, sizeof(wrappers) / sizeof(wrappers[0]));
	/* Without versions of its own, so that calls to any version of them come to it. */
	bool found;
	dynamic_value(DT_VERDEF, 0, &found);
	assert_false(found);
}

/* Code of it is run by threads and by handlers for as long as the process lives. */
static void test_stays_loaded(void **state)
{
	(void)state;
	assert_true(need_value(DT_FLAGS_1) & DF_1_NODELETE);
}

/* Dynamic TLS is allocated with malloc at its first use. */
static void test_has_no_tls(void **state)
{
	(void)state;
	assert_null(find_header(PT_TLS));
}

static void test_stack_is_not_executable(void **state)
{
	(void)state;
	const Elf64_Phdr *stack = find_header(PT_GNU_STACK);

	assert_non_null(stack);
	assert_int_equal(stack->p_flags & PF_X, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links_libc_alone),
		cmocka_unit_test(test_old_symbols_alone),
		cmocka_unit_test(test_exports_wrappers_alone),
		cmocka_unit_test(test_stays_loaded),
		cmocka_unit_test(test_has_no_tls),
		cmocka_unit_test(test_stack_is_not_executable),
	};

	return cmocka_run_group_tests(tests, open_agent, NULL);
}
