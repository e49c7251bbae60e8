/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SynIC messages and timers at random: VPs send, set timers that share the slots, take interrupts,
 * free slots in every order, switch parts off and on, are reset, and time jumps. What was accepted
 * is read once and in its order, each tick once and never early, unless what lay in its way was
 * reset; a guest that frees its slot by the rules is left with nothing queued or due.
 */
#include "tests/host/harness.h"

#include "core/apic/irq_msg.h"
#include "core/time/timer.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/synic_internal.h"
#include "tests/host/fakes/rig.h"

#define VPS           3u
#define SINTS         3u  /* from 1 on. SINT 3 has the vector of SINT 2 */
#define PORTS         16u /* up to two share a slot */
#define TIMERS        4u  /* of each VP */
#define STEPS         60000u
#define MESSAGE       1u
#define TIMER_EXPIRED 0x80000010u
#define PERIODIC      2u
#define AUTO          8u
#define MS            10000u /* of reference time */
#define SHORTEST      2000u  /* min_timer_period_us=200 */

static struct fake_guest g;
static struct {
	u64 sent, read; /* numbers: the next one */
} model[PORTS];

static struct model_timer {
	u32 sint;
	u64 period;     /* 0: one-shot */
	u64 expiration; /* of the next tick that the guest reads; a periodic one may skip some */
	u64 latest;     /* when that is sent: a timer that was late catches up within a period */
	bool on;        /* that tick will come */
	u64 old[SINTS + 1]; /* in that slot: what was sent before the timer was set anew */
} timers[VPS][TIMERS];

static u64 ticks_read;

static u32 port_vp(u32 id)
{
	return id % VPS;
}

static u32 port_sint(u32 id)
{
	return 1 + id / VPS % SINTS;
}

static void features(struct partition *p)
{
	fake_guest_features(p, &hyperv_abi);
	p->config.min_timer_period_us = SHORTEST / 10;
	p->config.synic_loopback.count = PORTS;
	for (u32 i = 0; i < PORTS; i++)
		p->config.synic_loopback.port[i] =
			(struct config_port){ i, port_vp(i), port_sint(i), false };
}

/* One of the numbers below @n. */
static u32 any(u32 n)
{
	return (u32)(test_rng() % n);
}

static void set(u32 vp, u32 msr, u64 val)
{
	fake.cpu_vp = &g.vp[vp];
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[vp], msr, val));
}

static u64 vector_of(u32 sint)
{
	return sint == 1 ? 0x51 : 0x62;
}

static volatile struct hv_message *slot(u32 vp, u32 sint)
{
	struct hv_message_page *page = (void *)synic_of(&g.vp[vp])->messages.mem;

	return &page->sint_message[sint];
}

static u64 simp(u32 vp)
{
	return (GUEST_RAM_BASE + 0x1000 * vp) | 1;
}

static void turn_on(u32 vp)
{
	set(vp, HV_X64_MSR_SIMP, simp(vp));
	set(vp, HV_X64_MSR_SCONTROL, 1);
	for (u32 sint = 1; sint <= SINTS; sint++)
		set(vp, HV_X64_MSR_SINT0 + sint, vector_of(sint));
}

static bool is_on(u32 vp)
{
	const struct synic_vp *v = synic_of(&g.vp[vp]);

	return synic_is_on(v, &v->messages);
}

static bool is_queued(u32 vp, u32 sint)
{
	for (const struct synic_buffer *b = synic_of(&g.vp[vp])->first; b != NULL; b = b->next)
		if (b->sint == sint)
			return true;
	return false;
}

/* Message n of connection id; the model says what must come of it. */
static void post(u32 from, u32 id)
{
	struct hv_input_post_message in = { .connectionid = id,
					    .message_type = MESSAGE,
					    .payload_size = 16,
					    .payload = { id, model[id].sent } };
	struct hcall hc = { .in = &in };
	bool live;
	u32 vp = port_vp(id);
	bool was_queued = false, on = is_on(vp);
	u16 status;

	for (const struct synic_buffer *b = synic_of(&g.vp[vp])->first; b != NULL; b = b->next)
		was_queued |= b->message.u.payload[0] == id;
	fake.cpu_vp = &g.vp[from];
	status = hcall_find(hyperv_abi.calls, HVCALL_POST_MESSAGE, &live)->mem(&g.vp[from], &hc);
	EXPECT_EQ(!on          ? HV_STATUS_INVALID_SYNIC_STATE
		  : was_queued ? HV_STATUS_INSUFFICIENT_BUFFERS
			       : HV_STATUS_SUCCESS,
		  status);
	model[id].sent += status == HV_STATUS_SUCCESS;
}

