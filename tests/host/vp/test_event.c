/* SPDX-License-Identifier: BSD-2-Clause */
/* core/vp/event.c: priorities, merge rules, windows, sleep. */
#include "tests/host/models/apic_vp.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/host/fakes/fake.h"

static struct vp *vp;

static void init(void)
{
	apic_test_init(1, false);
	vp = &at.vp[0];
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE;
	vp->event = (struct event_state){ 0 };
	vp->work = 0;
}

static u32 injected(void)
{
	return (u32)fake.vmcs[VMCS_VM_ENTRY_INTR_INFO];
}

static u32 info(enum intr_type type, u8 vector, bool code)
{
	return INTR_INFO_VALID | (u32)type << 8 | vector | (code ? INTR_INFO_ERROR_CODE_VALID : 0);
}

/* The delivery of @first was interrupted by an exit whose handler raises @second. */
static void raise_during(u8 first, u8 second)
{
	init();
	fake.vmcs[VMCS_IDT_VECTORING_INFO] =
		info(INTR_TYPE_HARD_EXCEPTION, first, exception_has_error_code(first));
	event_vectoring(vp);
	event_exception(vp, second, exception_has_error_code(second), 0x18);
}

/* SDM Vol. 3A, Table "Conditions for Generating a Double Fault", written out. */
static void test_merge_follows_the_sdm_table(void)
{
	static const u8 contributory[] = { EXC_DE, EXC_TS, EXC_NP, EXC_SS, EXC_GP };
	static const u8 benign[] = { EXC_DB, EXC_BR, EXC_UD, EXC_NM, EXC_MF, EXC_AC, EXC_XM };

	for (size_t i = 0; i < ARRAY_SIZE(contributory); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(contributory); j++) {
			raise_during(contributory[i], contributory[j]);
			EXPECT_EQ(info(INTR_TYPE_HARD_EXCEPTION, EXC_DF, true), vp->event.info);
			EXPECT_EQ(0, vp->event.error);
		}
		raise_during(contributory[i], EXC_PF); /* serially */
		EXPECT_EQ(info(INTR_TYPE_HARD_EXCEPTION, EXC_PF, true), vp->event.info);
		raise_during(EXC_PF, contributory[i]);
		EXPECT_EQ(info(INTR_TYPE_HARD_EXCEPTION, EXC_DF, true), vp->event.info);
		raise_during(EXC_DF, contributory[i]);
		EXPECT_TRUE(vp->event.triple_fault);
	}
	raise_during(EXC_PF, EXC_PF);
	EXPECT_EQ(EXC_DF, vp->event.info & 0xff);
	raise_during(EXC_DF, EXC_PF);
	EXPECT_TRUE(vp->event.triple_fault);
	for (size_t i = 0; i < ARRAY_SIZE(benign); i++) {
		raise_during(benign[i], EXC_GP);
		EXPECT_EQ(EXC_GP, vp->event.info & 0xff);
		raise_during(EXC_GP, benign[i]);
		EXPECT_EQ(benign[i], vp->event.info & 0xff);
	}
}

static void test_triple_fault_stops_the_partition(void)
{
	raise_during(EXC_DF, EXC_GP);
	at.p.config.on_crash = ON_CRASH_HALT;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(event_prepare_entry(vp)));
	EXPECT_CONTAINS(fake.console, "triple fault");
}

static void test_fault_during_nmi_delivery_keeps_the_nmi(void)
{
	init();
	fake.vmcs[VMCS_IDT_VECTORING_INFO] = info(INTR_TYPE_NMI, EXC_NMI, false);
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_NMI;
	event_vectoring(vp);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]); /* K2b */
	event_exception(vp, EXC_GP, true, 0);
	EXPECT_EQ(EXC_GP, vp->event.info & 0xff);
	EXPECT_TRUE(vp->event.nmis_pending);
}

static void test_reinjection_repeats_what_was_interrupted(void)
{
	init();
	fake.vmcs[VMCS_IDT_VECTORING_INFO] = info(INTR_TYPE_SOFT_INT, 0x80, false) | BIT32(12);
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = 2;
	event_vectoring(vp);
	event_prepare_entry(vp);
	EXPECT_EQ(info(INTR_TYPE_SOFT_INT, 0x80, false), injected());
	EXPECT_EQ(2, fake.vmcs[VMCS_VM_ENTRY_INSTRUCTION_LENGTH]);

	init();
	fake.vmcs[VMCS_IDT_VECTORING_INFO] = info(INTR_TYPE_HARD_EXCEPTION, EXC_PF, true);
	fake.vmcs[VMCS_IDT_VECTORING_ERROR_CODE] = 6;
	event_vectoring(vp);
	event_prepare_entry(vp);
	EXPECT_EQ(info(INTR_TYPE_HARD_EXCEPTION, EXC_PF, true), injected());
	EXPECT_EQ(6, fake.vmcs[VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE]);
}

