// SPDX-License-Identifier: BSD-2-Clause
// Task switches by CALL, JMP and IRET, 32- and 16-bit TSSs, what each saves and loads. Runs at
// PM_BASE.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/pm32/env.h"

/* The registers that the operations of main give the old task. */
static void expect_saved(const struct tss32 *t, const u8 *eip)
{
	EXPECT_ADDR(eip, t->eip);
	for (u32 i = 0; i < 8; i++) {
		if (i != 4)
			EXPECT_EQ(PATTERN(i), t->gpr[i]);
	}
	EXPECT_EQ(S_CODE, t->cs & 0xffff);
	EXPECT_EQ(S_DATA, t->ss & 0xffff);
	EXPECT_EQ(S_DATA, t->ds & 0xffff);
	EXPECT_EQ(S_DATA, t->es & 0xffff);
}

static void expect_back(void)
{
	for (u32 i = 0; i < 8; i++) {
		if (i != 4)
			EXPECT_EQ(PATTERN(i), back.gpr[i]);
	}
	EXPECT_EQ(S_MAIN, back.tr);
	EXPECT_EQ(S_CODE, back.cs);
	EXPECT_EQ(S_DATA, back.ss);
}

static void expect_loaded(const struct regs *r, const struct tss32 *t, u32 selector)
{
	for (u32 i = 0; i < 8; i++) {
		if (i != 4)
			EXPECT_EQ(t->gpr[i], r->gpr[i]);
	}
	EXPECT_EQ(selector, r->tr);
	EXPECT_EQ(t->cs, r->cs);
	EXPECT_EQ(t->ss, r->ss);
	EXPECT_EQ(t->ds, r->ds);
	EXPECT_EQ(t->es, r->es);
	EXPECT_EQ(t->fs, r->fs);
	EXPECT_EQ(t->gs, r->gs);
	EXPECT_EQ(t->ldt, r->ldtr);
}

static u32 type_main, type_a, cr0_in_a, link_a, flags_main;

static void look_from_a(void)
{
	type_main = desc_type(S_MAIN);
	type_a = desc_type(S_A);
	cr0_in_a = rd_cr0();
	link_a = tss_a.t.link;
	flags_main = tss_main.t.eflags;
}

static void unusual_a(void)
{
	tss_a.t.ldt = S_LDT;
	tss_a.t.es = L_DATA;
	tss_a.t.ds = S_UDATA & ~3u;
	tss_a.t.fs = 0;
	tss_a.t.gs = 3; /* null, too */
	tss_a.t.eflags = (u32)(RFLAGS_FIXED | RFLAGS_CF | RFLAGS_ZF | RFLAGS_OF | RFLAGS_IOPL);
	tss_a.t.link = 0xabcd5678;
	tss_main.t.link = 0x1234abcd;
	tss_main.t.cs = tss_main.t.ss = 0x5a5a0000; /* upper halves are not written */
}

static void call_to_a(void (*op)(void), u32 selector, const u8 *next)
{
	struct tss32 before;

	unusual_a();
	before = tss_a.t;
	task_on(S_A, look_from_a);
	asm volatile("clts");
	EXPECT_EQ(NO_TRAP, try_far(op, selector));
	expect_loaded(seen_of(S_A), &before, S_A);
	EXPECT_EQ(before.gpr[4], seen_of(S_A)->gpr[4]);
	EXPECT_EQ(before.eflags | RFLAGS_NT, seen_of(S_A)->eflags);
	EXPECT_EQ(0xb, type_main);
	EXPECT_EQ(0xb, type_a);
	EXPECT_EQ(0xabcd0000 | S_MAIN, link_a);
	EXPECT_EQ(CR0_TS, cr0_in_a & CR0_TS);
	EXPECT_EQ(0, flags_main & RFLAGS_NT);
	expect_saved(&tss_main.t, next);
	EXPECT_EQ(0x5a5a0000 | S_CODE, tss_main.t.cs);
	EXPECT_EQ(0x1234abcd, tss_main.t.link);
	/* and back by IRET */
	expect_back();
	EXPECT_EQ(0, back.eflags & RFLAGS_NT);
	EXPECT_EQ(0, tss_a.t.eflags & RFLAGS_NT);
	EXPECT_EQ(0xb, desc_type(S_MAIN));
	EXPECT_EQ(0x9, desc_type(S_A));
	EXPECT_EQ(0, back.ldtr);
	EXPECT_EQ(S_LDT, tss_a.t.ldt);
	EXPECT_EQ(1, runs_of(S_A));
}

