#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# seeds.sh SEEDS [CACHE]
#
# Makes inputs to begin with in SEEDS/heap and SEEDS/image: from the heap builder for each row of the
# layout table, and, with a CACHE that matrix/fetch.sh filled, from real heaps of each glibc there and
# from its libc.so.6. Run it in a build directory after "make seeds", as root: it uses chroot.

set -eu
unset CDPATH

seeds=$1
cache=${2-}
source=$(dirname -- "$0")
mkdir -p -- "$seeds/heap" "$seeds/image"
tests/fuzz/make_heap_seed builder "$seeds/heap"
[[ $cache ]] || exit 0

# Built against the oldest glibc, it runs under each. gcc prefers its own start files to a sysroot's;
# and absolute links in one, as those of the loader and libpthread, lead out of it.
program=$seeds/seed_heap
old=$seeds/sysroot
rm -rf -- "$old"
cp -al -- "$cache/toolchain/root" "$old"
ln -sfn ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$old/lib64/"
gcc --sysroot="$old" -B "$old/usr/lib/x86_64-linux-gnu/" -L "$old/usr/lib/x86_64-linux-gnu" \
	-o "$program" "$source/seed_heap.c" "$old/lib/x86_64-linux-gnu/libpthread.so.0"

# In a root of its own the program has its own libc's symbols, too.
for suite in "$cache"/*/; do
	suite=$(basename -- "$suite")
	[[ $suite != toolchain && -e $cache/$suite/root ]] || continue
	root=$seeds/root
	rm -rf -- "$root"
	cp -al -- "$cache/$suite/root" "$root"
	cp -- "$program" "$root/seed_heap"
	timeout 300 tests/fuzz/make_image_seed "$root/lib/x86_64-linux-gnu/libc.so.6" \
		"$seeds/image/$suite"
	for kind in lists threads split morecore; do
		coproc target { exec chroot "$root" /seed_heap "$kind"; }
		pid=$target_PID
		read -r -t 10 -u "${target[0]}" _
		timeout 60 tests/fuzz/make_heap_seed process "$pid" "$seeds/heap/$suite-$kind"
		eval "exec ${target[1]}>&-"
		wait "$pid"
	done
done
rm -rf -- "$root" "$old" "$program"
