#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [-s SEED] SECONDS [TARGET...]
#
# Fuzzes for so long in all, from the kept corpus, in a build directory that was configured with
# --enable-fuzzers and in which "make fuzzers" was run. Every target is run, also after a finding of
# another; the status is 0 if none of them has one. What it ran into is in tests/fuzz/findings/, what
# it came upon in tests/fuzz/new/TARGET.
#
# With a seed, and nothing kept from an earlier run, the inputs are the same each time, as far as they
# get: the corpus is given as a list, since a directory has its files in any order.
#
# An input may take 10 seconds and memtool 1 GiB, which is for what the sanitizers take; the bounds
# that depend on the input are the targets' own (fuzz_heap.c).

set -u
unset CDPATH

# Shares of the time.
declare -A shares=([heap]=6 [image]=2 [inventory]=1 [maps]=1 [names]=1 [symbol_index]=1 [symbols]=2)
source=$(cd -- "$(dirname -- "$0")" && pwd)
seed=0
if [[ $1 == -s ]]; then
	seed=$2
	shift 2
fi
seconds=$1
shift
targets=("$@")
((${#targets[@]})) || targets=("${!shares[@]}")

total=0
for target in "${targets[@]}"; do
	total=$((total + shares[$target]))
done
status=0
mkdir -p tests/fuzz/findings
for target in "${targets[@]}"; do
	printf '\n--- fuzz_%s\n' "$target"
	mkdir -p "tests/fuzz/new/$target"
	list=tests/fuzz/new/$target.list
	printf '%s,' "$source/corpus/$target"/* | sed 's/,$//' >"$list"
	tests/fuzz/fuzz_"$target" -max_total_time=$((seconds * shares[$target] / total)) \
		-seed="$seed" -timeout=10 -rss_limit_mb=1024 -max_len=32768 -print_final_stats=1 \
		-artifact_prefix="tests/fuzz/findings/$target-" \
		-seed_inputs=@"$list" "tests/fuzz/new/$target" 2>&1 |
		grep -v -e '	NEW  ' -e '	REDUCE '
	((PIPESTATUS[0] == 0)) || status=1
done
exit "$status"
