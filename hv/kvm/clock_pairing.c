/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CLOCK_PAIRING: wall time and the caller's TSC at one moment, for a PTP clock. Wall time is the
 * RTC's at boot (rule T4), counted on by the TSC. Context: caller's CPU.
 */
#include "core/time/tsc_emul.h"
#include "hv/kvm/kvm_internal.h"

#define NS_PER_SECOND 1000000000ull

/* Arguments: output address, clock. */
s64 kvm_clock_pairing(struct vp *vp, const u64 args[4], void *out)
{
	const struct clock *c = &vp->partition->clock;
	struct kvm_clock_pairing *pair = out;
	u64 now_tsc = partition_tsc(vp->partition);
	u64 wall_ns = c->boot_wall_ns + clock_now_ns(c, now_tsc);

	COUNT(vp, KVM_CLOCK_PAIRING);
	if (args[1] != KVM_CLOCK_PAIRING_WALLCLOCK)
		return -KVM_EOPNOTSUPP;
	pair->sec = (s64)(wall_ns / NS_PER_SECOND);
	pair->nsec = (s64)(wall_ns % NS_PER_SECOND);
	pair->tsc = now_tsc + vp->tsc_offset;
	return 0;
}
