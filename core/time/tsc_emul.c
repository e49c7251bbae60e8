/* SPDX-License-Identifier: BSD-2-Clause */
/* See tsc_emul.h. Pure. */
#include "core/time/tsc_emul.h"

#include "core/lib/mul128.h"
#include "core/time/timer.h"

u64 tsc_emul_ticks(const struct tsc_emul *e, u64 ticks)
{
	return mul_u64_u64_div_u64(ticks, e->old_hz, e->new_hz);
}

NOINLINE u64 tsc_emul_at(const struct tsc_emul *e, u64 tsc)
{
	return e->at_tsc + tsc_emul_ticks(e, tsc - e->at_tsc);
}

u64 tsc_emul_span(const struct tsc_emul *e, u64 ticks)
{
	u64 span = mul_u64_u64_div_u64(ticks, e->new_hz, e->old_hz);

	return span + 1 == 0 ? span : span + 1;
}

u64 tsc_emul_deadline(const struct partition *p, u64 tsc_offset, u64 guest_tsc)
{
	u64 now_tsc = hw_tsc();
	const struct tsc_emul *e = &p->tsc_emul;
	u64 guest_now_tsc = (e->on ? tsc_emul_at(e, now_tsc) : now_tsc) + tsc_offset;
	u64 delta_tsc;

	if (guest_tsc <= guest_now_tsc)
		return 0;
	delta_tsc = guest_tsc - guest_now_tsc;
	if (e->on)
		delta_tsc = tsc_emul_span(e, delta_tsc);
	return now_tsc + delta_tsc < now_tsc ? TIMER_NEVER : now_tsc + delta_tsc;
}
