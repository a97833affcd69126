/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols of the public header's targets: by name, by address, and thread-local variables.
 */
#include "api/target.h"

#include "symbols/demangle.h"
#include "symbols/symbol_at.h"
#include "symbols/symbols_by_name.h"
#include "symbols/tls_variable.h"
#include "target/stop.h"

#include <string.h>

/* The program's symbols come first, as ld.so has it; the others stay in the order of addresses. */
static struct memtool_error *find_symbols(struct memtool_target *target, const char *name,
					  size_t name_length, struct symbol_array *ret)
{
	_cleanup_free_ char *terminated = strndup(name, name_length);
	struct memtool_error *error = session_load_modules(target->session);

	if (error)
		return error;
	if (!terminated)
		return memtool_error_no_memory;
	/* A name that goes on behind a NUL is no symbol's. */
	if (strlen(terminated) != name_length || name_length == 0)
		return NULL;
	return symbols_by_name(target->session->modules, terminated, ret);
}

/* Symbols of the program, or of the others; false if callback ended it. */
static bool tell_symbols(const struct symbol_array *symbols, bool of_program,
			 memtool_symbol_fn callback, void *context)
{
	for (size_t i = 0; i < symbols->count; i++) {
		const struct symbol *from = &symbols->data[i];
		if (from->module->executable != of_program)
			continue;
		const struct memtool_symbol symbol = {
			.address = from->address,
			.size = from->size,
			.tls = from->type == SYMBOL_TLS,
			.name = from->name,
			.module = from->module->name,
		};
		if (!callback(context, &symbol))
			return false;
	}
	return true;
}

struct memtool_error *memtool_symbols(struct memtool_target *target, const char *name,
				      size_t name_length, memtool_symbol_fn callback, void *context)
{
	_cleanup_(symbols_deinit) struct symbol_array symbols = { 0 };
	struct memtool_error *error = find_symbols(target, name, name_length, &symbols);

	if (!error && tell_symbols(&symbols, true, callback, context))
		tell_symbols(&symbols, false, callback, context);
	return error;
}

static bool take_address(void *context, const struct memtool_symbol *symbol)
{
	if (symbol->tls)
		return true;
	*(uint64_t *)context = symbol->address;
	return false;
}

struct memtool_error *memtool_symbol_address(struct memtool_target *target, const char *name,
					     size_t name_length, uint64_t *ret)
{
	uint64_t address = 0;
	struct memtool_error *error =
		memtool_symbols(target, name, name_length, take_address, &address);

	if (!error)
		*ret = address;
	return error;
}

/* Keeps the name with the target: what was handed out before ends. */
static struct memtool_error *keep_name(struct memtool_target *target, const char *name,
				       bool readable)
{
	char *kept = readable ? demangle(name) : NULL;

	if (!kept)
		kept = strdup(name);
	if (!kept)
		return memtool_error_no_memory;
	free(target->symbol_name);
	target->symbol_name = kept;
	return NULL;
}

struct memtool_error *memtool_locate(struct memtool_target *target, uint64_t address,
				     bool demangle_name, struct memtool_location *ret)
{
	struct memtool_location location = { .module = NULL };
	_cleanup_symbol_ struct symbol symbol = { 0 };
	bool found = false;

	struct memtool_error *error = session_load_modules(target->session);
	if (error)
		return error;
	struct module *module = modules_find(target->session->modules, address);
	if (module) {
		location.module = module->name;
		location.module_offset = address - module->bias;
		error = symbol_at(module, address, &found, &symbol);
	}
	if (!error && found)
		error = keep_name(target, symbol.name, demangle_name);
	if (error)
		return error;
	if (found) {
		location.symbol = target->symbol_name;
		location.symbol_offset = address - symbol.address;
	}
	*ret = location;
	return NULL;
}

/* The first thread-local one among symbols, or NULL. */
static const struct symbol *first_tls(const struct symbol_array *symbols)
{
	for (size_t i = 0; i < symbols->count; i++) {
		if (symbols->data[i].type == SYMBOL_TLS)
			return &symbols->data[i];
	}
	return NULL;
}

struct memtool_error *memtool_tls_address(struct memtool_target *target, const char *name,
					  size_t name_length, int tid, uint64_t *ret)
{
	struct session *session = target->session;
	struct memory *memory = &session->process->memory;
	_cleanup_(symbols_deinit) struct symbol_array symbols = { 0 };
	struct tls_module module;
	uint64_t fs_base, block;
	bool allocated;

	struct memtool_error *error = find_symbols(target, name, name_length, &symbols);
	if (error)
		return error;
	const struct symbol *symbol = first_tls(&symbols);
	if (!symbol) {
		*ret = 0;
		return NULL;
	}
	error = session_thread_pointer(session, target->stop, tid, &fs_base);
	if (!error)
		error = tls_module_find(session->modules,
					session->libc.module ? &session->libc : NULL,
					symbol->module, memory, &module);
	if (!error)
		error = tls_block_find(&module, memory, fs_base, &allocated, &block);
	if (error)
		return error;
	*ret = allocated ? block + symbol->address : 0;
	return NULL;
}
