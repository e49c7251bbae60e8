/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/apic/vlapic_apicv.c: virtual-interrupt delivery goes away and comes back while interrupts
 * are in service and pending.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/apic/lazy_eoi.h"
#include "core/apic/vlapic_internal.h"
#include "core/exit/exit.h"
#include "core/vp/event.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"
#include "tests/host/models/apic_vp.h"

#define VP (&at.vp[0])

/* The guest runs with interrupts enabled on a CPU that delivers them by itself. */
static void set_up(void)
{
	apic_test_init(1, true);
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	VP->event = (struct event_state){ 0 };
	VP->work = 0;
}

static u32 injected(void)
{
	return (u32)hw_vmread(VMCS_VM_ENTRY_INTR_INFO) & INTR_INFO_VECTOR;
}

/* SDM "Local APIC State After It Has Been Software Disabled": held, to be handled by the CPU. */
static void test_software_disabled_apic_delivers_what_it_holds(void)
{
	set_up();
	vlapic_set_irr(VP, 0x51, false);
	event_prepare_entry(VP);
	EXPECT_EQ(0, injected());
	vlapic_write(VP, APIC_SVR, 0xff);
	event_prepare_entry(VP);
	EXPECT_EQ(0x51, injected());
	EXPECT_EQ(-1, vlapic_pending_vector(VP));

	set_up(); /* and with IF = 0 it opens a window */
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
	vlapic_set_irr(VP, 0x51, false);
	vlapic_write(VP, APIC_SVR, 0xff);
	event_prepare_entry(VP);
	EXPECT_EQ(0, injected());
	EXPECT_TRUE(VP->ctx->word[CTX_PROC] & PROC_INTERRUPT_WINDOW_EXITING);
}

static bool cpu_delivers(void)
{
	bool on = (VP->ctx->word[CTX_PROC2] & PROC2_VIRTUAL_INTR_DELIVERY) != 0;

	EXPECT_EQ(on, VP->apic.vid);
	EXPECT_EQ(on, VP->apic.apicv_inhibit == 0);
	EXPECT_EQ(VP->ctx->word[CTX_PROC2], hw_vmread(VMCS_PROC_BASED_CTLS2));
	EXPECT_TRUE(apic_test_check_caches(&VP->apic));
	return on;
}

static u64 switches(void)
{
	return VP->counters.c[COUNTER_APICV_SWITCH];
}

/* Each reason alone is enough; only the last one to go brings delivery by the CPU back. */
static void test_reasons_add_up(void)
{
	const u32 all = APICV_INHIBIT_REASON_BLOCKIRQ | BIT32(30);
	u64 before;

	set_up();
	before = switches();
	EXPECT_TRUE(cpu_delivers());
	vlapic_apicv_inhibit(VP, BIT32(30));
	EXPECT_FALSE(cpu_delivers());
	EXPECT_EQ(before + 1, switches());
	vlapic_apicv_inhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	vlapic_apicv_inhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	EXPECT_EQ(all, VP->apic.apicv_inhibit);
	vlapic_apicv_uninhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	EXPECT_FALSE(cpu_delivers());
	vlapic_write(VP, APIC_SVR, 0xff);
	vlapic_apicv_uninhibit(VP, BIT32(30));
	EXPECT_EQ(APICV_INHIBIT_REASON_SW_DISABLED, VP->apic.apicv_inhibit);
	EXPECT_FALSE(cpu_delivers());
	EXPECT_EQ(before + 1, switches());
	VP->work = 0;
	vlapic_write(VP, APIC_SVR, 0x1ff);
	EXPECT_TRUE(cpu_delivers());
	EXPECT_EQ(before + 2, switches());
	EXPECT_TRUE(VP->work & VP_WORK_EVENT);
	apic_test_mode(VP, '0');
	EXPECT_EQ(APICV_INHIBIT_REASON_ABSENT | APICV_INHIBIT_REASON_SW_DISABLED,
		  VP->apic.apicv_inhibit);
	EXPECT_FALSE(cpu_delivers());
}

static void test_apicv_off_is_a_reason_like_any_other(void)
{
	apic_test_init(1, false);
	EXPECT_EQ(APICV_INHIBIT_REASON_DISABLED, VP->apic.apicv_inhibit);
	vlapic_apicv_inhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	vlapic_apicv_uninhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	EXPECT_FALSE(cpu_delivers());
	EXPECT_EQ(0, switches());
}

