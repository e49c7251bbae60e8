/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's TSC counts at another frequency from some moment on, as after a move to another
 * machine. Until the guest knows, its VPs can go on with the old one: RDTSC, RDTSCP and IA32_TSC
 * then exit and are emulated. All that a guest sees of time is a function of that TSC meanwhile.
 */
#pragma once

#include "core/hw.h"
#include "core/lib/types.h"
#include "core/partition.h"

/* tsc_emul_at() - what a machine of the old frequency would count when this one's is @tsc. */
u64 tsc_emul_at(const struct tsc_emul *e, u64 tsc);

/* tsc_emul_ticks() - what the old machine counts while this one counts @ticks. */
u64 tsc_emul_ticks(const struct tsc_emul *e, u64 ticks);

/* tsc_emul_span() - ticks of this machine that pass while the old one counts @ticks; rounded up.
 * ~0: more than 64 bits. */
u64 tsc_emul_span(const struct tsc_emul *e, u64 ticks);

/**
 * tsc_emul_deadline() - the machine's TSC at which a VP of @p with @tsc_offset reads @guest_tsc.
 * 0: it has already. TIMER_NEVER: more than 64 bits.
 */
u64 tsc_emul_deadline(const struct partition *p, u64 tsc_offset, u64 guest_tsc);

/* partition_tsc() - what the VPs of @p read now, less their offsets. */
static inline u64 partition_tsc(const struct partition *p)
{
	u64 now_tsc = hw_tsc();

	return likely(!p->tsc_emul.on) ? now_tsc : tsc_emul_at(&p->tsc_emul, now_tsc);
}
