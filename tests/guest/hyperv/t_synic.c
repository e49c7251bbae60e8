// SPDX-License-Identifier: BSD-2-Clause
// The synthetic interrupt controller on one CPU: registers, pages, messages, events, auto-EOI. What
// Linux' selftest hyperv_features and the programs hyperv_synic and hyperv_connections of
// kvm-unit-tests assert is among it. Connection 1 is there by synic_loopback=1:0:2, 2 by
// =2:0:3:event.

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/reg_call.h"
#include "tests/guest/hyperv/synic.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

#define MSG_ID  0x10u
#define EVT_ID  0x20u
#define SINT(n) (HV_X64_MSR_SINT0 + (n))

static void msrs_absent(void)
{
	u64 val;

	for (u32 msr = HV_X64_MSR_SCONTROL; msr <= HV_X64_MSR_SINT15; msr++) {
		EXPECT_REFUSED(try_rdmsr(msr, &val) == EXC_GP);
		EXPECT_REFUSED(try_wrmsr(msr, HV_SYNIC_SINT_MASKED) == EXC_GP);
	}
}

static void hvsynic_msrs(void)
{
	if (!(hyperv_features_a() & HV_MSR_SYNIC_AVAILABLE))
		return msrs_absent();
	EXPECT_EQ(0, rdmsr(HV_X64_MSR_SCONTROL));
	EXPECT_EQ(1, rdmsr(HV_X64_MSR_SVERSION));
	EXPECT_EQ(0, rdmsr(HV_X64_MSR_SIEFP));
	EXPECT_EQ(0, rdmsr(HV_X64_MSR_SIMP));
	EXPECT_EQ(0, rdmsr(HV_X64_MSR_EOM));
	EXPECT_EQ(EXC_GP, try_wrmsr(HV_X64_MSR_SVERSION, 1));
	EXPECT_EQ(NO_FAULT, try_wrmsr(HV_X64_MSR_EOM, 0));
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++) {
		EXPECT_EQ(0x10000, rdmsr(SINT(i)));
		EXPECT_EQ(EXC_GP, try_wrmsr(SINT(i), 15));
		EXPECT_EQ(NO_FAULT, try_wrmsr(SINT(i), 16));
		EXPECT_EQ(16, rdmsr(SINT(i)));
		wrmsr(SINT(i), HV_SYNIC_SINT_MASKED);
	}
	for (u32 msr = HV_X64_MSR_EOM + 1; msr < HV_X64_MSR_SINT0; msr++)
		EXPECT_EQ(EXC_GP, try_wrmsr(msr, 0));
}

/* Off: denied. */
static void hvsynic_calls_follow_cpuid(void)
{
	bool on = (hyperv_features_a() & HV_MSR_SYNIC_AVAILABLE) != 0;
	u32 bits = HV_POST_MESSAGES | HV_SIGNAL_EVENTS;

	if (!hyperv_begin())
		return;
	EXPECT_EQ(on ? bits : 0, reg_privileges() & bits);
	if (on) {
		EXPECT_EQ(HV_STATUS_INVALID_CONNECTION_ID, synic_signal(0xff, 0));
		EXPECT_EQ(HV_STATUS_INVALID_CONNECTION_ID, synic_post(0xff, 1, 0));
	} else {
		EXPECT_REFUSED(reg_refused(synic_signal(0xff, 0)));
		EXPECT_REFUSED(reg_refused(synic_post(0xff, 1, 0)));
	}
	hyperv_end();
}

