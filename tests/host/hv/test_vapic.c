/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/vapic.c: the APIC's registers as MSRs, and the VP assist page; avic.c takes the hint.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/msr.h"
#include "core/apic/lazy_eoi.h"
#include "core/mem/overlay.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv_abi.h"
#include "tests/host/fakes/rig.h"

#define AT GUEST_RAM_BASE

static struct fake_guest g;

static void avic(struct partition *p)
{
	p->config.cpu_features |=
		BIT64(FEATURE_HYPERV) | BIT64(FEATURE_HV_VAPIC) | BIT64(FEATURE_HV_AVIC);
}

static void vapic(struct partition *p)
{
	avic(p);
	p->config.cpu_features &= ~BIT64(FEATURE_HV_AVIC);
}

static struct vp *start(void)
{
	fake_guest_init(&g, 2, vapic);
	vlapic_write(&g.vp[0], APIC_SVR, APIC_SVR_ENABLE | 0xff);
	return &g.vp[0];
}

static u64 read(u32 msr)
{
	u64 val = 0;

	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], msr, &val));
	return val;
}

static void test_hint_only_without_avic(void)
{
	struct cpuid_regs r;

	(void)start();
	cpuid_query(&g.vp[0], 0x40000003, 0, &r);
	EXPECT_EQ(0x10, r.a & 0x10);
	cpuid_query(&g.vp[0], 0x40000004, 0, &r);
	EXPECT_EQ(0x8, r.a & 0x208);
	fake_guest_init(&g, 1, avic);
	cpuid_query(&g.vp[0], 0x40000003, 0, &r);
	EXPECT_EQ(0x10, r.a & 0x10);
	cpuid_query(&g.vp[0], 0x40000004, 0, &r);
	EXPECT_EQ(0x200, r.a & 0x208);
}

static void test_off_is_gp(void)
{
	u64 val;

	fake_guest_init(&g, 1, NULL);
	for (u32 msr = HV_X64_MSR_EOI; msr <= HV_X64_MSR_VP_ASSIST_PAGE; msr++) {
		EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], msr, &val));
		EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], msr, 0));
	}
}

static void test_registers(void)
{
	struct vp *vp = start();
	u64 val;

	EXPECT_EQ(MSR_GP, msr_read(vp, HV_X64_MSR_EOI, &val));
	EXPECT_EQ(MSR_GP, msr_write(vp, HV_X64_MSR_EOI, BIT64(32)));
	EXPECT_EQ(MSR_GP, msr_write(vp, HV_X64_MSR_TPR, 0x100));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_TPR, 0x53));
	EXPECT_EQ(0x53, read(HV_X64_MSR_TPR));
	EXPECT_EQ(0x53, vlapic_read(vp, APIC_TPR));
	vlapic_set_irr(vp, 0x61, false);
	vlapic_accept(vp, 0x61);
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_EOI, 0xffffffff));
	EXPECT_EQ(0, vlapic_read(vp, APIC_ISR + 0x30));
}

/* Bits 63:56 name the destination, or all of 63:32: with VP 1's ID (2) there it gets the IPI. */
static void test_icr_in_both_modes(void)
{
	struct vp *vp = start();

	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_ICR, 2ull << 56 | 0x00ab0000ull << 32 | 0x4061));
	EXPECT_EQ(2ull << 56 | 0x4061, read(HV_X64_MSR_ICR));
	EXPECT_EQ(BIT64(0x61 - 64), g.vp[1].apic.posted[1]);
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_ICR, 0x45061)); /* bit 12: reads 0 */
	EXPECT_EQ(0x44061, read(HV_X64_MSR_ICR));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_ICR, BIT64(13)));
	EXPECT_EQ(MSR_OK, msr_write(vp, MSR_IA32_APIC_BASE, 0xfee00d00));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_ICR, 2ull << 32 | 0x4062));
	EXPECT_EQ(2ull << 32 | 0x4062, read(HV_X64_MSR_ICR));
	EXPECT_EQ(3ull << (0x61 - 64), g.vp[1].apic.posted[1]);
	EXPECT_EQ(MSR_GP, msr_write(vp, HV_X64_MSR_ICR, BIT64(13)));
}

static bool is_assist_at(u64 at)
{
	return page_is(&g.p, at, PAGE_OVERLAY);
}

static void test_assist_page(void)
{
	struct vp *vp = start();

	EXPECT_EQ(0, read(HV_X64_MSR_VP_ASSIST_PAGE));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_VP_ASSIST_PAGE, AT | 0xffe)); /* not on */
	EXPECT_FALSE(is_assist_at(AT));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_VP_ASSIST_PAGE, AT | 1));
	EXPECT_EQ(AT | 1, read(HV_X64_MSR_VP_ASSIST_PAGE));
	EXPECT_TRUE(is_assist_at(AT));
	EXPECT_TRUE(vp->apic.lazy_eoi);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[1], HV_X64_MSR_VP_ASSIST_PAGE, AT | 1));
	EXPECT_TRUE(overlay_next(&g.p, AT).overlay->vp == &g.vp[1]);
	hv_vp_reset(&g.vp[1], true); /* hidden, and seen again */
	EXPECT_TRUE(overlay_next(&g.p, AT).overlay->vp == vp);
	EXPECT_EQ(MSR_GP, msr_write(vp, HV_X64_MSR_VP_ASSIST_PAGE, BIT64(62) | 1));
	EXPECT_EQ(AT | 1, read(HV_X64_MSR_VP_ASSIST_PAGE));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_VP_ASSIST_PAGE, (AT + 0x1000) | 1));
	EXPECT_FALSE(is_assist_at(AT));
	EXPECT_TRUE(is_assist_at(AT + 0x1000));
	hv_vp_reset(vp, true);
	EXPECT_EQ(0, read(HV_X64_MSR_VP_ASSIST_PAGE));
	EXPECT_FALSE(is_assist_at(AT + 0x1000));
	EXPECT_FALSE(vp->apic.lazy_eoi);
}

/* An interrupt that was armed before the page moves or is enabled again still ends once. */
static void test_assist_page_moves_while_armed(void)
{
	for (u64 to = AT; to <= AT + 0x1000; to += 0x1000) {
		struct vp *vp = start();

		EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_VP_ASSIST_PAGE, AT | 1));
		vlapic_set_irr(vp, 0x61, false);
		vlapic_accept(vp, 0x61);
		lazy_eoi_arm(vp, 0x61);
		EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_VP_ASSIST_PAGE, to | 1));
		EXPECT_EQ(0x61, vp->apic.highest_isr); /* owed as before */
		EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_EOI, 0));
		EXPECT_EQ(-1, vp->apic.highest_isr);
	}
}

TEST_MAIN(TEST(test_hint_only_without_avic), TEST(test_off_is_gp), TEST(test_registers),
	  TEST(test_icr_in_both_modes), TEST(test_assist_page),
	  TEST(test_assist_page_moves_while_armed))
