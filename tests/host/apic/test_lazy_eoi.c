/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/apic/lazy_eoi.c by a model: interrupts are raised, taken and ended at random, by a guest
 * that ends them as Linux does (test and clear the bit, else write the register) and by one that
 * always writes the register. What is in service must be what a plain APIC would have.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/vmcs.h"
#include "core/apic/lazy_eoi.h"
#include "core/apic/vlapic_internal.h"
#include "hv/hv.h"
#include "hv/kvm/kvm_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

#define WORD_GPA (GUEST_RAM_BASE + 0x2004)

static u8 *word(void)
{
	return g.ram + (WORD_GPA - GUEST_RAM_BASE);
}

static struct vp *start(void)
{
	fake_guest_init(&g, 1, NULL);
	vlapic_write(&g.vp[0], APIC_SVR, APIC_SVR_ENABLE | 0xff);
	fake.vmcs[VMCS_GUEST_RFLAGS] = 0x202;
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_PV_EOI_EN, WORD_GPA | 1));
	return &g.vp[0];
}

/* An entry: the vector that the guest gets, -1: none. */
static s32 enter(struct vp *vp)
{
	u32 info;

	vp_set_work(vp, VP_WORK_EVENT);
	(void)vp_prepare_entry(vp);
	info = (u32)fake.vmcs[VMCS_VM_ENTRY_INTR_INFO];
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	return (info & INTR_INFO_VALID) ? (s32)(info & 0xff) : -1;
}

static void test_msr_rules(void)
{
	struct vp *vp = start();
	u64 val = 0;

	/* Bit 1: always #GP. An address that is not RAM: #GP if it is to be enabled. */
	EXPECT_EQ(MSR_GP, msr_write(vp, MSR_KVM_PV_EOI_EN, 2));
	EXPECT_EQ(MSR_GP, msr_write(vp, MSR_KVM_PV_EOI_EN, WORD_GPA | 3));
	EXPECT_EQ(MSR_GP, msr_write(vp, MSR_KVM_PV_EOI_EN, 0xfee00001));
	EXPECT_EQ(MSR_GP, msr_write(vp, MSR_KVM_PV_EOI_EN, ~3ull | 1));
	EXPECT_EQ(MSR_OK, msr_read(vp, MSR_KVM_PV_EOI_EN, &val));
	EXPECT_EQ(WORD_GPA | 1, val);
	EXPECT_TRUE(vp->apic.lazy_eoi); /* a refused write changes nothing */
	EXPECT_EQ(MSR_OK, msr_write(vp, MSR_KVM_PV_EOI_EN, 0xfee00000));
	EXPECT_FALSE(vp->apic.lazy_eoi);
	EXPECT_EQ(MSR_OK, msr_write(vp, MSR_KVM_PV_EOI_EN, WORD_GPA | 1));
	hv_vp_reset(vp, true);
	EXPECT_FALSE(vp->apic.lazy_eoi);
	EXPECT_EQ(MSR_OK, msr_read(vp, MSR_KVM_PV_EOI_EN, &val));
	EXPECT_EQ(0, val);
}

static void test_one_interrupt(void)
{
	struct vp *vp = start();

	vlapic_set_irr(vp, 0x51, false);
	EXPECT_EQ(0x51, enter(vp));
	EXPECT_EQ(1, *word());
	*word() = 0; /* the guest's test and clear */
	EXPECT_EQ(-1, enter(vp));
	EXPECT_EQ(-1, vp->apic.highest_isr);
	EXPECT_EQ(0, vlapic_read(vp, APIC_ISR + 0x20));
	EXPECT_EQ(1, vp->counters.c[COUNTER_LAZY_EOI]);
}

/* Not armed, or disarmed in time: level, something waiting, ExtINT, virtual-interrupt delivery. */
static void test_when_it_is_not_armed(void)
{
	struct vp *vp = start();

	vp->fwd.eoi_count = 1; /* as for every level-triggered vector */
	vlapic_set_irr(vp, 0x51, true);
	EXPECT_EQ(0x51, enter(vp));
	EXPECT_EQ(0, *word());
	vp->fwd.eoi_count = 0;
	vlapic_eoi(vp);
	vlapic_set_irr(vp, 0x51, false);
	vlapic_set_irr(vp, 0x41, false);
	EXPECT_EQ(0x51, enter(vp)); /* 41 waits: its delivery needs the exit of this EOI */
	EXPECT_EQ(0, *word());
	vlapic_eoi(vp);
	EXPECT_EQ(0x41, enter(vp));
	EXPECT_EQ(1, *word());
	vlapic_set_irr(vp, 0x31, false); /* now something waits behind it */
	EXPECT_EQ(-1, enter(vp));
	EXPECT_EQ(0, *word());
	vlapic_eoi(vp);
	EXPECT_EQ(0x31, enter(vp));
}

/* Registers that show what is in service show the truth. */
static void test_registers_tell_the_truth(void)
{
	struct vp *vp = start();

	vlapic_set_irr(vp, 0x51, false);
	EXPECT_EQ(0x51, enter(vp));
	EXPECT_EQ(0x50, vlapic_read(vp, APIC_PPR));
	EXPECT_EQ(0, *word()); /* it looked: the guest ends this one by the register */
	EXPECT_EQ(BIT32(0x11), vlapic_read(vp, APIC_ISR + 0x20));
	vlapic_eoi(vp);
	EXPECT_EQ(0, vlapic_read(vp, APIC_PPR));
}

