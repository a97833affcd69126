/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmemtool-agent.so: preloaded into a program, it publishes where that program's malloc keeps its
 * books (common/inventory.h), and does nothing else. No function of it allocates, waits, prints or
 * keeps a file open; what fails, fails silently.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

/*
 * Publishes the page, if that was not done before. Runs as the constructor, or when a constructor
 * of another library that runs earlier creates a thread. errno stays as it is.
 */
void agent_start(void);

#endif