/* The memory beneath comes back. */
static void hvsynic_pages(void)
{
	static const u32 msrs[] = { HV_X64_MSR_SIMP, HV_X64_MSR_SIEFP };
	u64 calls;

	if (!synic_begin())
		return;
	calls = rdmsr(HV_X64_MSR_HYPERCALL);
	for (u32 i = 0; i < 2; i++) {
		volatile u64 *page = (volatile u64 *)synic_page(0, i);

		page[100] = 0xa5a5;
		wrmsr(msrs[i], (u64)page | 1);
		EXPECT_EQ(0, page[100]);
		page[100] = 0x5a5a;
		wrmsr(HV_X64_MSR_HYPERCALL, (u64)page | 1); /* over it: VMCALL */
		EXPECT_EQ(0xc1010f, page[0] & 0xffffff);
		wrmsr(HV_X64_MSR_HYPERCALL, calls);
		EXPECT_EQ(0x5a5a, page[100]);
		wrmsr(msrs[i], (u64)page);
		EXPECT_EQ(0xa5a5, page[100]);
		wrmsr(msrs[i], (u64)page | 1);
		EXPECT_EQ(0, page[100]);
		wrmsr(msrs[i], BIT64(52) | 1); /* nowhere */
		EXPECT_EQ(0xa5a5, page[100]);
		EXPECT_EQ(BIT64(52) | 1, rdmsr(msrs[i]));
		wrmsr(msrs[i], 0);
		page[100] = 0;
	}
	hyperv_end();
}

static volatile u32 taken;

static void count_and_eoi(struct trap_regs *regs)
{
	taken++;
	apic_eoi();
}

static void count_only(struct trap_regs *regs)
{
	taken++;
}

static bool begin(trap_handler fn, u64 flags)
{
	if (!synic_begin())
		return false;
	taken = 0;
	trap_handle(SYNIC_MSG_VEC, fn);
	trap_handle(SYNIC_EVT_VEC, fn);
	synic_on(flags);
	synic_ctl(SYNIC_MSG_CREATE, 0, SYNIC_MSG_SINT, MSG_ID);
	synic_ctl(SYNIC_EVT_CREATE, 0, SYNIC_EVT_SINT, EVT_ID);
	return true;
}

static void end(void)
{
	synic_ctl(SYNIC_MSG_DESTROY, 0, 0, MSG_ID);
	synic_ctl(SYNIC_EVT_DESTROY, 0, 0, EVT_ID);
	synic_off(0);
	hyperv_end();
	memset((void *)synic_page(0, 0), 0, 4096);
	memset((void *)synic_page(0, 1), 0, 4096);
}

static void expect_slot(u32 type, u32 pending, u64 payload)
{
	volatile struct hv_message *slot = synic_slot(0, SYNIC_MSG_SINT);

	EXPECT_EQ(type, slot->header.message_type);
	EXPECT_EQ(8, slot->header.payload_size);
	EXPECT_EQ(pending, slot->header.message_flags);
	EXPECT_EQ(payload, slot->u.payload[0]);
}

static void hvsynic_messages(void)
{
	volatile struct hv_message *slot = synic_slot(0, SYNIC_MSG_SINT);

	if (!begin(count_and_eoi, 0))
		return;
	for (u32 i = 0; i < 20; i++) {
		taken = 0;
		EXPECT_EQ(0, synic_post(MSG_ID, 0x12345678, 2 * i));
		sti_nop_cli();
		EXPECT_EQ(1, taken);
		expect_slot(0x12345678, 0, 2 * i);
		EXPECT_EQ(0, synic_post(MSG_ID, 0x12345678, 2 * i + 1)); /* full */
		sti_nop_cli();
		EXPECT_EQ(1, taken);
		expect_slot(0x12345678, 1, 2 * i);
		EXPECT_EQ(HV_STATUS_INSUFFICIENT_BUFFERS, synic_post(MSG_ID, 1, 0));
		slot->header.message_type = 0;
		wrmsr(HV_X64_MSR_EOM, 0);
		sti_nop_cli();
		EXPECT_EQ(2, taken);
		expect_slot(0x12345678, 0, 2 * i + 1);
		slot->header.message_type = 0;
		wrmsr(HV_X64_MSR_EOM, 0);
	}
	wrmsr(HV_X64_MSR_SCONTROL, 0);
	EXPECT_EQ(HV_STATUS_INVALID_SYNIC_STATE, synic_post(MSG_ID, 1, 0));
	end();
}

