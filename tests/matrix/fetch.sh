#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fetch.sh CACHE SUITE...
#
# The glibc of other Debian releases, for tests/test_matrix: CACHE/SUITE/root has the unpacked libc6
# and libc6-dbg, and CACHE/SUITE/version says which. One that is there already and still current is
# kept; one that cannot be fetched is kept as well, if it is there. CACHE/toolchain/root is the oldest
# glibc's headers and start files, to build programs that run under all of them.
#
# Uses the mirror and the keys that apt is configured with, but lists and a cache of its own: the
# machine's are neither needed nor touched. Exit status: 0 if all SUITEs are there, else 1.

set -u
unset CDPATH
umask 022

die()
{
	printf 'fetch: %s\n' "$*" >&2
	exit 1
}

(($# >= 2)) || die 'usage: fetch.sh CACHE SUITE...'
mkdir -p -- "$1" || exit
cache=$(cd -- "$1" && pwd) || exit
shift
suites=("$@")

# Two that run at once would unpack into each other.
exec 9>"$cache/lock" || exit
flock 9 || exit

# The mirror that this machine's own release comes from.
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null |
	awk -v release="$(. /etc/os-release && echo "${VERSION_CODENAME-}")" '$2 == release { print $1; exit }')
[[ $mirror ]] || die 'apt has no mirror of Debian configured, or no lists yet'
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

private=$(mktemp -d) || exit
trap 'rm -rf -- "$private"' EXIT
mkdir -p "$private"/{lists/partial,archives/partial,debs} || exit
: >"$private/status"
for suite in "${suites[@]}"; do
	printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite"
done >"$private/sources.list"

options=(
	-q
	-o Dir::Etc::SourceList="$private/sources.list"
	-o Dir::Etc::SourceParts=-
	-o Dir::State::Lists="$private/lists"
	-o Dir::State::status="$private/status"
	-o Dir::Cache="$private"
	-o Dir::Cache::archives="$private/archives"
	-o APT::Architecture=amd64
	-o APT::Architectures=amd64
	-o APT::Sandbox::User=root
	-o Acquire::Languages=none
	-o Acquire::Retries=2
)

# available SUITE PACKAGE: its version there, or nothing.
available()
{
	apt-cache "${options[@]}" madison "$2" 2>/dev/null |
		awk -F ' *[|] *' -v suite="$1/main" '{ split($3, at, " ") }
			at[2] == suite { sub(/^ +/, "", $2); print $2; exit }'
}

# unpack DIRECTORY SUITE PACKAGE...: as the DIRECTORY's root, whole or not at all.
unpack()
{
	local directory=$1 suite=$2 deb
	shift 2

	rm -rf -- "$private/debs" "$private/root" || return
	mkdir "$private/debs" "$private/root" || return
	(cd "$private/debs" && apt-get "${options[@]}" download "${@/%//$suite}") || return
	for deb in "$private"/debs/*.deb; do
		dpkg-deb -x "$deb" "$private/root" || return
	done
	# What package base-files would bring, where /usr is merged.
	[[ -e $private/root/lib64 ]] || ln -s usr/lib64 "$private/root/lib64" || return
	[[ -e $private/root/lib ]] || ln -s usr/lib "$private/root/lib" || return
	rm -rf -- "$directory" || return
	mkdir -p -- "$directory" && mv -- "$private/root" "$directory/root"
}

apt-get "${options[@]}" update >&2 || echo 'fetch: not all lists could be had' >&2

# have DIRECTORY SUITE PACKAGE...: the current version of the first package, and the others.
have()
{
	local directory=$1 suite=$2 version
	shift 2

	version=$(available "$suite" "$1")
	if [[ -z $version ]]; then
		[[ -e $directory/version ]] && echo "fetch: $suite: keeping what was there" >&2
		return
	fi
	[[ -e $directory/version && $(<"$directory/version") == "$version" ]] && return
	unpack "$directory" "$suite" "$@" && printf '%s\n' "$version" >"$directory/version"
}

status=0
for suite in "${suites[@]}"; do
	have "$cache/$suite" "$suite" libc6 libc6-dbg || {
		echo "fetch: $suite could not be had" >&2
		status=1
	}
done
have "$cache/toolchain" "${suites[0]}" libc6-dev libc6 linux-libc-dev libcrypt-dev libcrypt1 || {
	echo 'fetch: no headers to build with' >&2
	status=1
}
exit "$status"
