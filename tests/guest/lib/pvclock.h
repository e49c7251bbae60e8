/* SPDX-License-Identifier: BSD-2-Clause */
/* kvmclock's page. Linux, Documentation/virt/kvm/x86/msr.rst, "MSR_KVM_SYSTEM_TIME_NEW". */
#pragma once

#include "tests/guest/lib/insn.h"

struct pvclock {
	u32 version, pad;
	u64 tsc_timestamp, system_time;
	u32 mul;
	s8 shift;
	u8 flags, pad2[2];
};
static_assert(sizeof(struct pvclock) == 32, "pvclock layout");

/* pvclock_read() - nanoseconds, as a client reads them: again while the page changes. */
static inline u64 pvclock_read(const volatile struct pvclock *pv)
{
	u32 version;
	u64 delta, ns;

	do {
		version = pv->version;
		delta = rdtsc() - pv->tsc_timestamp;
		delta = pv->shift >= 0 ? delta << pv->shift : delta >> -pv->shift;
		ns = pv->system_time + (u64)(((unsigned __int128)delta * pv->mul) >> 32);
	} while ((version & 1) != 0 || version != pv->version);
	return ns;
}
