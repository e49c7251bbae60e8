/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/vp/vp_reset.c, ctx.c, core/exit/entry_check.c: the VMCS we make passes the checks of VM
 * entry, and one change of it is named by the check that it breaks.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "boot/load/plan.h"
#include "core/exit/entry_check.h"
#include "core/vp/ctx.h"
#include "core/vp/guest_cr.h"
#include "tests/host/fakes/rig.h"

#define PASSES "no check known to this version fails"

static struct fake_guest g;
static struct vp *const vp = &g.vp[0];

static void reset_vp(void)
{
	static u8 pages[3][4096] ALIGNED(4096);
	struct vp_ctls ctls = {
		.pin = 1,
		.proc = 2,
		.proc2 = PROC2_ENABLE_XSAVES | PROC2_ENCLS_EXITING | PROC2_ENCLV_EXITING,
		.exit = 4,
	};

	fake_guest_init(&g, 2, NULL);
	g.p.io_bitmap = pages[0];
	for (u32 i = 0; i < 2; i++)
		g.vp[i].ctx->msr_bitmap = pages[2];
	g.p.machine.tpr_shadow = true;
	g.p.machine.virt_intr_delivery = true;
	ctx_fill(vp, &ctls);
	fake.vmcs[VMCS_GUEST_CR4] = CR4_VMXE;
	vp_reset(vp, false);
}

/* What boot/guest.c does, for an entry in @mode. */
static void enter(enum entry_mode mode)
{
	static struct load_plan plan;

	reset_vp();
	plan = (struct load_plan){ .mode = mode,
				   .rip = 0x100000,
				   .rsp = 0x90000,
				   .rsi = 0x1234,
				   .cr3 = 0x5000,
				   .gdt_base = 0x6000,
				   .gdt_limit = 0x1f };
	load_set_entry(vp, &plan);
}

/* Without XSAVE, XSETBV is #UD: seen in nested KVM with `-cpu host,-xsave`. */
static void test_reset_without_xsave_leaves_xcr0_alone(void)
{
	reset_vp();
	EXPECT_EQ(0, fake.xsetbvs);
	g.p.machine.xcr0_supported = XCR0_X87 | XCR0_SSE;
	vp_reset(vp, false);
	EXPECT_EQ(1, fake.xsetbvs);
	EXPECT_EQ(XCR0_X87, fake.xcr0);
}

static void test_reset_state_passes(void)
{
	reset_vp();
	EXPECT_STREQ(PASSES, entry_check_guest_state());
	EXPECT_EQ(0xfff0, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(0xffff0000, fake.vmcs[VMCS_GUEST_CS_BASE]);
	EXPECT_EQ(VP_RUNNING, vp->state);
	vp->xcr0 = 7;
	vp_reset(vp, true); /* INIT keeps XCR0, and application processors wait */
	EXPECT_EQ(7, vp->xcr0);
	EXPECT_STREQ(PASSES, entry_check_guest_state());
	vp_reset(&g.vp[1], true);
	EXPECT_EQ(VP_WAIT_SIPI, g.vp[1].state);
}

static void test_entry_state_passes(void)
{
	enter(ENTRY_PROTECTED32);
	EXPECT_STREQ(PASSES, entry_check_guest_state());
	EXPECT_EQ(CR0_PE | CR0_ET | CR0_NE, fake.vmcs[VMCS_GUEST_CR0]);
	EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_CTLS] & ENTRY_CTL_IA32E_GUEST);
	enter(ENTRY_LONG64);
	EXPECT_STREQ(PASSES, entry_check_guest_state());
	EXPECT_NE(0, fake.vmcs[VMCS_VM_ENTRY_CTLS] & ENTRY_CTL_IA32E_GUEST);
	EXPECT_EQ(0x5000, fake.vmcs[VMCS_GUEST_CR3]);
	EXPECT_EQ(0x100000, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(0x90000, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(0x1234, vp->regs.rsi);
}

/* As firmware starts a boot sector: real mode, caches on. */
static void test_real_mode_entry(void)
{
	static struct load_plan plan = { .mode = ENTRY_REAL16, .rip = 0x9ec00 };

	reset_vp();
	load_set_entry(vp, &plan);
	EXPECT_STREQ(PASSES, entry_check_guest_state());
	EXPECT_EQ(0x9ec0, fake.vmcs[VMCS_GUEST_CS_SELECTOR]);
	EXPECT_EQ(0x9ec00, fake.vmcs[VMCS_GUEST_CS_BASE]);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(CR0_ET, guest_cr0(vp));
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF);
}

