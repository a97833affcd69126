/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types that memtool peek knows: those of glibc's malloc by its layout, the TCB by the ABI,
 * ld.so's by <link.h>, and any other by debug information.
 */
#include "cli/peek.h"

#include "glibc/malloc_structs.h"
#include "symbols/struct_by_name.h"
#include "symbols/thread_db.h"

#include <link.h>
#include <stddef.h>
#include <string.h>

struct peek_type {
	const char *name;
	struct memtool_error *(*describe)(struct inspection *inspection,
					  struct peek_settings *settings);
};

static struct memtool_error *describe_malloc(struct inspection *inspection,
					     enum malloc_struct which, struct struct_type *ret)
{
	const struct glibc_layout *layout = &inspection->session->layout;

	if (inspection->heap)
		layout = &inspection->heap->layout;
	else if (!inspection->session->located)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "the layout of the malloc of process %d is not known: "
					    "%s",
					    (int)inspection->process->pid,
					    inspection->missing->message);
	return malloc_struct_describe(layout, which, ret);
}

static struct memtool_error *describe_state(struct inspection *inspection,
					    struct peek_settings *settings)
{
	return describe_malloc(inspection, MALLOC_STRUCT_STATE, &settings->structure);
}

static struct memtool_error *describe_chunk(struct inspection *inspection,
					    struct peek_settings *settings)
{
	return describe_malloc(inspection, MALLOC_STRUCT_CHUNK, &settings->structure);
}

static struct memtool_error *describe_heap_info(struct inspection *inspection,
						struct peek_settings *settings)
{
	return describe_malloc(inspection, MALLOC_STRUCT_HEAP_INFO, &settings->structure);
}

static struct memtool_error *describe_par(struct inspection *inspection,
					  struct peek_settings *settings)
{
	return describe_malloc(inspection, MALLOC_STRUCT_PAR, &settings->structure);
}

static struct memtool_error *describe_tcache(struct inspection *inspection,
					     struct peek_settings *settings)
{
	return describe_malloc(inspection, MALLOC_STRUCT_TCACHE, &settings->structure);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct memtool_error *add_fields(const struct struct_field *fields, size_t count,
					uint64_t size, struct struct_type *type)
{
	for (size_t i = 0; i < count; i++) {
		if (!struct_type_add(type, &fields[i]))
			return memtool_error_no_memory;
	}
	type->size = size;
	return NULL;
}

#define FIELD(name_, type_, kind_, offset_, size_)                                       \
	{                                                                                \
		.name = (char *)(name_), .type = (char *)(type_), .kind = FIELD_##kind_, \
		.offset = (offset_), .size = (size_)                                     \
	}

/* In struct pthread, of which libc tells debuggers where it is; not told of, it is left out. */
static struct memtool_error *add_tid(const struct inspection *inspection, struct struct_type *type)
{
	struct struct_field field = FIELD("tid", "pid_t", SIGNED, 0, 4);
	struct thread_db_field tid;

	if (!inspection->libc)
		return NULL;
	struct memtool_error *error =
		thread_db_field(inspection->libc->module, &inspection->process->memory,
				"_thread_db_pthread_tid", &tid);
	if (error) {
		memtool_error_destroy(error);
		return NULL;
	}
	field.offset = tid.offset;
	if (!struct_type_add(type, &field))
		return memtool_error_no_memory;
	if (type->size < field.offset + field.size)
		type->size = field.offset + field.size;
	return NULL;
}

/*
 * tcbhead_t of sysdeps/x86_64/nptl/tls.h. Compilers build in what is at 40, and up to 2.43 setjmp()
 * what is at 48; the rest has been the same from 2.26 on.
 */
static struct memtool_error *describe_tcb(struct inspection *inspection,
					  struct peek_settings *settings)
{
	static const struct struct_field fields[] = {
		FIELD("tcb", "void *", POINTER, 0, 8),
		FIELD("dtv", "dtv_t *", POINTER, 8, 8),
		FIELD("self", "void *", POINTER, 16, 8),
		FIELD("multiple_threads", "int", SIGNED, 24, 4),
		FIELD("gscope_flag", "int", SIGNED, 28, 4),
		FIELD("sysinfo", "uintptr_t", HEX, 32, 8),
		FIELD("stack_guard", "uintptr_t", HEX, 40, 8),
		FIELD("pointer_guard", "uintptr_t", HEX, 48, 8),
		FIELD("feature_1", "unsigned int", HEX, 72, 4),
		FIELD("ssp_base", "unsigned long long", HEX, 120, 8),
	};
	struct memtool_error *error = add_fields(fields, COUNT(fields), 128, &settings->structure);

