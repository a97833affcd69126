/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dynamic symbols of a module out of the target's memory, for where its file cannot be had.
 *
 * They come as an ELF file that is made in our own memory, of .dynsym, .dynstr, .gnu.version and
 * .gnu.version_d alone: what searches the tables of files (symtab.h, symbol_index.h,
 * symbol_version.h) searches these too, unchanged. A struct symtab filled in from memory would be
 * half of that only, since versions and the ends of sections are asked of the file.
 *
 * The sections that symbols name (st_shndx) are not in memory. Here each mapping of the module is
 * one, so that a symbol without a size ends with its mapping. How many symbols there are is told by
 * the hash tables alone: the number of chains in DT_HASH, else the end of the last one in
 * DT_GNU_HASH.
 *
 * All is hostile. Nothing is read outside of the module, and of tables no more than a million
 * symbols, 64 MiB of strings and 64 KiB of version definitions. What does not fit is cut off.
 */
#ifndef SYMBOLS_MEMORY_SYMBOLS_H
#define SYMBOLS_MEMORY_SYMBOLS_H

#include "support/error.h"
#include "symbols/elf_file.h"
#include "symbols/module.h"
#include "target/maps.h"
#include "target/memory.h"

/*
 * *ret_found is false, and *ret untouched, where there are no such symbols. Fails only when nothing
 * can be read any more, or out of memory.
 */
struct memtool_error *memory_symbols_make(const struct module *module, const struct maps *maps,
					  struct memory *memory, bool *ret_found,
					  struct elf_file *ret);

#endif
