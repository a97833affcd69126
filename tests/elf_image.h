/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Smallest possible programs, written byte by byte, for tests of what memtool says of a process
 * that has no glibc: no compiler needed for a 32-bit one. Each waits for a signal for ever.
 */
#ifndef TESTS_ELF_IMAGE_H
#define TESTS_ELF_IMAGE_H

/* A memfd with a static executable of one segment, to be executed with fexecve(3). */
int elf_image_32(void);
int elf_image_64(void);

#endif
