/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/hyperv/start_vp.c: a VP that waits for a SIPI starts from a whole state, or goes on waiting;
 * VPs by APIC ID.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/entry_check.h"
#include "core/vp/guest_cr.h"
#include "core/vp/hold.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_reg_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;
static struct vp *const ap = &g.vp[1];
static struct hv_start_virtual_processor in;

static void change(struct partition *p)
{
	fake_guest_everything(p);
	p->machine.cr4_allowed = CR4_PAE | CR4_PGE | CR4_PCIDE;
	p->machine.virt_intr_delivery = true;
	p->machine.tpr_shadow = true;
}

static const struct hv_x64_segment_register code64 = { 0, 0xffffffff, 0x10, 0xa09b };
static const struct hv_x64_segment_register data = { 0, 0xffffffff, 0x18, 0xc093 };

/* What Linux' hv_vtl.c fills in: a 64-bit kernel; data segments stay zero. */
static void linux_context(void)
{
	in = (struct hv_start_virtual_processor){
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = 1,
		.context = {
			.rip = 0xffffffff81000000,
			.rsp = 0xffff888000012345,
			.rflags = RFLAGS_FIXED,
			.cs = code64,
			.ss = data,
			.tr = { 0xfffffe0000003000, 0x206f, 0x40, 0x8b },
			.ldtr = { 0, 0, 0x50, 0x82 },
			.idtr = { .limit = 0xfff, .base = 0xfffffe0000000000 },
			.gdtr = { .limit = 0x7f, .base = 0xfffffe0000001000 },
			.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
			.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP,
			.cr3 = 0x5001,
			.cr4 = CR4_PAE | CR4_PGE | CR4_PCIDE,
			.msr_cr_pat = 0x0407050600070106,
		},
	};
}

static void run_kicked(struct vp *other)
{
	struct vp *self = fake.cpu_vp;

	fake.cpu_vp = other;
	(void)vp_prepare_entry(other);
	fake.cpu_vp = self;
}

/* VP 1 after INIT: it sleeps until a SIPI, with the IF of rule K3. */
static void init(void)
{
	static const struct vp_ctls ctls;

	fake_guest_init(&g, 3, change);
	for (u32 i = 0; i < 3; i++) {
		g.vp[i].entered = true;
		g.p.vp_of_apic_id[g.vp[i].apic_id] = &g.vp[i];
	}
	g.p.io_bitmap = g.pages[2].apic_page;
	ctx_fill(ap, &ctls);
	fake.vmcs[VMCS_GUEST_CR4] = CR4_VMXE;
	vp_reset(ap, true);
	event_prepare_entry(ap);
	ap->work = 0;
	EXPECT_TRUE(ap->event.if_aside);
	fake.tsc_step = 1000;
	fake.kick = run_kicked;
	linux_context();
}

static u16 call(u32 feature, u32 nr, struct hcall *hc)
{
	const struct hv_feature *f = hv_features[feature];

	for (u32 i = 0; i < f->hcall_count; i++) {
		if (f->hcalls[i].nr == nr)
			return f->hcalls[i].mem(fake.cpu_vp, hc);
	}
	return 0xffff;
}

static bool again; /* of the last start() */

static u16 start(void)
{
	struct hcall hc = { .in = &in };
	u16 status = call(FEATURE_HV_START_VP, HVCALL_START_VP, &hc);

	again = hc.again;
	return status;
}