static volatile u64 got[4];

/* As TLFS recommends: take it, empty the slot, EOI; no EOM. */
static void take_and_eoi(struct trap_regs *regs)
{
	volatile struct hv_message *slot = synic_slot(0, SYNIC_MSG_SINT);

	if (slot->header.message_type != 0 && taken < 4)
		got[taken++] = slot->u.payload[0];
	slot->header.message_type = 0;
	apic_eoi();
}

static void hvsynic_eoi(void)
{
	if (!begin(take_and_eoi, 0))
		return;
	for (u32 i = 0; i < 20; i++) {
		taken = 0;
		EXPECT_EQ(0, synic_post(MSG_ID, 5, i));
		EXPECT_EQ(0, synic_post(MSG_ID, 5, i + 100)); /* queued */
		sti_nop_cli();
		sti_nop_cli();
		EXPECT_EQ(2, taken);
		EXPECT_EQ(i, got[0]);
		EXPECT_EQ(i + 100, got[1]);
		EXPECT_EQ(0, synic_slot(0, SYNIC_MSG_SINT)->header.message_type);
	}
	end();
}

/* Two SINTs share a vector: each has its slot, the vector is taken once. */
static void hvsynic_shared_vector(void)
{
	if (!begin(count_and_eoi, 0))
		return;
	wrmsr(SINT(2), SYNIC_MSG_VEC);
	EXPECT_EQ(0, synic_post(MSG_ID, 1, 1));
	EXPECT_EQ(0, synic_post(1, 2, 2)); /* synic_loopback */
	sti_nop_cli();
	EXPECT_EQ(1, taken);
	expect_slot(1, 0, 1);
	EXPECT_EQ(2, synic_slot(0, 2)->header.message_type);
	EXPECT_EQ(1, synic_slot(0, 2)->header.sender);
	end();
}

static void hvsynic_events(void)
{
	volatile u64 *flags = synic_flags(0, SYNIC_EVT_SINT), *loop = synic_flags(0, 3);

	if (!begin(count_and_eoi, 0))
		return;
	EXPECT_EQ(0, synic_signal(EVT_ID, 0));
	sti_nop_cli();
	EXPECT_EQ(1, taken);
	EXPECT_EQ(BIT64(EVT_ID), flags[0]);
	EXPECT_EQ(0, synic_signal(EVT_ID, 0)); /* set already */
	sti_nop_cli();
	EXPECT_EQ(1, taken);
	flags[0] = 0;
	EXPECT_EQ(0, synic_signal(EVT_ID, 0));
	sti_nop_cli();
	EXPECT_EQ(2, taken);
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, synic_signal(EVT_ID, 1));
	EXPECT_EQ(HV_STATUS_INVALID_PORT_ID, synic_signal(MSG_ID, 0));
	EXPECT_EQ(HV_STATUS_INVALID_PORT_ID, synic_post(EVT_ID, 1, 0));
	EXPECT_EQ(HV_STATUS_INVALID_SYNIC_STATE, synic_signal(2, 7)); /* masked */
	wrmsr(SINT(3), SYNIC_EVT_VEC);
	EXPECT_EQ(0, synic_signal(2, 2047));
	sti_nop_cli();
	EXPECT_EQ(3, taken);
	EXPECT_EQ(BIT64(63), loop[31]);
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, synic_signal(2, 2048));
	end();
}

