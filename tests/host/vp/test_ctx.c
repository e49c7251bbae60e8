/* SPDX-License-Identifier: BSD-2-Clause */
/* core/vp/ctx.c: a VP with two contexts, each with a VMCS, controls and exit rows of its own. */
#include "core/vp/ctx.h"

#include <string.h>

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/apic/irq_bits.h"
#include "core/exit/exit.h"
#include "core/time/guest_tsc.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/fakes/rig.h"
#include "tests/host/harness.h"

#define FIRST_VMCS  0x10000
#define SECOND_VMCS 0x20000

static struct fake_guest g;
static struct vcpu_ctx second;
static struct exit_table reflecting;
static u32 reflected;
static struct vp *const vp = &g.vp[0];

static const struct vp_ctls ctls1 = { .pin = 0x10, .proc = 0x20, .proc2 = 0x40 };
static const struct vp_ctls ctls2 = { .pin = 0x11, .proc = 0x21, .proc2 = 0x41 };

/* The default row of a context whose guest is somebody else's: everything goes to them. */
static enum exit_action reflect(struct vp *v, const struct exit_info *x)
{
	reflected++;
	return EXIT_RESUME;
}

static void fill(const struct vp_ctls *ctls)
{
	static u8 bitmap[2][8192] ALIGNED(4096);

	vp->partition->io_bitmap = bitmap[0];
	vp->ctx->msr_bitmap = bitmap[1];
	ctx_fill(vp, ctls);
}

/* Both have been filled; the first is current. */
static void init(void)
{
	static const struct exit_row row = { reflect, 0, EXIT_CLASS_HANDLED, "reflect" };

	fake_guest_init(&g, 1, NULL);
	reflected = 0;
	for (u32 i = 0; i < EXIT_REASON_COUNT; i++)
		exit_table_set(&reflecting, i, &row);
	second = (struct vcpu_ctx){ .vmcs = hpa(SECOND_VMCS), .vpid = 77, .exits = &reflecting };
	vp->ctx->vmcs = hpa(FIRST_VMCS);
	hw_vmcs_load(vp->ctx->vmcs);
	fill(&ctls1);
	ctx_switch(vp, &second);
	fill(&ctls2);
	ctx_switch(vp, &vp->guest_ctx);
}

/* What vmenter.S and the first exit do. */
static void enter(void)
{
	bool launch = vp_prepare_entry(vp);

	EXPECT_EQ(!vp->ctx->launched, launch);
	vp->ctx->launched = true;
	vp->work &= ~(u32)VP_WORK_LAUNCH;
}

static void test_each_keeps_its_controls(void)
{
	init();
	EXPECT_EQ(0x10, fake.vmcs[VMCS_PIN_BASED_CTLS]);
	EXPECT_EQ(1, fake.vmcs[VMCS_VPID]);
	ctx_set_bits(vp->ctx, CTX_PROC, BIT32(8), true);
	EXPECT_EQ(0x120, fake.vmcs[VMCS_PROC_BASED_CTLS]);
	ctx_switch(vp, &second);
	EXPECT_EQ(77, fake.vmcs[VMCS_VPID]);
	EXPECT_EQ(0x11, fake.vmcs[VMCS_PIN_BASED_CTLS]);
	EXPECT_EQ(0x21, fake.vmcs[VMCS_PROC_BASED_CTLS]);
	ctx_switch(vp, &vp->guest_ctx);
	EXPECT_EQ(0x120, fake.vmcs[VMCS_PROC_BASED_CTLS]);
	EXPECT_EQ(BIT64(EXC_DB) | BIT64(EXC_AC), fake.vmcs[VMCS_EXCEPTION_BITMAP]);
	for (u32 i = 0; i < CTX_WORDS; i++) { /* "as last written" is the truth */
		static const enum vmcs_field field[CTX_WORDS] = {
			VMCS_PIN_BASED_CTLS, VMCS_PROC_BASED_CTLS,  VMCS_PROC_BASED_CTLS2,
			VMCS_VM_EXIT_CTLS,   VMCS_EXCEPTION_BITMAP, VMCS_TPR_THRESHOLD,
		};

		EXPECT_EQ(vp->ctx->word[i], fake.vmcs[field[i]]);
	}
}

/* Who wants a vector wants it in every context; what a context wants is its own. */
static void test_wanted_exceptions_follow_the_switch(void)
{
	const u64 always = BIT64(EXC_DB) | BIT64(EXC_AC);

	init();
	second.exceptions = BIT32(EXC_PF);
	exc_want(vp, EXC_OWNER_STEP, BIT32(EXC_UD));
	ctx_switch(vp, &second);
	EXPECT_EQ(always | BIT64(EXC_UD) | BIT64(EXC_PF), fake.vmcs[VMCS_EXCEPTION_BITMAP]);
	exc_want(vp, EXC_OWNER_STEP, 0);
	EXPECT_EQ(always | BIT64(EXC_PF), fake.vmcs[VMCS_EXCEPTION_BITMAP]);
	ctx_switch(vp, &vp->guest_ctx);
	EXPECT_EQ(always, fake.vmcs[VMCS_EXCEPTION_BITMAP]);
}