static void test_linux_context_starts(void)
{
	init();
	EXPECT_EQ(HV_STATUS_SUCCESS, start());
	EXPECT_EQ(VP_RUNNING, ap->state);
	EXPECT_FALSE(ap->event.if_aside);
	EXPECT_EQ(ACTIVITY_ACTIVE, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
	EXPECT_EQ(in.context.rip, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(in.context.rsp, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(RFLAGS_FIXED, fake.vmcs[VMCS_GUEST_RFLAGS]);
	EXPECT_EQ(in.context.efer, fake.vmcs[VMCS_GUEST_EFER]);
	EXPECT_EQ(0x5001, fake.vmcs[VMCS_GUEST_CR3]);
	EXPECT_EQ(in.context.cr4, guest_cr4(ap));
	EXPECT_EQ(in.context.cr0, guest_cr0(ap));
	EXPECT_EQ(in.context.msr_cr_pat, fake.vmcs[VMCS_GUEST_PAT]);
	EXPECT_EQ(0xfffffe0000003000, fake.vmcs[VMCS_GUEST_TR_BASE]);
	EXPECT_EQ(0xfff, fake.vmcs[VMCS_GUEST_IDTR_LIMIT]);
	EXPECT_EQ(AR_UNUSABLE, fake.vmcs[VMCS_GUEST_DS_AR]);
	EXPECT_TRUE(entry_check_passes());
	EXPECT_EQ(1, ap->counters.c[COUNTER_HV_VP_STARTED]);
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, start()); /* it runs */
}

static void test_real_mode_context_starts(void)
{
	init();
	in.context = (struct hv_init_vp_context){
		.rip = 0x1234,
		.rflags = RFLAGS_FIXED,
		.cs = { 0x90000, 0xffff, 0x9000, 0x9b },
		.ds = { 0, 0xffff, 0, 0x93 },
		.es = { 0, 0xffff, 0, 0x93 },
		.fs = { 0, 0xffff, 0, 0x93 },
		.gs = { 0, 0xffff, 0, 0x93 },
		.ss = { 0, 0xffff, 0, 0x93 },
		.tr = { 0, 0xffff, 0, 0x8b },
		.ldtr = { 0, 0xffff, 0, 0x82 },
		.idtr = { .limit = 0x3ff },
		.cr0 = CR0_ET,
		.msr_cr_pat = 0x0007040600070406,
	};
	EXPECT_EQ(HV_STATUS_SUCCESS, start());
	EXPECT_EQ(0x90000, fake.vmcs[VMCS_GUEST_CS_BASE]);
	EXPECT_EQ(0x1234, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_TRUE(entry_check_passes());
}

/* Nothing of a refused context stays: a SIPI starts the VP as after INIT. */
static void test_refused_contexts_change_nothing(void)
{
	static u64 before[FAKE_VMCS_SIZE];
	static const struct {
		size_t at;
		u64 val;
	} bad[] = {
		{ offsetof(struct hv_init_vp_context, rip), 0x800000000000 },
		{ offsetof(struct hv_init_vp_context, rflags), 0 },
		{ offsetof(struct hv_init_vp_context, rflags), RFLAGS_FIXED | RFLAGS_VM },
		{ offsetof(struct hv_init_vp_context, cs.limit), 0xffffffff | 0x93ull << 48 },
		{ offsetof(struct hv_init_vp_context, cs.limit), 0xffffffff | 0xe09bull << 48 },
		{ offsetof(struct hv_init_vp_context, ss.limit), 0xffffffff | 0xc0f3ull << 48 },
		{ offsetof(struct hv_init_vp_context, tr.limit), 0 },
		{ offsetof(struct hv_init_vp_context, gdtr.base), 0x800000000000 },
		{ offsetof(struct hv_init_vp_context, efer), EFER_LME | BIT64(2) },
		{ offsetof(struct hv_init_vp_context, cr0), CR0_PG },
		{ offsetof(struct hv_init_vp_context, cr3), BIT64(60) },
		{ offsetof(struct hv_init_vp_context, cr4), CR4_PGE },
		{ offsetof(struct hv_init_vp_context, msr_cr_pat), 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		init();
		vp_restore_if(ap); /* the IF in the VMCS is not the guest's */
		memcpy(before, fake.vmcs, sizeof(before));
		memcpy((u8 *)&in.context + bad[i].at, &bad[i].val, sizeof(u64));
		EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, start());
		EXPECT_EQ(VP_WAIT_SIPI, ap->state);
		EXPECT_TRUE(entry_check_passes());
		vp_restore_if(ap);
		fake.vmcs[VMCS_PROC_BASED_CTLS] = before[VMCS_PROC_BASED_CTLS];
		EXPECT_MEMEQ(before, fake.vmcs, sizeof(before));
	}
}

static void test_targets(void)
{
	init();
	in.partition_id = 1;
	EXPECT_EQ(HV_STATUS_INVALID_PARTITION_ID, start());
	linux_context();
	in.vp_index = 3;
	EXPECT_EQ(HV_STATUS_INVALID_VP_INDEX, start());
	in.vp_index = 0;
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, start());
	in.vp_index = HV_VP_INDEX_SELF;
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, start());
	linux_context();
	in.target_vtl = 1;
	EXPECT_EQ(HV_STATUS_ACCESS_DENIED, start());
	in.target_vtl = 3;
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, start());
	in.target_vtl = 0;
	ap->entered = false;
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, start());
	EXPECT_EQ(VP_WAIT_SIPI, ap->state);
}

