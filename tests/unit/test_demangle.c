/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mangled names: the right text for good ones, and nothing, soon, for hostile ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbols/demangle.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(const char *name, const char *expected)
{
	char *text = demangle(name);

	if (!expected)
		assert_null(text);
	else if (!text)
		fail_msg("%s was not undone", name);
	else
		assert_string_equal(text, expected);
	free(text);
}

static void test_plain_names(void **state)
{
	(void)state;
	check("", NULL);
	check("main", NULL);
	check("_", NULL);
	check("_Z", NULL);
	check("_ZN", NULL);
	check("$", NULL);
	check("_R", NULL);
	check("$s", NULL);
}

static void test_rust_legacy(void **state)
{
	(void)state;
	check("_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE",
	      "core::fmt::Formatter::write_str");
	check("_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt17h"
	      "00112233445566aaE",
	      "<alloc::string::String as core::fmt::Display>::fmt");
	check("_ZN3foo10$C$$RF$mut17h0123456789abcdefE.llvm.123", "foo::,&mut");
	/* Not Rust's: no hash, a hash that is none, lengths that lie. */
	check("_ZN3foo17h0123456789abcdegE",
	      dlopen("libstdc++.so.6", RTLD_LAZY) ? "foo::h0123456789abcdeg" : NULL);
	check("_ZN99999999999999999999999foo17h0123456789abcdefE", NULL);
	check("_ZN3foo99h0123456789abcdefE", NULL);
	check("_ZN17h0123456789abcdefE",
	      dlopen("libstdc++.so.6", RTLD_LAZY) ? "h0123456789abcdef" : NULL);
}

static void test_cxx(void **state)
{
	(void)state;
	if (!dlopen("libstdc++.so.6", RTLD_LAZY))
		skip();
	check("_ZNSt6vectorIiSaIiEE9push_backEOi",
	      "std::vector<int, std::allocator<int> >::push_back(int&&)");
	check("_ZTV3Foo", "vtable for Foo");
	check("_Znwm", "operator new(unsigned long)");
	check("_ZN3foo3barEv", "foo::bar()");
}

/* Each argument is a pair of the one before it: 2^levels names in a few bytes a level. */
static void make_bomb(char *name, unsigned int levels)
{
	char *p = name + sprintf(name, "_Z1fSt4pairIiiE");

	for (unsigned int i = 0; i < levels; i++) {
		char reference[16] = "S0_";
		/* What a level adds to the parts that can be referred to: itself alone. */
		if (i >= 35)
			sprintf(reference, "S1%c_", 'A' + (int)(i - 35) % 26);
		else if (i > 0)
			sprintf(reference, "S%c_", i < 9 ? '1' + (int)i : 'A' + (int)i - 9);
		p += sprintf(p, "S_I%s%sE", reference, reference);
	}
}

static void test_hostile(void **state)
{
	static char name[1 << 20];

	(void)state;
	for (unsigned int levels = 1; levels < 60; levels++) {
		make_bomb(name, levels);
		char *text = demangle(name);
		assert_true(!text || strlen(text) <= (size_t)64 << 20);
		free(text);
	}
	/* Deep, and long. */
	memcpy(name, "_Z1f", 4);
	memset(name + 4, 'P', DEMANGLE_MAX - 5);
	strcpy(name + DEMANGLE_MAX - 1, "i");
	free(demangle(name));
	memset(name + 4, 'P', sizeof(name) - 5);
	check(name, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_names),
		cmocka_unit_test(test_rust_legacy),
		cmocka_unit_test(test_cxx),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("demangle", tests, NULL, NULL);
}
