/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes for people: lines of 16, in hexadecimal and as ASCII.
 */
#ifndef CLI_HEX_DUMP_H
#define CLI_HEX_DUMP_H

#include "cli/output.h"

/* bytes are what is at address. */
void hex_dump(struct output *output, uint64_t address, const uint8_t *bytes, size_t length);

/* "|abc..|" */
void hex_dump_ascii(struct output *output, const uint8_t *bytes, size_t length);

#endif
