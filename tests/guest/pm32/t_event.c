// SPDX-License-Identifier: BSD-2-Clause
// Task gates in the IDT: software interrupts, exceptions, NMIs, interrupts, double faults. Runs at
// PM_BASE.

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/pm32/env.h"

static u32 apic_read(u32 reg)
{
	return *(volatile u32 *)(0xfee00000u + reg);
}

static void apic_write(u32 reg, u32 val)
{
	*(volatile u32 *)(0xfee00000u + reg) = val;
}

/* The shorthand for self takes fixed interrupts only. */
static void self_nmi(void)
{
	apic_write(APIC_ICR2, apic_read(APIC_ID));
	apic_write(APIC_ICR, 0x4400);
}

static u32 handled, error_code, saved_eip, saved_flags, depth, max_depth;
static const u8 *skip_to;

/* In H: note what it got, repair what faulted, return. */
static void handle(void)
{
	if (++depth > max_depth)
		max_depth = depth;
	handled++;
	error_code = *(u32 *)seen.gpr[4];
	saved_eip = tss_main.t.eip;
	saved_flags = tss_main.t.eflags;
	if (skip_to != NULL)
		tss_main.t.eip = (u32)(uintptr_t)skip_to;
	depth--;
}

static void setup(u32 vector, const u8 *skip)
{
	gate_to_task(vector, S_H, 3);
	task_on(S_H, handle);
	skip_to = skip;
	handled = depth = max_depth = 0;
}

static void expect_one(const u8 *eip, u32 esp_moved)
{
	u32 top = tss_h.t.esp0; /* unused; the stack pointer it started with: */

	(void)top;
	EXPECT_EQ(1, handled);
	EXPECT_ADDR(eip, saved_eip);
	EXPECT_EQ(S_MAIN, tss_h.t.link & 0xffff);
	EXPECT_EQ(RFLAGS_NT, seen_of(S_H)->eflags & RFLAGS_NT);
	EXPECT_EQ(0x30000000 + 0x1111, seen_of(S_H)->gpr[1]);
	EXPECT_EQ(S_MAIN, back.tr);
	EXPECT_EQ(0x9, desc_type(S_H));
	EXPECT_EQ(0, back.eflags & RFLAGS_NT);
	EXPECT_EQ(0, esp_moved & 3);
}

static u32 h_stack(void)
{
	return tss_h.t.gpr[4];
}

void test_int_gate(void)
{
	u32 sp = h_stack();

	setup(0x30, NULL);
	EXPECT_EQ(NO_TRAP, try_op(op_int30));
	expect_one(op_int30_next, 0);
	EXPECT_EQ(0, saved_flags & RFLAGS_RF);
	EXPECT_EQ(sp, seen_of(S_H)->gpr[4]);
	EXPECT_EQ(PATTERN(0), back.gpr[0]);
}

void test_int3_gate(void)
{
	u32 sp = h_stack();

	setup(EXC_BP, NULL);
	EXPECT_EQ(NO_TRAP, try_op(op_int3));
	expect_one(op_int3_next, 0);
	EXPECT_EQ(sp, seen_of(S_H)->gpr[4]);
}

void test_fault_gate(void)
{
	u32 sp = h_stack();

	setup(EXC_UD, op_ud2_next);
	EXPECT_EQ(NO_TRAP, try_op(op_ud2));
	expect_one(op_ud2_at, 0);
	EXPECT_EQ(RFLAGS_RF, saved_flags & RFLAGS_RF);
	EXPECT_EQ(sp, seen_of(S_H)->gpr[4]);
	EXPECT_EQ(PATTERN(6), back.gpr[6]);
}

void test_fault_gate_error_code(void)
{
	u32 sp = h_stack();

	setup(EXC_GP, op_load_ds_next);
	EXPECT_EQ(NO_TRAP, try_far(op_load_ds, S_BEYOND));
	expect_one(op_load_ds_at, 0);
	EXPECT_EQ(S_BEYOND, error_code);
	EXPECT_EQ(sp - 4, seen_of(S_H)->gpr[4]);
	EXPECT_EQ(RFLAGS_RF, saved_flags & RFLAGS_RF);
}

