/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/watch.h"

#include "bench/bench.h"

#include <stddef.h>
#include <unistd.h>

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

void watch_begin(struct watch *self, pid_t pid)
{
	self->pid = pid;
	self->stopped_ms = 0;
	atomic_init(&self->ends, false);
	if (pthread_create(&self->thread, NULL, watch, self) != 0)
		bench_fail("cannot start a thread");
}

double watch_end(struct watch *self)
{
	atomic_store(&self->ends, true);
	pthread_join(self->thread, NULL);
	return self->stopped_ms;
}

double watch_run(char *const *argv, pid_t target, double *ret_stopped_ms)
{
	struct watch watch;

	watch_begin(&watch, target);
	double wall = bench_time(argv);
	*ret_stopped_ms = watch_end(&watch);
	return wall;
}