static void test_no_vectoring_no_event(void)
{
	init();
	fake.vmcs[VMCS_IDT_VECTORING_INFO] = 0x80; /* valid bit clear: stale */
	event_vectoring(vp);
	event_prepare_entry(vp);
	EXPECT_EQ(0, injected());
}

static void test_real_mode_pushes_no_error_code(void)
{
	init();
	fake.vmcs[VMCS_GUEST_CR0] = 0;
	event_exception(vp, EXC_GP, true, 0);
	EXPECT_EQ(info(INTR_TYPE_HARD_EXCEPTION, EXC_GP, false), vp->event.info);
}

static void test_double_fault_in_real_mode_pushes_none_either(void)
{
	init();
	fake.vmcs[VMCS_GUEST_CR0] = 0;
	fake.vmcs[VMCS_IDT_VECTORING_INFO] = info(INTR_TYPE_HARD_EXCEPTION, EXC_GP, false);
	event_vectoring(vp);
	event_exception(vp, EXC_GP, true, 0);
	EXPECT_EQ(info(INTR_TYPE_HARD_EXCEPTION, EXC_DF, false), vp->event.info);
}

static void test_faults_set_rf_and_traps_do_not(void)
{
	init();
	event_exception(vp, EXC_GP, true, 0);
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
	init();
	event_exception(vp, EXC_DB, false, 0);
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
	init();
	event_exception(vp, EXC_DF, true, 0); /* an abort: RF stays as it is */
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
}

static void test_exception_goes_before_nmi_before_extint_before_apic(void)
{
	init();
	vlapic_set_irr(vp, 0x55, false);
	vp->extint.vector[0] = 0x30;
	vp->extint.tail = 1;
	vp->event.extint = true;
	event_nmi(vp);
	event_exception(vp, EXC_UD, false, 0);

	event_prepare_entry(vp);
	EXPECT_EQ(EXC_UD, injected() & 0xff);
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0; /* delivered */
	event_prepare_entry(vp);
	EXPECT_EQ(info(INTR_TYPE_NMI, EXC_NMI, false), injected());
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	event_prepare_entry(vp);
	EXPECT_EQ(info(INTR_TYPE_EXTERNAL, 0x30, false), injected());
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	event_prepare_entry(vp);
	EXPECT_EQ(info(INTR_TYPE_EXTERNAL, 0x55, false), injected());
}

/* Rule K1: an entry abandoned in its window must not commit a second event. */
static void test_committed_injection_is_not_replaced(void)
{
	init();
	vlapic_set_irr(vp, 0x55, false);
	event_prepare_entry(vp);
	EXPECT_EQ(0x55, injected() & 0xff);
	vlapic_set_irr(vp, 0x99, false);
	event_prepare_entry(vp);
	EXPECT_EQ(0x55, injected() & 0xff);
	EXPECT_TRUE(vp->ctx->word[CTX_PROC] & PROC_INTERRUPT_WINDOW_EXITING);
}

static void test_windows_open_exactly_while_something_waits(void)
{
	static const u64 blocked[] = { GUEST_INTR_BLOCKED_BY_STI, GUEST_INTR_BLOCKED_BY_MOV_SS };

	for (size_t i = 0; i < ARRAY_SIZE(blocked); i++) {
		init();
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = blocked[i];
		vlapic_set_irr(vp, 0x55, false);
		event_prepare_entry(vp);
		EXPECT_EQ(0, injected());
		EXPECT_TRUE(vp->ctx->word[CTX_PROC] & PROC_INTERRUPT_WINDOW_EXITING);
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 0;
		event_prepare_entry(vp);
		EXPECT_EQ(0x55, injected() & 0xff);
		EXPECT_FALSE(vp->ctx->word[CTX_PROC] & PROC_INTERRUPT_WINDOW_EXITING);
	}
	init();
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_NMI;
	event_nmi(vp);
	event_prepare_entry(vp);
	EXPECT_EQ(0, injected());
	EXPECT_TRUE(vp->ctx->word[CTX_PROC] & PROC_NMI_WINDOW_EXITING);
	EXPECT_EQ(vp->ctx->word[CTX_PROC], fake.vmcs[VMCS_PROC_BASED_CTLS]);
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 0;
	event_prepare_entry(vp);
	EXPECT_EQ(EXC_NMI, injected() & 0xff);
	EXPECT_FALSE(vp->ctx->word[CTX_PROC] & PROC_NMI_WINDOW_EXITING);
}

