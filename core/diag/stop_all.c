/* SPDX-License-Identifier: BSD-2-Clause */
/* Stop all CPUs but one. Pure; any context. */
#include "core/diag/stop_all.h"

#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/partition.h"
#include "core/vp/vp.h"

#define LIMIT_MIN_TICKS 1000000ull /* while the clock is not known */

static struct {
	u32 who;     /* VP index + 1 of the CPU that stops the others; 0: none */
	u32 stopped; /* CPUs that have stopped */
	u64 ticks;   /* what it took, TSC */

	/* Where the guest of each stopped CPU was. LOCK: written before @stopped. */
	struct stop_note {
		bool stopped;
		u64 rip, reason;
	} note[VP_MAX];
} stop;

/*
 * Give up on a CPU that takes no NMI within 1 ms of the last one sent: where every NMI exits to an
 * outer hypervisor, sending 255 of them takes longer than that.
 */
static void wait_stopped(const struct partition *p, u64 start_tsc)
{
	u64 limit = umax64(p->clock.tsc_hz / 1000, LIMIT_MIN_TICKS);
	u64 sent_tsc = hw_tsc(), now_tsc;

	do {
		now_tsc = hw_tsc();
		__builtin_ia32_pause();
	} while (LOAD_ACQUIRE(stop.stopped) + 1 < p->vp_count && now_tsc - sent_tsc <= limit);
	stop.ticks = now_tsc - start_tsc;
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

static void take_note(const struct vp *self)
{
	struct stop_note *n = &stop.note[self->index];

	if (hw_vmread_safe(VMCS_GUEST_RIP, &n->rip) != ERR_NONE ||
	    hw_vmread_safe(VMCS_EXIT_REASON, &n->reason) != ERR_NONE)
		n->reason = EXIT_REASON_COUNT;
	STORE_RELEASE(n->stopped, true);
}

void stop_all_obey(void)
{
	take_note(hw_cpu_vp());
	(void)__atomic_fetch_add(&stop.stopped, 1, __ATOMIC_RELEASE);
	hw_halt();
}

void stop_all_report(void (*print)(const char *fmt, ...))
{
	const struct partition *p = &the_partition;
	u32 others = p->vp_count - 1;
	u64 us = p->clock.tsc_hz == 0 ? 0 : stop.ticks * 1000000 / p->clock.tsc_hz;

	if (stop.who == 0 || others == 0)
		return;
	print("stopped %u of %u other CPUs within %llu ticks",
	      umin32(LOAD_ACQUIRE(stop.stopped), others), others, stop.ticks);
	for (u32 i = 0; i < p->vp_count; i++) {
		if (i != stop.who - 1 && !LOAD_ACQUIRE(stop.note[i].stopped))
			print("cpu %u (vp%u) is lost: no answer to an NMI after %llu us",
			      p->vp[i]->apic_id, i, us);
	}
}

void stop_all_report_guests(void (*print)(const char *fmt, ...))
{
	for (u32 i = 0; i < the_partition.vp_count; i++) {
		const struct stop_note *n = &stop.note[i];

		if (LOAD_ACQUIRE(n->stopped))
			print("vp%u stopped: guest rip %016llx, last exit %s", i, n->rip,
			      exit_reason_name((u32)n->reason & EXIT_REASON_BASIC));
	}
}

void stop_all_reset(void)
{
	memset(&stop, 0, sizeof(stop));
}