void test_call(void)
{
	call_to_a(op_call, S_A, op_call_next);
}

void test_call_gate(void)
{
	call_to_a(op_call, S_GATE, op_call_next);
}

static void jump_back(void)
{
	look_from_a();
	far_jmp(S_MAIN);
}

static void jmp_to_a(u32 selector)
{
	unusual_a();
	task_on(S_A, jump_back);
	EXPECT_EQ(NO_TRAP, try_far(op_jmp, selector));
	EXPECT_EQ(0, seen_of(S_A)->eflags & RFLAGS_NT);
	EXPECT_EQ(0x9, type_main);
	EXPECT_EQ(0xb, type_a);
	EXPECT_EQ(0xabcd5678, link_a);
	EXPECT_EQ(CR0_TS, cr0_in_a & CR0_TS);
	expect_saved(&tss_main.t, op_jmp_next);
	expect_back();
	EXPECT_EQ(0xb, desc_type(S_MAIN));
	EXPECT_EQ(0x9, desc_type(S_A));
	EXPECT_EQ(0, back.eflags & RFLAGS_NT);
}

void test_jmp(void)
{
	jmp_to_a(S_A);
}

void test_jmp_gate(void)
{
	jmp_to_a(S_GATE);
}

static void a_calls_b(void)
{
	far_call(S_B);
}

static u32 type_b_in_b;

static void look_from_b(void)
{
	type_a = desc_type(S_A);
	type_main = desc_type(S_MAIN);
	type_b_in_b = desc_type(S_B);
}

void test_nested(void)
{
	task_on(S_A, a_calls_b);
	task_on(S_B, look_from_b);
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(0xb, type_main);
	EXPECT_EQ(0xb, type_a);
	EXPECT_EQ(0xb, type_b_in_b);
	EXPECT_EQ(S_A, tss_b.t.link & 0xffff);
	EXPECT_EQ(S_MAIN, tss_a.t.link & 0xffff);
	EXPECT_EQ(0x9, desc_type(S_A));
	EXPECT_EQ(0x9, desc_type(S_B));
	expect_back();
	/* A task that is busy cannot be entered again. */
	task_on(S_B, a_calls_b);
	EXPECT_EQ(EXC_GP, try_far(op_call, S_B));
	EXPECT_EQ(S_B, caught.error);
	EXPECT_EQ(S_B, caught.tr);
}

void test_resumes_behind_iret(void)
{
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(3, runs_of(S_A));
	EXPECT_EQ(S_MAIN, back.tr);
}

static void expect_16bit(void)
{
	const struct regs *r = seen_of(S_A16);

	for (u32 i = 0; i < 8; i++)
		EXPECT_EQ(tss_a16.gpr[i], r->gpr[i] & 0xffff);
	EXPECT_EQ(S_A16, r->tr);
	EXPECT_EQ(S_CODE_LOW, r->cs);
	EXPECT_EQ(S_DATA_LOW, r->ss);
	EXPECT_EQ(0, r->fs);
	EXPECT_EQ(0, r->gs);
	EXPECT_EQ(0, r->ldtr);
}

void test_tss16(void)
{
	struct tss16 before = tss_a16;

	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A16));
	tss_a16 = before;
	expect_16bit();
	EXPECT_EQ(RFLAGS_NT | 2, seen_of(S_A16)->eflags);
	EXPECT_EQ(1, desc_type(S_A16));
	expect_saved(&tss_main.t, op_call_next);
	expect_back();
	task_on(S_A16, task_leave);
	EXPECT_EQ(NO_TRAP, try_far(op_jmp, S_A16));
	EXPECT_EQ(2, seen_of(S_A16)->eflags);
	EXPECT_EQ(3, desc_type(S_A16));
}