static void test_controls_are_written(void)
{
	enter(ENTRY_LONG64);
	EXPECT_EQ(BIT64(EXC_DB) | BIT64(EXC_AC), fake.vmcs[VMCS_EXCEPTION_BITMAP]);
	EXPECT_EQ(g.p.ept.eptp, fake.vmcs[VMCS_EPTP]);
	EXPECT_EQ(vp->ctx->vpid, fake.vmcs[VMCS_VPID]);
	EXPECT_EQ(~g.p.machine.cr4_allowed, fake.vmcs[VMCS_CR4_GUEST_HOST_MASK]);
	EXPECT_EQ(~0ull, fake.vmcs[VMCS_ENCLS_EXIT_BITMAP]);
	EXPECT_EQ(~0ull, fake.vmcs[VMCS_ENCLV_EXIT_BITMAP]);
	EXPECT_EQ(~0ull, fake.vmcs[VMCS_XSS_EXIT_BITMAP]);
	EXPECT_EQ(1, fake.vmcs[VMCS_PIN_BASED_CTLS]);
	EXPECT_EQ(fake.vmcs[VMCS_IO_BITMAP_A] + 4096, fake.vmcs[VMCS_IO_BITMAP_B]);
	EXPECT_EQ(VP_WORK_LAUNCH | VP_WORK_EVENT, vp->work & (VP_WORK_LAUNCH | VP_WORK_EVENT));
}

#define NON_CANONICAL 0x800000000000ull
#define EXCEPTION     (INTR_TYPE_HARD_EXCEPTION << 8 | EXC_GP)
#define EXTERNAL      (INTR_INFO_VALID | INTR_TYPE_EXTERNAL << 8 | 0x31)
#define BOTH_SHADOWS  (GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_MOV_SS)
#define FLAGS(f)      (RFLAGS_FIXED | (f))

struct change {
	enum vmcs_field field;
	u64 val;
};