/* The guest has entered long mode without an exit: the CPU has set the control. */
static void test_long_mode_is_the_cpus_to_change(void)
{
	init();
	ctx_set_long_mode(false);
	EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_CTLS]);
	fake.vmcs[VMCS_VM_ENTRY_CTLS] |= ENTRY_CTL_IA32E_GUEST;
	ctx_set_long_mode(false);
	EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_CTLS]);
	ctx_set_long_mode(true);
	EXPECT_EQ(ENTRY_CTL_IA32E_GUEST, fake.vmcs[VMCS_VM_ENTRY_CTLS]);
}

static void test_no_vmwrite_without_a_change(void)
{
	u64 writes;

	init();
	writes = fake.vmwrites;
	ctx_set(vp->ctx, CTX_PROC2, 0x40);
	ctx_set_bits(vp->ctx, CTX_PROC2, 0x40, true);
	EXPECT_EQ(writes, fake.vmwrites);
	ctx_set_bits(vp->ctx, CTX_PROC2, 0x40, false);
	EXPECT_EQ(writes + 1, fake.vmwrites);
	EXPECT_EQ(0, fake.vmcs[VMCS_PROC_BASED_CTLS2]);
}

/* The guest's TSC is the VP's: it goes on in the context that runs next, and in one filled later.
 */
static void test_the_tsc_offset_follows_the_switch(void)
{
	init();
	EXPECT_EQ(0, fake.vmcs[VMCS_PROC_BASED_CTLS] & PROC_USE_TSC_OFFSETTING);
	guest_tsc_shift(vp, 5000);
	ctx_switch(vp, &second);
	EXPECT_EQ(5000, fake.vmcs[VMCS_TSC_OFFSET]);
	EXPECT_NE(0, fake.vmcs[VMCS_PROC_BASED_CTLS] & PROC_USE_TSC_OFFSETTING);
	guest_tsc_shift(vp, 200);
	ctx_switch(vp, &vp->guest_ctx);
	EXPECT_EQ(5200, fake.vmcs[VMCS_TSC_OFFSET]);
	ctx_switch(vp, &second);
	fake.vmcs[VMCS_TSC_OFFSET] = 1; /* as VMCLEAR may leave it */
	fill(&ctls2);
	EXPECT_EQ(5200, fake.vmcs[VMCS_TSC_OFFSET]);
	EXPECT_NE(0, fake.vmcs[VMCS_PROC_BASED_CTLS] & PROC_USE_TSC_OFFSETTING);
}

static void expect_delivery(u64 eoi_exits, u32 rvi)
{
	EXPECT_EQ(eoi_exits, fake.vmcs[VMCS_EOI_EXIT1]);
	EXPECT_EQ(rvi, FIELD_GET(INTR_STATUS_RVI, fake.vmcs[VMCS_GUEST_INTERRUPT_STATUS]));
}

/* The virtual APIC is the VP's: a vector held for the guest exits at its EOI in every context. */
static void test_virtual_interrupts_follow_the_switch(void)
{
	init();
	vp->partition->machine.virt_intr_delivery = true;
	vp->apic.vid = true;
	vp->fwd.held[0x42 / 32] = BIT32(0x42 % 32);
	irq_request(vp->apic.page, 0x42, true);
	vlapic_ctx_changed(vp);
	expect_delivery(BIT64(0x42 - 64), 0x42);
	ctx_switch(vp, &second);
	expect_delivery(BIT64(0x42 - 64), 0x42);
	vp->fwd.held[0x42 / 32] = 0;
	irq_request(vp->apic.page, 0x59, false);
	vlapic_ctx_changed(vp);
	expect_delivery(0, 0x59);
	ctx_switch(vp, &vp->guest_ctx);
	expect_delivery(0, 0x59);
	vp->fwd.held[0x59 / 32] = BIT32(0x59 % 32);
	vlapic_ctx_changed(vp);
	fill(&ctls1); /* forgets */
	expect_delivery(0, 0);
	vlapic_ctx_changed(vp);
	expect_delivery(BIT64(0x59 - 64), 0x59);
}

/* Rule I6: the first held vector takes APIC-register virtualization away, wherever it came. */
static void test_reads_of_the_apic_exit_in_every_context(void)
{
	init();
	vp->apic.xapic_virt = true;
	ctx_set_bits(vp->ctx, CTX_PROC2, PROC2_APIC_REGISTER_VIRT, true);
	ctx_switch(vp, &second);
	vlapic_xapic_reads_exit(vp);
	ctx_switch(vp, &vp->guest_ctx);
	EXPECT_EQ(0, fake.vmcs[VMCS_PROC_BASED_CTLS2] & PROC2_APIC_REGISTER_VIRT);
}

