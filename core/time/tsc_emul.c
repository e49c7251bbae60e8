/* SPDX-License-Identifier: BSD-2-Clause */
/* See tsc_emul.h. Pure. */
#include "core/time/tsc_emul.h"

#include "core/lib/mul128.h"

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
