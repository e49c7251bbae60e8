/* SPDX-License-Identifier: BSD-2-Clause */
/* core/exit/exit.c, exit_cpu.c, exit_event.c: the table, retirement, CPU and event exits. */
#include "core/exit/exit.h"
#include "tests/host/models/apic_vp.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "core/apic/vlapic_internal.h"
#include "tests/host/fakes/fake.h"

static struct vp *vp;

static void init(void)
{
	apic_test_init(1, false);
	vp = &at.vp[0];
	vp->event = (struct event_state){ 0 };
	vp->rearm_tsc = TIMER_NEVER;
	vp->work = 0;
	at.p.config.on_crash = ON_CRASH_HALT;
	at.p.machine.xcr0_supported =
		XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM;
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE;
	fake.vmcs[VMCS_GUEST_RIP] = 0x1000;
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = 3;
	exit_table_init(&exit_table_guest);
}

/* One exit as vmenter.S handles it. */
static void take_exit(u32 reason)
{
	fake.vmcs[VMCS_EXIT_REASON] = reason;
	exit_complete(vp, exit_dispatch(vp, NULL, hw_vmread(VMCS_EXIT_REASON)));
}

/* Names and numbers again, from the SDM's list: the table is indexed rightly and has no gap. */
static void test_every_basic_reason_has_a_row(void)
{
	static const u32 undefined[] = { 35, 38, 42, 71 };

	init();
	for (u32 r = 0; r < EXIT_REASON_COUNT; r++) {
		bool defined = true;

		for (size_t i = 0; i < ARRAY_SIZE(undefined); i++)
			defined &= r != undefined[i];
		EXPECT_EQ(defined, exit_table_row(&exit_table_guest, r) != NULL);
		if (defined)
			EXPECT_STREQ(exit_reason_name(r),
				     exit_table_row(&exit_table_guest, r)->name);
	}
	EXPECT_NULL(exit_table_row(&exit_table_guest, EXIT_REASON_COUNT));
}

static void expect_stop(u32 reason)
{
	init();
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(take_exit(reason)));
	EXPECT_CONTAINS(fake.console, "guest stopped");
}