/* A #PF is queued for the first when the second takes over, and the other way round. */
static void test_a_pending_event_stays_with_its_context(void)
{
	init();
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE; /* real mode pushes no error code */
	enter();
	event_exception(vp, EXC_PF, true, 2);
	ctx_switch(vp, &second);
	enter();
	EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
	event_exception(vp, EXC_UD, false, 0);
	ctx_switch(vp, &vp->guest_ctx);
	enter();
	EXPECT_EQ(INTR_INFO_VALID | INTR_INFO_ERROR_CODE_VALID | 3 << 8 | EXC_PF,
		  fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
	EXPECT_EQ(2, fake.vmcs[VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE]);
	/* Committed, not yet delivered: it is the first VMCS's. */
	ctx_switch(vp, &second);
	EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
	enter();
	EXPECT_EQ(INTR_INFO_VALID | 3 << 8 | EXC_UD, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
	ctx_switch(vp, &vp->guest_ctx);
	EXPECT_EQ(EXC_PF, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] & INTR_INFO_VECTOR);
}

/* An NMI is the VP's: whoever runs next gets it. */
static void test_an_nmi_belongs_to_no_context(void)
{
	init();
	event_nmi(vp);
	ctx_switch(vp, &second);
	enter();
	EXPECT_EQ(INTR_INFO_VALID | 2 << 8 | EXC_NMI, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
}

static void test_each_has_its_launch_state(void)
{
	init();
	EXPECT_TRUE(vp->work & VP_WORK_LAUNCH);
	enter();
	ctx_switch(vp, &second);
	EXPECT_TRUE(vp->work & VP_WORK_LAUNCH);
	enter();
	ctx_switch(vp, &vp->guest_ctx);
	EXPECT_FALSE(vp->work & VP_WORK_LAUNCH);
	ctx_release(vp, &second);
	EXPECT_EQ(1, fake.vmcs_clears);
	EXPECT_FALSE(second.launched);
	ctx_switch(vp, &second);
	EXPECT_TRUE(vp->work & VP_WORK_LAUNCH);
}

/* The preemption timer's value is a field of the VMCS. */
static void test_the_deadline_is_armed_again(void)
{
	u32 arms;

	init();
	vp->deadline_tsc = fake.tsc + 1000000;
	enter();
	arms = fake.timer_arms;
	ctx_switch(vp, &second);
	enter();
	EXPECT_EQ(arms + 1, fake.timer_arms);
}

static void test_each_has_its_exit_rows(void)
{
	init();
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_PAUSE;
	EXPECT_EQ(EXIT_NEXT, exit_dispatch(vp, NULL, hw_vmread(VMCS_EXIT_REASON)));
	ctx_switch(vp, &second);
	for (u32 r = 0; r < EXIT_REASON_COUNT; r++) {
		fake.vmcs[VMCS_EXIT_REASON] = r;
		EXPECT_EQ(EXIT_RESUME, exit_dispatch(vp, NULL, hw_vmread(VMCS_EXIT_REASON)));
	}
	EXPECT_EQ(EXIT_REASON_COUNT, reflected);
	ctx_switch(vp, &vp->guest_ctx);
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_PAUSE;
	EXPECT_EQ(EXIT_NEXT, exit_dispatch(vp, NULL, hw_vmread(VMCS_EXIT_REASON)));
	EXPECT_EQ(EXIT_REASON_COUNT, reflected);
}

static void test_the_stand_in_for_if_is_taken_back(void)
{
	init();
	fake.vmcs[VMCS_GUEST_RFLAGS] = 2;
	vp->state = VP_HALTED;
	enter();
	EXPECT_TRUE(vp->event.if_aside);
	ctx_switch(vp, &second);
	EXPECT_FALSE(vp->event.if_aside);
	ctx_switch(vp, &vp->guest_ctx);
	EXPECT_EQ(2, fake.vmcs[VMCS_GUEST_RFLAGS]);
}

TEST_MAIN(TEST(test_wanted_exceptions_follow_the_switch),
	  TEST(test_long_mode_is_the_cpus_to_change), TEST(test_each_keeps_its_controls),
	  TEST(test_the_tsc_offset_follows_the_switch),
	  TEST(test_virtual_interrupts_follow_the_switch),
	  TEST(test_reads_of_the_apic_exit_in_every_context),
	  TEST(test_no_vmwrite_without_a_change), TEST(test_a_pending_event_stays_with_its_context),
	  TEST(test_an_nmi_belongs_to_no_context), TEST(test_each_has_its_launch_state),
	  TEST(test_the_deadline_is_armed_again), TEST(test_each_has_its_exit_rows),
	  TEST(test_the_stand_in_for_if_is_taken_back))