/* Every nesting of vectors in service and pending survives both ways, RVI and SVI are right. */
static void test_bitmaps_change_hands(void)
{
	for (u32 run = 0; run < 2000; run++) {
		s32 isr = -1, irr = -1;
		u32 pages[3][8];

		set_up();
		for (u32 i = (u32)(test_rng() % 4); i > 0; i--) {
			u8 v = (u8)(16 + test_rng() % 240);

			vlapic_set_irr(VP, v, test_rng() % 2);
			vlapic_accept(VP, v);
			isr = v > isr ? v : isr;
		}
		for (u32 i = (u32)(test_rng() % 4); i > 0; i--) {
			u8 v = (u8)(16 + test_rng() % 240);

			vlapic_set_irr(VP, v, test_rng() % 2);
			irr = v > irr ? v : irr;
		}
		for (u32 i = 0; i < 24; i++)
			pages[i / 8][i % 8] = vlapic_reg(&VP->apic, APIC_ISR + i * 16);
		vlapic_apicv_inhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
		EXPECT_FALSE(cpu_delivers());
		EXPECT_EQ(isr, VP->apic.highest_isr);
		EXPECT_EQ(irr, VP->apic.highest_irr);
		hw_vmwrite(VMCS_GUEST_INTERRUPT_STATUS, 0x5a5a); /* nobody's meanwhile */
		vlapic_apicv_uninhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
		EXPECT_TRUE(cpu_delivers());
		EXPECT_EQ((isr < 0 ? 0 : isr) << 8 | (irr < 0 ? 0 : irr),
			  hw_vmread(VMCS_GUEST_INTERRUPT_STATUS));
		for (u32 i = 0; i < 24; i++)
			EXPECT_EQ(pages[i / 8][i % 8], vlapic_reg(&VP->apic, APIC_ISR + i * 16));
	}
}

/* A level vector that came while software delivered: its EOI is the CPU's, and must exit. */
static void test_eoi_exits_follow_what_is_held(void)
{
	struct exit_info x = { .qual = 0x95 };

	set_up();
	model_rte(0, 0x42, true, false);
	model_rte(1, 0x95, true, false);
	model_line(0, true);
	EXPECT_TRUE(model_exit(false));
	EXPECT_EQ(BIT64(0x42 - 64), hw_vmread(VMCS_EOI_EXIT1));
	vlapic_apicv_inhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	model_line(0, false);
	irqhw.guest_done[0x42] = true;
	vlapic_accept(VP, 0x42);
	vlapic_write(VP, APIC_EOI, 0);
	model_line(1, true);
	EXPECT_TRUE(model_exit(false));
	vlapic_apicv_uninhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	EXPECT_EQ(0, hw_vmread(VMCS_EOI_EXIT1));
	EXPECT_EQ(BIT64(0x95 - 128), hw_vmread(VMCS_EOI_EXIT2));
	model_line(1, false);
	irqhw.guest_done[0x95] = true;
	EXPECT_CALL(EXIT_RESUME, exit_virtualized_eoi(VP, &x));
	EXPECT_FALSE(irqhw.pin[1].remote_irr);
	vlapic_set_irr(VP, 0x95, false); /* an edge: its EOI needs no exit */
	EXPECT_EQ(0, hw_vmread(VMCS_EOI_EXIT2));
}

static bool write_exits(u32 msr)
{
	return (at.msr_bitmap[2048 + msr / 8] >> (msr % 8)) & 1;
}

/* In x2APIC mode EOI and SELF IPI are MSRs: they exit exactly while software delivers. */
static void test_x2apic_writes_exit_while_inhibited(void)
{
	set_up();
	at.p.machine.virt_x2apic = true;
	memset(at.msr_bitmap, 0xff, sizeof(at.msr_bitmap));
	apic_test_mode(VP, '2');
	for (u32 i = 0; i < 2; i++) {
		EXPECT_FALSE(write_exits(0x80b) || write_exits(0x83f) || write_exits(0x808));
		vlapic_apicv_inhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
		EXPECT_TRUE(write_exits(0x80b) && write_exits(0x83f));
		EXPECT_FALSE(write_exits(0x808)); /* the TPR shadow is not part of it */
		vlapic_apicv_uninhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	}
	apic_test_mode(VP, 'x');
	EXPECT_TRUE(write_exits(0x80b) && write_exits(0x83f) && write_exits(0x808));
	vlapic_apicv_inhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	vlapic_apicv_uninhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	EXPECT_TRUE(write_exits(0x80b) && write_exits(0x83f));
}

static bool read_exits(u32 msr)
{
	return (at.msr_bitmap[msr / 8] >> (msr % 8)) & 1;
}

/* EOIs by a synthetic MSR always exit: lazy ones are worth more than the CPU's. */
static void test_a_word_of_ours_takes_delivery_back(void)
{
	static u8 word[4] __attribute__((aligned(4)));

	for (u32 i = 0; i < 2; i++) {
		set_up();
		at.p.machine.virt_x2apic = true;
		at.p.machine.apic_register_virt = true;
		memset(at.msr_bitmap, 0xff, sizeof(at.msr_bitmap));
		apic_test_mode(VP, i == 0 ? '2' : 'x');
		vlapic_mode_changed(VP);
		for (u32 j = 0; j < 2; j++) {
			EXPECT_TRUE(cpu_delivers());
			EXPECT_EQ(i == 1, VP->apic.xapic_virt);
			EXPECT_EQ(i == 1, read_exits(0x810));
			lazy_eoi_enable_own(VP, word, false);
			EXPECT_TRUE(cpu_delivers());
			EXPECT_FALSE(VP->apic.lazy_eoi);
			lazy_eoi_enable_own(VP, word, true);
			EXPECT_FALSE(cpu_delivers());
			EXPECT_TRUE(VP->apic.lazy_eoi && !VP->apic.xapic_virt);
			EXPECT_TRUE(read_exits(0x810) && read_exits(0x817)); /* the ISR */
			EXPECT_EQ(i == 1, read_exits(0x818));
			lazy_eoi_disable_own(VP);
		}
	}
}

