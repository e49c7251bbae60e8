// SPDX-License-Identifier: BSD-2-Clause
// The APIC's registers as MSRs of the Hyper-V ABI, and the VP assist page: an overlay with the word
// by which an EOI needs no exit. The same tests run with the feature on and off: they ask CPUID.

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/hv_abi.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/kvm.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"

#define VEC       0x61
#define PV_EOI_EN 0x4b564d04u
#define KVM_CLOCK 0x4b564d01u

static u8 pages[2][4096] ALIGNED(4096);

static u64 addr(u32 n)
{
	return (u64)(uintptr_t)pages[n];
}

static volatile u32 *word(u32 n)
{
	return (volatile u32 *)(void *)pages[n];
}

static bool has_kvm(u32 bit)
{
	return (kvm_features() >> bit & 1) != 0;
}

/* An MSR is there exactly when its bit is. GUEST_IDLE would sleep: t_idle.c. */
static void hv_vapic_msrs_follow_cpuid(void)
{
	static const struct {
		u32 msr;
		enum hv_bit bit;
		bool read;
		u64 val;
	} rows[] = {
		{ HV_EOI, HV_BIT_APIC, false, 1 },          { HV_ICR, HV_BIT_APIC, true, 0 },
		{ HV_TPR, HV_BIT_APIC, true, 0 },           { HV_ASSIST, HV_BIT_APIC, true, 0 },
		{ HV_RESET, HV_BIT_RESET, true, 0 },        { HV_CRASH_P0, HV_BIT_CRASH, true, 1 },
		{ HV_CRASH_P0 + 4, HV_BIT_CRASH, true, 1 }, { HV_CRASH_CTL, HV_BIT_CRASH, true, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		bool on = hv_has(rows[i].bit), writes = rows[i].msr != HV_ICR;
		u64 val = 0;

		if (on) {
			EXPECT_EQ(rows[i].read ? NO_FAULT : EXC_GP, try_rdmsr(rows[i].msr, &val));
			EXPECT_EQ(NO_FAULT,
				  writes ? try_wrmsr(rows[i].msr, rows[i].val) : NO_FAULT);
		} else {
			EXPECT_REFUSED(try_rdmsr(rows[i].msr, &val) == EXC_GP);
			EXPECT_REFUSED(!writes || try_wrmsr(rows[i].msr, rows[i].val) == EXC_GP);
		}
	}
	if (hv_has(HV_BIT_CRASH))
		EXPECT_EQ(1, rdmsr(HV_CRASH_P0 + 4));
}

/*
 * The MSRs are recommended unless the CPU virtualizes the APIC: hv-avic, or hv-apicv, says that and
 * asks for no auto-EOI. The MSRs are there all the same. The runner knows which it is.
 */
static void hv_vapic_hints(void)
{
	u32 hints = cpuid(0x40000004).a;
	bool avic = (hints & HV_HINT_NO_AEOI) != 0;

	if (!hv_need(HV_BIT_APIC))
		return;
	EXPECT_EQ(!avic, (hints & HV_HINT_APIC_MSRS) != 0);
	EXPECT_EQ(NO_FAULT, try_wrmsr(HV_TPR, 0));
	tap_printf("# recommended: %s\n", avic ? "no auto-EOI" : "APIC MSRs");
}

static void hv_vapic_reserved_bits(void)
{
	if (!hv_need(HV_BIT_APIC))
		return;
	for (u32 bit = 32; bit < 64; bit++)
		EXPECT_EQ(EXC_GP, try_wrmsr(HV_EOI, BIT64(bit)));
	for (u32 bit = 8; bit < 64; bit++)
		EXPECT_EQ(EXC_GP, try_wrmsr(HV_TPR, BIT64(bit)));
	EXPECT_EQ(NO_FAULT, try_wrmsr(HV_EOI, 0xffffffff));
}

static void hv_vapic_tpr(void)
{
	if (!hv_need(HV_BIT_APIC))
		return;
	for (u32 tpr = 0; tpr < 0x100; tpr += 0x33) {
		wrmsr(HV_TPR, tpr);
		EXPECT_EQ(tpr, rdmsr(HV_TPR));
		EXPECT_EQ(tpr, apic_read(APIC_TPR));
	}
	apic_write(APIC_TPR, 0x42);
	EXPECT_EQ(0x42, rdmsr(HV_TPR));
	wrmsr(HV_TPR, 0x70); /* holds back what is below */
	apic_self_ipi(VEC);
	sti_nop_cli();
	EXPECT_EQ(0, irq_count(VEC));
	wrmsr(HV_TPR, 0);
	sti_nop_cli();
	EXPECT_EQ(1, irq_count(VEC));
}

static volatile u32 taken;
static volatile bool in_service;

static void eoi_by_msr(struct trap_regs *regs)
{
	taken++;
	in_service = apic_in_service(VEC);
	wrmsr(HV_EOI, 0);
}

/* In the mode that the APIC has: the destination moves with it. */
static void icr_and_eoi(void)
{
	bool x2apic = apic_mode() == APIC_X2APIC;
	u64 self = (u64)apic_id() << (x2apic ? 32 : 56) | APIC_ICR_ASSERT | VEC;

	taken = 0;
	trap_handle(VEC, eoi_by_msr);
	for (u32 i = 0; i < 10; i++) {
		wrmsr(HV_ICR, self);
		EXPECT_EQ(self, rdmsr(HV_ICR));
		EXPECT_TRUE(apic_requested(VEC));
		sti_nop_cli();
		EXPECT_EQ(i + 1, taken);
		EXPECT_TRUE(in_service);
		EXPECT_TRUE(!apic_in_service(VEC));
	}
	if (!machine_is_kensho()) /* KVM has learnt this in 6.12 */
		return;
	EXPECT_EQ(x2apic ? EXC_GP : NO_FAULT, try_wrmsr(HV_ICR, self | BIT64(13)));
	sti_nop_cli();
	wrmsr(HV_ICR, self | APIC_ICR_PENDING); /* the status reads 0 */
	EXPECT_EQ(self, rdmsr(HV_ICR));
	sti_nop_cli();
	EXPECT_EQ(x2apic ? 11 : 12, taken);
}

static void hv_vapic_icr_and_eoi(void)
{
	if (hv_need(HV_BIT_APIC))
		icr_and_eoi();
}

static void hv_vapic_icr_and_eoi_x2apic(void)
{
	if (hv_need(HV_BIT_APIC))
		icr_and_eoi();
}

/* --- the VP assist page --- */

static bool assist_begin(void)
{
	if (!hv_need(HV_BIT_APIC))
		return false;
	memset(pages, 0xa5, sizeof(pages));
	return true;
}

static bool is_filled(u32 n, u8 byte)
{
	for (u32 i = 0; i < sizeof(pages[n]); i++) {
		if (READ_ONCE(pages[n][i]) != byte)
			return false;
	}
	return true;
}

/* It hides what lies beneath, which is back when it goes or moves. */
static void hv_assist_overlay(void)
{
	if (!assist_begin())
		return;
	EXPECT_EQ(0, rdmsr(HV_ASSIST));
	wrmsr(HV_ASSIST, addr(0) | 1);
	EXPECT_EQ(addr(0) | 1, rdmsr(HV_ASSIST));
	EXPECT_TRUE(is_filled(0, 0));
	EXPECT_TRUE(is_filled(1, 0xa5));
	WRITE_ONCE(pages[0][0], 0x5a);
	WRITE_ONCE(pages[0][100], 0x5a);
	wrmsr(HV_ASSIST, addr(0) | 1); /* the same again: only the first word */
	EXPECT_EQ(0, *word(0));
	EXPECT_EQ(0x5a, READ_ONCE(pages[0][100]));
	wrmsr(HV_ASSIST, addr(1) | 1);
	EXPECT_TRUE(is_filled(0, 0xa5));
	EXPECT_TRUE(is_filled(1, 0));
	WRITE_ONCE(pages[1][8], 0x5a);
	wrmsr(HV_ASSIST, addr(1)); /* off; the address is kept */
	EXPECT_EQ(addr(1), rdmsr(HV_ASSIST));
	EXPECT_TRUE(is_filled(1, 0xa5));
	wrmsr(HV_ASSIST, addr(1) | 1);
	EXPECT_TRUE(is_filled(1, 0));
	wrmsr(HV_ASSIST, 0);
	EXPECT_TRUE(is_filled(1, 0xa5));
}

/* Where no overlay can be: #GP, and the old one stays. */
static void hv_assist_refused(void)
{
	u64 region, len;

	if (!assist_begin())
		return;
	wrmsr(HV_ASSIST, addr(0) | 1);
	EXPECT_EQ(EXC_GP, try_wrmsr(HV_ASSIST, 0xfee00000 | 1));
	EXPECT_EQ(EXC_GP, try_wrmsr(HV_ASSIST, BIT64(62) | 1));
	if (boot_hv_region(&region, &len))
		EXPECT_EQ(EXC_GP, try_wrmsr(HV_ASSIST, region | 1));
	EXPECT_EQ(addr(0) | 1, rdmsr(HV_ASSIST));
	EXPECT_TRUE(is_filled(0, 0));
	wrmsr(HV_ASSIST, 0);
}

/* Never on a page that the guest gave to KVM's ABI, nor that on this. */
static void hv_assist_and_kvm_pages(void)
{
	if (!assist_begin())
		return;
	if (!has_kvm(3) || !has_kvm(6)) {
		test_skip("KVM's interface is off here");
		return;
	}
	wrmsr(KVM_CLOCK, addr(0) | 1);
	EXPECT_EQ(EXC_GP, try_wrmsr(HV_ASSIST, addr(0) | 1));
	wrmsr(HV_ASSIST, addr(1) | 1);
	EXPECT_EQ(EXC_GP, try_wrmsr(HV_ASSIST, addr(0) | 1));
	EXPECT_EQ(EXC_GP, try_wrmsr(PV_EOI_EN, (addr(1) + 64) | 1));
	wrmsr(KVM_CLOCK, (addr(1) + 64) | 1); /* waits until the page is RAM again */
	EXPECT_TRUE(is_filled(1, 0));
	wrmsr(HV_ASSIST, 0);
	EXPECT_TRUE(!is_filled(1, 0xa5));
	wrmsr(KVM_CLOCK, 0);
	EXPECT_EQ(0, rdmsr(HV_ASSIST));
}

static u32 which; /* page whose word the handler knows */
static volatile u32 lazy;

static void eoi_by_word(struct trap_regs *regs)
{
	bool armed;

	taken++;
	asm volatile("btrl $0, %0" : "+m"(*word(which)), "=@ccc"(armed) : : "memory");
	if (armed)
		lazy++;
	else
		wrmsr(HV_EOI, 0);
}

static void take_some(u32 page)
{
	which = page;
	taken = 0;
	lazy = 0;
	trap_handle(VEC, eoi_by_word);
	for (u32 i = 0; i < 50; i++) {
		apic_self_ipi(VEC);
		sti_nop_cli();
		EXPECT_EQ(i + 1, taken);
	}
	EXPECT_TRUE(!apic_in_service(VEC));
	tap_printf("# %u of %u EOIs without an exit\n", lazy, taken);
}

static void hv_assist_eoi(void)
{
	if (!assist_begin())
		return;
	wrmsr(HV_ASSIST, addr(0) | 1);
	take_some(0);
	EXPECT_TRUE(lazy == taken || !machine_is_kensho());
	wrmsr(HV_ASSIST, 0);
	EXPECT_TRUE(is_filled(0, 0xa5) || !machine_is_kensho()); /* KVM's are no overlays */
}

/*
 * Both words on offer: the one enabled last is used, then the other again. No EOI is lost. While
 * KVM's is used the CPU may deliver: then no EOI is lazy, and all are without an exit.
 */
static void hv_assist_eoi_with_kvm_s(void)
{
	u32 got[2][2]; /* order, page */

	if (!assist_begin())
		return;
	if (!has_kvm(6)) {
		test_skip("KVM's PV EOI is off here");
		return;
	}
	for (u32 order = 0; order < 2; order++) {
		memset(pages[1], 0, sizeof(pages[1]));
		wrmsr(order == 0 ? HV_ASSIST : PV_EOI_EN, addr(order) | 1);
		take_some(order);
		got[order][order] = lazy;
		wrmsr(order == 0 ? PV_EOI_EN : HV_ASSIST, addr(order ^ 1) | 1);
		take_some(order ^ 1);
		got[order][order ^ 1] = lazy;
		take_some(order);
		EXPECT_EQ(0, lazy);
		wrmsr(order == 0 ? PV_EOI_EN : HV_ASSIST, 0);
		take_some(order);
		EXPECT_EQ(got[order][order], lazy);
		wrmsr(order == 0 ? HV_ASSIST : PV_EOI_EN, 0);
	}
	EXPECT_EQ(taken, got[0][0]);
	EXPECT_EQ(taken, got[1][0]);
	EXPECT_EQ(got[0][1], got[1][1]);
}

static const struct test t_vapic_tests[] = {
	{ "hv_vapic_msrs_follow_cpuid", hv_vapic_msrs_follow_cpuid, T_ABI, NULL },
	{ "hv_vapic_hints", hv_vapic_hints, T_KENSHO | T_NAMED, NULL },
	{ "hv_vapic_reserved_bits", hv_vapic_reserved_bits, T_KENSHO | T_NAMED, NULL },
	{ "hv_vapic_tpr", hv_vapic_tpr, T_ABI | T_NAMED, NULL },
	{ "hv_vapic_icr_and_eoi", hv_vapic_icr_and_eoi, T_ABI | T_NAMED, NULL },
	{ "hv_vapic_icr_and_eoi_x2apic", hv_vapic_icr_and_eoi_x2apic, T_ABI | T_NAMED | T_X2APIC,
	  NULL },
	{ "hv_assist_overlay", hv_assist_overlay, T_KENSHO | T_NAMED, NULL },
	{ "hv_assist_refused", hv_assist_refused, T_KENSHO | T_NAMED, NULL },
	{ "hv_assist_and_kvm_pages", hv_assist_and_kvm_pages, T_KENSHO | T_NAMED, NULL },
	{ "hv_assist_eoi", hv_assist_eoi, T_ABI | T_NAMED, NULL },
	{ "hv_assist_eoi_with_kvm_s", hv_assist_eoi_with_kvm_s, T_KENSHO | T_NAMED, NULL },
};
TEST_GROUP(t_vapic);
