/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/synic.c, synic_msg.c, synic_port.c and synic_testdev.c; test_synic_model.c has the
 * traffic. */
#include "tests/host/harness.h"

#include "core/apic/irq_msg.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/synic_internal.h"
#include "tests/host/fakes/rig.h"

#define AT  GUEST_RAM_BASE
#define VEC 0x61u

static struct fake_guest g;

static void features(struct partition *p)
{
	static const struct config_ports ports = { 5,
						   { { 1, 0, 2, false },
						     { 2, 0, 3, true },
						     { 3, 1, 2, false },
						     { 4, 1, 3, true },
						     { 5, 77, 2, false } } };

	fake_guest_features(p, &hyperv_abi);
	p->config.synic_loopback = ports;
}

static void testdev(struct partition *p)
{
	features(p);
	EXPECT_EQ(ERR_NONE, hv_testdev_add(p));
}

static void synic_only(struct partition *p)
{
	p->config.cpu_features |=
		BIT64(FEATURE_HYPERV) | BIT64(FEATURE_HV_VPINDEX) | BIT64(FEATURE_HV_SYNIC);
	p->machine.virt_intr_delivery = false;
}

static void start(void (*change)(struct partition *p))
{
	fake_guest_init(&g, 2, change);
	for (u32 i = 0; i < 2; i++) {
		fake.cpu_vp = &g.vp[i];
		partition_vp_reset(&g.vp[i], false);
		vlapic_write(&g.vp[i], APIC_SVR, 0x1ff);
	}
	fake.cpu_vp = &g.vp[0];
}

static enum msr_result set(u32 vp, u32 msr, u64 val)
{
	struct vp *self = fake.cpu_vp;
	enum msr_result result;

	fake.cpu_vp = &g.vp[vp];
	result = msr_write(&g.vp[vp], msr, val);
	fake.cpu_vp = self;
	return result;
}

static u64 get(u32 vp, u32 msr)
{
	u64 val = 0;

	EXPECT_EQ(MSR_OK, msr_read(&g.vp[vp], msr, &val));
	return val;
}

static void turn_on(u32 vp)
{
	EXPECT_EQ(MSR_OK, set(vp, HV_X64_MSR_SIMP, (AT + 0x2000 * vp) | 1));
	EXPECT_EQ(MSR_OK, set(vp, HV_X64_MSR_SIEFP, (AT + 0x1000 + 0x2000 * vp) | 1));
	EXPECT_EQ(MSR_OK, set(vp, HV_X64_MSR_SCONTROL, 1));
	EXPECT_EQ(MSR_OK, set(vp, HV_X64_MSR_SINT0 + 2, VEC));
	EXPECT_EQ(MSR_OK, set(vp, HV_X64_MSR_SINT0 + 3, VEC + 1));
}

static struct hv_message *slot(u32 vp, u32 sint)
{
	struct hv_message_page *page = (void *)synic_of(&g.vp[vp])->messages.mem;

	return &page->sint_message[sint];
}

static const struct hcall_row *row_of(u32 nr)
{
	bool live = false;
	const struct hcall_row *row = hcall_find(hyperv_abi.calls, nr, &live);

	EXPECT_TRUE(row != NULL && live);
	return row;
}

static u16 post(u32 id, u32 type, u32 size, u64 payload)
{
	struct hv_input_post_message in = { .connectionid = id,
					    .message_type = type,
					    .payload_size = size };
	struct hcall hc = { .in = &in };

	for (u32 i = 0; i < ARRAY_SIZE(in.payload); i++)
		in.payload[i] = payload + i;
	return row_of(HVCALL_POST_MESSAGE)->mem(fake.cpu_vp, &hc);
}

static u16 signal(u64 input)
{
	return row_of(HVCALL_SIGNAL_EVENT)->words(fake.cpu_vp, input, 0, 0);
}

/* The vector that waits on @vp, which takes and ends it; -1: none. */
static s32 take(u32 vp)
{
	s32 vector;

	vlapic_fold_posted(&g.vp[vp]);
	vector = vlapic_pending_vector(&g.vp[vp]);
	if (vector >= 0) {
		vlapic_accept(&g.vp[vp], (u8)vector);
		vlapic_eoi(&g.vp[vp]);
	}
	return vector;
}