/* --- Timers --- */

static u64 now(u32 vp)
{
	u64 time;

	fake.cpu_vp = &g.vp[vp];
	EXPECT_EQ(MSR_OK, msr_read(&g.vp[vp], HV_X64_MSR_TIME_REF_COUNT, &time));
	return time;
}

/* The expiration time in a slot, if what is there is a tick of timer @i, or 0. */
static u64 tick_in(u32 vp, u32 sint, u32 i)
{
	const volatile struct hv_message *s = slot(vp, sint);

	return s->header.message_type == TIMER_EXPIRED && (u32)s->u.payload[0] == i
		       ? s->u.payload[1]
		       : 0;
}

/* The tick of timer @t at @expiration was sent at @delivery: what comes behind it. */
static void tick(struct model_timer *t, u64 expiration, u64 delivery)
{
	EXPECT_TRUE(t->on);
	EXPECT_GE(expiration, t->expiration);
	if (t->period == 0) {
		EXPECT_EQ(t->expiration, expiration);
		t->on = false;
	} else {
		EXPECT_EQ(0, (expiration - t->expiration) % t->period);
		t->expiration = expiration + t->period;
		t->latest = delivery + t->period;
	}
}

/* A tick leaves the slot: by the guest's hand, or with the page. */
static void tick_leaves(u32 vp, u32 sint)
{
	const volatile struct hv_message *s = slot(vp, sint);
	u32 i = (u32)s->u.payload[0];
	struct model_timer *t = &timers[vp][i % TIMERS];

	EXPECT_LE(i, TIMERS - 1);
	EXPECT_LE(s->u.payload[1], s->u.payload[2]);
	EXPECT_LE(s->u.payload[2], now(vp));
	if (t->old[sint] == s->u.payload[1]) {
		t->old[sint] = 0;
		return;
	}
	EXPECT_EQ(t->sint, sint);
	tick(t, s->u.payload[1], s->u.payload[2]);
}

static void set_timer(u32 vp)
{
	u32 i = any(TIMERS);
	struct model_timer *t = &timers[vp][i];
	u64 time = now(vp), count = 1 + any(8 * MS);

	for (u32 sint = 1; sint <= SINTS; sint++) {
		if (t->old[sint] == 0)
			t->old[sint] = tick_in(vp, sint, i);
	}
	t->sint = 1 + any(SINTS);
	t->period = any(2) ? umax64(count, SHORTEST) : 0;
	t->expiration = time + (t->period != 0 ? t->period : count - MS);
	t->latest = t->expiration;
	t->on = any(4) != 0;
	if (t->period == 0)
		count = t->expiration; /* up to a millisecond ago */
	set(vp, HV_X64_MSR_STIMER0_CONFIG + 2 * i,
	    (t->period != 0 ? PERIODIC : 0) | AUTO | t->sint << 16);
	set(vp, HV_X64_MSR_STIMER0_CONFIG + 1 + 2 * i, t->on ? count : 0);
}

static bool is_sent(u32 vp, u32 i)
{
	const struct model_timer *t = &timers[vp][i];
	u64 there = tick_in(vp, t->sint, i);

	return there != 0 && there != t->old[t->sint];
}

static void expect_no_tick_left(u32 vp, u32 sint)
{
	for (u32 i = 0; i < TIMERS; i++) {
		const struct model_timer *t = &timers[vp][i];

		if (!t->on || t->sint != sint || is_sent(vp, i) || !is_on(vp))
			continue;
		EXPECT_FALSE(slot(vp, sint)->header.message_type == 0 && t->latest <= now(vp));
	}
}

/* --- Messages --- */

/* What was on its way to @vp, or lay in its slots, is gone. */
static void lose(u32 vp, bool queued)
{
	for (u32 sint = 1; sint <= SINTS; sint++) {
		u32 type = slot(vp, sint)->header.message_type;

		if (type == TIMER_EXPIRED)
			tick_leaves(vp, sint);
		if (type == MESSAGE)
			model[slot(vp, sint)->u.payload[0]].read++;
	}
	if (!queued)
		return;
	for (u32 id = 0; id < PORTS; id++)
		if (port_vp(id) == vp)
			model[id].read = model[id].sent;
	memset(timers[vp], 0, sizeof(timers[vp]));
}

