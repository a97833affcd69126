/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/demangle.h"

#include "symbols/demangle_rust.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define RESULT_MAX 65536

/* The binary logarithm of how long a C++ name may become: beyond 64 MiB it would take seconds. */
#define CXX_GROWTH_MAX 26

/* From a library that stays loaded; NULL if it or the symbol is not there. */
static void *load(const char *library, const char *symbol)
{
	void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);

	return handle ? dlsym(handle, symbol) : NULL;
}

static bool is_sequence(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

/* Whether "S_", "S1A_", "T_", "T0_": a part that occurred before, or a template's argument. */
static bool is_reference(const char *p)
{
	if (*p != 'S' && *p != 'T')
		return false;
	for (p++; is_sequence(*p); p++)
		;
	return *p == '_';
}

/*
 * An upper bound of the logarithm of the text's length. Each reference stands for what was there
 * before; with n of them the text is largest if each level is made of three of the one below it,
 * which makes 3^(n/3). An expansion of a pack (Dp, sp) repeats something for each of its arguments.
 */
static bool grows_too_much(const char *name, size_t length)
{
	unsigned int references = 0, packs = 0, log_length = 0;

	for (const char *p = name; *p; p++) {
		references += is_reference(p);
		packs += (p[0] == 'D' || p[0] == 's') && p[1] == 'p';
	}
	while (length >> log_length)
		log_length++;
	/* log2(3) / 3 is 0.53. */
	return log_length + references * 53 / 100 + packs * log_length > CXX_GROWTH_MAX;
}

static char *demangle_cxx(const char *name, size_t length)
{
	static char *(*function)(const char *, char *, size_t *, int *);
	static bool tried;
	int status;

	if (!tried) {
		tried = true;
		*(void **)&function = load("libstdc++.so.6", "__cxa_demangle");
	}
	if (!function || grows_too_much(name, length))
		return NULL;
	return function(name, NULL, NULL, &status);
}

/* A demangler that writes into a buffer of ours cannot write much. */
static char *keep(char *buffer, bool good)
{
	char *text = good ? realloc(buffer, strlen(buffer) + 1) : NULL;

	if (!text)
		free(buffer);
	return text;
}

static char *demangle_rust_v0(const char *name)
{
	static int (*function)(const char *, char *, size_t);
	static bool tried;
	char *buffer;

	if (!tried) {
		tried = true;
		*(void **)&function = load("librustc_demangle.so", "rustc_demangle");
	}
	if (!function || !(buffer = calloc(1, RESULT_MAX)))
		return NULL;
	return keep(buffer, function(name, buffer, RESULT_MAX) == 1);
}

static char *demangle_swift(const char *name)
{
	static size_t (*function)(const char *, char *, size_t);
	static bool tried;
	char *buffer;

	if (!tried) {
		tried = true;
		*(void **)&function =
			load("libswiftDemangle.so", "swift_demangle_getDemangledName");
	}
	if (!function || !(buffer = calloc(1, RESULT_MAX)))
		return NULL;
	/* It returns how long the text is, which may be more than there was room for. */
	size_t length = function(name, buffer, RESULT_MAX - 1);
	return keep(buffer, length > 0 && length < RESULT_MAX - 1);
}

static bool starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

char *demangle(const char *name)
{
	static const char *const swift[] = { "$s", "_$s", "$S", "_$S", "_T0" };
	size_t length = strnlen(name, DEMANGLE_MAX + 1);
	char *text = NULL;

	if (length > DEMANGLE_MAX)
		return NULL;
	if (starts_with(name, "_Z")) {
		text = demangle_rust_legacy(name);
		return text ? text : demangle_cxx(name, length);
	}
	if (starts_with(name, "_R"))
		return demangle_rust_v0(name);
	for (size_t i = 0; !text && i < sizeof(swift) / sizeof(swift[0]); i++) {
		if (starts_with(name, swift[i]))
			text = demangle_swift(name);
	}
	return text;
}