/* One that does not answer now is asked again. */
static void test_no_answer(void)
{
	init();
	fake.kick = NULL;
	fake.tsc_step = 1000;
	(void)start();
	EXPECT_TRUE(again);
	EXPECT_EQ(VP_WAIT_SIPI, ap->state);
	fake.kick = run_kicked;
	EXPECT_EQ(HV_STATUS_SUCCESS, start());
	EXPECT_FALSE(again);
	EXPECT_EQ(VP_RUNNING, ap->state);
}

/* A hold that was asked for while the VP waited counts from its first instruction. */
static void test_a_held_vp_is_held_from_the_start(void)
{
	init();
	ap->hold.owners = HOLD_PAUSE;
	g.p.paused_until_tsc = fake.tsc + 50000;
	EXPECT_EQ(HV_STATUS_SUCCESS, start());
	EXPECT_EQ(1, ap->counters.c[COUNTER_PAUSE]);
}

static void test_index_by_apic_id(void)
{
	static u32 ids[] = { 4, 0, 2, 6 }; /* VP i has ID 2 * i */
	static const u32 expected[] = { 2, 0, 1, 0 };
	struct hv_get_vp_index_from_apic_id header = { .partition_id = HV_PARTITION_ID_SELF };
	u32 index[4] = { 0 };
	struct hcall hc = {
		.in = &header, .list = ids, .count = 3, .out_list = index, .deadline_tsc = ~0ull
	};

	init();
	EXPECT_EQ(HV_STATUS_SUCCESS,
		  call(FEATURE_HV_START_VP, HVCALL_GET_VP_INDEX_FROM_APIC_ID, &hc));
	EXPECT_EQ(3, hc.done);
	EXPECT_MEMEQ(expected, index, sizeof(index));
	hc.done = 0;
	hc.count = 4;
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER,
		  call(FEATURE_HV_START_VP, HVCALL_GET_VP_INDEX_FROM_APIC_ID, &hc));
	EXPECT_EQ(3, hc.done);
	hc.done = 0;
	hc.deadline_tsc = 0; /* one at a time */
	EXPECT_EQ(HV_STATUS_SUCCESS,
		  call(FEATURE_HV_START_VP, HVCALL_GET_VP_INDEX_FROM_APIC_ID, &hc));
	EXPECT_EQ(1, hc.done);
	header.target_vtl = 1;
	EXPECT_EQ(HV_STATUS_ACCESS_DENIED,
		  call(FEATURE_HV_START_VP, HVCALL_GET_VP_INDEX_FROM_APIC_ID, &hc));
	header = (struct hv_get_vp_index_from_apic_id){ .partition_id = 0 };
	EXPECT_EQ(HV_STATUS_INVALID_PARTITION_ID,
		  call(FEATURE_HV_START_VP, HVCALL_GET_VP_INDEX_FROM_APIC_ID, &hc));
}

TEST_MAIN(TEST(test_linux_context_starts), TEST(test_real_mode_context_starts),
	  TEST(test_refused_contexts_change_nothing), TEST(test_targets), TEST(test_no_answer),
	  TEST(test_a_held_vp_is_held_from_the_start), TEST(test_index_by_apic_id))
