#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# compile.sh CACHE SUITE SOURCE BUILD [CONFIGURE-OPTION...]
#
# A glibc that no Debian release has, for tests/test_matrix: from SOURCE, a source tree of glibc's, into
# CACHE/SUITE/root, stripped and with debug files where fetch.sh's have them. Only what the tests' programs
# need is built: no static library, no program. BUILD keeps the objects; run again, it goes on there.
# Compiler: $CC, or gcc. Needs bison, gawk, python3.

set -u
unset CDPATH
umask 022

die()
{
	printf 'compile: %s\n' "$*" >&2
	exit 1
}

(($# >= 4)) || die 'usage: compile.sh CACHE SUITE SOURCE BUILD [CONFIGURE-OPTION...]'
cache=$1 suite=$2
source=$(cd -- "$3" && pwd) || exit
mkdir -p -- "$cache/$suite" "$4" || exit
cache=$(cd -- "$cache" && pwd) || exit
cd -- "$4" || exit
shift 4

if [[ ! -e config.make ]]; then
	CC=${CC:-gcc} CFLAGS=${CFLAGS--O2 -g} "$source/configure" --prefix=/usr --disable-werror --disable-crypt \
		--disable-nscd --disable-build-nscd --without-selinux "$@" || die 'configure failed'
fi
# The objects of the shared libraries alone; first libc, which the others are linked against.
for goals in lib 'dlfcn/others login/others math/others nptl/others rt/others'; do
	# shellcheck disable=SC2086 # words
	make -r -j"$(nproc)" object-suffixes=.os $goals || die "make $goals failed"
done
version=$(sed -n 's/^#define VERSION "\(2\.[0-9]*\).*/\1/p' "$source/version.h")

root=$cache/$suite/root
rm -rf -- "$root" "$cache/$suite/version" || exit
mkdir -p -- "$root"/{etc,lib/x86_64-linux-gnu,usr/lib/debug/.build-id} || exit
# Where an ld.so built with these options looks, and where Debian's programs look for it.
ln -s lib/x86_64-linux-gnu "$root/lib64" || exit

for file in libc.so elf/ld.so {dlfcn,login,math,nptl,rt}/lib*.so; do
	[[ -e $file ]] || continue
	soname=$(LC_ALL=C readelf -d "$file" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
	id=$(LC_ALL=C readelf -n "$file" | sed -n 's/.*Build ID: //p')
	[[ $soname && $id ]] || die "$file has no soname, or no build-id"
	debug=$root/usr/lib/debug/.build-id/${id:0:2}
	# Up to 2.33 libthread_db needs libpthread's symbols, so distributions leave it those.
	symbols=--strip-unneeded
	[[ $soname != libpthread* ]] || symbols=--strip-debug
	mkdir -p -- "$debug" &&
		objcopy --only-keep-debug --compress-debug-sections "$file" "$debug/${id:2}.debug" &&
		strip "$symbols" -o "$root/lib/x86_64-linux-gnu/$soname" "$file" || exit
done
printf '%s\n' "$version" >"$cache/$suite/version"
