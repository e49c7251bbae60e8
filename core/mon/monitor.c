/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input of the monitor: keys, which act at once, and lines, which begin with ':'. Each has an owner
 * of the channel.
 *
 * Context: VP 0's CPU, root, in a timer.
 */
#include "core/mon/monitor.h"

#include "core/hw.h"
#include "core/mon/channel.h"
#include "core/mon/command.h"
#include "core/partition.h"
#include "core/vp/vp.h"

#define KEY_POLLS    4u  /* a second */
#define LINE_POLLS   20u /* the echo must keep up with typing */
#define LINE_IDLE_S  10u
#define LINE_CHARS   80u
#define LINE_BEGIN   ':'
#define ASCII_CTRL_C 0x03
#define ASCII_BS     0x08
#define ASCII_CTRL_U 0x15
#define ASCII_ESC    0x1b
#define ASCII_DEL    0x7f

static void key_byte(struct vp *vp, struct channel *c, u8 byte);
static void line_byte(struct vp *vp, struct channel *c, u8 byte);

static const struct channel_owner keys = {
	.name = "keys",
	.byte = key_byte,
	.polls_per_second = KEY_POLLS,
};
static const struct channel_owner lines = {
	.name = "lines",
	.byte = line_byte,
	.quiet = true, /* or messages would mix with the typed line */
	.polls_per_second = LINE_POLLS,
	.idle_seconds = LINE_IDLE_S,
};

static struct {
	char s[LINE_CHARS];
	size_t len;
} line;

static void key_byte(struct vp *vp, struct channel *c, u8 byte)
{
	if (byte == '\r' || byte == '\n')
		return;
	if (byte != LINE_BEGIN) {
		command_key(vp, (char)byte);
		return;
	}
	if (channel_take(c, &lines) != ERR_NONE)
		return;
	line.len = 0;
	channel_send(": ", 2);
}

static void rub_out(size_t count)
{
	for (; count != 0 && line.len != 0; count--, line.len--)
		channel_send("\b \b", 3);
}

static void line_byte(struct vp *vp, struct channel *c, u8 byte)
{
	switch (byte) {
	case '\r':
	case '\n':
		channel_send("\n", 1);
		channel_hand_back(c);
		command_line(vp, (struct word){ line.s, line.len });
		break;
	case ASCII_CTRL_C:
	case ASCII_ESC:
		channel_send("\n", 1);
		channel_hand_back(c);
		break;
	case ASCII_BS:
	case ASCII_DEL:
		rub_out(1);
		break;
	case ASCII_CTRL_U:
		rub_out(line.len);
		break;
	default:
		if (byte < ' ' || byte > '~' || line.len == LINE_CHARS)
			break;
		line.s[line.len++] = (char)byte;
		channel_send((const char *)&byte, 1);
	}
}

static struct channel console;

static void poll_due(struct vp *vp, struct timer *t)
{
	u64 begin_tsc = steal_begin(), heard_tsc = console.heard_tsc;
	u32 polls = channel_poll(&console, vp);

	if (console.heard_tsc != heard_tsc) /* a command, or a part of one */
		steal_end(vp, STEAL_DUMP, begin_tsc);
	timer_set(vp, t, hw_tsc() + vp->partition->clock.tsc_hz / polls);
}

static void stats_due(struct vp *vp, struct timer *t)
{
	u64 begin_tsc = steal_begin();

	monitor_dump_counters(vp, "periodic");
	steal_end(vp, STEAL_DUMP, begin_tsc);
	timer_set(vp, t, hw_tsc() + vp->partition->config.stats_s * vp->partition->clock.tsc_hz);
}

void monitor_start(struct vp *vp, s32 (*receive)(void))
{
	static struct timer stats, poll;
	u64 hz = vp->partition->clock.tsc_hz, seconds = vp->partition->config.stats_s;

	counters_start();
	stats = (struct timer){ .fn = stats_due };
	poll = (struct timer){ .fn = poll_due };
	if (seconds != 0)
		timer_set(vp, &stats, hw_tsc() + seconds * hz);
	if (receive == NULL)
		return;
	channel_open(&console, receive, &keys);
	timer_set(vp, &poll, hw_tsc() + hz / KEY_POLLS);
}