/* A #GP that comes from an emulated instruction instead of the CPU. */
void test_injected_fault_gate(void)
{
	u32 sp = h_stack();

	setup(EXC_GP, op_wrmsr_next);
	EXPECT_EQ(NO_TRAP, try_op(op_wrmsr));
	expect_one(op_wrmsr_at, 0);
	EXPECT_EQ(0, error_code);
	EXPECT_EQ(sp - 4, seen_of(S_H)->gpr[4]);
	EXPECT_EQ(RFLAGS_RF, saved_flags & RFLAGS_RF);
}

static u32 dr6_in_h;

static void handle_debug(void)
{
	handle();
	dr6_in_h = rd_dr6();
	tss_main.t.eflags &= ~(u32)RFLAGS_TF;
	asm volatile("mov %0, %%dr6" : : "r"(DR6_RESET));
}

/* #DB is intercepted on its way to the task gate. */
void test_debug_gate(void)
{
	setup(EXC_DB, NULL);
	task_on(S_H, handle_debug);
	EXPECT_EQ(NO_TRAP, try_far(op_step, S_A));
	EXPECT_EQ(1, runs_of(S_A));
	EXPECT_EQ(1, handled);
	EXPECT_ADDR(op_step_next + 1, saved_eip);
	EXPECT_EQ(DR6_BS, dr6_in_h & (DR6_BS | DR6_BT | DR6_B0_B3));
	EXPECT_EQ(RFLAGS_TF, saved_flags & (RFLAGS_TF | RFLAGS_RF));
}

static void handle_nmi(void)
{
	handle();
	if (handled == 1)
		self_nmi(); /* waits for the IRET */
}

/* NMIs are blocked in the handler's task until it returns by IRET. */
void test_nmi_gate(void)
{
	setup(EXC_NMI, NULL);
	task_on(S_H, handle_nmi);
	apic_write(APIC_ICR2, apic_read(APIC_ID));
	EXPECT_EQ(NO_TRAP, try_op(op_nmi));
	EXPECT_EQ(2, handled);
	EXPECT_EQ(1, max_depth);
	EXPECT_EQ(2, runs_of(S_H));
	EXPECT_EQ(S_MAIN, back.tr);
	EXPECT_EQ(0x9, desc_type(S_H));
	EXPECT_EQ(S_MAIN, tss_h.t.link & 0xffff);
	EXPECT_EQ(NO_TRAP, try_op(op_nmi)); /* and they are not blocked for ever */
	EXPECT_EQ(3, handled);
}

static void handle_irq(void)
{
	handle();
	apic_write(APIC_EOI, 0);
}

void test_irq_gate(void)
{
	setup(0x41, NULL);
	task_on(S_H, handle_irq);
	apic_write(APIC_ICR, 0x44041); /* self, fixed */
	EXPECT_EQ(0, handled);
	EXPECT_EQ(NO_TRAP, try_op(op_sti));
	asm volatile("cli");
	EXPECT_EQ(1, handled);
	EXPECT_ADDR(op_sti_next, saved_eip);
	EXPECT_EQ(RFLAGS_IF, saved_flags & RFLAGS_IF);
	EXPECT_EQ(0, seen_of(S_H)->eflags & RFLAGS_IF);
	EXPECT_EQ(RFLAGS_IF, back.eflags & RFLAGS_IF);
	EXPECT_EQ(0, apic_read(APIC_ISR + 0x20) & 2);
}

/* The handler's 16-bit TSS makes the error code 16 bits wide. */
void test_tss16_error_code(void)
{
	u32 sp = tss_a16.gpr[4];

	gate_to_task(EXC_GP, S_A16, 0);
	task_on(S_A16, task_leave);
	EXPECT_EQ(NO_TRAP, try_far(op_load_ds, S_BEYOND));
	EXPECT_EQ(sp - 2, seen_of(S_A16)->gpr[4] & 0xffff);
	EXPECT_EQ(S_BEYOND, *(u16 *)&stack[0][sp - 2]);
	EXPECT_ADDR(op_load_ds_at, tss_main.t.eip);
}

/* --- faults of the switch itself --- */

static u32 ts_tr, ts_error, ts_link;

static void note_ts(void)
{
	handled++;
	ts_error = *(u32 *)seen.gpr[4];
	ts_tr = seen.tr & 0xffff;
	ts_link = tss_h.t.link & 0xffff;
	task_leave();
}

