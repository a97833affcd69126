/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exit status of test programs. cmocka's function returns how many tests failed, and main()
 * returns that: 77 of them would be a skipped test to Automake, and 256 a success. This one takes
 * its place in every test program and makes any number 1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <stdlib.h>

int _cmocka_run_group_tests(const char *group_name, const struct CMUnitTest *const tests,
			    const size_t num_tests, CMFixtureFunction group_setup,
			    CMFixtureFunction group_teardown)
{
	__typeof__(&_cmocka_run_group_tests) run = dlsym(RTLD_NEXT, "_cmocka_run_group_tests");

	if (!run)
		abort();
	return run(group_name, tests, num_tests, group_setup, group_teardown) != 0;
}