static bool is_page_at(u64 at)
{
	return page_is(&g.p, at, PAGE_OVERLAY);
}

static void expect_reset_values(u32 vp)
{
	EXPECT_EQ(0, get(vp, HV_X64_MSR_SCONTROL));
	EXPECT_EQ(1, get(vp, HV_X64_MSR_SVERSION));
	EXPECT_EQ(0, get(vp, HV_X64_MSR_SIEFP));
	EXPECT_EQ(0, get(vp, HV_X64_MSR_SIMP));
	EXPECT_EQ(0, get(vp, HV_X64_MSR_EOM));
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++)
		EXPECT_EQ(0x10000, get(vp, HV_X64_MSR_SINT0 + i));
}

static void test_registers(void)
{
	start(features);
	expect_reset_values(0);
	EXPECT_EQ(MSR_GP, set(0, HV_X64_MSR_SVERSION, 1));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SCONTROL, ~0ull)); /* reserved bits stay */
	EXPECT_EQ(~0ull, get(0, HV_X64_MSR_SCONTROL));
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++) {
		u32 msr = HV_X64_MSR_SINT0 + i;

		EXPECT_EQ(MSR_GP, set(0, msr, 0));
		EXPECT_EQ(MSR_GP, set(0, msr, 15));
		EXPECT_EQ(MSR_GP, set(0, msr, 15 | HV_SYNIC_SINT_POLLING));
		EXPECT_EQ(0x10000, get(0, msr));
		EXPECT_EQ(MSR_OK, set(0, msr, HV_SYNIC_SINT_MASKED));
		EXPECT_EQ(MSR_OK, set(0, msr, 16 | ~0x3ffffull));
		EXPECT_EQ(16 | ~0x3ffffull, get(0, msr));
	}
	EXPECT_EQ(0x10000, get(1, HV_X64_MSR_SINT0)); /* each VP has its own */
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_EOM, ~0ull));
}

static void interface_only(struct partition *p)
{
	p->config.cpu_features |= BIT64(FEATURE_HYPERV);
}

static void test_off(void)
{
	bool live = true;
	u64 val;

	start(interface_only);
	for (u32 msr = HV_X64_MSR_SCONTROL; msr <= HV_X64_MSR_SINT15; msr++) {
		EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], msr, &val));
		EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], msr, HV_SYNIC_SINT_MASKED));
	}
	EXPECT_TRUE(hcall_find(hyperv_abi.calls, HVCALL_POST_MESSAGE, &live) != NULL);
	EXPECT_FALSE(live); /* denied */
}

static void test_leaves(void)
{
	struct cpuid_regs r;

	start(synic_only);
	cpuid_query(&g.vp[0], 0x40000003, 0, &r);
	EXPECT_EQ(BIT32(2), r.a & BIT32(2));
	EXPECT_EQ(BIT32(4) | BIT32(5), r.b);
	cpuid_query(&g.vp[0], 0x40000004, 0, &r);
	EXPECT_EQ(0, r.a & BIT32(9));
}

/* The memory beneath comes back; a page that appears is empty. */
static void test_pages(void)
{
	static const u32 msrs[] = { HV_X64_MSR_SIMP, HV_X64_MSR_SIEFP };

	for (u32 i = 0; i < 2; i++) {
		start(features);
		EXPECT_EQ(MSR_OK, set(0, msrs[i], AT | 0xffe));
		EXPECT_FALSE(is_page_at(AT));
		EXPECT_EQ(MSR_OK, set(0, msrs[i], AT | 0xfff));
		EXPECT_TRUE(is_page_at(AT));
		EXPECT_EQ(AT | 0xfff, get(0, msrs[i]));
		EXPECT_EQ(MSR_OK, set(0, msrs[i], (AT + 0x1000) | 1));
		EXPECT_FALSE(is_page_at(AT));
		EXPECT_TRUE(is_page_at(AT + 0x1000));
		EXPECT_EQ(MSR_OK, set(0, msrs[i], AT + 0x1000));
		EXPECT_FALSE(is_page_at(AT + 0x1000));
		/* Nowhere: not the guest's memory. */
		EXPECT_EQ(MSR_OK, set(0, msrs[i], BIT64(60) | 1));
		EXPECT_EQ(BIT64(60) | 1, get(0, msrs[i]));
		EXPECT_EQ(MSR_OK, set(0, msrs[i], AT | 1));
		EXPECT_EQ(MSR_OK, set(1, msrs[i], AT | 1)); /* another VP's lies over it */
		EXPECT_EQ(MSR_OK, set(0, msrs[i], 0));
		EXPECT_TRUE(is_page_at(AT));
		EXPECT_EQ(MSR_OK, set(1, msrs[i], 0));
		EXPECT_FALSE(is_page_at(AT));
	}
}

