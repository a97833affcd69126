/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that a process keeps from its children: madvise(2)'s MADV_DONTFORK, by which programs that
 * do RDMA keep their buffers where they are, and MADV_WIPEONFORK. In a copy of the process it is
 * missing or empty.
 */
#ifndef TARGET_KEPT_H
#define TARGET_KEPT_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether there is anonymous memory of that kind. The kernel looks at every page for that (smaps,
 * proc_pid_smaps(5)), while the process runs: only where something is wrong already. False where
 * it does not tell.
 */
bool has_kept_memory(pid_t pid);

#endif
