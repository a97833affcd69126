/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/elf_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BASE 0x400000

static int to_memfd(const void *image, size_t size)
{
	int fd = memfd_create("program", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, size), size);
	return fd;
}

int elf_image_32(void)
{
	/* mov $29 (pause), %eax; int $0x80; jmp to the start */
	static const unsigned char code[] = { 0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7 };
	struct {
		Elf32_Ehdr header;
		Elf32_Phdr segment;
		unsigned char code[16];
	} image = { .header = { .e_ident = ELFMAG,
				.e_type = ET_EXEC,
				.e_machine = EM_386,
				.e_version = EV_CURRENT,
				.e_phoff = sizeof(Elf32_Ehdr),
				.e_ehsize = sizeof(Elf32_Ehdr),
				.e_phentsize = sizeof(Elf32_Phdr),
				.e_phnum = 1 },
		    .segment = { .p_type = PT_LOAD,
				 .p_vaddr = BASE,
				 .p_filesz = sizeof(image),
				 .p_memsz = sizeof(image),
				 .p_flags = PF_R | PF_X,
				 .p_align = 4096 } };

	image.header.e_ident[EI_CLASS] = ELFCLASS32;
	image.header.e_ident[EI_DATA] = ELFDATA2LSB;
	image.header.e_ident[EI_VERSION] = EV_CURRENT;
	image.header.e_entry = BASE + offsetof(__typeof__(image), code);
	memcpy(image.code, code, sizeof(code));
	return to_memfd(&image, sizeof(image));
}

int elf_image_64(void)
{
	/* mov $34 (pause), %eax; syscall; jmp to the start */
	static const unsigned char code[] = { 0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7 };
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segment;
		unsigned char code[16];
	} image = { .header = { .e_ident = ELFMAG,
				.e_type = ET_EXEC,
				.e_machine = EM_X86_64,
				.e_version = EV_CURRENT,
				.e_phoff = sizeof(Elf64_Ehdr),
				.e_ehsize = sizeof(Elf64_Ehdr),
				.e_phentsize = sizeof(Elf64_Phdr),
				.e_phnum = 1 },
		    .segment = { .p_type = PT_LOAD,
				 .p_vaddr = BASE,
				 .p_filesz = sizeof(image),
				 .p_memsz = sizeof(image),
				 .p_flags = PF_R | PF_X,
				 .p_align = 4096 } };

	image.header.e_ident[EI_CLASS] = ELFCLASS64;
	image.header.e_ident[EI_DATA] = ELFDATA2LSB;
	image.header.e_ident[EI_VERSION] = EV_CURRENT;
	image.header.e_entry = BASE + offsetof(__typeof__(image), code);
	memcpy(image.code, code, sizeof(code));
	return to_memfd(&image, sizeof(image));
}
