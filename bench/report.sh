#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# report.sh BENCH_DIR MEMTOOL AGENT FILE: runs all benchmarks that have a bar, and writes their table, with
# what the machine is, to FILE and to standard output. What it says of the machine names nobody. Beside FILE go
# growth.dat and, drawn of it, growth.png: both only where there is gnuplot, so that they belong together.

set -e
dir=$1 memtool=$2 agent=$3 file=$4
source=$(dirname "$0") kept=$(dirname "$4")

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

# Measures first, and draws only what is whole.
growth()
{
	"$dir/growth" "$memtool" "$dir/heap" >"$kept/growth.dat.new"
	gnuplot -c "$source/growth.gp" "$kept/growth.dat.new" >"$kept/growth.png.new"
	mv "$kept/growth.dat.new" "$kept/growth.dat"
	mv "$kept/growth.png.new" "$kept/growth.png"
}

growth_section()
{
	echo
	echo '## How cost grows'
	echo
	if ! command -v gnuplot >/dev/null; then
		echo 'Not measured: there is no gnuplot.'
		return
	fi
	growth
	echo 'Medians of 5 runs of `memtool info` for each size and each way to read, on log scales'
	echo '(`growth.dat` has the numbers). What all sizes cost alike, memtool'"'s start, shows on the left."
	echo
	echo '![How long the target stands still, how long memtool takes and how much memory, for heaps of'
	echo '10 thousand to 10 million chunks, by stopping, --snapshot and --no-stop](growth.png)'
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
	"$dir/read" "$memtool" "$dir/heap" 10000000 24 351 1.25 5 8
	"$dir/read" "$memtool" "$dir/heap" 100000 8192 73728 0.6 5
	"$dir/snapshot" "$memtool"
	"$dir/interrupt" "$memtool" "$dir/heap"
	for mode in own one shared; do
		"$dir/running" "$memtool" "$dir/churn" 10000000 $mode
	done
	"$dir/running" "$memtool" "$dir/churn" 10000000 own "$agent"
	"$dir/start" "$memtool" "$dir/heap" "$agent"
	"$dir/attach" "$dir/heap" "$agent"
	"$dir/peers" "$memtool" "$dir/heap"
	growth_section
}

report | tee "$file.new"
mv "$file.new" "$file"