static void test_page_is_empty_when_it_appears(void)
{
	start(features);
	turn_on(0);
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 7, 8, 0x1234));
	EXPECT_EQ(7, slot(0, 2)->header.message_type);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SIMP, AT | 1)); /* it stays */
	EXPECT_EQ(7, slot(0, 2)->header.message_type);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SIMP, AT));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SIMP, AT | 1));
	EXPECT_EQ(0, slot(0, 2)->header.message_type);
	EXPECT_EQ(0, slot(0, 2)->u.payload[0]);
}

static void test_message(void)
{
	start(features);
	turn_on(0);
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 0x7fffffff, 240, 0x1000));
	EXPECT_EQ(0x7fffffff, slot(0, 2)->header.message_type);
	EXPECT_EQ(240, slot(0, 2)->header.payload_size);
	EXPECT_EQ(0, slot(0, 2)->header.message_flags);
	EXPECT_EQ(1, slot(0, 2)->header.sender);
	for (u32 i = 0; i < 30; i++)
		EXPECT_EQ(0x1000 + i, slot(0, 2)->u.payload[i]);
	EXPECT_EQ((s32)VEC, take(0));
	EXPECT_EQ(-1, take(0));
	/* Only as many bytes as it has. */
	slot(0, 2)->header.message_type = 0;
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 1, 4, 0xffffffff00000000));
	EXPECT_EQ(0, slot(0, 2)->u.payload[0]);
	EXPECT_EQ(0x1001, slot(0, 2)->u.payload[1]);
}

/* Full: the flag says that one waits; a second one has no place. EOM brings the first. */
static void test_busy_slot(void)
{
	start(features);
	turn_on(0);
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 1, 8, 100));
	EXPECT_EQ((s32)VEC, take(0));
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 2, 8, 200));
	EXPECT_EQ(HV_MESSAGE_PENDING, slot(0, 2)->header.message_flags);
	EXPECT_EQ(100, slot(0, 2)->u.payload[0]);
	EXPECT_EQ(HV_STATUS_INSUFFICIENT_BUFFERS, post(1, 3, 8, 300));
	EXPECT_EQ(-1, take(0));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_EOM, 0)); /* still full */
	EXPECT_EQ(1, slot(0, 2)->header.message_type);
	slot(0, 2)->header.message_type = 0;
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_EOM, 0));
	EXPECT_EQ(2, slot(0, 2)->header.message_type);
	EXPECT_EQ(200, slot(0, 2)->u.payload[0]);
	EXPECT_EQ(0, slot(0, 2)->header.message_flags);
	EXPECT_EQ((s32)VEC, take(0));
	EXPECT_EQ(0, g.vp[0].fwd.eoi_count); /* EOIs cost nothing again */
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 3, 8, 300));
}

/* The EOI of the vector is enough, with a lazy EOI, too. */
static void test_eoi_scans(void)
{
	struct vp *vp = &g.vp[0];

	start(features);
	turn_on(0);
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 1, 8, 100));
	EXPECT_EQ((s32)VEC, vlapic_pending_vector(vp));
	vlapic_accept(vp, VEC);
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 2, 8, 200));
	slot(0, 2)->header.message_type = 0;
	vlapic_eoi(vp);
	EXPECT_EQ(2, slot(0, 2)->header.message_type);
	EXPECT_EQ((s32)VEC, take(0));
	EXPECT_EQ(0, vp->fwd.eoi_count);
}

