/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/objects.h"

#include <link.h>
#include <string.h>

static const char *const names[FUNCTIONS] = {
	[FUNCTION_MALLOC] = "malloc",
	[FUNCTION_PTHREAD_CREATE] = "pthread_create",
	[FUNCTION_THRD_CREATE] = "thrd_create",
	[FUNCTION_KEY_CREATE] = "pthread_key_create",
	[FUNCTION_TSS_CREATE] = "tss_create",
	[FUNCTION_KEY_DELETE] = "pthread_key_delete",
	[FUNCTION_SETSPECIFIC] = "pthread_setspecific",
	[FUNCTION_GETSPECIFIC] = "pthread_getspecific",
};

struct search {
	struct objects *objects;
	bool behind_agent;
	uint64_t before_agent[FUNCTIONS]; /* definitions that are not behind it */
	bool begun;
	bool of_program; /* the first object is the program, whose name is empty */
};

static bool is_agent(const struct image *image)
{
	return image_segment(image, (uintptr_t)names, 1) != NULL;
}

/* Whether a definition counts only behind the agent, as for dlsym(RTLD_NEXT). */
static bool is_wrapped(enum object_function function)
{
	return function == FUNCTION_PTHREAD_CREATE || function == FUNCTION_THRD_CREATE ||
	       function == FUNCTION_KEY_CREATE || function == FUNCTION_TSS_CREATE;
}

static void take_functions(struct search *search, const struct image *image)
{
	struct image_symbol symbol;

	for (enum object_function i = 0; i < FUNCTIONS; i++) {
		uint64_t *address = is_wrapped(i) && !search->behind_agent
					    ? &search->before_agent[i]
					    : &search->objects->functions[i];
		if (!*address && image_find_function(image, names[i], &symbol))
			*address = symbol.address;
	}
}

static bool is_complete(const struct search *search)
{
	const struct objects *objects = search->objects;

	for (enum object_function i = 0; i < FUNCTIONS; i++) {
		if (!objects->functions[i])
			return false;
	}
	return search->behind_agent && objects->libc.segment_count;
}

/* Called for each object, in the order in which they were loaded: that of symbol search. */
static int visit(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct search *search = argument;
	struct objects *objects = search->objects;
	struct image image;

	(void)size;
	if (!search->begun)
		search->of_program = info->dlpi_name[0] == '\0';
	search->begun = true;
	if (!image_of_loaded(info->dlpi_phdr, info->dlpi_phnum, info->dlpi_addr, &image))
		return 0;
	if (is_agent(&image)) {
		search->behind_agent = true;
		objects->interposes = objects->libc.segment_count == 0;
		return 0;
	}
	take_functions(search, &image);
	if (objects->libc.segment_count == 0 && image_soname_is(&image, "libc.so.6")) {
		objects->libc = image;
		objects->libc_path = info->dlpi_name;
	}
	return is_complete(search);
}

bool objects_find(struct objects *ret)
{
	struct search search = { .objects = ret };

	memset(ret, 0, sizeof(*ret));
	dl_iterate_phdr(visit, &search);
	/* Loaded late, behind libc: nobody calls our wrappers but through a handle of our own. */
	for (enum object_function i = 0; i < FUNCTIONS; i++) {
		if (!ret->functions[i])
			ret->functions[i] = search.before_agent[i];
	}
	return search.of_program && ret->libc.segment_count != 0;
}

uint64_t objects_libc_function(const struct objects *objects, const char *name)
{
	struct image_symbol symbol;

	return image_find_function(&objects->libc, name, &symbol) ? symbol.address : 0;
}
