/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: the ELF files mapped in the target, and their symbols.
 *
 * This room is the only one that includes libelf or libdw headers, which only DWARF takes. What a
 * module is (load bias, build-id, TLS) is read from the target's memory. Its file is
 * the target's file: opened through /proc/PID/map_files, or by its path below /proc/PID/root or our
 * own, and believed only if its build-id is the one in memory; where that has none, if its device
 * and inode are those of the mapping. Of a file that is gone or not ours to open, what it exports
 * is read from memory. A debug file is looked for by build-id (/usr/lib/debug/.build-id, ours and
 * the target's), by .gnu_debuglink, and by debuginfod where DEBUGINFOD_URLS is set, and is checked
 * the same way.
 *
 * Files are opened when first asked for. Not for two threads at once.
 *
 * Not seen: images whose ELF header is not mapped, 32-bit images, and the vDSO, which has no file.
 */
#ifndef SYMBOLS_MODULE_H
#define SYMBOLS_MODULE_H

#include "support/error.h"
#include "support/range.h"
#include "target/maps.h"
#include "target/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUILD_ID_MAX 64

struct symbol_cache;

struct module {
	const char *name; /* path as in /proc/PID/maps */
	struct range range; /* from its first mapping to its last */
	uint64_t bias; /* runtime address = bias + the file's virtual address */
	bool executable; /* the program itself */
	bool linker; /* the dynamic linker that the program was started by */
	bool interpreted; /* it has PT_INTERP */
	bool go; /* linked by Go: it has a Go runtime, whose heap is its own */
	bool deleted; /* its file was unlinked or replaced */
	uint8_t build_id[BUILD_ID_MAX];
	size_t build_id_size; /* 0: it has none */
	/* PT_TLS: file virtual address, memory size, alignment; all 0 where there is none. */
	uint64_t tls_vaddr, tls_size, tls_align;
	/* PT_DYNAMIC, as runtime addresses; empty in a static executable that is not PIE. */
	struct range dynamic;
	struct module_files *files; /* what is open of it; the room's own */
	struct symbol_cache *symbols; /* by address, once asked for (symbols/symbol_at.h) */
};

struct modules {
	struct module **data; /* by address */
	size_t count;
	struct process *process; /* borrowed */
	const struct maps *maps; /* borrowed */
};

/* process and maps must outlive the result. */
struct memtool_error *modules_load(struct process *process, const struct maps *maps,
				   struct modules **ret);

void modules_destroy(struct modules *modules);

/* The module whose range contains address, or NULL. */
struct module *modules_find(const struct modules *modules, uint64_t address);

struct module_symbol {
	uint64_t address; /* runtime; of a TLS symbol the offset in the module's TLS block */
	uint64_t size;
	bool tls;
};

/*
 * A defined symbol by exact name: from .symtab of the file, else its .dynsym, which may be that in
 * memory, else .symtab of the debug file, which is not even looked for until then. Global symbols
 * win over local ones of that name; versions are ignored, the default one wins. False if there is
 * none, or no symbol table.
 */
bool module_find_symbol(struct module *module, const char *name, struct module_symbol *ret);

/*
 * Why the module's file cannot be had: "deleted", "Permission denied" and the like; NULL: it can.
 * Lives as long as the module.
 */
const char *module_file_missing(struct module *module);

/* Where a module's symbols are, by its own file and an installed debug file. */
struct module_tables {
	const char *file_missing; /* as module_file_missing() has it */
	bool symtab; /* the file has a .symtab */
	bool dynsym; /* if its file is missing: in memory */
	char *debug_path; /* of a debug file with a .symtab, as we see it, or NULL; to be freed */
};

/* Looks for the debug file only where the file has no .symtab, and never at debuginfod. */
struct memtool_error *module_find_tables(struct module *module, struct module_tables *ret);

/*
 * l_tls_offset: where the module's TLS block lies in every thread, as fs_base - offset. Known for
 * the executable, and for modules of the initial set (their blocks are static) that use their own
 * TLS through the GOT; else MEMTOOL_ERROR_UNSUPPORTED.
 */
struct memtool_error *module_tls_offset(struct module *module, struct memory *memory,
					uint64_t *ret);

#endif
