/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A symbol of a module, as it is told to those above: by name, or as what an address lies in.
 */
#ifndef SYMBOLS_SYMBOL_H
#define SYMBOLS_SYMBOL_H

#include "support/array.h"
#include "symbols/module.h"

/* No name or version is longer; what is, is cut. */
#define SYMBOL_NAME_MAX 65536

enum symbol_type {
	SYMBOL_FUNCTION,
	SYMBOL_IFUNC, /* the function that chooses the real one when it is bound */
	SYMBOL_OBJECT,
	SYMBOL_TLS,
	SYMBOL_NOTYPE, /* of assembler code, or made by the linker */
};

enum symbol_binding { SYMBOL_BOUND_LOCAL, SYMBOL_BOUND_GLOBAL, SYMBOL_BOUND_WEAK, SYMBOL_UNIQUE };

struct symbol {
	char *name; /* without version; as the file has it, not demangled */
	char *version; /* "GLIBC_2.14", or NULL */
	bool default_version; /* the one that new programs are linked with: name@@version */
	struct module *module;
	uint64_t address; /* runtime; of SYMBOL_TLS the offset in the module's TLS block */
	uint64_t size; /* 0: not known */
	enum symbol_type type;
	enum symbol_binding binding;
};

void symbol_deinit(struct symbol *symbol);

#define _cleanup_symbol_ _cleanup_(symbol_deinit)

DEFINE_ARRAY(symbol_array, struct symbol)

/* Ends the symbols in it, too. */
void symbols_deinit(struct symbol_array *symbols);

/* "function", "ifunc", "object", "tls", "notype"; "local", "global", "weak", "unique". */
const char *symbol_type_name(enum symbol_type type);
const char *symbol_binding_name(enum symbol_binding binding);

#endif
