#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# build.sh SYSROOT DIRECTORY
#
# The programs that tests/matrix looks at, into DIRECTORY, linked against the oldest glibc, whose headers,
# start files and libraries are in SYSROOT (fetch.sh's CACHE/toolchain/root): so they run under all.
# Compiler: $CC, or gcc.

set -u
unset CDPATH

(($# == 2)) || { echo 'usage: build.sh SYSROOT DIRECTORY' >&2; exit 64; }
sysroot=$1
directory=$2
source=$(cd -- "$(dirname -- "$0")/../.." && pwd) || exit

# Each library by its path: the compiler would look where the machine has its own, --sysroot or not,
# and SYSROOT's libc.so names an ld.so by an absolute link.
start=$sysroot/usr/lib/x86_64-linux-gnu
run=$sysroot/lib/x86_64-linux-gnu
compile=("${CC:-gcc}" --sysroot="$sysroot" -B "$start" -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra
	-I "$source" -nodefaultlibs -Wl,--as-needed,-rpath-link,"$run")
libraries=("$run/libpthread.so.0" "$run/libdl.so.2" "$run/libc.so.6" "$start/libc_nonshared.a" -lgcc)

mkdir -p -- "$directory" || exit
cd -- "$directory" || exit
status=0
for program in bins brk cross empty ended large_tcache mallopt many mmapped multi_heap pattern shrink; do
	"${compile[@]}" "$source/tests/fixtures/$program.c" "$source/tests/fixtures/fixture.c" \
		"${libraries[@]}" -o "$program" || status=1
done
"${compile[@]}" "$source/tests/oracle/storm.c" "$source/tests/fixtures/fixture.c" \
	"${libraries[@]}" -o storm || status=1
"${compile[@]}" -fPIC -shared -fvisibility=hidden -fno-builtin "$source/tests/oracle/recorder.c" \
	"${libraries[@]}" -o recorder.so || status=1
exit "$status"