	return error ? error : add_tid(inspection, &settings->structure);
}

static struct memtool_error *describe_link_map(struct inspection *inspection
					       __attribute__((__unused__)),
					       struct peek_settings *settings)
{
	static const struct struct_field fields[] = {
		FIELD("l_addr", "Elf64_Addr", HEX, offsetof(struct link_map, l_addr), 8),
		FIELD("l_name", "char *", POINTER, offsetof(struct link_map, l_name), 8),
		FIELD("l_ld", "Elf64_Dyn *", POINTER, offsetof(struct link_map, l_ld), 8),
		FIELD("l_next", "struct link_map *", POINTER, offsetof(struct link_map, l_next), 8),
		FIELD("l_prev", "struct link_map *", POINTER, offsetof(struct link_map, l_prev), 8),
	};

	return add_fields(fields, COUNT(fields), sizeof(struct link_map), &settings->structure);
}

static struct memtool_error *describe_r_debug(struct inspection *inspection
					      __attribute__((__unused__)),
					      struct peek_settings *settings)
{
	static const struct struct_field fields[] = {
		FIELD("r_version", "int", SIGNED, offsetof(struct r_debug, r_version), 4),
		FIELD("r_map", "struct link_map *", POINTER, offsetof(struct r_debug, r_map), 8),
		FIELD("r_brk", "Elf64_Addr", POINTER, offsetof(struct r_debug, r_brk), 8),
		FIELD("r_state", "int", SIGNED, offsetof(struct r_debug, r_state), 4),
		FIELD("r_ldbase", "Elf64_Addr", POINTER, offsetof(struct r_debug, r_ldbase), 8),
	};

	return add_fields(fields, COUNT(fields), sizeof(struct r_debug), &settings->structure);
}

static struct memtool_error *describe_named(struct inspection *inspection,
					    struct peek_settings *settings)
{
	return struct_by_name(inspection->modules, settings->name, &settings->module,
			      &settings->structure);
}

static const struct peek_type types[] = {
	{ "malloc_state", describe_state },  { "malloc_chunk", describe_chunk },
	{ "heap_info", describe_heap_info }, { "malloc_par", describe_par },
	{ "tcache", describe_tcache },       { "tcbhead", describe_tcb },
	{ "link_map", describe_link_map },   { "r_debug", describe_r_debug },
	{ "struct", describe_named },
};

bool peek_struct_operand(const char *argument, struct peek_settings *settings)
{
	if (settings->type) {
		if (settings->type->describe != describe_named || settings->name)
			return false;
		settings->name = argument;
		return true;
	}
	for (size_t i = 0; i < COUNT(types) && !settings->type; i++) {
		if (strcmp(types[i].name, argument) == 0)
			settings->type = &types[i];
	}
	return settings->type != NULL;
}

bool peek_type_is_tcb(const struct peek_type *type)
{
	return type->describe == describe_tcb;
}

void peek_struct_check(const struct argp_state *state, const struct peek_settings *settings)
{
	bool tcb = peek_type_is_tcb(settings->type);

	if (settings->words)
		argp_error(state, "--words does not go with a struct");
	else if (settings->type->describe == describe_named && !settings->name)
		argp_error(state, "the struct's name is missing");
	else if (!settings->has_place && !tcb)
		argp_error(state, "an address is missing");
	else if (settings->tid && (!tcb || settings->has_place))
		argp_error(state, "--thread goes with tcbhead and no address");
}

const char *peek_type_name(const struct peek_settings *settings)
{
	return settings->name ? settings->name : settings->type->name;
}

struct memtool_error *peek_type_describe(struct inspection *inspection,
					 struct peek_settings *settings)
{
	return settings->type->describe(inspection, settings);
}
