/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SynIC messages at random: VPs send to each other, take interrupts, free their slots in every
 * order, switch parts of the SynIC off and on, and are reset. Each message that was accepted is
 * read exactly once and in the order of its connection, unless what lay in its way was reset; a
 * guest that frees its slot by the rules is never left with a queued message.
 */
#include "tests/host/harness.h"

#include "core/apic/irq_msg.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/synic_internal.h"
#include "tests/host/fakes/rig.h"

#define VPS   3u
#define PORTS 16u /* up to two share a slot. SINT 3 has the vector of SINT 2 */
#define STEPS 40000u

static struct fake_guest g;
static struct {
	u64 sent, read; /* numbers: the next one */
} model[PORTS];

static u32 port_vp(u32 id)
{
	return id % VPS;
}

static u32 port_sint(u32 id)
{
	return 1 + id / VPS % 3;
}

static void features(struct partition *p)
{
	fake_guest_features(p, &hyperv_abi);
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
	for (u32 sint = 1; sint <= 3; sint++)
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
					    .message_type = 1,
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

/* What was on its way to @vp, or lay in its slots, is gone. */
static void lose(u32 vp, bool queued)
{
	for (u32 id = 0; id < PORTS; id++) {
		if (port_vp(id) != vp)
			continue;
		if (queued)
			model[id].read = model[id].sent;
		else if (slot(vp, port_sint(id))->header.message_type != 0 &&
			 slot(vp, port_sint(id))->u.payload[0] == id)
			model[id].read++;
	}
}

/* The guest reads a slot, in order and once, and empties it. */
static bool read_slot(u32 vp, u32 sint)
{
	volatile struct hv_message *s = slot(vp, sint);
	u64 id = s->u.payload[0];

	if (s->header.message_type == 0)
		return false;
	EXPECT_TRUE(id < PORTS && port_vp((u32)id) == vp && port_sint((u32)id) == sint);
	EXPECT_EQ(model[id].read, s->u.payload[1]);
	model[id].read++;
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
}

static void serve(u32 vp)
{
	fake.cpu_vp = &g.vp[vp];
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
	for (u32 sint = 1; sint <= 3; sint++) {
		if ((s32)vector_of(sint) != vector || !read_slot(vp, sint))
			continue;
		if (how != 1)
			end_of_message(vp, sint);
	}
	if (how != 2)
		vlapic_eoi(&g.vp[vp]);
	serve(vp);
	for (u32 sint = 1; sint <= 3; sint++)
		if ((s32)vector_of(sint) == vector)
			expect_none_left(vp, sint);
}

static void poll(u32 vp)
{
	u32 sint = 1 + any(3);

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
	u32 sint = 1 + any(3);

	switch (any(5)) {
	case 0:
		set(vp, HV_X64_MSR_SCONTROL, any(2));
		break;
	case 1:
		lose(vp, false);
		set(vp, HV_X64_MSR_SIMP, 0);
		for (u32 id = 0; id < PORTS; id++)
			if (port_vp(id) == vp)
				slot(vp, port_sint(id))->header.message_type = 0;
		break;
	case 2:
		set(vp, HV_X64_MSR_SINT0 + sint, vector_of(sint) | flags[any(4)]);
		break;
	default:
		turn_on(vp);
	}
	if (is_on(vp))
		for (sint = 1; sint <= 3; sint++)
			expect_none_left(vp, sint);
}

static void reset(u32 vp)
{
	lose(vp, true);
	fake.cpu_vp = &g.vp[vp];
	partition_vp_reset(&g.vp[vp], true);
	turn_on(vp);
}

/* In the end all is switched on, and every accepted message comes out. */
static void drain(void)
{
	for (u32 vp = 0; vp < VPS; vp++)
		turn_on(vp);
	for (u32 round = 0; round < 10; round++)
		for (u32 vp = 0; vp < VPS; vp++)
			for (u32 sint = 1; sint <= 3; sint++)
				if (read_slot(vp, sint))
					end_of_message(vp, sint);
	for (u32 id = 0; id < PORTS; id++)
		EXPECT_EQ(model[id].sent, model[id].read);
}

static void test_random_traffic(void)
{
	u64 sent = 0;

	fake_guest_init(&g, VPS, features);
	for (u32 vp = 0; vp < VPS; vp++) {
		fake.cpu_vp = &g.vp[vp];
		partition_vp_reset(&g.vp[vp], false);
		vlapic_write(&g.vp[vp], APIC_SVR, 0x1ff);
		turn_on(vp);
	}
	for (u32 i = 0; i < STEPS; i++) {
		u32 vp = any(VPS), what = any(100);

		if (what < 55)
			post(vp, any(PORTS));
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
	EXPECT_GE(sent, STEPS / 20);
}

TEST_MAIN(TEST(test_random_traffic))