/* clang-format off */
static const struct {
	const char *text;
	enum entry_mode mode;
	struct change change[3];
} rows[] = {
	{ "CR0.PG is 1 with CR0.PE 0", ENTRY_LONG64, { { VMCS_GUEST_CR0, CR0_PG | CR0_NE } } },
	{ "CR0.NE is 0", ENTRY_LONG64, { { VMCS_GUEST_CR0, CR0_PG | CR0_PE } } },
	{ "CR4.VMXE is 0", ENTRY_LONG64, { { VMCS_GUEST_CR4, CR4_PAE } } },
	{ "IA-32e mode without", ENTRY_LONG64, { { VMCS_GUEST_CR4, CR4_VMXE } } },
	{ "IA-32e mode without", ENTRY_LONG64, { { VMCS_GUEST_CR0, CR0_PE | CR0_NE } } },
	{ "CR4.PCIDE outside", ENTRY_PROTECTED32, { { VMCS_GUEST_CR4, CR4_VMXE | CR4_PCIDE } } },
	{ "SYSENTER_ESP or", ENTRY_LONG64, { { VMCS_GUEST_SYSENTER_ESP, NON_CANONICAL } } },
	{ "SYSENTER_ESP or", ENTRY_LONG64, { { VMCS_GUEST_SYSENTER_EIP, NON_CANONICAL } } },
	{ "IA32_PAT has", ENTRY_LONG64, { { VMCS_GUEST_PAT, 0x0200000000000000 } } },
	{ "IA32_PAT has", ENTRY_LONG64, { { VMCS_GUEST_PAT, 0x0308 } } },
	{ "EFER.LMA and EFER.LME", ENTRY_LONG64, { { VMCS_GUEST_EFER, EFER_LME } } },
	{ "EFER.LMA and EFER.LME", ENTRY_LONG64, { { VMCS_GUEST_EFER, EFER_LMA } } },
	{ "RFLAGS.VM outside", ENTRY_LONG64, { { VMCS_GUEST_RFLAGS, FLAGS(RFLAGS_VM) } } },
	{ "CS is not a code", ENTRY_LONG64, { { VMCS_GUEST_CS_AR, 0xa092 } } },
	{ "SS.DPL does not match", ENTRY_LONG64, { { VMCS_GUEST_SS_AR, 0xc0f3 } } },
	{ "SS.DPL does not match", ENTRY_PROTECTED32,
	  { { VMCS_GUEST_CS_AR, 0xc0ff }, { VMCS_GUEST_SS_AR, 0xc0d3 } } },
	{ "CS.L and CS.D", ENTRY_LONG64, { { VMCS_GUEST_CS_AR, 0xe09b } } },
	{ "TR is not a busy TSS", ENTRY_LONG64, { { VMCS_GUEST_TR_AR, AR_UNUSABLE | 0x8b } } },
	{ "TR is not a busy TSS", ENTRY_LONG64, { { VMCS_GUEST_TR_AR, 0x83 } } }, /* 16-bit */
	{ "LDTR is neither", ENTRY_LONG64, { { VMCS_GUEST_LDTR_AR, 0x8b } } },
	{ "a descriptor-table or", ENTRY_LONG64, { { VMCS_GUEST_IDTR_BASE, NON_CANONICAL } } },
	{ "a descriptor-table or", ENTRY_LONG64, { { VMCS_GUEST_GS_BASE, NON_CANONICAL } } },
	{ "RIP does not fit", ENTRY_LONG64, { { VMCS_GUEST_RIP, NON_CANONICAL } } },
	{ "RIP does not fit", ENTRY_PROTECTED32, { { VMCS_GUEST_RIP, BIT64(32) } } },
	{ "RFLAGS has reserved", ENTRY_LONG64, { { VMCS_GUEST_RFLAGS, 0 } } },
	{ "RFLAGS has reserved", ENTRY_LONG64, { { VMCS_GUEST_RFLAGS, FLAGS(BIT64(15)) } } },
	{ "an external interrupt", ENTRY_LONG64, { { VMCS_VM_ENTRY_INTR_INFO, EXTERNAL } } },
	{ "activity state HLT", ENTRY_LONG64,
	  { { VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT },
	    { VMCS_GUEST_INTERRUPTIBILITY, GUEST_INTR_BLOCKED_BY_MOV_SS } } },
	{ "blocking by STI with", ENTRY_LONG64,
	  { { VMCS_GUEST_INTERRUPTIBILITY, GUEST_INTR_BLOCKED_BY_STI } } },
	{ "blocking by STI and", ENTRY_LONG64,
	  { { VMCS_GUEST_INTERRUPTIBILITY, BOTH_SHADOWS },
	    { VMCS_GUEST_RFLAGS, FLAGS(RFLAGS_IF) } } },
	{ "single-step and pending", ENTRY_LONG64,
	  { { VMCS_GUEST_INTERRUPTIBILITY, GUEST_INTR_BLOCKED_BY_MOV_SS },
	    { VMCS_GUEST_RFLAGS, FLAGS(RFLAGS_TF) } } },
	{ "single-step and pending", ENTRY_LONG64,
	  { { VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT },
	    { VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DBG_BS } } },
	{ "the VMCS link pointer", ENTRY_LONG64, { { VMCS_VMCS_LINK_POINTER, 0x1000 } } },
	{ "CR3 has bits", ENTRY_LONG64, { { VMCS_GUEST_CR3, BIT64(52) } } },
	{ "DR7 has bits", ENTRY_LONG64, { { VMCS_GUEST_DR7, BIT64(32) } } },
	{ "EFER has reserved", ENTRY_PROTECTED32, { { VMCS_GUEST_EFER, BIT64(1) } } },
	{ "a descriptor-table limit", ENTRY_LONG64, { { VMCS_GUEST_IDTR_LIMIT, 0x10000 } } },
	{ "activity state HLT with SS.DPL", ENTRY_LONG64,
	  { { VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }, { VMCS_GUEST_CS_AR, 0xa0fb },
	    { VMCS_GUEST_SS_AR, 0xc0f3 } } },
	{ "an error code", ENTRY_REAL16,
	  { { VMCS_VM_ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_INFO_ERROR_CODE_VALID | EXCEPTION } } },
	{ "a PDPTE has", ENTRY_PROTECTED32,
	  { { VMCS_GUEST_CR0, CR0_PG | CR0_PE | CR0_NE }, { VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE },
	    { VMCS_GUEST_PDPTE3, 0x1003 } } },
	{ "a descriptor-table or", ENTRY_LONG64,
	  { { VMCS_GUEST_LDTR_AR, 0x82 }, { VMCS_GUEST_LDTR_BASE, NON_CANONICAL } } },
	/* each segment by itself */
	{ "CS is not a segment", ENTRY_LONG64, { { VMCS_GUEST_CS_BASE, BIT64(32) } } },
	{ "CS is not a segment", ENTRY_LONG64, { { VMCS_GUEST_CS_AR, 0xa01b } } },
	{ "CS is not a segment", ENTRY_LONG64, { { VMCS_GUEST_CS_AR, 0xa89b } } },
	{ "CS is not a segment", ENTRY_PROTECTED32, { { VMCS_GUEST_CS_AR, 0xc0f3 } } },
	{ "SS is not a segment", ENTRY_LONG64, { { VMCS_GUEST_SS_AR, 0xc09b } } },
	{ "SS is not a segment", ENTRY_LONG64, { { VMCS_GUEST_SS_BASE, BIT64(32) } } },
	{ "SS is not a segment", ENTRY_PROTECTED32,
	  { { VMCS_GUEST_CS_AR, 0xc093 }, { VMCS_GUEST_SS_AR, AR_UNUSABLE | 0x60 } } },
	{ "SS is not a segment", ENTRY_REAL16, { { VMCS_GUEST_SS_AR, 0xf3 } } },
	{ "DS is not a segment", ENTRY_LONG64, { { VMCS_GUEST_DS_AR, 0xc092 } } },
	{ "DS is not a segment", ENTRY_LONG64, { { VMCS_GUEST_DS_AR, 0xc099 } } },
	{ "ES is not a segment", ENTRY_LONG64, { { VMCS_GUEST_ES_BASE, BIT64(32) } } },
	{ "FS is not a segment", ENTRY_LONG64, { { VMCS_GUEST_FS_AR, 0xc083 } } },
	{ "GS is not a segment", ENTRY_LONG64, { { VMCS_GUEST_GS_AR, BIT32(20) | 0xc093 } } },
	{ "LDTR is not a segment", ENTRY_LONG64, { { VMCS_GUEST_LDTR_AR, 0x92 } } },
	{ "LDTR is not a segment", ENTRY_LONG64,
	  { { VMCS_GUEST_LDTR_AR, 0x82 }, { VMCS_GUEST_LDTR_SELECTOR, 4 } } },
	{ "LDTR is not a segment", ENTRY_LONG64,
	  { { VMCS_GUEST_LDTR_AR, 0x82 }, { VMCS_GUEST_LDTR_LIMIT, 0x100000 } } },
	{ "TR is not a segment", ENTRY_LONG64, { { VMCS_GUEST_TR_SELECTOR, 4 } } },
	{ "TR is not a segment", ENTRY_LONG64, { { VMCS_GUEST_TR_AR, 0x18b } } },
	{ "ES is not a segment", ENTRY_PROTECTED32,
	  { { VMCS_GUEST_RFLAGS, FLAGS(RFLAGS_VM) } } },
	/* legal, though they look odd */
	{ PASSES, ENTRY_LONG64, { { VMCS_GUEST_SS_AR, AR_UNUSABLE } } },
	{ PASSES, ENTRY_PROTECTED32, { { VMCS_GUEST_TR_AR, 0x83 } } },
	{ PASSES, ENTRY_PROTECTED32, { { VMCS_GUEST_CS_AR, 0xc093 } } },
	{ PASSES, ENTRY_LONG64, { { VMCS_GUEST_GS_BASE, BIT64(32) } } },
	{ PASSES, ENTRY_LONG64, { { VMCS_GUEST_DS_AR, AR_UNUSABLE } } },
	{ PASSES, ENTRY_LONG64,
	  { { VMCS_VM_ENTRY_INTR_INFO, EXTERNAL }, { VMCS_GUEST_RFLAGS, FLAGS(RFLAGS_IF) } } },
	{ PASSES, ENTRY_LONG64,
	  { { VMCS_GUEST_INTERRUPTIBILITY, GUEST_INTR_BLOCKED_BY_STI },
	    { VMCS_GUEST_RFLAGS, FLAGS(RFLAGS_IF) } } },
};
/* clang-format on */