/* Posted from another CPU: the VP hears of it, and watches its EOI from then on. */
static void test_remote_post(void)
{
	start(features);
	turn_on(1);
	EXPECT_EQ(HV_STATUS_SUCCESS, post(3, 1, 8, 100));
	EXPECT_EQ(1, fake.kick_count);
	EXPECT_EQ(HV_STATUS_SUCCESS, post(3, 2, 8, 200));
	EXPECT_TRUE(g.vp[1].work & VP_WORK_LINES);
	fake.cpu_vp = &g.vp[1];
	slot(1, 2)->header.message_type = 0; /* and ended before it heard: then it looks again */
	irq_msg_work(&g.vp[1]);
	EXPECT_EQ(2, slot(1, 2)->header.message_type);
	EXPECT_EQ((s32)VEC, take(1));
	EXPECT_EQ(0, g.vp[1].fwd.eoi_count);
}

static void test_post_statuses(void)
{
	start(features);
	turn_on(0);
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, post(1, 0, 8, 0));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, post(1, BIT32(31), 8, 0));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, post(1, 1, 241, 0));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, post(1, 1, ~0u, 0));
	EXPECT_EQ(HV_STATUS_INVALID_CONNECTION_ID, post(6, 1, 8, 0));
	EXPECT_EQ(HV_STATUS_INVALID_CONNECTION_ID, post(0x101, 1, 8, 0));
	EXPECT_EQ(HV_STATUS_INVALID_CONNECTION_ID, post(0x01000001, 1, 8, 0));
	EXPECT_EQ(HV_STATUS_INVALID_PORT_ID, post(2, 1, 8, 0));
	EXPECT_EQ(HV_STATUS_INVALID_VP_INDEX, post(5, 1, 8, 0));
	EXPECT_EQ(HV_STATUS_INVALID_SYNIC_STATE, post(3, 1, 8, 0)); /* VP 1 */
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SCONTROL, 0));
	EXPECT_EQ(HV_STATUS_INVALID_SYNIC_STATE, post(1, 1, 8, 0));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SCONTROL, 1));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SIMP, AT));
	EXPECT_EQ(HV_STATUS_INVALID_SYNIC_STATE, post(1, 1, 8, 0));
	EXPECT_EQ(-1, take(0));
}

static u64 *flags(u32 vp, u32 sint)
{
	return (u64 *)(void *)(synic_of(&g.vp[vp])->events.mem + 256 * sint);
}

static void test_events(void)
{
	start(features);
	turn_on(0);
	EXPECT_EQ(HV_STATUS_SUCCESS, signal(2 | 65ull << 32));
	EXPECT_EQ(BIT64(1), flags(0, 3)[1]);
	EXPECT_EQ((s32)VEC + 1, take(0));
	EXPECT_EQ(HV_STATUS_SUCCESS, signal(2 | 65ull << 32));
	EXPECT_EQ(-1, take(0)); /* it was set */
	EXPECT_EQ(HV_STATUS_SUCCESS, signal(2 | 2047ull << 32));
	EXPECT_EQ(BIT64(63), flags(0, 3)[31]);
	EXPECT_EQ(0, flags(0, 4)[0]);
	EXPECT_EQ((s32)VEC + 1, take(0));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, signal(2 | 2048ull << 32));
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT, signal(2 | BIT64(48)));
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT, signal(2 | BIT64(24)));
	EXPECT_EQ(HV_STATUS_INVALID_CONNECTION_ID, signal(0x1234));
	EXPECT_EQ(HV_STATUS_INVALID_PORT_ID, signal(1));
	EXPECT_EQ(HV_STATUS_INVALID_SYNIC_STATE, signal(4));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SINT0 + 3, HV_SYNIC_SINT_MASKED));
	EXPECT_EQ(HV_STATUS_INVALID_SYNIC_STATE, signal(2));
	EXPECT_EQ(0, flags(0, 3)[0]);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SINT0 + 3, VEC));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SIEFP, 0));
	EXPECT_EQ(HV_STATUS_INVALID_SYNIC_STATE, signal(2));
}

