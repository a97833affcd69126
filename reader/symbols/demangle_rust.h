/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rust's legacy mangling: that of C++ for a nested name (_ZN, identifiers with their lengths, E)
 * whose last part is "h" and 16 hexadecimal digits, and in which $..$ stand for characters that an
 * assembler does not take.
 */
#ifndef SYMBOLS_DEMANGLE_RUST_H
#define SYMBOLS_DEMANGLE_RUST_H

/* To be freed; NULL if it is no such name. The hash is left out, as Rust's own tools do. */
char *demangle_rust_legacy(const char *name);

#endif