/* The way the SDM wants #TS handled: in a task of its own, which finds the broken one saved. */
void test_ts_gate(void)
{
	u32 esp = tss_a.t.gpr[4];

	gate_to_task(EXC_TS, S_H, 0);
	task_on(S_H, note_ts);
	handled = 0;
	tss_a.t.ss = S_BEYOND;
	tss_a.t.ds = S_UDATA;
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(1, handled);
	EXPECT_EQ(S_BEYOND, ts_error);
	EXPECT_EQ(S_A, ts_link);
	EXPECT_EQ(S_MAIN, tss_a.t.link & 0xffff);
	EXPECT_EQ(S_BEYOND, tss_a.t.ss & 0xffff);
	EXPECT_EQ(S_UDATA, tss_a.t.ds & 0xffff);
	EXPECT_EQ(esp, tss_a.t.gpr[4]);
	EXPECT_EQ(0x10000000 + 0x1111, tss_a.t.gpr[1]);
	EXPECT_ADDR(task_entry, tss_a.t.eip);
	EXPECT_EQ(RFLAGS_NT, tss_a.t.eflags & RFLAGS_NT);
	EXPECT_EQ(0xb, desc_type(S_A));
	EXPECT_ADDR(op_call_next, tss_main.t.eip);
	EXPECT_EQ(0, runs_of(S_A));
}

/* #GP whose gate is absent: #DF through a task gate, error code 0. */
void test_df_gate(void)
{
	idt[EXC_GP] = 0;
	gate_to_task(EXC_DF, S_H, 0);
	task_on(S_H, note_ts);
	handled = 0;
	EXPECT_EQ(NO_TRAP, try_far(op_load_ds, S_BEYOND));
	EXPECT_EQ(1, handled);
	EXPECT_EQ(0, ts_error);
	EXPECT_EQ(S_MAIN, ts_link);
	EXPECT_ADDR(op_load_ds_at, tss_main.t.eip);
	/* the same of an injected #GP */
	desc_clear(S_H, FIELD_PREP(DESC_TYPE, 2ull));
	tss_h.t.eip = (u32)(uintptr_t)task_entry;
	EXPECT_EQ(NO_TRAP, try_op(op_wrmsr));
	EXPECT_EQ(2, handled);
	EXPECT_EQ(0, ts_error);
	EXPECT_ADDR(op_wrmsr_at, tss_main.t.eip);
}

/* The task that should handle #GP is broken: its #TS follows a contributory exception. */
void test_df_of_bad_handler(void)
{
	tss_a.t.cs = S_DATA;
	gate_to_task(EXC_GP, S_A, 0);
	gate_to_task(EXC_DF, S_H, 0);
	task_on(S_H, note_ts);
	handled = 0;
	EXPECT_EQ(NO_TRAP, try_far(op_load_ds, S_BEYOND));
	EXPECT_EQ(1, handled);
	EXPECT_EQ(0, ts_error);
	EXPECT_EQ(S_A, ts_link);
	EXPECT_EQ(S_MAIN, tss_a.t.link & 0xffff);
	EXPECT_ADDR(op_load_ds_at, tss_main.t.eip);
	/* #UD is benign: the #TS is delivered. */
	tss_a.t.eip = (u32)(uintptr_t)task_entry;
	desc_clear(S_A, FIELD_PREP(DESC_TYPE, 2ull));
	gate_to_task(EXC_UD, S_A, 0);
	EXPECT_EQ(EXC_TS, try_op(op_ud2));
	EXPECT_EQ(S_DATA | ERROR_CODE_EXT, caught.error);
	EXPECT_EQ(S_A, caught.tr);
}

/* No room for the error code: #SS in the new task, with EXT because an exception caused it. */
void test_error_code_stack(void)
{
	gdt[S_X >> 3] = desc_make(0, 0x1000, 0x93, 4);
	tss_a.t.ss = S_X;
	tss_a.t.gpr[4] = 0x2000;
	gate_to_task(EXC_GP, S_A, 0);
	gate_to_task(EXC_SS, S_H, 0);
	idt[EXC_DF] = 0;
	/* #GP, then #SS: a double fault */
	gate_to_task(EXC_DF, S_H, 0);
	task_on(S_H, note_ts);
	handled = 0;
	EXPECT_EQ(NO_TRAP, try_far(op_load_ds, S_BEYOND));
	EXPECT_EQ(1, handled);
	EXPECT_EQ(0, ts_error);
	EXPECT_EQ(S_A, ts_link);
	EXPECT_EQ(0x2000, tss_a.t.gpr[4]);
}
