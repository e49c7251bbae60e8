// SPDX-License-Identifier: BSD-2-Clause
// Task switches whose tables and stacks lie in the hypervisor's region (rule M1: all-ones, writes
// vanish), and a delivery loop. Runs at PM_BASE.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/pm32/env.h"

/* All-ones: the LDT selector says LDT, which no LDT selector may. */
void test_region_new_tss(void)
{
	gdt[S_A >> 3] = desc_make(region_page(), TSS32_BYTES - 1, 0x89, 0);
	/* ESP0 is all-ones, too: a handler on the new task's stack would not come back. */
	gate_to_task(EXC_TS, S_H, 0);
	gate_to_task(EXC_PF, S_H, 0);
	gate_to_task(EXC_GP, S_H, 0);
	task_on(S_H, task_leave);
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(S_A, tss_h.t.link & 0xffff);
	EXPECT_EQ(1, runs_of(S_H));
	EXPECT_ADDR(op_call_next, tss_main.t.eip);
	EXPECT_EQ(0xb, desc_type(S_A));
	EXPECT_EQ(~0u, *(u32 *)region_page()); /* neither the link nor H's registers */
}

/* The old task's registers vanish. */
void test_region_old_tss(void)
{
	u64 good = gdt[S_MAIN >> 3];

	gdt[S_MAIN >> 3] = desc_make(region_page(), TSS32_BYTES - 1, 0x89, 0);
	asm volatile("ltr %w0" : : "r"(S_MAIN) : "memory");
	gdt[S_MAIN >> 3] = good;
	task_on(S_A, task_leave);
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(1, runs_of(S_A));
	EXPECT_EQ(S_MAIN, tss_a.t.link & 0xffff);
	for (u32 i = 0; i < TSS32_BYTES; i += 4)
		EXPECT_EQ(~0u, *(u32 *)(region_page() + i));
}

/* A descriptor of all-ones is a conforming code segment, DPL 3: nothing for SS, good for DS. */
void test_region_gdt(void)
{
	tss_a.t.ldt = S_X;
	gdt[S_X >> 3] = desc_make(region_page(), 0xfff, 0x82, 0);
	tss_a.t.ds = 0xffc;
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(0xffc, seen_of(S_A)->ds);
	tss_a.t.eip = (u32)(uintptr_t)task_entry;
	tss_a.t.ss = 0xffc;
	EXPECT_EQ(EXC_TS, try_far(op_call, S_A));
	EXPECT_EQ(0xffc, caught.error);
	EXPECT_EQ(S_A, caught.tr);
}

/* The error code is pushed into the region: it is lost, the task runs. */
static u32 esp_seen;

static void leave_with_esp(void)
{
	esp_seen = seen.gpr[4];
	task_leave();
}

void test_region_stack(void)
{
	u32 top = region_page() + 4096;

	gate_to_task(EXC_GP, S_A, 0);
	tss_a.t.gpr[4] = top;
	task_on(S_A, leave_with_esp);
	tss_a.t.eip = (u32)(uintptr_t)region_task;
	EXPECT_EQ(NO_TRAP, try_far(op_load_ds, S_BEYOND));
	EXPECT_EQ(top - 4, esp_seen);
	EXPECT_ADDR(op_load_ds_at, tss_main.t.eip);
}

/*
 * #AC is benign: pushing its frame on a misaligned stack at CPL 3 raises it again, for ever. Never
 * returns; what counts is that the hypervisor goes on (rule M3).
 */
void test_ac_loop(void)
{
	idt[EXC_AC] = FIELD_PREP(GATE_SELECTOR, (u64)S_UCODE) | 0xeeull << 40 | 0x1000;
	tss_a.t.cs = S_UCODE;
	tss_a.t.ss = tss_a.t.ds = tss_a.t.es = tss_a.t.fs = S_UDATA;
	tss_a.t.eip = (u32)(uintptr_t)misaligned_task;
	tss_a.t.eflags = (u32)(RFLAGS_FIXED | RFLAGS_AC);
	tss_a.t.gpr[4] = (u32)(uintptr_t)stack[1] + 513;
	asm volatile("mov %0, %%cr0" : : "r"(rd_cr0() | (u32)CR0_AM));
	(void)try_far(op_call, S_A);
	EXPECT_EQ(0, caught.vector);
}