static void test_every_check_names_its_failure(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enter(rows[i].mode);
		for (u32 k = 0; k < 3; k++) {
			if (rows[i].change[k].field != 0)
				fake.vmcs[rows[i].change[k].field] = rows[i].change[k].val;
		}
		EXPECT_CONTAINS(entry_check_guest_state(), rows[i].text);
	}
}

/* SDM "Checks on Guest Segment Registers", limits: with G = 1 the low 12 bits are ones, with G = 0
 * the high 12 bits are zeroes; for each segment that is usable, and TR. */
static void test_every_limit_matches_its_granularity(void)
{
	static const char text[] = "a segment limit does not match its granularity";
	static const enum vmcs_field limit[] = { VMCS_GUEST_CS_LIMIT, VMCS_GUEST_SS_LIMIT,
						 VMCS_GUEST_DS_LIMIT, VMCS_GUEST_ES_LIMIT,
						 VMCS_GUEST_FS_LIMIT, VMCS_GUEST_GS_LIMIT,
						 VMCS_GUEST_TR_LIMIT };
	static const enum vmcs_field ar[] = { VMCS_GUEST_CS_AR, VMCS_GUEST_SS_AR, VMCS_GUEST_DS_AR,
					      VMCS_GUEST_ES_AR, VMCS_GUEST_FS_AR, VMCS_GUEST_GS_AR,
					      VMCS_GUEST_TR_AR };
	static const struct {
		u32 limit;
		bool g, passes;
	} pairs[] = {
		{ 0xfffff, false, true },     { 0x100000, false, false },
		{ 0xffffffff, false, false }, { 0x80000000, false, false },
		{ 0x100fff, true, true },     { 0xffffffff, true, true },
		{ 0xffffeffe, true, false },  { 0xfffff7ff, true, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limit); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(pairs); k++) {
			enter(ENTRY_LONG64);
			fake.vmcs[ar[i]] &= ~(u64)AR_G;
			fake.vmcs[ar[i]] |= pairs[k].g ? AR_G : 0;
			fake.vmcs[limit[i]] = pairs[k].limit;
			EXPECT_STREQ(pairs[k].passes ? PASSES : text, entry_check_guest_state());
			if (ar[i] == VMCS_GUEST_CS_AR || ar[i] == VMCS_GUEST_TR_AR)
				continue;
			fake.vmcs[ar[i]] |= AR_UNUSABLE;
			EXPECT_STREQ(PASSES, entry_check_guest_state());
		}
	}
}

