#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# memtool.h and what is built on it: it compiles alone in C and C++ and as a Clang module, the shared
# library exports what it declares and nothing else, and the walker links without libelf and libdw.

set -eu
top=${srcdir:-.}
header=$top/reader/memtool.h
library=$MEMTOOL_BUILDDIR/.libs/libmemtool
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
	echo "test_header: $*" >&2
	exit 1
}

# compiler LANGUAGE STANDARD: with all warnings.
compile()
{
	printf '#include "memtool.h"\n' >"$work/alone.$2"
	$1 -x "$2" -std="$3" -Wall -Wextra -Werror -I"$top/reader" -fsyntax-only "$work/alone.$2" ||
		fail "$1 does not take memtool.h as $3"
}

compile "$CC" c c11
compile "$CC" c c99
for compiler in g++ clang++; do
	command -v $compiler >/dev/null || continue
	for standard in c++11 c++20; do
		compile $compiler c++ $standard
	done
done
if command -v clang >/dev/null; then
	printf '@import Memtool;\nint f(struct memtool_target *t) { return memtool_pid(t); }\n' \
		>"$work/module.m"
	clang -x objective-c -fmodules -fmodules-cache-path="$work/cache" -fsyntax-only -Werror \
		-fmodule-map-file="$top/reader/module.modulemap" "$work/module.m" ||
		fail 'clang does not import the module'
else
	echo 'test_header: no clang here, so the module map was not tried'
fi

# A C++ compiler is not needed to see that the names are there: the header, the map, the library.
sed -n 's/^MEMTOOL_PUBLIC.*[ *]\(memtool_[a-z_]*\)(.*/\1/p; s/^\(memtool_[a-z_]*\)(.*/\1/p' \
	"$header" | sort >"$work/declared"
sed -n 's/^\t\(memtool_[a-z_]*\);$/\1/p' "$top/reader/libmemtool.map" | sort >"$work/mapped"
nm -D --defined-only "$library.so" | sed -n 's/.* T \(memtool_[a-z_]*\)@@LIBMEMTOOL_.*/\1/p' |
	sort >"$work/exported"
nm -D --defined-only "$library.so" | grep -v ' A \| T memtool_' && fail 'it exports more'
[ "$(wc -l <"$work/declared")" -gt 40 ] || fail 'the declarations were not recognised'
diff "$work/declared" "$work/mapped" || fail 'memtool.h and libmemtool.map differ'
diff "$work/mapped" "$work/exported" || fail 'libmemtool.map and the library differ'

# Sanitizers bring libraries of their own; and a static library may not have been asked for.
[ -e "$library.a" ] || exit 0
cat >"$work/walker.c" <<'END'
#include <memtool.h>

static size_t read_nothing(void *context, uint64_t address, void *buffer, size_t length)
{
	(void)context, (void)address, (void)buffer, (void)length;
	return 0;
}

static bool find_nothing(void *context, const char *name, uint64_t *address, uint64_t *size)
{
	(void)context, (void)name, (void)address, (void)size;
	return false;
}

int main(void)
{
	struct memtool_walk walk = {
		.size = sizeof(walk), .read = read_nothing, .find_symbol = find_nothing
	};
	struct memtool_heap *heap;
	struct memtool_error *error = memtool_walk_heap(&walk, &heap);
	int code = error ? (int)memtool_error_code(error) : -1;

	memtool_error_destroy(error);
	return code == MEMTOOL_ERROR_NO_SYMBOLS ? 0 : 1;
}
END
$CC $SANITIZE_CFLAGS -I"$top/reader" -o "$work/walker" "$work/walker.c" "$library.a" ||
	fail 'the walker alone needs more than the C library'
"$work/walker" || fail 'the walker alone does not work'
