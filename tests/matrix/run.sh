#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [BUILD-DIRECTORY [SUITE...]]
#
# memtool under the glibc of each Debian release: by each source of addresses, with each layout, with
# the libc's debug file and without. BUILD-DIRECTORY (default: .) is where `make check TESTS=` has built
# test_matrix and the agent; it gets a log for each release and the table, below tests/matrix/.
#
# SUITEs are run instead of these if they are named, and nothing is fetched then: each has to be in the
# cache, as fetch.sh or compile.sh puts it there.
#
# The glibcs are kept in a cache: $MEMTOOL_GLIBC_CACHE, or memtool/glibc in the user's. What cannot be
# fetched and is not there yet is skipped, and said to be. The last lines count as Automake does;
# exit status: 0 unless a test failed.

set -u
unset CDPATH

source=$(cd -- "$(dirname -- "$0")/../.." && pwd) || exit
build=$(cd -- "${1-.}" && pwd) || exit
cache=${MEMTOOL_GLIBC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/memtool/glibc}
debian=(bullseye bookworm trixie testing experimental)
suites=("${@:2}")
results=$build/tests/matrix
jobs=2

test=$results/test_matrix
agent=$build/agent/.libs/libmemtool-agent.so
for file in "$test" "$agent"; do
	[[ -e $file ]] || { echo "matrix: $file is not built: make check TESTS=" >&2; exit 1; }
