#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# report.sh BENCH_DIR MEMTOOL AGENT FILE: runs all benchmarks that have a bar, and writes their table, with
# what the machine is, to FILE and to standard output. What it says of the machine names nobody.

set -e
dir=$1 memtool=$2 agent=$3 file=$4

machine()
{
	echo "- processors: $(nproc), $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)"
	echo "- memory: $(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GiB"
	echo "- kernel: $(uname -sr); huge pages: $(cat /sys/kernel/mm/transparent_hugepage/enabled)"
	echo "- glibc: $(getconf GNU_LIBC_VERSION)"
	echo "- load: $(cut -d ' ' -f 1 /proc/loadavg) when it began, from other work"
	# All that is measured inherits it, memtool and what it is compared with.
	echo "- nice: $(nice)"
}

report()
{
	echo '# Benchmarks'
	echo
	echo 'Written by `make bench`; medians of at least 5 runs, taken in turns with what they are'
	echo 'compared with. `copy` is one thread that merely reads the same pages in 2 MiB pieces.'
	echo
	machine
	echo
	echo '| what | measured | bar | met |'
	echo '|---|---|---|---|'
	"$dir/read" "$memtool" "$dir/heap" 1000000 24 351 1.25 9
	"$dir/read" "$memtool" "$dir/heap" 10000000 24 351 1.25 5
	"$dir/read" "$memtool" "$dir/heap" 100000 8192 73728 0.6 5
	"$dir/snapshot" "$memtool"
	"$dir/start" "$memtool" "$dir/heap" "$agent"
	"$dir/attach" "$dir/heap" "$agent"
	"$dir/peers" "$memtool" "$dir/heap"
}

report | tee "$file.new"
mv "$file.new" "$file"