/*
 * SDM "Evaluation of Pending Virtual Interrupts", "Virtual-Interrupt Delivery": the VM entry
 * evaluates RVI, and what is recognized is delivered by the IF of the VMCS, out of HLT as well.
 */
static bool entry_would_deliver(void)
{
	u64 status = hw_vmread(VMCS_GUEST_INTERRUPT_STATUS);
	u32 tpr = vlapic_reg(&VP->apic, APIC_TPR), svi = (u32)status >> 8;
	u32 ppr = (svi & 0xf0) > (tpr & 0xf0) ? svi : tpr;

	return (hw_vmread(VMCS_PROC_BASED_CTLS2) & PROC2_VIRTUAL_INTR_DELIVERY) &&
	       (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF) &&
	       !(VP->ctx->word[CTX_PROC] & PROC_INTERRUPT_WINDOW_EXITING) &&
	       (status & 0xf0) > (ppr & 0xf0);
}

/* Rule K3: CLI; HLT with something pending. IF is 1 in the VMCS, the guest's is 0. */
static void test_cli_hlt_is_not_woken_by_rvi(void)
{
	for (u32 in_service = 0; in_service < 2; in_service++) {
		set_up();
		if (in_service) {
			vlapic_set_irr(VP, 0x35, false);
			vlapic_accept(VP, 0x35);
		}
		vlapic_set_irr(VP, 0x41, false);
		fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
		VP->state = VP_HALTED;
		for (u32 i = 0; i < 3; i++) {
			EXPECT_FALSE(entry_would_deliver());
			event_prepare_entry(VP);
			EXPECT_EQ(ACTIVITY_HLT, hw_vmread(VMCS_GUEST_ACTIVITY_STATE));
			EXPECT_TRUE(hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
			EXPECT_FALSE(entry_would_deliver());
			vlapic_set_irr(VP, (u8)(0x51 + i), false); /* an exit brings more */
			EXPECT_FALSE(entry_would_deliver());
			vp_left_hlt(VP);
			EXPECT_TRUE(cpu_delivers());
		}
		event_nmi(VP);
		event_prepare_entry(VP);
		EXPECT_EQ(VP_RUNNING, VP->state);
		EXPECT_EQ(EXC_NMI, injected());
		EXPECT_TRUE(cpu_delivers());
		EXPECT_FALSE(entry_would_deliver());
		EXPECT_EQ(in_service ? 0x3553 : 0x53, hw_vmread(VMCS_GUEST_INTERRUPT_STATUS));
		fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_IF; /* the guest's STI */
		EXPECT_TRUE(entry_would_deliver());
	}
}

/* An injection ends the sleep without a write of the activity state; RVI alone would need one. */
static void test_a_wake_injects_although_the_cpu_delivers(void)
{
	set_up();
	VP->state = VP_HALTED;
	event_prepare_entry(VP);
	EXPECT_EQ(ACTIVITY_HLT, hw_vmread(VMCS_GUEST_ACTIVITY_STATE));
	vlapic_set_irr(VP, 0x41, false);
	vlapic_set_irr(VP, 0x52, false);
	event_prepare_entry(VP);
	EXPECT_EQ(VP_RUNNING, VP->state);
	EXPECT_EQ(0x52, injected());
	EXPECT_EQ(0x5241, hw_vmread(VMCS_GUEST_INTERRUPT_STATUS)); /* in service, and the next */
	EXPECT_EQ(ACTIVITY_HLT, hw_vmread(VMCS_GUEST_ACTIVITY_STATE));
	EXPECT_TRUE(cpu_delivers());
}

/* INIT ends the sleep without a wake. */
static void test_init_ends_the_inhibition(void)
{
	set_up();
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
	VP->state = VP_HALTED;
	event_prepare_entry(VP);
	EXPECT_EQ(APICV_INHIBIT_REASON_BLOCKIRQ, VP->apic.apicv_inhibit);
	event_reset(VP, false);
	EXPECT_EQ(0, VP->apic.apicv_inhibit);
}

TEST_MAIN(TEST(test_software_disabled_apic_delivers_what_it_holds), TEST(test_reasons_add_up),
	  TEST(test_apicv_off_is_a_reason_like_any_other), TEST(test_bitmaps_change_hands),
	  TEST(test_eoi_exits_follow_what_is_held), TEST(test_x2apic_writes_exit_while_inhibited),
	  TEST(test_a_word_of_ours_takes_delivery_back), TEST(test_cli_hlt_is_not_woken_by_rvi),
	  TEST(test_a_wake_injects_although_the_cpu_delivers), TEST(test_init_ends_the_inhibition))