/* The guest reads a slot, in order and once, and empties it. */
static bool read_slot(u32 vp, u32 sint)
{
	volatile struct hv_message *s = slot(vp, sint);
	u64 id = s->u.payload[0];

	if (s->header.message_type == 0)
		return false;
	if (s->header.message_type == TIMER_EXPIRED) {
		tick_leaves(vp, sint);
		ticks_read++;
	} else {
		EXPECT_EQ(MESSAGE, s->header.message_type);
		EXPECT_TRUE(id < PORTS && port_vp((u32)id) == vp && port_sint((u32)id) == sint);
		EXPECT_EQ(model[id].read, s->u.payload[1]);
		model[id].read++;
	}
	s->header.message_type = 0;
	return true;
}

static void end_of_message(u32 vp, u32 sint)
{
	if (slot(vp, sint)->header.message_flags & HV_MESSAGE_PENDING)
		set(vp, HV_X64_MSR_EOM, 0);
}

/* A slot that is empty although something waits is a lost wake-up, unless delivery is off. */
static void expect_none_left(u32 vp, u32 sint)
{
	EXPECT_FALSE(is_on(vp) && is_queued(vp, sint) && slot(vp, sint)->header.message_type == 0);
	expect_no_tick_left(vp, sint);
}

static void serve(u32 vp)
{
	fake.cpu_vp = &g.vp[vp];
	timer_run(&g.vp[vp], fake.tsc);
	vlapic_fold_posted(&g.vp[vp]);
	irq_msg_work(&g.vp[vp]);
}

/* The order: read, EOM if asked for, EOI | read, EOI | EOI, read, EOM if asked for. */
static void take_interrupt(u32 vp)
{
	u32 how = any(3);
	s32 vector;

	serve(vp);
	vector = vlapic_pending_vector(&g.vp[vp]);
	if (vector < 0)
		return;
	vlapic_accept(&g.vp[vp], (u8)vector);
	if (vlapic_has_auto_eoi(&g.vp[vp].apic, (u32)vector)) {
		vlapic_eoi(&g.vp[vp]);
		how = 2;
	} else if (how == 2) {
		vlapic_eoi(&g.vp[vp]);
	}
	for (u32 sint = 1; sint <= SINTS; sint++) {
		if ((s32)vector_of(sint) != vector || !read_slot(vp, sint))
			continue;
		if (how != 1)
			end_of_message(vp, sint);
	}
	if (how != 2)
		vlapic_eoi(&g.vp[vp]);
	serve(vp);
	for (u32 sint = 1; sint <= SINTS; sint++)
		if ((s32)vector_of(sint) == vector)
			expect_none_left(vp, sint);
}

static void poll(u32 vp)
{
	u32 sint = 1 + any(SINTS);

	serve(vp);
	if (read_slot(vp, sint))
		end_of_message(vp, sint);
	serve(vp);
	expect_none_left(vp, sint);
}

static void change(u32 vp)
{
	static const u64 flags[] = { 0, HV_SYNIC_SINT_MASKED, HV_SYNIC_SINT_AUTO_EOI,
				     HV_SYNIC_SINT_POLLING };
	u32 sint = 1 + any(SINTS);

	switch (any(5)) {
	case 0:
		set(vp, HV_X64_MSR_SCONTROL, any(2));
		break;
	case 1:
		lose(vp, false);
		set(vp, HV_X64_MSR_SIMP, 0);
		for (sint = 1; sint <= SINTS; sint++)
			slot(vp, sint)->header.message_type = 0;
		break;
	case 2:
		set(vp, HV_X64_MSR_SINT0 + sint, vector_of(sint) | flags[any(4)]);
		break;
	default:
		turn_on(vp);
	}
	serve(vp);
	for (sint = 1; sint <= SINTS; sint++)
		expect_none_left(vp, sint);
}

static void reset(u32 vp)
{
	lose(vp, true);
	fake.cpu_vp = &g.vp[vp];
	partition_vp_reset(&g.vp[vp], true);
	turn_on(vp);
}

static void pass(u64 time)
{
	fake.tsc += time * (GUEST_TSC_HZ / 10000000);
}

/* More often than the shortest timer fires: it comes first where slots are shared. */
static void read_all(u32 vp)
{
	for (u32 round = 0; round < 400; round++) {
		pass(SHORTEST / 10);
		serve(vp);
		for (u32 sint = 1; sint <= SINTS; sint++)
			if (read_slot(vp, sint))
				end_of_message(vp, sint);
	}
}

