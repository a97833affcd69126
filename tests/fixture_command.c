/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fixture_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* clang-format off */
const char *const fixture_commands[] = {
	"empty",
	"empty 0x5000",
	"pattern no-frees 0",
	"pattern tcache 0",
	"pattern fastbin 0",
	"pattern bins 0",
	"pattern binned-small 0",
	"pattern no-frees 3",
	"pattern tcache 3",
	"pattern fastbin 3",
	"pattern bins 3",
	"pattern binned-small 3",
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=0 pattern fastbin 2",
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=0 pattern binned-small 2",
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=100 pattern fastbin 2",
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=100 pattern binned-small 2",
	"GLIBC_TUNABLES=glibc.malloc.arena_max=1 many 20",
	"large_tcache",
	"GLIBC_TUNABLES=glibc.malloc.tcache_max=1000000 large_tcache",
	"GLIBC_TUNABLES=glibc.malloc.tcache_max=1000000 large_tcache thread",
	"bins",
	"bins thread",
	"mmapped",
	"mmapped thread",
	"multi_heap",
	"multi_heap 20",
	"multi_heap 30",
	"multi_heap 40",
	"multi_heap 50",
	"ended 1",
	"ended 3",
	"cross",
	"shrink clear",
	"shrink clear thread",
	"shrink realloc 0x98 0x88",
	"shrink realloc 0x108 0x78",
	"shrink realloc 0x8000 0x6000",
	"shrink realloc 0x9000 0x8ff8",
	"shrink realloc 0x8000 0x6000 thread",
	"shrink grow 0x700",
	"shrink grow 0xde8",
	"shrink grow 0x700 thread",
	"shrink align 32 24",
	"shrink align 64 0x300",
	"shrink align 64 0x300 thread",
	"shrink align 128 0x98",
	"shrink align 256 0x500",
	"shrink align 4096 0x3000",
	"shrink align 4096 0x3000 thread",
	"shrink align 65536 1",
	"mallopt arena-max 1 5",
	"mallopt arena-max 2 5",
	"mallopt arena-max 3 8",
	"mallopt mxfast 0",
	"mallopt mxfast 160",
	"many 500",
	"brk before 0x1000",
	"brk before 0x1238",
	"brk between 0x1000",
	"brk between 0x1238",
	"brk between 0x300000",
	"brk blocked",
	"brk both 0x1238",
	"brk both 0x300000",
};
/* clang-format on */

const size_t fixture_command_count = sizeof(fixture_commands) / sizeof(fixture_commands[0]);

void fixture_command_parse(const char *command, struct fixture_command *ret)
{
	char *rest = NULL;
	size_t count = 0;

	*ret = (struct fixture_command){ 0 };
	assert_true(strlen(command) < sizeof(ret->words));
	strcpy(ret->words, command);
	for (char *word = strtok_r(ret->words, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		assert_true(count < FIXTURE_WORDS_MAX - 1);
		if (count == 0 && strchr(word, '='))
			ret->variable = word;
		else
			ret->argv[count++] = word;
	}
}