static void test_reset_forgets(void)
{
	struct vp *vp = start();

	vlapic_set_irr(vp, 0x51, false);
	EXPECT_EQ(0x51, enter(vp));
	vlapic_reset(vp, true);
	EXPECT_EQ(0, *word());
	EXPECT_FALSE(vp->apic.lazy_armed);
	EXPECT_EQ(-1, vp->apic.highest_isr);
}

static u8 own[8] ALIGNED(8);

/* One interrupt, which the guest ends by the word it knows. */
static void expect_armed(struct vp *vp, bool ram, bool page)
{
	vlapic_set_irr(vp, 0x51, false);
	EXPECT_EQ(0x51, enter(vp));
	EXPECT_EQ(ram, *word());
	EXPECT_EQ(page, own[0]);
	*word() = own[0] = 0;
	if (!ram && !page)
		vlapic_eoi(vp);
	EXPECT_EQ(-1, enter(vp));
	EXPECT_EQ(-1, vp->apic.highest_isr);
}

/* Two words on offer: the one enabled last is used, and when it ends the other. */
static void test_a_word_of_ours_and_one_of_the_guest_s(void)
{
	struct vp *vp = start();

	own[0] = 0xff;
	own[4] = 0xff;
	lazy_eoi_enable_own(vp, own, true);
	EXPECT_EQ(0, own[0] | own[3]);
	EXPECT_EQ(0xff, own[4]);
	expect_armed(vp, false, true);
	lazy_eoi_disable(vp); /* the one not in use */
	expect_armed(vp, false, true);
	EXPECT_EQ(ERR_NONE, lazy_eoi_enable(vp, WORD_GPA));
	expect_armed(vp, true, false);
	lazy_eoi_disable(vp);
	expect_armed(vp, false, true);
	EXPECT_EQ(ERR_NONE, lazy_eoi_enable(vp, WORD_GPA));
	lazy_eoi_enable_own(vp, own, true);
	lazy_eoi_disable_own(vp);
	expect_armed(vp, true, false);
	lazy_eoi_disable(vp);
	expect_armed(vp, false, false);
	EXPECT_FALSE(vp->apic.lazy_eoi);
}

/* The word changes between an interrupt and its end: nothing is owed in the old one. */
static void test_the_word_changes_while_armed(void)
{
	for (int how = 0; how < 2; how++) {
		struct vp *vp = start();

		vlapic_set_irr(vp, 0x51, false);
		EXPECT_EQ(0x51, enter(vp));
		if (how == 0)
			lazy_eoi_enable_own(vp, own, true);
		else
			EXPECT_EQ(ERR_NONE, lazy_eoi_enable(vp, WORD_GPA + 8));
		EXPECT_EQ(0, *word());
		EXPECT_EQ(0x51, vp->apic.highest_isr);
		vlapic_eoi(vp);
		EXPECT_EQ(-1, vp->apic.highest_isr);
		EXPECT_EQ(0, own[0]);
	}
}

/* --- the model: a plain APIC as two bitmaps --- */

static u64 irr[4], isr[4];

static s32 top(const u64 *bits)
{
	for (s32 i = 255; i >= 0; i--) {
		if (bits[i / 64] >> (i % 64) & 1)
			return i;
	}
	return -1;
}

static void flip(u64 *bits, s32 v)
{
	bits[v / 64] ^= BIT64(v % 64);
}

static void guest_eoi(struct vp *vp, bool lazily)
{
	s32 v = top(isr);

	if (v < 0)
		return;
	flip(isr, v);
	if (lazily && (*word() & 1)) {
		*word() = 0;
		return;
	}
	vlapic_eoi(vp);
}

static void step(struct vp *vp, bool lazily)
{
	u32 r = (u32)test_rng();
	s32 v;

	if (r % 16 == 0) { /* more rarely than EOIs: else something waits always */
		u8 vector = (u8)(0x20 + (r >> 8) % 0xe0);

		vlapic_set_irr(vp, vector, false);
		irr[vector / 64] |= BIT64(vector % 64);
	} else if (r % 4 == 1) {
		guest_eoi(vp, lazily);
	}
	if (r % 16 == 0 ||
	    r % 8 >= 5) { /* an exit and an entry; after an event there must be one */
		s32 i = top(irr), s = top(isr);

		v = enter(vp);
		EXPECT_EQ(i >= 0 && i >> 4 > (s < 0 ? 0 : s >> 4) ? i : -1, v);
		if (v >= 0) {
			flip(irr, v);
			flip(isr, v);
		}
	}
}

static void test_random_guest(void)
{
	for (int how = 0; how < 2; how++) {
		struct vp *vp = start();

		memset(irr, 0, sizeof(irr));
		memset(isr, 0, sizeof(isr));
		for (int i = 0; i < 200000; i++)
			step(vp, how == 0);
		while (top(isr) >= 0)
			guest_eoi(vp, how == 0);
		lazy_eoi_sync(vp);
		EXPECT_EQ(-1, vp->apic.highest_isr);
		EXPECT_EQ(how == 0, vp->counters.c[COUNTER_LAZY_EOI] > 1000);
	}
}

TEST_MAIN(TEST(test_msr_rules), TEST(test_one_interrupt), TEST(test_when_it_is_not_armed),
	  TEST(test_registers_tell_the_truth), TEST(test_reset_forgets),
	  TEST(test_a_word_of_ours_and_one_of_the_guest_s), TEST(test_the_word_changes_while_armed),
	  TEST(test_random_guest))
