/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/tls_variable.h"

#include "symbols/link_map.h"
#include "symbols/thread_db.h"

#include <string.h>

#define SLOT_LISTS_MAX 4096 /* each but the first has 62 slots or more; also ends a ring */
#define STATIC_MAX     (UINT64_C(1) << 32)

/* l_tls_offset where the block is not static (NO_TLS_OFFSET, FORCED_DYNAMIC_TLS_OFFSET). */
#define NO_TLS_OFFSET     0
#define FORCED_TLS_OFFSET UINT64_MAX
/* The pointer in a dtv entry that has no block (TLS_DTV_UNALLOCATED). */
#define UNALLOCATED UINT64_MAX

/* Where libthread_db's variables are. */
static struct module *thread_db_module(const struct modules *modules, const struct libc *libc)
{
	for (size_t i = 0; i < modules->count && libc->traits.version < 234; i++) {
		const char *slash = strrchr(modules->data[i]->name, '/');
		if (slash && strncmp(slash + 1, "libpthread", 10) == 0)
			return modules->data[i];
	}
	return libc->module;
}

/* A word of a struct of ld.so's, by the name of its field. */
static struct memtool_error *read_field(struct module *module, struct memory *memory,
					uint64_t address, const char *name, uint64_t *ret)
{
	struct thread_db_field field;
	struct memtool_error *error = thread_db_field(module, memory, name, &field);

	return error ? error : memory_read_u64(memory, address + field.offset, name, ret);
}

/* The head of the lists of slots, one slot for each module number. */
static struct memtool_error *find_slots(const struct modules *modules, const struct libc *libc,
					struct module *module, struct memory *memory, uint64_t *ret)
{
	struct module *linker = thread_db_linker(modules, libc->module);
	uint64_t address = 0;

	if (!linker)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "no ld.so is among the modules");
	/* In a static executable the members of _rtld_global are variables of their own. */
	if (linker == libc->module) {
		struct memtool_error *error =
			thread_db_symbol(linker, "_dl_tls_dtv_slotinfo_list", &address);
		return error ? error : memory_read_u64(memory, address, "slotinfo list", ret);
	}
	struct memtool_error *error = thread_db_symbol(linker, "_rtld_global", &address);
	return error ? error
		     : read_field(module, memory, address,
				  "_thread_db_rtld_global__dl_tls_dtv_slotinfo_list", ret);
}

/* Goes on along the lists to the slot of that number. */
static struct memtool_error *find_slot(struct module *module, struct memory *memory, uint64_t list,
				       uint64_t id, uint64_t *ret)
{
	struct thread_db_field slots;
	uint32_t slot_size;
	uint64_t length = 0;

	struct memtool_error *error =
		thread_db_field(module, memory, "_thread_db_dtv_slotinfo_list_slotinfo", &slots);
	if (!error)
		error = thread_db_word(module, memory, "_thread_db_sizeof_dtv_slotinfo",
				       &slot_size);
	for (size_t i = 0; !error && list && i < SLOT_LISTS_MAX; i++) {
		error = read_field(module, memory, list, "_thread_db_dtv_slotinfo_list_len",
				   &length);
		if (error)
			break;
		if (id < length) {
			*ret = list + slots.offset + id * slot_size;
			return NULL;
		}
		id -= length;
		error = read_field(module, memory, list, "_thread_db_dtv_slotinfo_list_next",
				   &list);
	}
	return error ? error
		     : memtool_error_create(MEMTOOL_ERROR_CORRUPT,
					    "ld.so has no slot for a module's TLS");
}

static struct memtool_error *read_generation(const struct modules *modules, const struct libc *libc,
					     struct module *thread_db, struct memory *memory,
					     uint64_t id, uint64_t *ret)
{
	uint64_t list, slot;
	struct memtool_error *error = find_slots(modules, libc, thread_db, memory, &list);

	if (!error)
		error = find_slot(thread_db, memory, list, id, &slot);
	if (!error)
		error = read_field(thread_db, memory, slot, "_thread_db_dtv_slotinfo_gen", ret);
	return error;
}

