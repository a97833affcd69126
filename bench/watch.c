/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/watch.h"

#include "bench/bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

struct watch {
	pid_t pid;
	atomic_bool ends;
	double stopped_ms;
};

static void *watch(void *argument)
{
	struct watch *self = argument;
	double last = bench_now_ms();

	while (!atomic_load(&self->ends)) {
		char state = bench_state(self->pid);
		double now = bench_now_ms();
		if (state == 't' || state == 'T')
			self->stopped_ms += now - last;
		last = now;
		usleep(100);
	}
	return NULL;
}

double watch_run(char *const *argv, pid_t target, double *ret_stopped_ms)
{
	struct watch self = { .pid = target };
	pthread_t thread;

	if (pthread_create(&thread, NULL, watch, &self) != 0)
		bench_fail("cannot start a thread");
	double wall = bench_time(argv);
	atomic_store(&self.ends, true);
	pthread_join(thread, NULL);
	*ret_stopped_ms = self.stopped_ms;
	return wall;
}
