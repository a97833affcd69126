/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/libc_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <gnu/lib-names.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	char buffer[65536];
	ssize_t count;

	assert_true(in >= 0 && out >= 0);
	while ((count = read(in, buffer, sizeof(buffer))) > 0)
		assert_int_equal(write(out, buffer, (size_t)count), count);
	assert_int_equal(fchmod(out, 0755), 0);
	close(in);
	close(out);
}

static int find_libc(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	if (strstr(info->dlpi_name, LIBC_SO))
		strncpy(((char **)data)[0], info->dlpi_name, 255);
	if (strstr(info->dlpi_name, LD_SO))
		strncpy(((char **)data)[1], info->dlpi_name, 255);
	return 0;
}

void libc_copy_make(struct libc_copy *ret)
{
	char libc[256] = "", loader[256] = "";
	char *paths[] = { libc, loader };

	unsetenv("DEBUGINFOD_URLS");
	dl_iterate_phdr(find_libc, paths);
	snprintf(ret->dir, sizeof(ret->dir), "%s/memtool-libc-XXXXXX", P_tmpdir);
	assert_true(libc[0] && loader[0]);
	assert_non_null(mkdtemp(ret->dir));
	assert_int_equal(chmod(ret->dir, 0755), 0);
	snprintf(ret->loader, sizeof(ret->loader), "%s/%s", ret->dir, LD_SO);
	snprintf(ret->libc, sizeof(ret->libc), "%s/%s", ret->dir, LIBC_SO);
	copy_file(loader, ret->loader);
	copy_file(libc, ret->libc);
}

void libc_copy_unlink(const struct libc_copy *copy)
{
	unlink(copy->libc);
	unlink(copy->loader);
}

void libc_copy_remove(const struct libc_copy *copy)
{
	libc_copy_unlink(copy);
	assert_int_equal(rmdir(copy->dir), 0);
}

struct mapped_file {
	unsigned char *bytes;
	size_t size;
};

static struct mapped_file map_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat status;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	struct mapped_file file = { .size = (size_t)status.st_size };
	file.bytes = mmap(NULL, file.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	assert_true(file.bytes != MAP_FAILED);
	return file;
}

void libc_copy_change_build_id(const struct libc_copy *copy)
{
	struct mapped_file file = map_file(copy->libc);
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)file.bytes;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(file.bytes + header->e_phoff);
	bool changed = false;

	for (size_t i = 0; i < header->e_phnum; i++) {
		unsigned char *note = file.bytes + segments[i].p_offset;
		const Elf64_Nhdr *nhdr = (const Elf64_Nhdr *)note;
		if (segments[i].p_type != PT_NOTE || nhdr->n_type != NT_GNU_BUILD_ID)
			continue;
		for (size_t j = 0; j < nhdr->n_descsz; j++)
			note[sizeof(*nhdr) + 4 + j] ^= 0xff;
		changed = true;
	}
	munmap(file.bytes, file.size);
	assert_true(changed);
}

/* Every place where text stands, of which the version begins at offset. */
static size_t replace(struct mapped_file file, const char *text, size_t size, size_t offset,
		      const char *version)
{
	unsigned char *at = file.bytes;
	size_t count = 0;

	for (;;) {
		at = memmem(at, file.size - (size_t)(at - file.bytes), text, size);
		if (!at)
			return count;
		memcpy(at + offset, version, 4);
		at += size;
		count++;
	}
}

void libc_copy_set_version(const struct libc_copy *copy, const char *version)
{
	/*
	 * The banner, and what gnu_get_libc_version() gives, which may be the end of a longer text.
	 */
	static const char *const before[] = { "release version ", "glibc ", "" };
	struct mapped_file file = map_file(copy->libc);
	size_t count[3];
	char text[64];

	assert_int_equal(strlen(version), 4);
	assert_int_equal(strlen(gnu_get_libc_version()), 4);
	for (size_t i = 0; i < 3; i++) {
		size_t offset = strlen(before[i]) + (i > 0);
		/* A NUL byte before and behind, but for the banner, which goes on. */
		int size = snprintf(text, sizeof(text), "%s%s%s", i ? "?" : "", before[i],
				    gnu_get_libc_version());
		if (i)
			text[0] = '\0';
		count[i] = replace(file, text, (size_t)size + (i > 0), offset, version);
	}
	munmap(file.bytes, file.size);
	assert_true(count[0] > 0 && count[1] + count[2] > 0);
}

bool libc_copy_strip(const char *path, const char *stripped)
{
	const char *const argv[] = { "strip", "-s", "-o", stripped, path, NULL };

	if (!spawn_has_program("strip"))
		return false;
	const struct spawn_result *result = spawn_run(&(struct spawn_how){ .argv = argv });
	if (spawn_exit_code(result) != 0)
		fail_msg("strip: %s", result->err);
	return true;
}

struct spawned *libc_copy_start(const struct libc_copy *copy, uid_t uid, const char *fixture,
				const char *first, const char *second)
{
	char path[128];

	snprintf(path, sizeof(path), "tests/fixtures/%s", fixture);
	return spawn(&(struct spawn_how){
		.argv = (const char *const[]){ copy->loader, "--library-path", copy->dir,
					       spawn_path(path), first, second, NULL },
		.uid = uid });
}
