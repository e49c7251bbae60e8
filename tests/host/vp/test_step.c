/* SPDX-License-Identifier: BSD-2-Clause */
/* core/vp/step.c, exception.c: each way to step one instruction. A test plays the CPU: it looks at
 * what the entry would do, then exits as the SDM says. */
#include "core/vp/step.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "core/exit/exit.h"
#include "core/vp/ctx.h"
#include "core/vp/step_insn.h"
#include "tests/host/fakes/paged.h"
#include "tests/host/harness.h"

#define ALWAYS  ((u32)(BIT64(EXC_DB) | BIT64(EXC_AC)))
#define STACK   0x70000ull
#define HANDLER 0x5000ull
#define TRAPPED (INTR_INFO_VALID | INTR_TYPE_HARD_EXCEPTION << 8 | EXC_DB)

static struct vp *vp = &paged_vp;
static u32 ends;
static enum step_end last_end;
static u64 rip;

static void done(struct vp *it, enum step_end how)
{
	EXPECT_TRUE(it == vp);
	ends++;
	last_end = how;
}

static void start(enum emul_mode mode, const void *code, u32 len)
{
	static u8 apic_page[4096] ALIGNED(4096);

	paged_reset(mode);
	exit_table_init(&exit_table_guest);
	ctx_init(vp, 1, &exit_table_guest);
	exc_want(vp, EXC_OWNER_STEP, 0);
	vlapic_init(vp, apic_page);
	vp->apic.apicv_inhibit = APICV_INHIBIT_REASON_ABSENT;
	vp->state = VP_RUNNING;
	vp->deadline_tsc = TIMER_NEVER;
	vp->rearm_tsc = TIMER_NEVER;
	vp->hold = (struct hold){ .owners = HOLD_MONITOR, .stopped = true };
	vp->work = 0;
	paged_code(0, code, len);
	rip = fake.vmcs[VMCS_GUEST_RIP];
	if (mode == EMUL_64)
		paged_map(STACK, STACK, PTE_P | PTE_W);
	fake.vmcs[VMCS_GUEST_RSP] = STACK + 0x100;
	ends = 0;
}

#define START(mode, ...)                                   \
	do {                                               \
		static const u8 code_[] = { __VA_ARGS__ }; \
		start(mode, code_, sizeof(code_));         \
	} while (0)

static void begin(void)
{
	EXPECT_EQ(ERR_NONE, step_begin(vp, done));
	EXPECT_TRUE(vp->step.active);
	EXPECT_EQ(ERR_BUSY, step_begin(vp, done));
	event_prepare_entry(vp); /* on the way to the entry */
}

static void take_exit(u32 reason)
{
	fake.vmcs[VMCS_EXIT_REASON] = reason;
	exit_complete(vp, exit_dispatch(vp, NULL, hw_vmread(VMCS_EXIT_REASON)));
}

static void exception(u32 info, u64 qual, u32 error)
{
	fake.vmcs[VMCS_VM_EXIT_INTR_INFO] = info;
	fake.vmcs[VMCS_EXIT_QUALIFICATION] = qual;
	fake.vmcs[VMCS_VM_EXIT_INTR_ERROR_CODE] = error;
	take_exit(EXIT_REASON_EXCEPTION_NMI);
}

/* The stepped instruction ends at @to with the trap. */
static void trap(u64 to)
{
	fake.vmcs[VMCS_GUEST_RIP] = to;
	exception(TRAPPED, DEBUG_QUAL_BS, 0);
}

static void expect_over(enum step_end how)
{
	EXPECT_EQ(1, ends);
	EXPECT_EQ(how, last_end);
	EXPECT_FALSE(vp->step.active);
	EXPECT_FALSE(vp->event.stepping);
	EXPECT_EQ(ALWAYS, fake.vmcs[VMCS_EXCEPTION_BITMAP]);
	EXPECT_NE(0, vp->work & VP_WORK_HOLD);
	EXPECT_EQ(APICV_INHIBIT_REASON_ABSENT, vp->apic.apicv_inhibit);
}

static u64 flags(void)
{
	return fake.vmcs[VMCS_GUEST_RFLAGS];
}

