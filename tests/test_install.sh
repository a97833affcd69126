#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# make install puts everything where it belongs, below DESTDIR alone, and make uninstall takes all of it
# away again; what is installed works from there; and another name can be had for the command.

set -eu
top=$(cd "${srcdir:-.}" && pwd)
work=$(mktemp -d)
program=
trap '[[ ! $program ]] || kill "$program"; rm -rf "$work"' EXIT

fail()
{
	echo "test_install: $*" >&2
	exit 1
}

# What "make check" tells its own makes is not for these, which run in the same directory.
make_quietly()
{
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$MEMTOOL_BUILDDIR" "$@" >"$work/log" 2>&1 || {
		cat "$work/log"
		fail "make $1 failed"
	}
}

names()
{
	find "$work/root" ! -type d -printf '%P\n' | sort
}

prefix=$(sed -n 's/^prefix = //p' "$MEMTOOL_BUILDDIR/Makefile")
root=$work/root$prefix
make_quietly install DESTDIR="$work/root"
names >"$work/installed"
for name in bin/memtool lib/memtool/libmemtool-agent.so lib/libmemtool.so.1 include/memtool/memtool.h \
	include/memtool/module.modulemap lib/pkgconfig/memtool.pc share/man/man1/memtool.1 \
	share/man/man3/libmemtool.3 share/man/man5/inventory.5 share/doc/memtool/memtool.schema.json \
	share/doc/memtool/examples/largest-chunks.c share/bash-completion/completions/memtool \
	share/zsh/site-functions/_memtool share/fish/vendor_completions.d/memtool.fish \
	lib/memtool/libmemtool-dwarf.so lib/memtool/libmemtool-edit.so lib/memtool/libmemtool-table.so; do
	[[ -e $root/$name ]] || fail "$name is not installed"
done
[[ ! $(find "$root/lib/memtool" -name '*.la') ]] || fail 'what nobody links to has a .la'

# The table is by a module, which is below DESTDIR as well.
"$root/bin/memtool" maps $$ >/dev/null || fail 'the installed command does not work'
[[ ! $(ldd "$root/bin/memtool" | grep -E 'lib(dw|edit|elf|smartcols)\.') ]] ||
	fail 'the command loads libraries that it may never need'
mv "$root/lib/memtool/libmemtool-table.so" "$work/"
if "$root/bin/memtool" maps $$ >/dev/null 2>"$work/log" ||
	! grep -q '^memtool: .*/lib/memtool/libmemtool-table.so is missing' "$work/log"; then
	fail "a missing module is not told: $(<"$work/log")"
fi
"$root/bin/memtool" maps --format=csv $$ >/dev/null || fail 'CSV needs the module of tables'
mv "$work/libmemtool-table.so" "$root/lib/memtool/"

# As a user of the library builds; sanitizers may have been asked for.
if command -v pkg-config >/dev/null; then
	flags=$(PKG_CONFIG_SYSROOT_DIR=$work/root PKG_CONFIG_PATH=$root/lib/pkgconfig \
		pkg-config --cflags --libs memtool)
	# shellcheck disable=SC2086
	$CC $SANITIZE_CFLAGS -o "$work/example" "$top/examples/largest-chunks.c" $flags ||
		fail 'the example does not build with what pkg-config says'
	coproc { exec "$MEMTOOL_BUILDDIR/tests/fixtures/pattern" fastbin 3; }
	program=$COPROC_PID
	while read -r line && [[ $line != ready ]]; do :; done <&"${COPROC[0]}"
	LD_LIBRARY_PATH=$root/lib "$work/example" "$program" >"$work/chunks" ||
		fail 'the example does not work'
	[[ -s $work/chunks ]] || fail 'the example shows nothing'
fi

make_quietly uninstall DESTDIR="$work/root"
[[ ! $(names) ]] || fail "left by make uninstall: $(names)"

make_quietly install DESTDIR="$work/root" program_transform_name='s/^memtool$$/heaptool/'
for name in bin/heaptool share/man/man1/heaptool.1; do
	[[ -e $root/$name ]] || fail "$name is not installed under another name"
done
[[ ! -e $root/bin/memtool ]] || fail 'the command has its own name as well'