/* A masked SINT takes the message, a polled one flags, too; neither interrupts. */
static void test_silent_sints(void)
{
	start(features);
	turn_on(0);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SINT0 + 2, HV_SYNIC_SINT_MASKED | VEC));
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 9, 8, 0));
	EXPECT_EQ(9, slot(0, 2)->header.message_type);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SINT0 + 3, HV_SYNIC_SINT_POLLING | VEC));
	EXPECT_EQ(HV_STATUS_SUCCESS, signal(2));
	EXPECT_EQ(1, flags(0, 3)[0]);
	/* polling unmasks */
	EXPECT_EQ(MSR_OK,
		  set(0, HV_X64_MSR_SINT0 + 3, HV_SYNIC_SINT_POLLING | HV_SYNIC_SINT_MASKED));
	EXPECT_EQ(HV_STATUS_SUCCESS, signal(2 | 1ull << 32));
	EXPECT_EQ(3, flags(0, 3)[0]);
	EXPECT_EQ(-1, take(0));
}

static bool ends_itself(u32 vector)
{
	return vlapic_has_auto_eoi(&g.vp[0].apic, vector);
}

/* Only while a SINT that interrupts wants it does the CPU not deliver by itself. */
static void test_auto_eoi(void)
{
	struct vlapic *a = &g.vp[0].apic;

	start(features);
	turn_on(0);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SINT0 + 2, HV_SYNIC_SINT_AUTO_EOI | VEC));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SINT0 + 5, HV_SYNIC_SINT_AUTO_EOI | VEC));
	EXPECT_TRUE(ends_itself(VEC) && !ends_itself(VEC + 1));
	EXPECT_TRUE(a->apicv_inhibit & APICV_INHIBIT_REASON_HYPERV);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SINT0 + 2,
			      HV_SYNIC_SINT_AUTO_EOI | HV_SYNIC_SINT_MASKED | VEC));
	EXPECT_TRUE(ends_itself(VEC)); /* another SINT has it, too */
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SINT0 + 5,
			      HV_SYNIC_SINT_AUTO_EOI | HV_SYNIC_SINT_POLLING | VEC));
	EXPECT_FALSE(ends_itself(VEC));
	EXPECT_FALSE(a->apicv_inhibit & APICV_INHIBIT_REASON_HYPERV);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SINT0 + 2, HV_SYNIC_SINT_AUTO_EOI | VEC));
	partition_vp_reset(&g.vp[0], true);
	EXPECT_FALSE(ends_itself(VEC));
	EXPECT_FALSE(a->apicv_inhibit & APICV_INHIBIT_REASON_HYPERV);
}

/* A queued message survives what switches delivery off, and not a reset. */
static void test_queue_survives(void)
{
	start(features);
	turn_on(0);
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 1, 8, 0));
	EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 2, 8, 0));
	slot(0, 2)->header.message_type = 0;
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SCONTROL, 0));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_EOM, 0));
	EXPECT_EQ(0, slot(0, 2)->header.message_type);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SIMP, 0));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SCONTROL, 1));
	EXPECT_EQ(0, slot(0, 2)->header.message_type);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SIMP, AT | 1));
	EXPECT_EQ(2, slot(0, 2)->header.message_type);
	for (u32 init = 0; init < 2; init++) {
		EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 3, 8, 0));
		partition_vp_reset(&g.vp[0], init != 0);
		expect_reset_values(0);
		EXPECT_FALSE(is_page_at(AT) || is_page_at(AT + 0x1000));
		EXPECT_EQ(0, slot(0, 2)->header.message_type);
		EXPECT_EQ(0, g.vp[0].fwd.eoi_count);
		turn_on(0);
		EXPECT_EQ(0, slot(0, 2)->header.message_type);
		EXPECT_EQ(HV_STATUS_SUCCESS, post(1, 4, 8, 0));
		EXPECT_EQ(4, slot(0, 2)->header.message_type);
	}
}

/* --- what other features use --- */

static u32 heard;

static void listener(struct vp *vp, u32 sints)
{
	heard = sints;
}