/* In the end all is switched on: every accepted message comes out, each one-shot timer has fired,
 * and periodic ones go on. */
static void drain(void)
{
	for (u32 vp = 0; vp < VPS; vp++)
		turn_on(vp);
	for (u32 vp = 0; vp < VPS; vp++)
		read_all(vp);
	pass(1000 * MS);
	for (u32 vp = 0; vp < VPS; vp++) {
		read_all(vp);
		for (u32 i = 0; i < TIMERS; i++) {
			const struct model_timer *t = &timers[vp][i];

			EXPECT_TRUE(!t->on ||
				    (t->period != 0 && t->expiration > now(vp) - 10 * MS));
		}
	}
	for (u32 id = 0; id < PORTS; id++)
		EXPECT_EQ(model[id].sent, model[id].read);
}

static void begin(void)
{
	fake_guest_init(&g, VPS, features);
	fake.tsc += GUEST_TSC_HZ; /* the time is not 0 */
	memset(model, 0, sizeof(model));
	memset(timers, 0, sizeof(timers));
	for (u32 vp = 0; vp < VPS; vp++) {
		fake.cpu_vp = &g.vp[vp];
		partition_vp_reset(&g.vp[vp], false);
		vlapic_write(&g.vp[vp], APIC_SVR, 0x1ff);
		turn_on(vp);
	}
}

static void test_random_traffic(void)
{
	u64 sent = 0;

	begin();
	for (u32 i = 0; i < STEPS; i++) {
		u32 vp = any(VPS), what = any(100);

		if (what < 40)
			post(vp, any(PORTS));
		else if (what < 48)
			set_timer(vp);
		else if (what < 55)
			pass(any(4 * MS));
		else if (what < 85)
			take_interrupt(vp);
		else if (what < 92)
			poll(vp);
		else if (what < 99)
			change(vp);
		else
			reset(vp);
	}
	drain();
	for (u32 id = 0; id < PORTS; id++)
		sent += model[id].sent;
	EXPECT_GE(sent, STEPS / 30);
	EXPECT_GE(ticks_read, STEPS / 30);
}

/* A polled slot is emptied; before the guest looks at the flag, another sender is there first. The
 * timer that waits must still be announced. */
static void test_waits_behind_another_sender(void)
{
	begin();
	set(0, HV_X64_MSR_SINT0 + 1, vector_of(1) | HV_SYNIC_SINT_POLLING);
	post(0, 0);
	set(0, HV_X64_MSR_STIMER0_CONFIG, AUTO | 1 << 16);
	set(0, HV_X64_MSR_STIMER0_CONFIG + 1, 1); /* long ago */
	serve(0);
	EXPECT_EQ(HV_MESSAGE_PENDING, slot(0, 1)->header.message_flags);
	slot(0, 1)->header.message_type = 0;
	post(0, 0);
	EXPECT_EQ(MESSAGE, slot(0, 1)->header.message_type);
	EXPECT_EQ(HV_MESSAGE_PENDING, slot(0, 1)->header.message_flags);
	slot(0, 1)->header.message_type = 0;
	set(0, HV_X64_MSR_EOM, 0);
	EXPECT_EQ(TIMER_EXPIRED, slot(0, 1)->header.message_type);
	EXPECT_EQ(0, slot(0, 1)->header.message_flags);
}

/* The EOI is watched also when the APIC was off meanwhile, and no longer than somebody waits. */
static void test_watch(void)
{
	begin();
	post(0, 0);
	post(0, 0);
	EXPECT_EQ(1, g.vp[0].fwd.eoi_count);
	set(0, 0x1b, 0xfee00000); /* IA32_APIC_BASE: off and on */
	set(0, 0x1b, 0xfee00800);
	vlapic_write(&g.vp[0], APIC_SVR, 0x1ff);
	EXPECT_EQ(1, g.vp[0].fwd.eoi_count);
	slot(0, 1)->header.message_type = 0;
	set(0, HV_X64_MSR_EOM, 0);
	EXPECT_EQ(MESSAGE, slot(0, 1)->header.message_type);
	EXPECT_EQ(0, g.vp[0].fwd.eoi_count);
	irq_msg_watch(&g.vp[0], (u8)vector_of(1)); /* came late */
	set(0, HV_X64_MSR_EOM, 0);
	EXPECT_EQ(0, g.vp[0].fwd.eoi_count);
}

TEST_MAIN(TEST(test_random_traffic), TEST(test_waits_behind_another_sender), TEST(test_watch))