static void test_plain_instruction(void)
{
	START(EMUL_64, 0x90);
	begin();
	EXPECT_EQ(RFLAGS_TF, flags() & RFLAGS_TF);
	EXPECT_EQ(~(u32)(BIT64(EXC_NMI) | BIT64(EXC_MC)), fake.vmcs[VMCS_EXCEPTION_BITMAP]);
	EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
	trap(rip + 1);
	expect_over(STEP_DONE);
	EXPECT_EQ(rip, vp->step.from);
	EXPECT_EQ(0, flags() & RFLAGS_TF);
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(0, fake.dr[6]);
}

/* A guest that steps itself gets its #DB, and keeps TF. */
static void test_own_step_of_the_guest(void)
{
	START(EMUL_64, 0x90);
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_TF;
	begin();
	trap(rip + 1);
	expect_over(STEP_DONE);
	EXPECT_EQ(RFLAGS_TF, flags() & RFLAGS_TF);
	EXPECT_EQ(EXC_DB, paged_exception());
	EXPECT_NE(0, fake.dr[6] & DR6_BS);
}

/* A breakpoint of the guest on what the instruction touches is its own, without our BS. */
static void test_data_breakpoint_of_the_guest(void)
{
	START(EMUL_64, 0x90);
	begin();
	fake.vmcs[VMCS_GUEST_RIP] = rip + 1;
	exception(TRAPPED, DEBUG_QUAL_BS | 2, 0);
	expect_over(STEP_DONE);
	EXPECT_EQ(EXC_DB, paged_exception());
	EXPECT_EQ(2, fake.dr[6] & (DR6_BS | DR6_B0_B3));
}

static void test_pushf(void)
{
	u16 *pushed = (u16 *)(void *)(paged_ram + STACK + 0xf8);

	for (int own = 0; own < 2; own++) {
		START(EMUL_64, 0x9c);
		fake.vmcs[VMCS_GUEST_RFLAGS] |= own ? RFLAGS_TF : 0;
		begin();
		*pushed = 0xffff;
		fake.vmcs[VMCS_GUEST_RSP] -= 8;
		trap(rip + 1);
		EXPECT_EQ(own ? 0xffff : 0xfeff, *pushed);
	}
	/* Real mode: 64 KiB of stack that wrap. */
	START(EMUL_16, 0x9c);
	fake.vmcs[VMCS_GUEST_SS_BASE] = STACK;
	fake.vmcs[VMCS_GUEST_RSP] = 0xffff0000 | 0x40;
	begin();
	*(u16 *)(void *)(paged_ram + STACK + 0x40) = 0xffff;
	trap(rip + 1);
	EXPECT_EQ(0xfeff, *(u16 *)(void *)(paged_ram + STACK + 0x40));
}

/* POPF and IRET: TF is what they loaded. */
static void test_flags_are_loaded(void)
{
	static const u8 code[] = { 0x9d, 0xcf };

	for (u32 i = 0; i < 4; i++) {
		u64 tf = i & 1 ? RFLAGS_TF : 0;

		start(EMUL_64, &code[i / 2], 1);
		begin();
		fake.vmcs[VMCS_GUEST_RFLAGS] = (flags() & ~RFLAGS_TF) | tf;
		trap(rip + 1);
		expect_over(STEP_DONE);
		EXPECT_EQ(tf, flags() & RFLAGS_TF);
		EXPECT_EQ(-1, paged_exception()); /* it takes effect with the next one */
	}
}