/* Main calls the 16-bit task, that calls B and goes on when B returns. */
void test_tss16_is_old(void)
{
	tss_a16.ip = (u16)((uintptr_t)task16_nest - PM_BASE);
	tss_a16.flags = 2 | 1;
	far_ptr[1] = S_B; /* what the 16-bit task calls */
	asm volatile("pusha; lcall %0, $0; popa" : : "i"(S_A16) : "memory");
	EXPECT_EQ(1, runs_of(S_B));
	EXPECT_EQ(S_A16, tss_b.t.link & 0xffff);
	EXPECT_EQ(S_A16, seen16.tr & 0xffff);
	EXPECT_EQ(0x1a2b, seen16.gpr[0] & 0xffff);
	EXPECT_EQ(0x1a2c, seen16.gpr[1] & 0xffff);
	EXPECT_EQ(0x1602, seen16.gpr[2] & 0xffff);
	EXPECT_EQ(0x1603, seen16.gpr[3] & 0xffff);
	EXPECT_EQ(0x1a2d, seen16.gpr[5] & 0xffff);
	EXPECT_EQ(S_CODE_LOW, seen16.cs);
	EXPECT_EQ(S_DATA_LOW, seen16.ss);
	EXPECT_EQ(1, desc_type(S_A16));
	EXPECT_EQ(S_MAIN, tss_a16.link);
	EXPECT_EQ(0, tss_a16.ldt); /* behind what is saved */
}

/* SDM "Task-Switch Exception Condition": before the first instruction of the new task. */
void test_t_flag(void)
{
	tss_a.t.trap = 1;
	EXPECT_EQ(EXC_DB, try_far(op_call, S_A));
	EXPECT_EQ(DR6_BT, caught.dr6 & (DR6_BT | DR6_BS | DR6_B0_B3));
	EXPECT_ADDR(task_entry, caught.eip);
	EXPECT_EQ(S_A, caught.tr);
	EXPECT_EQ(0, caught.eflags & RFLAGS_RF);
	EXPECT_EQ(0, runs_of(S_A));
	asm volatile("mov %0, %%dr6" : : "r"(DR6_RESET));
	tss_a.t.trap = 0;
	desc_clear(S_A, FIELD_PREP(DESC_TYPE, 2ull));
	tss_main.t.trap = 1; /* the way back counts, too */
	EXPECT_EQ(EXC_DB, try_far(op_call, S_A));
	EXPECT_EQ(DR6_BT, caught.dr6 & (DR6_BT | DR6_BS | DR6_B0_B3));
	EXPECT_ADDR(op_call_next, caught.eip);
	EXPECT_EQ(S_MAIN, caught.tr);
	asm volatile("mov %0, %%dr6" : : "r"(DR6_RESET));
}

static u32 dr7_in_a;

static void look_at_dr7(void)
{
	dr7_in_a = rd_dr7();
}

void test_dr7_local(void)
{
	u32 global = (u32)(DR7_G0 | DR7_G1 | DR7_GE);

	asm volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3" : : "r"(0xfff0));
	task_on(S_A, look_at_dr7);
	wr_dr7((u32)(DR7_FIXED | DR7_L0 | DR7_L1 | DR7_L2 | DR7_L3 | DR7_LE) | global);
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(DR7_FIXED | global, dr7_in_a);
	EXPECT_EQ(DR7_FIXED | global, rd_dr7());
	wr_dr7(DR7_RESET);
}

static u32 steps, step_eip[8], step_tr[8];

static void on_step(struct frame *f)
{
	u32 tr;

	asm volatile("str %0; mov %1, %%dr6" : "=r"(tr) : "r"(DR6_RESET));
	if (steps < 8) {
		step_eip[steps] = f->eip;
		step_tr[steps] = tr & 0xffff;
	}
	steps++;
}

/* The old task's TF is saved with it and does not trap in the new task; the new task's own does. */
void test_single_step(void)
{
	trap_on(EXC_DB, on_step);
	steps = 0;
	EXPECT_EQ(NO_TRAP, try_far(op_step, S_A));
	EXPECT_EQ(RFLAGS_TF, tss_main.t.eflags & RFLAGS_TF);
	EXPECT_EQ(0, seen_of(S_A)->eflags & RFLAGS_TF);
	EXPECT_EQ(S_MAIN, step_tr[0]);
	EXPECT_ADDR(op_step_next + 1, step_eip[0]);
	EXPECT_EQ(5, steps); /* two NOPs, PUSHF, AND, POPF */

	steps = 0;
	tss_a.t.eip = (u32)(uintptr_t)task_entry;
	tss_a.t.eflags = RFLAGS_FIXED | RFLAGS_TF;
	task_on(S_A, task_leave);
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(S_A, step_tr[0]);
	EXPECT_ADDR(task_entry + 6, step_eip[0]); /* MOV %EAX to memory, SS prefix */
}

