/* SPDX-License-Identifier: BSD-2-Clause */
/* threads_run() of sys.h. */
#include "tests/linux/sys.h"

#define THREADS_MAX 32
#define STACK_BYTES 16384ul

volatile u64 threads_done;

static void (*threads_fn)(long arg);
static char stacks[THREADS_MAX][STACK_BYTES] __attribute__((aligned(16)));

static void run_one(long arg)
{
	threads_fn(arg);
	__atomic_add_fetch(&threads_done, 1, __ATOMIC_SEQ_CST);
	futex_wake(&threads_done, 1);
}

void threads_run(void (*fn)(long arg), long count)
{
	u64 seen;

	threads_fn = fn;
	store(&threads_done, 0);
	for (long i = 0; i < count; i++) {
		if (sys_thread(run_one, i, stacks[i] + STACK_BYTES) < 0) {
			REPORT1("no thread ", i);
			sys(SYS_exit_group, 2);
		}
	}
	while ((seen = load(&threads_done)) < (u64)count)
		futex_wait(&threads_done, seen);
	sleep_ms(20); /* the last one leaves its stack */
}
