/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/libc_structure.h"

#include "common/glibc_scan.h"
#include "support/range.h"
#include "symbols/arena_check.h"
#include "symbols/libc_image.h"

/* The target runs: what was just being changed is looked at again. */
#define ATTEMPTS 4

/* What is recognised, at its addresses in the target. */
struct found {
	struct glibc_scan_arena arena;
	struct glibc_scan_par par;
	bool has_arena, has_par;
};

static bool is_complete(const struct found *found)
{
	return found->has_arena && found->has_par;
}

static struct memtool_error *check(struct memory *memory, struct found *found,
				   struct arena_facts *ret)
{
	struct memtool_error *error = NULL;

	*ret = (struct arena_facts){ 0 };
	if (found->has_arena)
		error = arena_check(memory, &found->arena, &found->has_arena, ret);
	if (!error && found->has_par)
		error = arena_check_mp(memory, &found->par, ret, &found->has_par);
	return error;
}

/*
 * In the file both are as they were initialised, and without a like. *ret_seen: main_arena is in
 * it, whatever became of it in memory; else it is nowhere.
 */
static struct memtool_error *recognise_file(const struct libc_image *file, struct memory *memory,
					    bool *ret_seen, struct found *ret)
{
	const struct image *image = &file->image;
	struct arena_facts facts;
	struct found seen = { 0 };

	seen.has_arena = glibc_scan_main_arena(image, &seen.arena);
	seen.has_par = glibc_scan_mp(image, &seen.par);
	seen.arena.address += file->bias;
	seen.par.address += file->bias;
	*ret_seen = seen.has_arena;
	for (int attempt = 0; is_complete(&seen) && attempt < ATTEMPTS && !is_complete(ret);
	     attempt++) {
		*ret = seen;
		struct memtool_error *error = check(memory, ret, &facts);
		if (error)
			return error;
	}
	return NULL;
}

/* In memory main_arena shows as long as nothing was allocated, and by its bins from then on. */
static struct memtool_error *recognise_memory(const struct image *image, struct memory *memory,
					      struct found *ret)
{
	struct arena_facts facts;
	struct found found = { 0 };

	found.has_arena = glibc_scan_main_arena(image, &found.arena) ||
			  glibc_scan_used_arena(image, &found.arena);
	struct memtool_error *error = check(memory, &found, &facts);
	if (error)
		return error;
	found.has_par = glibc_scan_mp(image, &found.par) ||
			(found.has_arena &&
			 glibc_scan_used_mp(image, &found.arena, facts.sbrk_base, &found.par));
	if (found.has_par)
		error = arena_check_mp(memory, &found.par, &facts, &found.has_par);
	if (!error)
		*ret = found;
	return error;
}

static struct memtool_error *not_recognised(const struct module *module, const struct found *found,
					    bool file)
{
	const char *what = found->has_arena ? "mp_" : "main_arena";

	return memtool_error_create(
		MEMTOOL_ERROR_UNSUPPORTED,
		"%s could not be recognised in %s%s: its malloc may be newer than this memtool, or "
		"another than glibc's",
		what, module->name,
		file ? "" : ", whose file is gone or may not be read (try as root)");
}

/*
 * From the file, else from memory. *ret_image is the image it was found in; *ret is incomplete
 * where neither shows both, and then there may be no image.
 */
static struct memtool_error *recognise(struct module *module, struct memory *memory, bool *ret_file,
				       struct found *ret, struct libc_image *ret_image)
{
	bool may_be_there = true;

	struct memtool_error *error = libc_image_of_file(module, ret_file, ret_image);
	if (!error && *ret_file)
		error = recognise_file(ret_image, memory, &may_be_there, ret);
	for (int attempt = 0; !error && may_be_there && attempt < ATTEMPTS && !is_complete(ret);
	     attempt++) {
		libc_image_deinit(ret_image);
		error = libc_image_of_memory(module, memory, &may_be_there, ret_image);
		if (!error && may_be_there)
			error = recognise_memory(&ret_image->image, memory, ret);
	}
	return error;
}

struct memtool_error *libc_has_structure(struct module *module, struct memory *memory, bool *ret)
{
	_cleanup_libc_image_ struct libc_image image = { 0 };
	struct found found = { 0 };
	bool file;

	struct memtool_error *error = recognise(module, memory, &file, &found, &image);
	if (!error)
		*ret = is_complete(&found);
	return error;
}

/* The offset from fs_base that ld.so has put into a word of the GOT. */
static struct memtool_error *read_slot(const struct libc_image *image, struct memory *memory,
				       const struct glibc_tls_slot *slot, struct root *ret)
{
	int64_t offset;

	struct memtool_error *error =
		memory_read(memory, image->bias + slot->got, &offset, sizeof(offset), "GOT");
	if (memtool_error_catch(&error, MEMTOOL_ERROR_FAULT) || error)
		return error;
	/* Static TLS lies below the thread pointer (x86-64: TLS variant II). */
	if (offset < 0 && offset >= INT32_MIN && offset % 8 == 0)
		*ret = (struct root){ (uint64_t)offset, ROOT_STRUCTURE };
	return NULL;
}

/*
 * `tcache`, by the code of a shared libc or by its initial value; it stays unknown where both leave
 * a doubt. The rest of the TLS is for whoever knows the threads to look through.
 */
static struct memtool_error *find_tls(struct module *module, const struct libc_image *image,
				      struct memory *memory, bool dummy, struct malloc_roots *roots)
{
	struct glibc_tls_slot slots[GLIBC_TLS_SLOTS];
	size_t count = glibc_scan_tls(&image->image, slots), index;
	uint64_t below, offset;

	struct memtool_error *error = module_tls_offset(module, memory, &below);
	if (error && error->code != MEMTOOL_ERROR_NO_MEMORY &&
	    error->code != MEMTOOL_ERROR_NO_PROCESS) {
		memtool_error_destroy(error);
		return NULL;
	}
	if (error)
		return error;
	roots->tls = (struct tls_block){ -below, module->tls_size };
	if (glibc_scan_tcache(&image->image, slots, count, &index))
		return read_slot(image, memory, &slots[index], &roots->tcache);
	if (dummy && glibc_scan_tcache_dummy(&image->image, &offset))
		roots->tcache = (struct root){ offset - below, ROOT_STRUCTURE };
	return NULL;
}

struct memtool_error *libc_find_structure(struct libc *libc, struct memory *memory,
					  struct malloc_roots *ret)
{
	_cleanup_libc_image_ struct libc_image image = { 0 };
	struct malloc_roots roots = *ret;
	struct found found = { 0 };
	bool file;

	struct memtool_error *error = recognise(libc->module, memory, &file, &found, &image);
	if (!error && !is_complete(&found))
		error = not_recognised(libc->module, &found, file);
	if (!error)
		error = find_tls(libc->module, &image, memory,
				 found.arena.next == GLIBC_NEXT_WITH_DUMMY, &roots);
	if (error)
		return error;
	roots.main_arena = (struct root){ found.arena.address, ROOT_STRUCTURE };
	roots.mp = (struct root){ found.par.address, ROOT_STRUCTURE };
	libc->traits.malloc_state_next = found.arena.next;
	libc->traits.malloc_par_n_mmaps_max = found.par.n_mmaps_max;
	*ret = roots;
	return NULL;
}