/* RF of the new task holds an instruction breakpoint on its first instruction back. */
void test_resume_flag(void)
{
	asm volatile("mov %0, %%dr0" : : "r"(task_entry));
	wr_dr7((u32)(DR7_FIXED | DR7_G0));
	EXPECT_EQ(EXC_DB, try_far(op_call, S_A));
	EXPECT_ADDR(task_entry, caught.eip);
	EXPECT_EQ(S_A, caught.tr);
	desc_clear(S_A, FIELD_PREP(DESC_TYPE, 2ull));
	asm volatile("mov %0, %%dr6" : : "r"(DR6_RESET));
	wr_dr7((u32)(DR7_FIXED | DR7_G0));
	tss_a.t.eflags |= (u32)RFLAGS_RF;
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(0, seen_of(S_A)->eflags & RFLAGS_RF);
	EXPECT_EQ(1, runs_of(S_A));
	wr_dr7(DR7_RESET);
}

void test_mov_ss_shadow(void)
{
	EXPECT_EQ(NO_TRAP, try_far(op_mov_ss, S_A));
	EXPECT_EQ(1, runs_of(S_A));
	EXPECT_ADDR(op_mov_ss_next, tss_main.t.eip);
}

/* --- other privilege levels --- */

static u32 user_events, user_cs, user_eip;

static void end_of_user(struct frame *f)
{
	user_cs = f->cs;
	user_eip = f->eip;
	task_leave();
}

static void count_event(void)
{
	user_events++;
}

static void user_segments(struct tss32 *t)
{
	t->cs = S_UCODE;
	t->ss = t->ds = t->es = t->fs = t->gs = S_UDATA;
}

void test_user(void)
{
	user_segments(&tss_a.t);
	tss_a.t.eip = (u32)(uintptr_t)user_task;
	gate_to_task(0x30, S_H, 3);
	task_on(S_H, count_event);
	trap_on(0x31, end_of_user);
	user_events = 0;
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(1, user_events);
	EXPECT_EQ(S_UCODE, user_cs);
	EXPECT_ADDR(user_task + 4, user_eip);
	EXPECT_ADDR(user_task + 2, tss_a.t.eip);
	EXPECT_EQ(S_UCODE, tss_a.t.cs & 0xffff);
	EXPECT_EQ(S_A, tss_h.t.link & 0xffff);
}

/* The I/O permission bitmap is the new task's, up to its TSS's limit. */
void test_io_bitmap(void)
{
	user_segments(&tss_a.t);
	tss_a.t.eip = (u32)(uintptr_t)user_io_task;
	for (u32 i = 0; i < 0x20; i++)
		tss_a.iomap[i] = 0xff;
	tss_a.iomap[0x80 / 8] = 0xfe;
	gdt[S_A >> 3] = desc_make((u32)(uintptr_t)&tss_a, TSS32_BYTES + 0x1f, 0x89, 0);
	EXPECT_EQ(EXC_GP, try_far(op_call, S_A));
	EXPECT_EQ(0, caught.error);
	EXPECT_ADDR(user_io_task + 2, caught.eip);
	EXPECT_EQ(S_A, caught.tr);
}

/* A virtual-8086 task: entered by CALL, left and entered again through a task gate. */
void test_v86(void)
{
	tss_a.t.cs = PM_BASE >> 4;
	tss_a.t.ss = tss_a.t.ds = tss_a.t.es = tss_a.t.fs = tss_a.t.gs = 0x3456;
	tss_a.t.ds = 0x5678;
	tss_a.t.eip = (u32)(uintptr_t)v86_task - PM_BASE;
	tss_a.t.eflags = (u32)(RFLAGS_FIXED | RFLAGS_VM | RFLAGS_IOPL);
	gate_to_task(0x30, S_H, 3);
	task_on(S_H, count_event);
	trap_on(0x31, end_of_user);
	user_events = 0;
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(1, user_events);
	EXPECT_EQ(PM_BASE >> 4, user_cs);
	EXPECT_EQ((uintptr_t)v86_end - PM_BASE, user_eip);
	EXPECT_EQ((uintptr_t)v86_int30_next - PM_BASE, tss_a.t.eip);
	EXPECT_EQ(RFLAGS_VM | RFLAGS_IOPL | RFLAGS_NT,
		  tss_a.t.eflags & (RFLAGS_VM | RFLAGS_IOPL | RFLAGS_NT));
	EXPECT_EQ(PM_BASE >> 4, tss_a.t.gpr[0] & 0xffff);
	EXPECT_EQ(0x5678, tss_a.t.gpr[3] & 0xffff);
	EXPECT_EQ(0x5678, tss_a.t.ds & 0xffff);
	EXPECT_EQ(0, seen_of(S_H)->eflags & RFLAGS_VM);
}