/* hlt=passthrough: STI; HLT with an interrupt waiting must not sleep on any machine. */
static void test_hlt_exits_while_a_window_is_open(void)
{
	init();
	ctx_init_windows(vp->ctx, PROC_HLT_EXITING);
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
	vlapic_set_irr(vp, 0x55, false);
	event_prepare_entry(vp);
	EXPECT_TRUE(vp->ctx->word[CTX_PROC] & PROC_HLT_EXITING);
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	event_prepare_entry(vp);
	EXPECT_EQ(0x55, injected() & 0xff);
	EXPECT_FALSE(vp->ctx->word[CTX_PROC] & PROC_HLT_EXITING);
	EXPECT_EQ(vp->ctx->word[CTX_PROC], fake.vmcs[VMCS_PROC_BASED_CTLS]);
}

static void halt(u64 rflags)
{
	init();
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | rflags;
	vp->state = VP_HALTED;
}

static void test_halted_vp_sleeps_until_something_is_deliverable(void)
{
	halt(RFLAGS_IF);
	event_prepare_entry(vp);
	EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
	EXPECT_EQ(VP_HALTED, vp->state);
	vlapic_set_irr(vp, 0x41, false);
	event_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(0x41, injected() & 0xff);
	EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]); /* no write: it injects */
	EXPECT_EQ(1, vp->counters.c[COUNTER_HLT]);
	EXPECT_EQ(0, vp->counters.c[COUNTER_HLT_NO_SLEEP]);
}

static void test_pending_interrupt_skips_the_sleep(void)
{
	halt(RFLAGS_IF);
	vlapic_set_irr(vp, 0x41, false);
	event_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(0, vp->counters.c[COUNTER_HLT]);
	EXPECT_EQ(1, vp->counters.c[COUNTER_HLT_NO_SLEEP]);
}

/* Rule K3: CLI; HLT sleeps with IF = 1 in the VMCS; only an NMI wakes it, with the guest's IF = 0.
 */
static void test_hlt_with_if_0_is_woken_by_nmi_only(void)
{
	halt(0);
	vlapic_set_irr(vp, 0x41, false);
	event_prepare_entry(vp);
	EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF);
	vp_left_hlt(vp); /* an exit: a physical interrupt, say */
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF);
	EXPECT_TRUE(vp->work & VP_WORK_EVENT);
	event_prepare_entry(vp);
	EXPECT_EQ(VP_HALTED, vp->state);
	event_nmi(vp);
	event_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(EXC_NMI, injected() & 0xff);
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF);
}

/* The #DB of a single-stepped HLT comes right after it. */
static void test_pending_single_step_ends_hlt(void)
{
	halt(RFLAGS_IF | RFLAGS_TF);
	fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS] = PENDING_DBG_BS;
	event_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
}

/* SDM "Activity State": only an entry that injects makes the CPU active whatever the field says. */
static void test_a_wake_that_injects_nothing_writes_the_activity_state(void)
{
	halt(RFLAGS_IF);
	event_prepare_entry(vp);
	EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
	EXPECT_TRUE(vp_unhalt(vp));
	event_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(0, injected());
	EXPECT_EQ(ACTIVITY_ACTIVE, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
}

static void test_an_nmi_that_wakes_is_injected_without_a_write(void)
{
	halt(0);
	event_prepare_entry(vp);
	event_nmi(vp);
	event_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(EXC_NMI, injected() & 0xff);
	EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
}

TEST_MAIN(TEST(test_merge_follows_the_sdm_table), TEST(test_triple_fault_stops_the_partition),
	  TEST(test_fault_during_nmi_delivery_keeps_the_nmi),
	  TEST(test_reinjection_repeats_what_was_interrupted), TEST(test_no_vectoring_no_event),
	  TEST(test_real_mode_pushes_no_error_code),
	  TEST(test_double_fault_in_real_mode_pushes_none_either),
	  TEST(test_faults_set_rf_and_traps_do_not),
	  TEST(test_exception_goes_before_nmi_before_extint_before_apic),
	  TEST(test_committed_injection_is_not_replaced),
	  TEST(test_windows_open_exactly_while_something_waits),
	  TEST(test_hlt_exits_while_a_window_is_open),
	  TEST(test_halted_vp_sleeps_until_something_is_deliverable),
	  TEST(test_pending_interrupt_skips_the_sleep),
	  TEST(test_hlt_with_if_0_is_woken_by_nmi_only), TEST(test_pending_single_step_ends_hlt),
	  TEST(test_a_wake_that_injects_nothing_writes_the_activity_state),
	  TEST(test_an_nmi_that_wakes_is_injected_without_a_write))