/* The CPU delivers it as if it had run; the NMI window opens behind that. */
static void expect_delivery(u32 info, u32 len)
{
	begin();
	EXPECT_EQ(0, flags() & RFLAGS_TF);
	EXPECT_EQ(ALWAYS, fake.vmcs[VMCS_EXCEPTION_BITMAP]);
	EXPECT_EQ(info, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
	EXPECT_EQ(len, fake.vmcs[VMCS_VM_ENTRY_INSTRUCTION_LENGTH]);
	EXPECT_EQ(PROC_NMI_WINDOW_EXITING,
		  fake.vmcs[VMCS_PROC_BASED_CTLS] &
			  (PROC_NMI_WINDOW_EXITING | PROC_INTERRUPT_WINDOW_EXITING));
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	fake.vmcs[VMCS_GUEST_RIP] = HANDLER;
	take_exit(EXIT_REASON_NMI_WINDOW);
	expect_over(STEP_DONE);
	event_prepare_entry(vp);
	EXPECT_EQ(0, fake.vmcs[VMCS_PROC_BASED_CTLS] & PROC_NMI_WINDOW_EXITING);
}

static void test_software_interrupts(void)
{
	START(EMUL_64, 0xcd, 0x80);
	expect_delivery(INTR_INFO_VALID | INTR_TYPE_SOFT_INT << 8 | 0x80, 2);
	START(EMUL_64, 0xcc);
	expect_delivery(INTR_INFO_VALID | INTR_TYPE_SOFT_EXCEPTION << 8 | EXC_BP, 1);
	START(EMUL_64, 0xf1);
	expect_delivery(INTR_INFO_VALID | INTR_TYPE_PRIV_SOFT_EXCEPTION << 8 | EXC_DB, 1);
	START(EMUL_32, 0xce);
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_OF;
	expect_delivery(INTR_INFO_VALID | INTR_TYPE_SOFT_EXCEPTION << 8 | EXC_OF, 1);
	/* INTO without OF does nothing. */
	START(EMUL_32, 0xce);
	begin();
	EXPECT_EQ(RFLAGS_TF, flags() & RFLAGS_TF);
	trap(rip + 1);
	expect_over(STEP_DONE);
}

/* Where nothing would stop it behind the delivery, it is refused and nothing has changed. */
static void test_no_delivery_in_an_nmi_handler(void)
{
	START(EMUL_64, 0xcd, 0x80);
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_NMI;
	EXPECT_EQ(ERR_NODEV, step_begin(vp, done));
	EXPECT_FALSE(vp->step.active);
	EXPECT_EQ(-1, paged_exception());
	event_exception(vp, EXC_GP, true, 0);
	EXPECT_EQ(ERR_NODEV, step_begin(vp, done));
	EXPECT_EQ(EXC_GP, paged_exception());
	START(EMUL_64, 0x90); /* anything else can be stepped there */
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_NMI;
	begin();
	EXPECT_EQ(GUEST_INTR_BLOCKED_BY_NMI, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
}

/* A committed injection, or a queued event, is a step of its own. */
static void test_a_waiting_event_is_the_step(void)
{
	START(EMUL_64, 0x90);
	event_exception(vp, EXC_GP, true, 0x18);
	expect_delivery(INTR_INFO_VALID | INTR_TYPE_HARD_EXCEPTION << 8 |
				INTR_INFO_ERROR_CODE_VALID | EXC_GP,
			0);
	EXPECT_EQ(0x18, fake.vmcs[VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE]);
	START(EMUL_64, 0x90);
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = INTR_INFO_VALID | 0x51;
	expect_delivery(INTR_INFO_VALID | 0x51, 0);
}

static void expect_breakpoint(u64 target)
{
	fake.dr[0] = 0x1234;
	fake.vmcs[VMCS_GUEST_DR7] = DR7_FIXED | DR7_L0 | FIELD_PREP(DR7_RW0, DR7_RW_WRITE);
	begin();
	EXPECT_EQ(0, flags() & RFLAGS_TF);
	EXPECT_EQ(target, fake.dr[0]);
	EXPECT_EQ(DR7_FIXED | DR7_G0, fake.vmcs[VMCS_GUEST_DR7]);
	fake.vmcs[VMCS_GUEST_RIP] = target;
	exception(TRAPPED, 1, 0);
	expect_over(STEP_DONE);
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(0x1234, fake.dr[0]);
	EXPECT_EQ(DR7_FIXED | DR7_L0 | FIELD_PREP(DR7_RW0, DR7_RW_WRITE),
		  fake.vmcs[VMCS_GUEST_DR7]);
}

static void test_system_calls(void)
{
	START(EMUL_64, 0x0f, 0x05);
	fake_msr_set(MSR_IA32_LSTAR, 0x7770);
	expect_breakpoint(0x7770);
	START(EMUL_64, 0x0f, 0x34);
	fake.vmcs[VMCS_GUEST_SYSENTER_EIP] = 0x8880;
	expect_breakpoint(0x8880);
	START(EMUL_64, 0x48, 0x0f, 0x07);
	vp->regs.rcx = 0x123456789000;
	expect_breakpoint(0x123456789000);
	START(EMUL_64, 0x0f, 0x35);
	vp->regs.rdx = 0x123456789000;
	expect_breakpoint(0x56789000);
}

/* The exception waits where it was raised; TF is not in what its delivery will push. */
static void test_an_instruction_that_faults(void)
{
	START(EMUL_64, 0x8b, 0x00);
	begin();
	exception(INTR_INFO_VALID | INTR_TYPE_HARD_EXCEPTION << 8 | INTR_INFO_ERROR_CODE_VALID |
			  EXC_PF,
		  0xabc000, 4);
	event_prepare_entry(vp);
	expect_over(STEP_RAISED);
	EXPECT_EQ(rip, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(4, paged_error());
	EXPECT_EQ(0xabc000, fake.cr2);
	EXPECT_EQ(RFLAGS_RF, flags() & (RFLAGS_TF | RFLAGS_RF));
	EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]); /* not before the hold is over */
	/* The next step delivers it. */
	ends = 0;
	expect_delivery(INTR_INFO_VALID | INTR_TYPE_HARD_EXCEPTION << 8 |
				INTR_INFO_ERROR_CODE_VALID | EXC_PF,
			0);
}

/* What the hypervisor emulates ends with the same trap, HLT without a sleep. */
static void test_emulated_instructions(void)
{
	START(EMUL_64, 0xf4);
	begin();
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = 1;
	take_exit(EXIT_REASON_HLT);
	event_prepare_entry(vp);
	EXPECT_EQ(0, ends);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(ACTIVITY_ACTIVE, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
	EXPECT_EQ(rip + 1, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(PENDING_DBG_BS, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
	trap(rip + 1);
	expect_over(STEP_DONE);
}

/* A shadow beside TF would fail the entry checks; BTF would keep the trap back. */
static void test_shadow_and_btf(void)
{
	START(EMUL_64, 0x90);
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_STI;
	fake.vmcs[VMCS_GUEST_DEBUGCTL] = DEBUGCTL_BTF | DEBUGCTL_LBR;
	begin();
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
	EXPECT_EQ(DEBUGCTL_LBR, fake.vmcs[VMCS_GUEST_DEBUGCTL]);
	trap(rip + 1);
	expect_over(STEP_DONE);
	EXPECT_EQ(DEBUGCTL_BTF | DEBUGCTL_LBR, fake.vmcs[VMCS_GUEST_DEBUGCTL]);
}

/* Interrupts and NMIs wait, without a window, and come when the step is over. */
static void test_interrupts_wait(void)
{
	START(EMUL_64, 0x90);
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_IF;
	event_nmi(vp);
	begin();
	EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
	EXPECT_EQ(0, fake.vmcs[VMCS_PROC_BASED_CTLS] & PROC_NMI_WINDOW_EXITING);
	trap(rip + 1);
	expect_over(STEP_DONE);
	event_prepare_entry(vp);
	EXPECT_EQ(INTR_INFO_VALID | INTR_TYPE_NMI << 8 | EXC_NMI,
		  fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
}

static void test_who_cannot_be_stepped(void)
{
	START(EMUL_64, 0x90);
	vp->hold.stopped = false;
	EXPECT_EQ(ERR_INVAL, step_begin(vp, done));
	vp->hold.stopped = true;
	vp->state = VP_WAIT_SIPI;
	EXPECT_EQ(ERR_NODEV, step_begin(vp, done));
	vp->state = VP_HALTED;
	EXPECT_EQ(ERR_NODEV, step_begin(vp, done));
	EXPECT_EQ(0, flags() & RFLAGS_TF);
	EXPECT_EQ(0, ends);
}

static void test_init_ends_a_step(void)
{
	START(EMUL_64, 0x90);
	begin();
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED; /* as vp_reset() has them */
	step_forget(vp);
	expect_over(STEP_RESET);
	EXPECT_EQ(RFLAGS_FIXED, flags());
	step_forget(vp);
	EXPECT_EQ(1, ends);
}

/* --- Who wants an exception --- */

static void test_bitmap_is_what_owners_want(void)
{
	START(EMUL_64, 0x90);
	EXPECT_EQ(ALWAYS, exc_bitmap(vp));
	exc_want(vp, EXC_OWNER_STEP, BIT32(EXC_BP));
	EXPECT_EQ(ALWAYS | BIT32(EXC_BP), fake.vmcs[VMCS_EXCEPTION_BITMAP]);
	fake.vmwrites = 0;
	exc_want(vp, EXC_OWNER_STEP, BIT32(EXC_BP) | BIT32(EXC_AC)); /* as before */
	EXPECT_EQ(0, fake.vmwrites);
	exc_want(vp, EXC_OWNER_STEP, 0);
	EXPECT_EQ(ALWAYS, fake.vmcs[VMCS_EXCEPTION_BITMAP]);
}

/* What nobody takes is the guest's, as it was: INT3 stays one. What nobody wants is a bug. */
static void test_last_resort_is_the_guest(void)
{
	START(EMUL_64, 0xcc);
	exc_want(vp, EXC_OWNER_STEP, BIT32(EXC_BP));
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = 1;
	exception(INTR_INFO_VALID | INTR_TYPE_SOFT_EXCEPTION << 8 | EXC_BP, 0, 0);
	EXPECT_EQ(INTR_INFO_VALID | INTR_TYPE_SOFT_EXCEPTION << 8 | EXC_BP, vp->event.info);
	EXPECT_EQ(1, vp->event.len);
	START(EMUL_64, 0x90);
	vp->partition->config.on_crash = ON_CRASH_HALT;
	EXPECT_EQ(FAKE_END_HALT,
		  FAKE_CATCH(exception(INTR_INFO_VALID | INTR_TYPE_HARD_EXCEPTION << 8 | EXC_UD, 0,
				       0)));
}

/* --- The few instructions that must be known --- */

static void test_decode(void)
{
	static const struct {
		u8 code[6];
		u32 n;
		enum cs_bits cs;
		enum insn_kind kind;
		u32 opsize, len;
	} rows[] = {
		{ { 0x9c }, 1, CS_64, INSN_PUSHF, 8, 0 },
		{ { 0x66, 0x9c }, 2, CS_64, INSN_PUSHF, 2, 0 },
		{ { 0x48, 0x9d }, 2, CS_64, INSN_LOADS_TF, 8, 0 },
		{ { 0x48, 0xcf }, 2, CS_64, INSN_LOADS_TF, 8, 0 },
		{ { 0x48, 0x0f, 0x07 }, 3, CS_64, INSN_SYSRET, 8, 0 },
		{ { 0x0f, 0x07 }, 2, CS_64, INSN_SYSRET, 4, 0 },
		{ { 0x48, 0x66, 0x0f, 0x35 }, 4, CS_64, INSN_SYSEXIT, 2, 0 }, /* REX in vain */
		{ { 0x48, 0x9c }, 2, CS_32, INSN_PLAIN, 4, 0 },               /* DEC EAX */
		{ { 0xf3, 0xcd, 0x21 }, 3, CS_16, INSN_INT, 0, 3 },
		{ { 0xcd }, 1, CS_32, INSN_PLAIN, 4, 0 }, /* cut off */
		{ { 0xce }, 1, CS_64, INSN_PLAIN, 4, 0 }, /* #UD */
		{ { 0x66, 0x66 }, 2, CS_64, INSN_PLAIN, 0, 0 },
		{ { 0x0f }, 1, CS_64, INSN_PLAIN, 4, 0 },
		{ { 0x0f, 0xa2 }, 2, CS_64, INSN_PLAIN, 4, 0 },
		{ { 0 }, 0, CS_64, INSN_PLAIN, 0, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct step_insn in = step_insn_decode(rows[i].code, rows[i].n, rows[i].cs);

		EXPECT_EQ(rows[i].kind, in.kind);
		EXPECT_EQ(rows[i].opsize, in.opsize);
		EXPECT_EQ(rows[i].len, in.len);
	}
}

TEST_MAIN(TEST(test_plain_instruction), TEST(test_own_step_of_the_guest),
	  TEST(test_data_breakpoint_of_the_guest), TEST(test_pushf), TEST(test_flags_are_loaded),
	  TEST(test_software_interrupts), TEST(test_no_delivery_in_an_nmi_handler),
	  TEST(test_a_waiting_event_is_the_step), TEST(test_system_calls),
	  TEST(test_an_instruction_that_faults), TEST(test_emulated_instructions),
	  TEST(test_shadow_and_btf), TEST(test_interrupts_wait), TEST(test_who_cannot_be_stepped),
	  TEST(test_init_ends_a_step), TEST(test_bitmap_is_what_owners_want),
	  TEST(test_last_resort_is_the_guest), TEST(test_decode))
