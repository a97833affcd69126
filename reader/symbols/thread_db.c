/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/thread_db.h"

#define OFFSET_MAX (64 << 10)

struct module *thread_db_linker(const struct modules *modules, struct module *libc)
{
	if (libc->executable)
		return libc;
	for (size_t i = 0; i < modules->count; i++) {
		if (modules->data[i]->linker)
			return modules->data[i];
	}
	return NULL;
}

static struct memtool_error *not_told(const char *name)
{
	return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
				    "this glibc does not tell debuggers of its threads: there is "
				    "no %s",
				    name);
}

struct memtool_error *thread_db_symbol(struct module *module, const char *name, uint64_t *ret)
{
	struct module_symbol symbol;

	if (!module_find_symbol(module, name, &symbol))
		return not_told(name);
	*ret = symbol.address;
	return NULL;
}

struct memtool_error *thread_db_field(struct module *module, struct memory *memory,
				      const char *name, struct thread_db_field *ret)
{
	struct thread_db_field field;
	uint64_t address;

	struct memtool_error *error = thread_db_symbol(module, name, &address);
	if (!error)
		error = memory_read(memory, address, &field, sizeof(field), name);
	if (error)
		return error;
	if (field.offset > OFFSET_MAX)
		return not_told(name);
	*ret = field;
	return NULL;
}

struct memtool_error *thread_db_word(struct module *module, struct memory *memory, const char *name,
				     uint32_t *ret)
{
	uint64_t address;
	uint32_t word;

	struct memtool_error *error = thread_db_symbol(module, name, &address);
	if (!error)
		error = memory_read(memory, address, &word, sizeof(word), name);
	if (error)
		return error;
	if (word > OFFSET_MAX)
		return not_told(name);
	*ret = word;
	return NULL;
}