/* No EOI: the interrupt is not in service, and the next one comes. */
static void hvsynic_auto_eoi(void)
{
	if (!begin(count_only, HV_SYNIC_SINT_AUTO_EOI))
		return;
	for (u32 i = 0; i < 50; i++) {
		EXPECT_EQ(0, synic_post(MSG_ID, 1, i));
		sti_nop_cli();
		EXPECT_EQ(i + 1, taken);
		EXPECT_TRUE(!apic_in_service(SYNIC_MSG_VEC));
		synic_slot(0, SYNIC_MSG_SINT)->header.message_type = 0;
	}
	/* Others are as ever. */
	trap_handle(SYNIC_MSG_VEC + 0x20, count_and_eoi);
	for (u32 i = 0; i < 10; i++) {
		apic_self_ipi(SYNIC_MSG_VEC + 0x20);
		EXPECT_EQ(0, synic_post(MSG_ID, 1, i)); /* of a lower class: behind it */
		sti_nop_cli();
		sti_nop_cli();
		EXPECT_EQ(50 + 2 * i + 2, taken);
		synic_slot(0, SYNIC_MSG_SINT)->header.message_type = 0;
	}
	end();
}

/* One that the TPR holds back is delivered when that falls, behind one that ended itself. */
static void hvsynic_auto_eoi_tpr(void)
{
	if (!begin(count_only, HV_SYNIC_SINT_AUTO_EOI))
		return;
	trap_handle(0x41, count_and_eoi);
	for (u32 i = 0; i < 10; i++) {
		write_cr8(5);
		apic_self_ipi(0x41);
		EXPECT_EQ(0, synic_post(MSG_ID, 1, i));
		sti_nop_cli();
		EXPECT_EQ(2 * i + 1, taken);
		sti();
		write_cr8(0);
		asm volatile("nop");
		cli();
		EXPECT_EQ(2 * i + 2, taken);
		synic_slot(0, SYNIC_MSG_SINT)->header.message_type = 0;
	}
	end();
}

/* kvm-unit-tests' hyperv_synic: every SINT by the test device, one of them with auto-EOI. */
static void hvsynic_all_sints(void)
{
	if (!synic_begin_testdev())
		return;
	taken = 0;
	wrmsr(HV_X64_MSR_SCONTROL, 1);
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++) {
		trap_handle(0xb0 + i, i == 3 ? count_only : count_and_eoi);
		synic_ctl(SYNIC_SINT_CREATE, 0, i, 0);
		wrmsr(SINT(i), (0xb0 + i) | (i == 3 ? HV_SYNIC_SINT_AUTO_EOI : 0));
	}
	for (u32 round = 1; round <= 5; round++) {
		for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++)
			synic_ctl(SYNIC_SINT_ASSERT, 0, i, 0);
		for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++)
			sti_nop_cli();
		EXPECT_EQ(round * HV_SYNIC_SINT_COUNT, taken);
	}
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++)
		synic_ctl(SYNIC_SINT_DESTROY, 0, i, 0);
	synic_off(0);
	hyperv_end();
}

static volatile u8 second_page[4096] ALIGNED(4096);

/*
 * kexec as Linux does it, with a message in its slot and one queued: SINTs, pages and SCONTROL off,
 * then the calls. The memory of the old kernel's page comes back. The new kernel's is elsewhere: it
 * begins empty but for the message that was accepted and not delivered.
 */