static void test_listener(void)
{
	const struct hv_message m = { .header = { .message_type = 0x80000010,
						  .payload_size = 24 } };

	start(features);
	synic_listen(listener);
	heard = 0;
	EXPECT_EQ(SYNIC_OFF, synic_send(&g.vp[0], 2, &m));
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SCONTROL, 1));
	EXPECT_EQ(0, heard);
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_SIMP, AT | 1));
	EXPECT_EQ(BIT32(2), heard);
	heard = 0;
	turn_on(0);
	EXPECT_EQ(SYNIC_OK, synic_send(&g.vp[0], 2, &m));
	EXPECT_EQ(SYNIC_BUSY, synic_send(&g.vp[0], 2, &m));
	EXPECT_EQ((s32)VEC, take(0)); /* and its EOI */
	EXPECT_EQ(BIT32(2), heard);
	heard = 0;
	EXPECT_EQ(MSR_OK, set(0, HV_X64_MSR_EOM, 0));
	EXPECT_EQ(0, heard); /* it had nothing more to send */
	EXPECT_EQ(0x80000010, slot(0, 2)->header.message_type);
	synic_listen(NULL);
}

/* --- QEMU's test device --- */

static void out(u32 command)
{
	u32 val = command;

	pio_access(fake.cpu_vp, 0x3000, 4, true, &val);
}

static u32 command(u32 action, u32 vp, u32 sint, u32 id)
{
	return id << 24 | action << 16 | vp << 8 | sint;
}

static void test_testdev(void)
{
	u32 val = 0x5a;

	start(testdev);
	turn_on(0);
	turn_on(1);
	pio_access(&g.vp[0], 0x3000, 4, false, &val);
	EXPECT_EQ(0, val);
	out(command(1, 1, 2, 0));
	out(command(3, 1, 2, 0)); /* assert */
	EXPECT_EQ((s32)VEC, take(1));
	out(command(2, 1, 2, 0));
	out(command(3, 1, 16, 0)); /* nonsense */
	out(command(3, 2, 2, 0));
	out(command(99, 0, 2, 0));
	EXPECT_EQ(-1, take(1));
	out(command(4, 1, 2, 0x10));
	out(command(6, 1, 3, 0x20));
	out(command(4, 1, 16, 0x11));
	EXPECT_EQ(HV_STATUS_INVALID_CONNECTION_ID, post(0x11, 1, 8, 0));
	EXPECT_EQ(HV_STATUS_SUCCESS, post(0x10, 1, 8, 0));
	EXPECT_EQ(1, slot(1, 2)->header.message_type);
	EXPECT_EQ(HV_STATUS_SUCCESS, signal(0x20));
	EXPECT_EQ(BIT64(0x20), flags(1, 3)[0]); /* the connection's number */
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, signal(0x20 | 1ull << 32));
	EXPECT_EQ(HV_STATUS_SUCCESS, post(0x10, 2, 8, 0)); /* queued, and goes with its port */
	out(command(5, 0, 0, 0x10));
	out(command(7, 0, 0, 0x20));
	EXPECT_EQ(HV_STATUS_INVALID_CONNECTION_ID, post(0x10, 1, 8, 0));
	EXPECT_EQ(HV_STATUS_INVALID_CONNECTION_ID, signal(0x20));
	slot(1, 2)->header.message_type = 0;
	EXPECT_EQ(MSR_OK, set(1, HV_X64_MSR_EOM, 0));
	EXPECT_EQ(0, slot(1, 2)->header.message_type);
	out(command(5, 0, 0, 0x10)); /* twice: nothing */
}

/* There are message buffers for 64 ports, whatever comes and goes. */
static void test_buffers_end(void)
{
	start(testdev);
	turn_on(0);
	for (u32 id = 10; id < 200; id++)
		out(command(4, 0, 2, id));
	for (u32 id = 10; id < 200; id++)
		EXPECT_EQ(id < 10 + 64 - 3 ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_CONNECTION_ID,
			  post(id, 1, 8, 0));
	for (u32 i = 0; i < 200; i++) {
		out(command(5, 0, 0, 10));
		out(command(4, 0, 2, 10));
		EXPECT_EQ(HV_STATUS_SUCCESS, post(10, 1, 8, 0));
	}
}

TEST_MAIN(TEST(test_registers), TEST(test_off), TEST(test_leaves), TEST(test_pages),
	  TEST(test_page_is_empty_when_it_appears), TEST(test_message), TEST(test_busy_slot),
	  TEST(test_eoi_scans), TEST(test_remote_post), TEST(test_post_statuses), TEST(test_events),
	  TEST(test_silent_sints), TEST(test_auto_eoi), TEST(test_queue_survives),
	  TEST(test_listener), TEST(test_testdev), TEST(test_buffers_end))
