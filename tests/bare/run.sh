#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Does what README.md says, from its top to its end, on a Debian 12 that has nothing but its base: every
# command of its blocks, in order. Those with a prompt, "$ ", have an answer below them there; here they
# ask the program of ./bootstrap demo, and the first line of the answer has to look like README's, but
# for numbers. Left out are the tests, which take longer than the rest together.
#
# Usage: tests/bare/run.sh [TREE]
#
# TREE (default: the one that this is in) is copied; it should be clean. The chroot is made by mmdebstrap
# with the package sources of this machine, and removed. Exit status 77 where that cannot be: not root,
# no mmdebstrap, no sources.

set -eu
unset CDPATH
tree=$(cd -- "${1:-$(dirname -- "$0")/../..}" && pwd)
work=$(mktemp -d)
root=$work/root
program=

skip()
{
	echo "bare: $*, so this was not tried" >&2
	exit 77
}

fail()
{
	echo "bare: $*" >&2
	exit 1
}

# The trap may come at any point; what is mounted is never removed.
clean_up()
{
	[[ ! $program ]] || kill "$program" || :
	if mountpoint -q "$root/proc"; then
		umount "$root/proc" || umount -l "$root/proc" || return
	fi
	rm -rf --one-file-system "$work"
}
trap clean_up EXIT

inside()
{
	chroot "$root" /usr/bin/env -i PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		/bin/bash -e -c "cd /memtool && $1" </dev/null
}

(($(id -u) == 0)) || skip 'only root can make a chroot'
command -v mmdebstrap >/dev/null || skip 'there is no mmdebstrap (Debian has a package of the name)'
# As this machine has them: none for other releases.
sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null) || :
[[ $sources == *bookworm* ]] || skip 'no package sources of Debian 12 here'

make_root()
{
	local options=() file

	for file in /etc/apt/apt.conf.d/*; do
		grep -qi proxy "$file" && options+=(--aptopt="$file")
	done
	mmdebstrap --quiet --variant=apt "${options[@]}" bookworm "$root" - <<<"$sources"
	mount -t proc proc "$root/proc"
	# A name service for apt, and our own proxies if there are any.
	cp /etc/resolv.conf /etc/hosts "$root/etc/"
	mkdir "$root/memtool"
	tar -C "$tree" --exclude=./.git --exclude=./build-ci -c . | tar -x -C "$root/memtool" --no-same-owner
}

# Numbers, bytes, and the widths they give to columns differ from run to run.
shape()
{
	sed -E 's/\|[^|]*\|/|/g; s/0x[0-9a-f]+/N/g; s/\b[0-9a-f]{16}\b/N/g; s/[0-9][0-9,.]*/N/g; s/ +/ /g; s/ $//'
}

# ask COMMAND EXPECTED: of the program of README, whose pid stands in its commands.
ask()
{
	local command=${1//$readme_pid/$program} answer

	echo "\$ $command"
	answer=$(inside "$command") || fail "README's command fails: $command"
	answer=$(head -n 1 <<<"$answer")
	[[ $(shape <<<"$answer") == "$(shape <<<"$2")" ]] || fail "README says
$2
but the answer is
$answer"
}

# converse COMMAND INDEX: a shell, and what is typed at its prompt in the lines from INDEX on, but for
# addresses of README's process.
converse()
{
	local command=${1//$readme_pid/$program} line typed=()

	for line in "${lines[@]:$2}"; do
		[[ $line == 'memtool> '* && $line != *0x* ]] && typed+=("${line#'memtool> '}")
	done
	echo "\$ $command"
	inside "printf '%s\\n' $(printf '%q ' "${typed[@]}")| $command" >"$work/log" 2>&1 || {
		cat "$work/log"
		fail "README's command fails: $command"
	}
}

start_program()
{
	coproc demo { exec chroot "$root" /memtool/tests/fixtures/demo; }
	program=$demo_PID
	read -r _ <&"${demo[0]}" || fail 'the example program did not start'
}

# A line of a block without answers.
follow()
{
	local command=$1

	case $command in
	'./bootstrap check'*)
		return
		;;
	apt-get*)
		command=${command/install/-q -y --no-install-recommends install}
		;;
	esac
	echo "# $command"
	inside "$command" >"$work/log" 2>&1 || {
		tail -n 30 "$work/log"
		fail "README's command fails: $command"
	}
}

make_root
readme_pid=$(sed -n 's/^\$ .* \([0-9][0-9]*\)\( .*\)\?$/\1/p' "$tree/README.md" | head -n 1)
[[ $readme_pid ]] || fail "README has no command with a pid"

# First of all what builds; the tour at the top is of what is built below it.
mapfile -t lines < <(awk '/^```/ { inside = !inside && $0 == "```"; next } inside' "$tree/README.md")
for line in "${lines[@]}"; do
	[[ $line =~ ^(\./|apt-get|autoreconf|make|ldconfig) ]] && follow "$line"
done
start_program
asked=0
for ((i = 0; i < ${#lines[@]}; i++)); do
	if [[ ${lines[i]} == '$ '*' shell '* ]]; then
		converse "${lines[i]#'$ '}" "$i"
	elif [[ ${lines[i]} == '$ '* ]]; then
		ask "${lines[i]#'$ '}" "${lines[i + 1]}"
		((asked += 1))
	elif [[ ${lines[i]} == 'cc '* ]]; then
		follow "${lines[i]}"
		inside "./largest-chunks $program" >/dev/null || fail 'the example of the library does not work'
	fi
done
((asked > 5)) || fail 'the tour of README was not recognised'
inside "memtool heap $program" >/dev/null || fail 'what was installed does not work'
inside 'make uninstall' >/dev/null 2>&1 || fail 'make uninstall fails'
inside 'find /usr/local ! -type d' | grep memtool && fail 'make uninstall leaves something'
echo "bare: README holds on a bare Debian 12: $asked commands of its tour, and what builds and installs"
