/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include "agent/functions.h"
#include "agent/key.h"
#include "agent/locate.h"
#include "agent/objects.h"
#include "agent/page.h"
#include "agent/system.h"

#include <errno.h>

typedef int register_atfork_function(void (*prepare)(void), void (*parent)(void),
				     void (*child)(void), void *dso_handle);
extern void *__dso_handle __attribute__((__visibility__("hidden")));

static struct located located;
static bool interposes;

static void publish(void)
{
	uint16_t flags = 0;

	/* The first thread has the process's pid; if it is not this one, it goes on elsewhere. */
	if (!interposes || system_gettid() != system_getpid())
		flags |= INVENTORY_LATE;
	if (located.foreign_malloc)
		flags |= INVENTORY_FOREIGN_MALLOC;
	if (page_publish(&located, flags))
		key_own_first_entry();
}

/* The only thread of the child is the one that forked. */
static void after_fork_in_child(void)
{
	publish();
}

/* What pthread_atfork(3) calls; that itself is not in libc.so before 2.34. */
static void register_atfork(const struct objects *objects)
{
	uint64_t function = objects_libc_function(objects, "__register_atfork");

	if (function)
		((register_atfork_function *)function)(NULL, NULL, after_fork_in_child,
						       __dso_handle);
}

static void start(void)
{
	struct objects objects;

	if (!objects_find(&objects))
		return;
	functions_set(&objects);
	interposes = objects.interposes;
	if (!locate(&objects, &located))
		return;
	publish();
	register_atfork(&objects);
}

void agent_start(void)
{
	static bool started;

	if (__atomic_exchange_n(&started, true, __ATOMIC_ACQUIRE))
		return;
	int saved = errno;
	start();
	errno = saved;
}

__attribute__((__constructor__)) static void construct(void)
{
	agent_start();
}