static void hvsynic_kexec(void)
{
	volatile struct hv_message *first = synic_slot(0, SYNIC_MSG_SINT);
	volatile struct hv_message *second = (volatile struct hv_message *)second_page;

	if (!begin(count_and_eoi, 0))
		return;
	EXPECT_EQ(0, synic_post(MSG_ID, 1, 11));
	EXPECT_EQ(0, synic_post(MSG_ID, 1, 12)); /* queued */
	sti_nop_cli();
	EXPECT_EQ(1, taken);
	synic_off(0);
	hyperv_end();
	EXPECT_EQ(0, first->header.message_type);
	for (u32 i = 0; i < sizeof(second_page); i++)
		second_page[i] = 0xa5;

	EXPECT_TRUE(hyperv_begin());
	wrmsr(HV_X64_MSR_SCONTROL, 1);
	wrmsr(HV_X64_MSR_SIMP, (u64)second | 1);
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++)
		EXPECT_EQ(i == SYNIC_MSG_SINT ? 1 : 0, second[i].header.message_type);
	EXPECT_EQ(12, second[SYNIC_MSG_SINT].u.payload[0]);
	wrmsr(SINT(SYNIC_MSG_SINT), SYNIC_MSG_VEC);
	EXPECT_EQ(0, synic_post(MSG_ID, 1, 13)); /* queued: that slot is not read yet */
	sti_nop_cli();
	EXPECT_EQ(1, taken); /* masked SINTs interrupt nobody, also later */
	second[SYNIC_MSG_SINT].header.message_type = 0;
	wrmsr(HV_X64_MSR_EOM, 0);
	sti_nop_cli();
	EXPECT_EQ(2, taken);
	EXPECT_EQ(13, second[SYNIC_MSG_SINT].u.payload[0]);
	EXPECT_EQ(0, first->header.message_type);
	synic_off(0);
	for (u32 i = 0; i < sizeof(second_page); i++)
		EXPECT_EQ(0xa5, second_page[i]);
	end();
}

/* The registers by their names in GetVpRegisters and SetVpRegisters. */
static void hvsynic_registers(void)
{
	if (!begin(count_and_eoi, 0))
		return;
	EXPECT_EQ(SYNIC_MSG_VEC, reg_of(0, 0xa0000 + SYNIC_MSG_SINT));
	EXPECT_EQ(1, reg_of(0, 0xa0010));
	EXPECT_EQ(1, reg_of(0, 0xa0011));
	EXPECT_EQ(synic_page(0, 1) | 1, reg_of(0, 0xa0012));
	EXPECT_EQ(synic_page(0, 0) | 1, reg_of(0, 0xa0013));
	EXPECT_EQ(0, reg_of(0, 0xa0014));
	EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, reg_put(0, 0xa0000, 15));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, reg_put(0, 0xa0011, 1));
	EXPECT_EQ(0, reg_put(0, 0xa0005, 0x77));
	EXPECT_EQ(0x77, rdmsr(SINT(5)));
	end();
}

static const struct test t_synic_tests[] = {
	{ "hvsynic_msrs_follow_cpuid", hvsynic_msrs, T_ABI | T_NAMED, NULL },
	{ "hvsynic_calls_follow_cpuid", hvsynic_calls_follow_cpuid, T_ABI | T_NAMED, NULL },
	{ "hvsynic_pages", hvsynic_pages, T_KENSHO | T_NAMED, NULL },
	{ "hvsynic_messages", hvsynic_messages, T_KENSHO | T_NAMED, NULL },
	{ "hvsynic_eoi", hvsynic_eoi, T_KENSHO | T_NAMED, NULL },
	{ "hvsynic_shared_vector", hvsynic_shared_vector, T_KENSHO | T_NAMED, NULL },
	{ "hvsynic_events", hvsynic_events, T_KENSHO | T_NAMED, NULL },
	{ "hvsynic_auto_eoi", hvsynic_auto_eoi, T_KENSHO | T_NAMED, NULL },
	{ "hvsynic_auto_eoi_tpr", hvsynic_auto_eoi_tpr, T_KENSHO | T_NAMED, NULL },
	{ "hvsynic_all_sints", hvsynic_all_sints, T_ABI | T_NAMED, NULL },
	{ "hvsynic_kexec", hvsynic_kexec, T_KENSHO | T_NAMED, NULL },
	{ "hvsynic_registers", hvsynic_registers, T_KENSHO | T_NAMED, NULL },
	{ "hvsynic_x2apic_eoi", hvsynic_eoi, T_KENSHO | T_NAMED | T_X2APIC, NULL },
	{ "hvsynic_x2apic_auto_eoi", hvsynic_auto_eoi, T_KENSHO | T_NAMED | T_X2APIC, NULL },
};
TEST_GROUP(t_synic);