/* A virtual-8086 task: every segment is as in real mode, with DPL 3. */
static void test_v86_segments(void)
{
	enter(ENTRY_PROTECTED32);
	fake.vmcs[VMCS_GUEST_RFLAGS] = FLAGS(RFLAGS_VM);
	for (u32 i = 0; i < 6; i++) {
		fake.vmcs[VMCS_GUEST_ES_SELECTOR + 2 * i] = 0x1234;
		fake.vmcs[VMCS_GUEST_ES_BASE + 2 * i] = 0x12340;
		fake.vmcs[VMCS_GUEST_ES_LIMIT + 2 * i] = 0xffff;
		fake.vmcs[VMCS_GUEST_ES_AR + 2 * i] = 0xf3;
	}
	EXPECT_STREQ(PASSES, entry_check_guest_state());
	EXPECT_TRUE(entry_check_passes());
	fake.vmcs[VMCS_GUEST_FS_LIMIT] = 0xfffff;
	EXPECT_CONTAINS(entry_check_guest_state(), "FS is not");
	EXPECT_FALSE(entry_check_passes());
}

/* A CPU with 5-level paging: 57 bits, also while CR4.LA57 is clear. */
static void test_canonical_by_the_width_of_the_cpu(void)
{
	static const enum vmcs_field fields[] = { VMCS_GUEST_SYSENTER_ESP, VMCS_GUEST_IDTR_BASE,
						  VMCS_GUEST_FS_BASE, VMCS_GUEST_RIP };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		enter(ENTRY_LONG64);
		fake_cpuid_set(0x80000008, 0, 0x3934, 0, 0, 0);
		fake.vmcs[fields[i]] = NON_CANONICAL;
		EXPECT_CONTAINS(entry_check_guest_state(), PASSES);
		fake.vmcs[fields[i]] = 1ull << 56;
		EXPECT_NULL(strstr(entry_check_guest_state(), PASSES));
	}
}

/*
 * Rule K2b: INIT ends the blocking of NMIs, whatever later exits report; the next NMI is injected,
 * and from then on they tell the truth.
 */
static void test_init_ends_nmi_blocking(void)
{
	reset_vp();
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_NMI;
	vp_reset(vp, true);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
	vp_reset(vp, true);
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_NMI;
	event_nmi(vp);
	event_prepare_entry(vp);
	EXPECT_EQ(EXC_NMI, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] & 0xff);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
	EXPECT_FALSE(vp->ctx->word[CTX_PROC] & PROC_NMI_WINDOW_EXITING);
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_NMI;
	event_nmi(vp);
	event_prepare_entry(vp);
	EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
	EXPECT_TRUE(vp->ctx->word[CTX_PROC] & PROC_NMI_WINDOW_EXITING);
}

TEST_MAIN(TEST(test_v86_segments), TEST(test_canonical_by_the_width_of_the_cpu),
	  TEST(test_init_ends_nmi_blocking), TEST(test_reset_without_xsave_leaves_xcr0_alone),
	  TEST(test_reset_state_passes), TEST(test_entry_state_passes), TEST(test_real_mode_entry),
	  TEST(test_controls_are_written), TEST(test_every_check_names_its_failure),
	  TEST(test_every_limit_matches_its_granularity))