done
rm -f -- "$results"/*.{log,counts,why} "$results/matrix.md"

mkdir -p -- "$cache" || exit
if ((${#suites[@]} == 0)); then
	suites=("${debian[@]}")
	"$source/tests/matrix/fetch.sh" "$cache" "${suites[@]}" || echo 'matrix: going on with what is there'
fi

# In the cache, so that hard links into it can be made.
work=$(mktemp -d "$cache/work.XXXXXX") || exit
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Who is not root may call chroot(2) in a user namespace.
as_root=()
why_not=
if (($(id -u) != 0)); then
	as_root=(unshare --user --map-root-user)
	"${as_root[@]}" true 2>/dev/null || why_not='only root may call chroot here'
fi
if [[ ! -e $cache/toolchain/version ]]; then
	why_not='there are no headers to build its programs with'
elif ! "$source/tests/matrix/build.sh" "$cache/toolchain/root" "$work/programs"; then
	echo 'matrix: the programs do not build' >&2
	exit 1
fi

# Where a libc in a chroot looks for what huge pages there are: 2 MiB, whatever this machine has.
make_huge_pages()
{
	local root=$1

	mkdir -p -- "$root"/{proc,sys/kernel/mm/transparent_hugepage} &&
		echo 'Hugepagesize:       2048 kB' >"$root/proc/meminfo" &&
		echo 2097152 >"$root/sys/kernel/mm/transparent_hugepage/hpage_pmd_size" &&
		echo 'always [madvise] never' >"$root/sys/kernel/mm/transparent_hugepage/enabled"
}

# The root directories of a suite: with the programs, and with or without its debug files.
make_roots()
{
	local suite=$1 kind

	mkdir "$work/$suite" || return
	for kind in debug stripped; do
		cp -al -- "$cache/$suite/root" "$work/$suite/$kind" &&
			mkdir "$work/$suite/$kind/matrix" &&
			cp -l -- "$work"/programs/* "$work/$suite/$kind/matrix/" &&
			cp -- "$agent" "$work/$suite/$kind/matrix/agent.so" &&
			make_huge_pages "$work/$suite/$kind" || return
	done
	rm -rf -- "$work/$suite/stripped/usr/lib/debug"
}

run_suite()
{
	local suite=$1 version

	if [[ $why_not || ! -e $cache/$suite/version ]]; then
		echo "${why_not:-it is not there}" >"$results/$suite.why"
		return
	fi
	version=$(<"$cache/$suite/version")
	make_roots "$suite" || return
	echo "matrix: $suite, glibc $version"
	"${as_root[@]}" "$test" "$suite" "${version%%-*}" "$work/$suite" "$results/$suite.counts" \
		>"$results/$suite.log" 2>&1
}

for suite in "${suites[@]}"; do
	(($(jobs -pr | wc -l) < jobs)) || wait -n
	run_suite "$suite" &
done
wait

# What went wrong, without what did not.
for suite in "${suites[@]}"; do
	[[ ! -e $results/$suite.log ]] || grep -vE '^\[ +(RUN|OK) +\]|^  [0-9]+ (allocations: 0 missing, 0 too|orphans)' \
		"$results/$suite.log"
done

# One line for each column of a suite: SUITE PLACE SOURCE LAYOUT PASSED FAILED SKIPPED.
rows()
{
	local suite

	for suite in "${suites[@]}"; do
		if [[ -e $results/$suite.why ]]; then
			echo "$suite - - - 0 0 1"
		elif [[ -e $results/$suite.counts ]]; then
			sed "s/^/$suite /" "$results/$suite.counts"
		else
			echo "$suite - - - 0 1 0"
		fi
	done
}

# The row of a suite in one place; a cell says how many tests passed, failed and were skipped.
table_row()
{
	local suite=$1 place=$2 name=${3-} source layout cell

	printf '| %s | %s |' "$name" "${place//_/ }"
	for source in symbols structure inventory; do
		for layout in table dwarf; do
			cell=$(rows | awk -v key="$suite $place $source $layout" \
				'$1 " " $2 " " $3 " " $4 == key { print $5 "/" $6 "/" $7 }')
			if [[ ! $cell && $place != with_debug_file && $source-$layout != *-table ||
				! $cell && $place != with_debug_file && $source == symbols ]]; then
				cell=n.a.
			fi
			printf ' %s |' "${cell:--}"
		done
	done
	echo
}

table()
{
	local suite version place

	echo '| glibc | libc | symbols, table | symbols, dwarf | structure, table | structure, dwarf | inventory, table | inventory, dwarf |'
	echo '|---|---|---|---|---|---|---|---|'
	for suite in "${suites[@]}"; do
		if [[ -e $results/$suite.why ]]; then
			echo "| $suite | skipped: $(<"$results/$suite.why") |||||||"
		elif [[ ! -e $results/$suite.counts ]]; then
			echo "| $suite | FAILED before its end |||||||"
		else
			version=$(<"$cache/$suite/version")
			table_row "$suite" with_debug_file "$version ($suite)"
			table_row "$suite" stripped
			table_row "$suite" by_ld.so
		fi
	done
}

{
	cat <<'END'
# memtool under many glibcs

Made by `tests/matrix/run.sh`, which fetches the libc6 of each Debian release and its debug files, and
runs programs under it while memtool, outside, reads them. Rows named glibc-2.N are no distribution's,
but built from the source that the glibc project tagged as that release (`tests/matrix/compile.sh`),
release-2.N from the branch with its fixes. A column is a source of the addresses and a source of the
layout (`--source`, `--layout`); a cell says how many tests passed, failed and were skipped.

"With debug file" and "stripped" are programs in a chroot with that glibc: the fixtures, chunk by chunk
with mallinfo, and storms of 1 and 8 threads against the recorded set of live allocations, with tunables
as well. "By ld.so", stripped too, are storms and python3, perl and sqlite3 that its ld.so runs outside
of a chroot. n.a.: cannot be had, since without a debug file there are no symbols and no DWARF. -: not
run, since nothing else would be read than in another cell.

END
	table
} >"$results/matrix.md"
echo
cat "$results/matrix.md"

rows | awk '
	{ passed += $5; failed += $6; skipped += $7 }
	END {
		printf "\n# PASS: %d\n# FAIL: %d\n# SKIP: %d\n", passed, failed, skipped
		exit failed != 0
	}'
