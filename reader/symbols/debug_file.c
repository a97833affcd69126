/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/debug_file.h"

#include "symbols/dwarf.h"
#include "symbols/open_file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define DEBUG_ROOT "/usr/lib/debug"

/* Takes over fd, which may be -1. */
static bool open_same_build(int fd, const struct module *module, struct elf_file *ret)
{
	_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;

	if (!elf_file_open(fd, &file) ||
	    elf_file_match(&file, module->build_id, module->build_id_size) != BUILD_ID_SAME)
		return false;
	*ret = file;
	file = (struct elf_file)ELF_FILE_NONE;
	return true;
}

/* .build-id/ab/cdef.debug: two hexadecimal digits, and the rest of them. */
static bool find_by_build_id(const struct module *module, pid_t pid, struct elf_file *ret)
{
	char hex[2 * BUILD_ID_MAX + 1];
	char path[sizeof(hex) + 64];

	if (module->build_id_size < 2)
		return false;
	for (size_t i = 0; i < module->build_id_size; i++)
		sprintf(hex + 2 * i, "%02x", module->build_id[i]);
	snprintf(path, sizeof(path), DEBUG_ROOT "/.build-id/%.2s/%s.debug", hex, hex + 2);
	return open_same_build(open_regular(path), module, ret) ||
	       open_same_build(open_regular_of(pid, path), module, ret);
}

/* CRC-32 of IEEE 802.3, bits reflected, as objcopy --add-gnu-debuglink computes it. */
static bool file_crc(int fd, uint32_t *ret)
{
	uint32_t table[256], crc = UINT32_MAX;
	uint8_t buffer[32 << 10];
	ssize_t count;

	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = (table[i] >> 1) ^ (table[i] & 1 ? 0xedb88320 : 0);
	}
	for (off_t at = 0; (count = pread(fd, buffer, sizeof(buffer), at)) > 0; at += count) {
		for (ssize_t i = 0; i < count; i++)
			crc = (crc >> 8) ^ table[(crc ^ buffer[i]) & 0xff];
	}
	*ret = ~crc;
	return count == 0;
}

/* Takes over fd, which may be -1. */
static bool open_linked(int fd, const struct module *module, uint32_t crc, struct elf_file *ret)
{
	_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;
	uint32_t actual;

	if (!elf_file_open(fd, &file))
		return false;
	switch (elf_file_match(&file, module->build_id, module->build_id_size)) {
	case BUILD_ID_OTHER:
		return false;
	case BUILD_ID_NONE:
		if (!file_crc(file.fd, &actual) || actual != crc)
			return false;
		break;
	case BUILD_ID_SAME:
		break;
	}
	*ret = file;
	file = (struct elf_file)ELF_FILE_NONE;
	return true;
}

/* Beside the file, in .debug beside it, and under the debug root in a directory of that name. */
static bool find_by_link(const struct module *module, pid_t pid, const struct elf_file *file,
			 struct elf_file *ret)
{
	static const char *const forms[] = { "%.*s/%s", "%.*s/.debug/%s", DEBUG_ROOT "%.*s/%s" };
	const char *slash = strrchr(module->name, '/');
	uint32_t crc;
	const char *name = elf_file_debug_link(file, &crc);
	char path[PATH_MAX];

	if (!name || !slash || strchr(name, '/'))
		return false;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		int length = snprintf(path, sizeof(path), forms[i], (int)(slash - module->name),
				      module->name, name);
		if (length > 0 && (size_t)length < sizeof(path) &&
		    (open_linked(open_regular_of(pid, path), module, crc, ret) ||
		     open_linked(open_regular(path), module, crc, ret)))
			return true;
	}
	return false;
}

bool debug_file_fetch(const struct module *module, struct elf_file *ret)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	const struct dwarf *dwarf;

	if (!urls || !*urls || module->build_id_size == 0)
		return false;
	struct memtool_error *error = dwarf_load(&dwarf);
	if (error) {
		memtool_error_destroy(error);
		return false;
	}
	return open_same_build(dwarf->fetch_file(module), module, ret);
}

bool debug_file_find(const struct module *module, pid_t pid, const struct elf_file *file,
		     struct elf_file *ret)
{
	return find_by_build_id(module, pid, ret) || find_by_link(module, pid, file, ret);
}
