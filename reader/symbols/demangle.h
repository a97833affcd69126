/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mangled names for people: C++ (Itanium ABI), Rust (legacy and v0), Swift.
 *
 * The demanglers are those of the languages' own runtimes, loaded when the first name of their kind
 * comes: __cxa_demangle() of libstdc++.so.6, rustc_demangle() of librustc_demangle.so, and
 * libswiftDemangle.so. None is needed to build or run memtool; without one such names stay as they
 * are. Legacy Rust names are undone here.
 *
 * Names are hostile. One is left alone that is longer than DEMANGLE_MAX, or that could grow beyond
 * bounds: C++ names refer back to parts of themselves, and so can describe a text of any length.
 * Not for two threads at once.
 */
#ifndef SYMBOLS_DEMANGLE_H
#define SYMBOLS_DEMANGLE_H

#define DEMANGLE_MAX 4096

/* To be freed; NULL if name is not mangled or cannot be undone. */
char *demangle(const char *name);

#endif
