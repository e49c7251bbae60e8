/* SPDX-License-Identifier: BSD-2-Clause */
/* Stop all CPUs but one. Pure; any context. */
#include "core/stop_all.h"

#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/partition.h"
#include "core/vp.h"

#define LIMIT_MIN_TICKS 1000000ull /* while the clock is not known */

static struct {
	u32 who;     /* VP index + 1 of the CPU that stops all others; 0: none does */
	u32 stopped; /* CPUs that have */
	u64 ticks;   /* what it took, TSC */
} stop;

/* A CPU that does not take an NMI for 1 ms is given up. */
static void wait_stopped(const struct partition *p, u64 start_tsc)
{
	u64 limit = umax64(p->clock.tsc_hz / 1000, LIMIT_MIN_TICKS);

	do {
		stop.ticks = hw_tsc() - start_tsc;
		__builtin_ia32_pause();
	} while (LOAD_ACQUIRE(stop.stopped) + 1 < p->vp_count && stop.ticks <= limit);
}

void stop_all_others(void)
{
	struct partition *p = &the_partition;
	struct vp *self = hw_cpu_vp();
	u64 start_tsc = hw_tsc();
	u32 who = 0;

	if (!self)
		return;
	if (!__atomic_compare_exchange_n(&stop.who, &who, self->index + 1, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED)) {
		if (who == self->index + 1)
			return;
		stop_all_obey();
	}
	for (u32 i = 0; i < p->vp_count; i++) {
		if (p->vp[i] != self)
			(void)hw_kick(p->vp[i]);
	}
	wait_stopped(p, start_tsc);
}

bool stop_all_wanted(void)
{
	u32 who = LOAD_ACQUIRE(stop.who);

	return who != 0 && who != hw_cpu_vp()->index + 1;
}

void stop_all_obey(void)
{
	(void)__atomic_fetch_add(&stop.stopped, 1, __ATOMIC_RELEASE);
	hw_halt();
}

void stop_all_report(void (*print)(const char *fmt, ...))
{
	u32 others = the_partition.vp_count - 1;

	if (stop.who != 0 && others != 0)
		print("stopped %u of %u other CPUs within %llu ticks",
		      umin32(LOAD_ACQUIRE(stop.stopped), others), others, stop.ticks);
}

void stop_all_reset(void)
{
	memset(&stop, 0, sizeof(stop));
}