static struct memtool_error *read_dtv_layout(struct module *thread_db, struct memory *memory,
					     struct tls_module *ret)
{
	struct thread_db_field field, entry, pointer, counter;
	struct memtool_error *error =
		thread_db_field(thread_db, memory, "_thread_db_pthread_dtvp", &field);

	if (!error)
		error = thread_db_field(thread_db, memory, "_thread_db_dtv_dtv", &entry);
	if (!error)
		error = thread_db_field(thread_db, memory, "_thread_db_dtv_t_pointer_val",
					&pointer);
	if (!error)
		error = thread_db_field(thread_db, memory, "_thread_db_dtv_t_counter", &counter);
	if (error)
		return error;
	ret->dtv_field = field.offset;
	ret->dtv_size = entry.bits / 8;
	ret->dtv_pointer = pointer.offset;
	ret->dtv_counter = counter.offset;
	return NULL;
}

static struct memtool_error *not_known(const struct module *module)
{
	return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
				    "where %s has its thread-local storage cannot be told",
				    module->name);
}

/* By what ld.so has noted of the module. */
static struct memtool_error *find_by_link_map(const struct modules *modules,
					      const struct libc *libc, struct module *module,
					      struct memory *memory, struct tls_module *ret)
{
	struct module *thread_db = thread_db_module(modules, libc);
	uint64_t map;
	struct memtool_error *error = link_map_of(modules, memory, module, &map);

	if (!error && !map)
		error = not_known(module);
	if (!error)
		error = read_field(thread_db, memory, map, "_thread_db_link_map_l_tls_modid",
				   &ret->id);
	if (!error)
		error = read_field(thread_db, memory, map, "_thread_db_link_map_l_tls_offset",
				   &ret->offset);
	if (error)
		return error;
	if (ret->id == 0 || ret->id > UINT32_MAX)
		return not_known(module);
	ret->is_static = ret->offset != NO_TLS_OFFSET && ret->offset != FORCED_TLS_OFFSET;
	if (ret->is_static)
		return ret->offset < STATIC_MAX ? NULL : not_known(module);
	error = read_dtv_layout(thread_db, memory, ret);
	if (!error)
		error = read_generation(modules, libc, thread_db, memory, ret->id,
					&ret->generation);
	return error;
}

struct memtool_error *tls_module_find(const struct modules *modules, const struct libc *libc,
				      struct module *module, struct memory *memory,
				      struct tls_module *ret)
{
	struct tls_module found = { .is_static = true };
	struct memtool_error *error = module_tls_offset(module, memory, &found.offset);

	if (libc && module->tls_size && memtool_error_catch(&error, MEMTOOL_ERROR_UNSUPPORTED))
		error = find_by_link_map(modules, libc, module, memory, &found);
	if (error)
		return error;
	*ret = found;
	return NULL;
}

struct memtool_error *tls_block_find(const struct tls_module *module, struct memory *memory,
				     uint64_t fs_base, bool *ret_allocated, uint64_t *ret)
{
	uint64_t dtv, generation, length, block = 0;

	if (module->is_static) {
		*ret_allocated = true;
		*ret = fs_base - module->offset;
		return NULL;
	}
	struct memtool_error *error =
		memory_read_u64(memory, fs_base + module->dtv_field, "dtv of a thread", &dtv);
	/* dtv[-1] has the number of entries, dtv[0] the generation. */
	if (!error)
		error = memory_read_u64(memory, dtv - module->dtv_size + module->dtv_counter,
					"length of a dtv", &length);
	if (!error)
		error = memory_read_u64(memory, dtv + module->dtv_counter, "generation of a dtv",
					&generation);
	if (error)
		return error;
	bool known = generation >= module->generation && module->id <= length;
	if (known)
		error = memory_read_u64(memory,
					dtv + module->id * module->dtv_size + module->dtv_pointer,
					"an entry of a dtv", &block);
	if (error)
		return error;
	*ret_allocated = known && block != UNALLOCATED && block != 0;
	if (*ret_allocated)
		*ret = block;
	return NULL;
}
