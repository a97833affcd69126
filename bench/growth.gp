# SPDX-License-Identifier: Apache-2.0
#
# gnuplot -c growth.gp DATA >PNG: how the cost of memtool info grows, as bench/growth has measured it.

set terminal pngcairo size 1350,480 font "sans,11" linewidth 1.5
set multiplot layout 1,3 title "memtool info on heaps of 10 thousand to 10 million chunks (about 190 bytes each)"
data = ARG1

set logscale xy
set xrange [8e3:1.3e7]
set format x "10^{%L}"
set xlabel "chunks"
set grid xtics ytics linecolor "#cccccc"
set key top left reverse Left

set style line 1 linecolor "#1b6ca8" pointtype 7
set style line 2 linecolor "#d1495b" pointtype 5
set style line 3 linecolor "#3a9a5b" pointtype 9
set style line 4 linecolor "#777777" dashtype 2

set title "the target stands still"
set ylabel "ms"
set yrange [0.1:10000]
plot data using 1:4 with linespoints linestyle 1 title "stop", \
     data using 1:7 with linespoints linestyle 2 title "--snapshot", \
     NaN with linespoints linestyle 3 title "--no-stop: not at all", \
     data using 1:3 with lines linestyle 4 title "copy of the same pages"

set title "from exec to exit"
plot data using 1:5 with linespoints linestyle 1 title "stop", \
     data using 1:8 with linespoints linestyle 2 title "--snapshot", \
     data using 1:11 with linespoints linestyle 3 title "--no-stop", \
     data using 1:3 with lines linestyle 4 title "copy of the same pages"

set title "memtool's memory at its peak"
set ylabel "MiB"
set yrange [1:2000]
plot data using 1:6 with linespoints linestyle 1 title "stop", \
     data using 1:9 with linespoints linestyle 2 title "--snapshot", \
     data using 1:12 with linespoints linestyle 3 title "--no-stop", \
     data using 1:(64 + $1 * 16 / 1048576) with lines linestyle 4 title "bar: 64 MiB + 16 B a chunk"
unset multiplot
