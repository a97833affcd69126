#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Programs of another libc under memtool run: musl's ld.so loads the agent, a static program does not.
# Neither has a page, and all that the agent wraps works.

set -eu
command -v musl-gcc >/dev/null || {
	echo 'test_musl: no musl-gcc here (on Debian: musl-tools)' >&2
	exit 77
}
memtool=${MEMTOOL_COMMAND:-$MEMTOOL_BUILDDIR/memtool}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
	echo "test_musl: $*" >&2
	exit 1
}

cat >"$work/program.c" <<'END'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

static pthread_key_t key;
static tss_t tss;
static int destroyed;

static void destroy(void *value)
{
	destroyed += *(int *)value;
}

static void *start(void *argument)
{
	static int one = 1, ten = 10;

	pthread_setspecific(key, &one);
	tss_set(tss, &ten);
	return argument;
}

static int start11(void *argument)
{
	return *(int *)argument;
}

static int pages(void)
{
	char line[1024];
	int count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	while (maps && fgets(line, sizeof(line), maps))
		count += strstr(line, "memtool-inventory") != NULL;
	return count;
}

int main(int argc, char **argv)
{
	int number = 7, result = 0, status = 0;
	pthread_t thread;
	thrd_t thread11;
	void *returned = NULL;

	if (argc > 1 && !dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL))
		printf("dlopen %s\n", dlerror());
	printf("keys %d %d\n", pthread_key_create(&key, destroy), tss_create(&tss, destroy));
	printf("create %d\n", pthread_create(&thread, NULL, start, &number));
	status = pthread_join(thread, &returned);
	printf("join %d %d\n", status, returned == &number);
	printf("destroyed %d\n", destroyed);
	printf("thrd_create %d\n", thrd_create(&thread11, start11, &number));
	status = thrd_join(thread11, &result);
	printf("thrd_join %d %d\n", status, result);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(pthread_create(&thread, NULL, start, NULL) ? 1 : 9);
	waitpid(pid, &status, 0);
	printf("child %d\npages %d\n", WEXITSTATUS(status), pages());
	return 3;
}
END
cat >"$work/expected" <<'END'
keys 0 0
create 0
join 0 1
destroyed 11
thrd_create 0
thrd_join 0 7
child 9
pages 0
END

# expect COMMAND...
expect()
{
	status=0
	"$@" >"$work/out" 2>&1 || status=$?
	[ "$status" -eq 3 ] || { cat "$work/out"; fail "exit status $status: $*"; }
	diff -u "$work/expected" "$work/out" || fail "another answer: $*"
}

musl-gcc -o "$work/dynamic" "$work/program.c"
musl-gcc -static -o "$work/static" "$work/program.c"
expect "$work/dynamic"
expect "$memtool" run "$work/dynamic"
expect "$memtool" run "$work/static"
# Loaded late.
agent=$MEMTOOL_BUILDDIR/agent/.libs/libmemtool-agent.so
expect "$work/dynamic" "$agent"
