/* SPDX-License-Identifier: BSD-2-Clause */
/* How the poll time of a VP grows and shrinks. Pure. */
#include "core/vp/halt_poll.h"

#include "core/config.h"
#include "core/lib/bits.h"

u32 halt_poll_begin(struct halt_poll *h, const struct config *c)
{
	h->value_ns = umin32(h->value_ns, c->halt_poll_ns);
	h->polled = !h->disallowed && h->value_ns != 0;
	return h->polled ? h->value_ns : 0;
}

static void grow(struct halt_poll *h, const struct config *c)
{
	u64 val = (u64)h->value_ns * c->halt_poll_ns_grow;

	if (c->halt_poll_ns_grow == 0)
		return;
	if (val < c->halt_poll_ns_grow_start)
		val = c->halt_poll_ns_grow_start;
	h->value_ns = val < c->halt_poll_ns ? (u32)val : c->halt_poll_ns;
}

static void shrink(struct halt_poll *h, const struct config *c)
{
	u32 val = c->halt_poll_ns_shrink != 0 ? h->value_ns / c->halt_poll_ns_shrink : 0;

	h->value_ns = val < c->halt_poll_ns_grow_start ? 0 : val;
}

void halt_poll_end(struct halt_poll *h, const struct config *c, u64 block_ns, bool is_event)
{
	h->polled = false;
	h->start_tsc = 0;
	if (h->disallowed)
		return;
	if (is_event && c->halt_poll_ns == 0)
		h->value_ns = 0;
	else if (is_event && block_ns <= h->value_ns)
		return; /* the poll was long enough */
	else if (!is_event || (h->value_ns != 0 && block_ns > c->halt_poll_ns))
		shrink(h, c);
	else if (h->value_ns < c->halt_poll_ns && block_ns < c->halt_poll_ns)
		grow(h, c);
}
