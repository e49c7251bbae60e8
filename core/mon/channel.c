/* SPDX-License-Identifier: BSD-2-Clause */
/* Who owns the bytes of a channel. Pure. */
#include "core/mon/channel.h"

#include "core/diag/log.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/vp.h"

static const struct channel_owner *top(const struct channel *c)
{
	return c->owner[c->depth - 1];
}

void channel_open(struct channel *c, s32 (*receive)(void), const struct channel_owner *first)
{
	*c = (struct channel){ .receive = receive, .owner = { first }, .depth = 1 };
}

static void owner_changed(struct channel *c)
{
	c->heard_tsc = hw_tsc();
	log_hold(top(c)->quiet);
}

err_t channel_take(struct channel *c, const struct channel_owner *owner)
{
	for (u32 i = 0; i < c->depth; i++) {
		if (c->owner[i] == owner)
			return ERR_BUSY;
	}
	if (c->depth == CHANNEL_DEPTH)
		return ERR_BUSY;
	c->owner[c->depth++] = owner;
	owner_changed(c);
	return ERR_NONE;
}

void channel_hand_back(struct channel *c)
{
	if (c->depth == 1)
		return;
	c->depth--;
	owner_changed(c);
}

void channel_send(const char *s, size_t len)
{
	hw_console_write(s, len, false);
}

/* The line is silent: an owner that took it by accident, on noise, must not keep it. */
static void end_idle_owner(struct channel *c, const struct vp *vp)
{
	u64 limit = top(c)->idle_seconds * vp->partition->clock.tsc_hz;

	if (limit == 0 || hw_tsc() - c->heard_tsc < limit)
		return;
	channel_send("\n", 1);
	channel_hand_back(c);
}

u32 channel_poll(struct channel *c, struct vp *vp)
{
	for (u32 i = 0; i < CHANNEL_PER_POLL; i++) {
		s32 byte = c->receive();

		if (byte < 0) {
			end_idle_owner(c, vp);
			break;
		}
		c->heard_tsc = hw_tsc();
		top(c)->byte(vp, c, (u8)byte);
	}
	return top(c)->polls_per_second;
}
