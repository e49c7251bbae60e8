/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CLOCK_PAIRING: wall time and the caller's TSC at one moment, for a PTP clock. Wall time is as
 * good as the one reading of the RTC (rule T4) and runs by the TSC. Context: caller's CPU.
 */
#include "core/hw.h"
#include "core/mem/gpa.h"
#include "hv/kvm/kvm_internal.h"

#define NS_PER_SECOND 1000000000ull

/* Arguments: where the 64 bytes go, which clock. */
s64 kvm_hc_clock_pairing(struct vp *vp, const u64 args[4])
{
	const struct clock *c = &vp->partition->clock;
	struct kvm_clock_pairing pair = { 0 };
	u64 now_tsc = hw_tsc();
	u64 wall_ns = c->boot_wall_ns + clock_now_ns(c, now_tsc);

	COUNT(vp, KVM_CLOCK_PAIRING);
	if (args[1] != KVM_CLOCK_PAIRING_WALLCLOCK)
		return -KVM_EOPNOTSUPP;
	pair.sec = (s64)(wall_ns / NS_PER_SECOND);
	pair.nsec = (s64)(wall_ns % NS_PER_SECOND);
	pair.tsc = now_tsc + vp->tsc_offset;
	return gpa_write(vp->partition, gpa(args[0]), &pair, sizeof(pair)) == ERR_NONE
		       ? 0
		       : -KVM_EFAULT;
}