static void test_hole_and_stop_rows_stop_the_guest(void)
{
	static const u32 reasons[] = {
		35, 71, 500, EXIT_REASON_INVLPG, EXIT_REASON_SIPI, EXIT_REASON_MONITOR_TRAP_FLAG
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		expect_stop(reasons[i]);
}

static void test_hidden_instructions_fault(void)
{
	for (u32 r = 0; r < EXIT_REASON_COUNT; r++) {
		const struct exit_row *row;
		bool ud, gp;

		init();
		row = exit_table_row(&exit_table_guest, r);
		ud = row && row->class == EXIT_CLASS_UD;
		gp = row && row->class == EXIT_CLASS_GP;
		if (!ud && !gp)
			continue;
		take_exit(r);
		EXPECT_EQ(ud ? EXC_UD : EXC_GP, vp->event.info & 0xff);
		EXPECT_EQ(0x1000, fake.vmcs[VMCS_GUEST_RIP]);
	}
}

static void test_retire_moves_rip_by_the_length(void)
{
	init();
	take_exit(EXIT_REASON_PAUSE);
	EXPECT_EQ(0x1003, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(1, vp->counters.exits[EXIT_REASON_PAUSE]);
}

static void test_retire_ends_shadow_and_rf(void)
{
	init();
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] =
		GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_NMI;
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_RF;
	take_exit(EXIT_REASON_PAUSE);
	EXPECT_EQ(GUEST_INTR_BLOCKED_BY_NMI, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
	EXPECT_EQ(0x1003, fake.vmcs[VMCS_GUEST_RIP]);
}

static void test_retire_traps_on_tf_unless_branch_stepping(void)
{
	init();
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_TF;
	take_exit(EXIT_REASON_PAUSE);
	EXPECT_EQ(PENDING_DBG_BS, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);

	init();
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_TF;
	fake.vmcs[VMCS_GUEST_DEBUGCTL] = DEBUGCTL_BTF;
	take_exit(EXIT_REASON_PAUSE);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
}

/* SDM Vol. 3B "Single-Step Exception Condition": REP traps after each iteration. */
static void test_iteration_traps_and_keeps_rip(void)
{
	init();
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] =
		GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_NMI;
	exit_complete(vp, EXIT_ITERATION);
	EXPECT_EQ(0x1000, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(GUEST_INTR_BLOCKED_BY_NMI, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_TF;
	exit_complete(vp, EXIT_ITERATION);
	EXPECT_EQ(PENDING_DBG_BS, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
}

static void test_eip_wraps_outside_64_bit_mode(void)
{
	init();
	fake.vmcs[VMCS_GUEST_RIP] = 0xfffffffe;
	take_exit(EXIT_REASON_PAUSE);
	EXPECT_EQ(1, fake.vmcs[VMCS_GUEST_RIP]);

	init();
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LMA | EFER_LME;
	fake.vmcs[VMCS_GUEST_CS_AR] = AR_L;
	fake.vmcs[VMCS_GUEST_RIP] = 0xfffffffe;
	take_exit(EXIT_REASON_PAUSE);
	EXPECT_EQ(0x100000001, fake.vmcs[VMCS_GUEST_RIP]);
}

/* SDM Vol. 1 "XSETBV": every 12-bit value against the rule written as sentences. */
static void test_xsetbv_accepts_exactly_the_legal_values(void)
{
	for (u64 val = 0; val < 0x1000; val++) {
		bool x87 = val & 1, sse = val & 2, avx = val & 4;
		bool any512 = val & 0xe0, all512 = (val & 0xe0) == 0xe0;
		bool legal =
			x87 && !(val & ~0xe7ull) && (!avx || sse) && (!any512 || (all512 && avx));

		init();
		vp->regs = (struct gpr_regs){ .rax = val | 0xdead00000000, .rdx = 0xbeef00000000 };
		take_exit(EXIT_REASON_XSETBV);
		EXPECT_EQ(legal, fake.xsetbvs == 1);
		EXPECT_EQ(legal ? 0 : EXC_GP, vp->event.info & 0xff);
		if (legal)
			EXPECT_EQ(val, fake.xcr0);
	}
}

static void test_xsetbv_refuses_other_registers_and_high_bits(void)
{
	init();
	vp->regs = (struct gpr_regs){ .rax = 1, .rcx = 1 };
	take_exit(EXIT_REASON_XSETBV);
	EXPECT_EQ(EXC_GP, vp->event.info & 0xff);
	init();
	vp->regs = (struct gpr_regs){ .rax = 1, .rdx = 1 };
	take_exit(EXIT_REASON_XSETBV);
	EXPECT_EQ(EXC_GP, vp->event.info & 0xff);
}

static void test_hlt_retires_and_halts(void)
{
	init();
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = 1;
	take_exit(EXIT_REASON_HLT);
	EXPECT_EQ(0x1001, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(VP_HALTED, vp->state);
	EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
}

/* STI; HLT with something pending: the shadow ends, the VP does not sleep, RIP is behind the HLT.
 */
static void test_hlt_with_a_pending_interrupt_takes_it(void)
{
	init();
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_STI;
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = 1;
	vlapic_set_irr(vp, 0x51, false);
	take_exit(EXIT_REASON_HLT);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(0x1001, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(INTR_INFO_VALID | 0x51, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
	EXPECT_EQ(0, vp->counters.c[COUNTER_HLT]);
}

static void test_single_stepped_hlt_does_not_sleep(void)
{
	init();
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_TF;
	take_exit(EXIT_REASON_HLT);
	EXPECT_EQ(PENDING_DBG_BS, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
	EXPECT_FALSE(vp_prepare_entry(vp));
	EXPECT_EQ(VP_RUNNING, vp->state);
}

static void test_cache_flushes_write_back(void)
{
	init();
	take_exit(EXIT_REASON_INVD);
	take_exit(EXIT_REASON_WBINVD);
	EXPECT_EQ(2, fake.wbinvds);
	EXPECT_EQ(0x1006, fake.vmcs[VMCS_GUEST_RIP]);
}

static void intercepted_db(u64 qual, u64 dr6)
{
	init();
	fake.dr[6] = dr6;
	fake.vmcs[VMCS_EXIT_QUALIFICATION] = qual;
	fake.vmcs[VMCS_GUEST_DR7] = DR7_GD | DR7_FIXED;
	fake.vmcs[VMCS_GUEST_DEBUGCTL] = DEBUGCTL_BTF | DEBUGCTL_LBR | DEBUGCTL_TR;
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_STI;
	fake.vmcs[VMCS_VM_EXIT_INTR_INFO] =
		INTR_INFO_VALID | INTR_TYPE_HARD_EXCEPTION << 8 | EXC_DB;
	take_exit(EXIT_REASON_EXCEPTION_NMI);
}

/* SDM "Debug Status Register (DR6)": what the CPU would have done before delivering #DB. */
static void test_reflected_db_updates_the_debug_registers(void)
{
	intercepted_db(DEBUG_QUAL_BS | 2, DR6_RESET | DR6_BD | 5);
	EXPECT_EQ(DR6_RESET | DR6_BD | DR6_BS | 2, fake.dr[6]);
	EXPECT_EQ(DR7_FIXED, fake.vmcs[VMCS_GUEST_DR7]);
	EXPECT_EQ(DEBUGCTL_TR, fake.vmcs[VMCS_GUEST_DEBUGCTL]);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
	EXPECT_EQ(EXC_DB, vp->event.info & 0xff);
	intercepted_db(DEBUG_QUAL_RTM | DEBUG_QUAL_BLD, DR6_RESET); /* these read 0 when met */
	EXPECT_EQ(DR6_RESET & ~(DR6_RTM | DR6_BLD), fake.dr[6]);
}

static void test_reflected_int1_keeps_its_type(void)
{
	init();
	fake.vmcs[VMCS_VM_EXIT_INTR_INFO] =
		INTR_INFO_VALID | INTR_TYPE_PRIV_SOFT_EXCEPTION << 8 | EXC_DB;
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = 1;
	take_exit(EXIT_REASON_EXCEPTION_NMI);
	EXPECT_EQ(INTR_TYPE_PRIV_SOFT_EXCEPTION, FIELD_GET(INTR_INFO_TYPE, vp->event.info));
	EXPECT_EQ(1, vp->event.len);
}

static void test_reflected_ac_keeps_its_error_code(void)
{
	init();
	fake.vmcs[VMCS_VM_EXIT_INTR_INFO] = INTR_INFO_VALID | INTR_INFO_ERROR_CODE_VALID |
					    INTR_TYPE_HARD_EXCEPTION << 8 | EXC_AC;
	take_exit(EXIT_REASON_EXCEPTION_NMI);
	EXPECT_EQ(INTR_INFO_VALID | INTR_INFO_ERROR_CODE_VALID | 3 << 8 | EXC_AC, vp->event.info);
}

/* SDM "Information for VM Exits Due to Vectored Events", bit 12. */
static void test_fault_in_iret_restores_nmi_blocking(void)
{
	u32 db = INTR_INFO_VALID | INTR_INFO_NMI_UNBLOCKING_IRET | 3 << 8 | EXC_DB;

	init();
	fake.vmcs[VMCS_VM_EXIT_INTR_INFO] = db;
	take_exit(EXIT_REASON_EXCEPTION_NMI);
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] & GUEST_INTR_BLOCKED_BY_NMI);
	init();
	fake.vmcs[VMCS_VM_EXIT_INTR_INFO] = db & ~INTR_INFO_NMI_UNBLOCKING_IRET;
	take_exit(EXIT_REASON_EXCEPTION_NMI);
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] & GUEST_INTR_BLOCKED_BY_NMI);
}

static void test_entry_failure_names_the_check(void)
{
	init();
	fake.vmcs[VMCS_VMCS_LINK_POINTER] = ~0ull;
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PG | CR0_NE;
	EXPECT_EQ(FAKE_END_HALT,
		  FAKE_CATCH(take_exit(EXIT_REASON_ENTRY_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE)));
	EXPECT_CONTAINS(fake.console, "hypervisor panic");
	EXPECT_CONTAINS(fake.console,
			"VM entry of VP 0 failed (entry-guest-state): CR0.PG is 1 with CR0.PE 0");
}

/* Exits that only let something else run. */
static void test_windows_and_timer_resume(void)
{
	static const u32 reasons[] = { EXIT_REASON_INTERRUPT_WINDOW, EXIT_REASON_NMI_WINDOW,
				       EXIT_REASON_PREEMPTION_TIMER, EXIT_REASON_NOTIFY };

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		init();
		take_exit(reasons[i]);
		EXPECT_EQ(0x1000, fake.vmcs[VMCS_GUEST_RIP]);
		EXPECT_EQ(0, vp->event.info);
		EXPECT_EQ(reasons[i] == EXIT_REASON_NMI_WINDOW, (vp->work & VP_WORK_EVENT) != 0);
	}
}

/* A vector that waited for the window is injected at its exit. */
static void test_interrupt_window_injects(void)
{
	init();
	vlapic_set_irr(vp, 0x41, false);
	take_exit(EXIT_REASON_INTERRUPT_WINDOW);
	EXPECT_EQ(INTR_INFO_VALID | 0x41, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
}

static void test_physical_init_is_a_virtual_one(void)
{
	init();
	take_exit(EXIT_REASON_INIT);
	EXPECT_NE(0, vp->work & VP_WORK_SIGNAL);
}

static void test_lost_guests_stop(void)
{
	expect_stop(EXIT_REASON_TRIPLE_FAULT);
	EXPECT_EQ(1, vp->counters.c[COUNTER_TRIPLE_FAULT]);
	EXPECT_CONTAINS(fake.console, "triple fault");
	init();
	fake.vmcs[VMCS_EXIT_QUALIFICATION] = NOTIFY_QUAL_CONTEXT_INVALID;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(take_exit(EXIT_REASON_NOTIFY)));
	init();
	fake.vmcs[VMCS_VM_EXIT_INTR_INFO] =
		INTR_INFO_VALID | INTR_TYPE_HARD_EXCEPTION << 8 | EXC_PF;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(take_exit(EXIT_REASON_EXCEPTION_NMI)));
	init();
	at.p.config.on_crash = ON_CRASH_REBOOT;
	EXPECT_EQ(FAKE_END_REBOOT, FAKE_CATCH(take_exit(EXIT_REASON_TRIPLE_FAULT)));
}

static void test_module_rows_replace_defaults_only(void)
{
	static const struct exit_module_row row = {
		.reason = EXIT_REASON_VMCALL,
		.row = { exit_pause, 0, EXIT_CLASS_HANDLED, "vmcall" },
	};
	static const struct exit_module_row cpuid_row = {
		.reason = EXIT_REASON_CPUID,
		.row = { exit_pause, 0, EXIT_CLASS_HANDLED, "cpuid" },
	};

	init();
	exit_table_add(&exit_table_guest, &row);
	take_exit(EXIT_REASON_VMCALL);
	EXPECT_EQ(0x1003, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(exit_table_add(&exit_table_guest, &cpuid_row)));
}

static void retry(u64 vectoring)
{
	init();
	at.p.clock.tsc_hz = 2400000000;
	fake.tsc_step = 1000;
	vp->deadline_tsc = TIMER_NEVER;
	fake.vmcs[VMCS_IDT_VECTORING_INFO] = vectoring;
	fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS] = PENDING_DBG_BS;
	exit_complete(vp, EXIT_RETRY);
	EXPECT_EQ(0x1000, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(1, vp->counters.c[COUNTER_PAGE_WAIT]);
}

/* The instruction is not retired, and a breakpoint on it does not hit again. */
static void test_retry_waits_and_enters_again(void)
{
	retry(0);
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
	EXPECT_GE(vp->park.stolen_tsc[STEAL_PAGE], 2400000000 / 20000);
	EXPECT_LE(vp->park.stolen_tsc[STEAL_PAGE], 2400000000 / 20000 + 10000);
	retry(INTR_INFO_VALID | EXC_PF); /* an event was on its way: it is no instruction's */
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
}

static void test_retry_ends_with_work(void)
{
	init();
	at.p.clock.tsc_hz = 2400000000;
	fake.tsc_step = 1000;
	vp->deadline_tsc = TIMER_NEVER;
	vp->work = VP_WORK_POSTED;
	exit_complete(vp, EXIT_RETRY);
	EXPECT_LE(vp->park.stolen_tsc[STEAL_PAGE], 5000);
	EXPECT_EQ(VP_WORK_POSTED, vp->work);
	vp->work = 0;
	vp->deadline_tsc = fake.tsc + 10000;
	exit_complete(vp, EXIT_RETRY);
	EXPECT_LE(vp->park.stolen_tsc[STEAL_PAGE], 25000);
}

TEST_MAIN(TEST(test_every_basic_reason_has_a_row), TEST(test_hole_and_stop_rows_stop_the_guest),
	  TEST(test_hidden_instructions_fault), TEST(test_retire_moves_rip_by_the_length),
	  TEST(test_retire_ends_shadow_and_rf),
	  TEST(test_retire_traps_on_tf_unless_branch_stepping),
	  TEST(test_iteration_traps_and_keeps_rip), TEST(test_eip_wraps_outside_64_bit_mode),
	  TEST(test_xsetbv_accepts_exactly_the_legal_values),
	  TEST(test_xsetbv_refuses_other_registers_and_high_bits), TEST(test_hlt_retires_and_halts),
	  TEST(test_hlt_with_a_pending_interrupt_takes_it),
	  TEST(test_single_stepped_hlt_does_not_sleep), TEST(test_cache_flushes_write_back),
	  TEST(test_reflected_db_updates_the_debug_registers),
	  TEST(test_reflected_int1_keeps_its_type), TEST(test_reflected_ac_keeps_its_error_code),
	  TEST(test_fault_in_iret_restores_nmi_blocking), TEST(test_entry_failure_names_the_check),
	  TEST(test_windows_and_timer_resume), TEST(test_interrupt_window_injects),
	  TEST(test_physical_init_is_a_virtual_one), TEST(test_lost_guests_stop),
	  TEST(test_module_rows_replace_defaults_only), TEST(test_retry_waits_and_enters_again),
	  TEST(test_retry_ends_with_work))
