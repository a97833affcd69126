#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Swift for real: a program that imports the module map walks the heap of another Swift program. Where there
# is no Swift toolchain (Debian 13 has the package swiftlang) it says so.

set -eu
top=$(cd -- "${srcdir:-.}" && pwd)
library=$PWD/.libs

skip()
{
	echo "test_swift: $*, so this was not tried" >&2
	exit 77
}

command -v swiftc >/dev/null || skip 'no swiftc here'
[[ -z ${SANITIZE_CFLAGS-} ]] || skip 'the library has sanitizers in it'
work=$(mktemp -d)
target_PID=
trap '[[ -z $target_PID ]] || kill "$target_PID"; rm -rf "$work"' EXIT

swiftc -o "$work/target" "$top/tests/swift/target.swift"
swiftc -I "$top/reader" -L "$library" -o "$work/walk" "$top/tests/swift/walk.swift"

coproc target { exec "$work/target"; }
read -r line <&"${target[0]}"
[[ $line == ready ]]
answer=$(LD_LIBRARY_PATH=$library "$work/walk" "$target_PID")
echo "$answer"
[[ $answer =~ ^live\ ([0-9]+)\ arrays\ ([0-9]+)\ audit\ true\ stopped\ true$ ]]
((BASH_REMATCH[1] > 300 && BASH_REMATCH[2] >= 300 && BASH_REMATCH[2] < 320))
