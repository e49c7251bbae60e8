/* SPDX-License-Identifier: BSD-2-Clause */
/* How the poll time of a VP grows and shrinks. Pure. */
#include "core/vp/halt_poll.h"

#include "core/lib/bits.h"

u32 halt_poll_begin(struct halt_poll *h, const struct halt_poll_params *params)
{
	h->value_ns = umin32(h->value_ns, params->max_ns);
	h->polled = !h->disallowed && h->value_ns != 0;
	return h->polled ? h->value_ns : 0;
}

static void grow(struct halt_poll *h, const struct halt_poll_params *params)
{
	u64 val = (u64)h->value_ns * params->grow;

	if (params->grow == 0)
		return;
	if (val < params->grow_start_ns)
		val = params->grow_start_ns;
	h->value_ns = val < params->max_ns ? (u32)val : params->max_ns;
}

static void shrink(struct halt_poll *h, const struct halt_poll_params *params)
{
	u32 val = params->shrink != 0 ? h->value_ns / params->shrink : 0;

	h->value_ns = val < params->grow_start_ns ? 0 : val;
}

void halt_poll_end(struct halt_poll *h, const struct halt_poll_params *params, u64 block_ns,
		   bool is_event)
{
	h->polled = false;
	h->start_tsc = 0;
	if (h->disallowed)
		return;
	if (is_event && params->max_ns == 0)
		h->value_ns = 0;
	else if (is_event && block_ns <= h->value_ns)
		return; /* the poll was long enough */
	else if (!is_event || (h->value_ns != 0 && block_ns > params->max_ns))
		shrink(h, params);
	else if (h->value_ns < params->max_ns && block_ns < params->max_ns)
		grow(h, params);
}
