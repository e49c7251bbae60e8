// SPDX-License-Identifier: BSD-2-Clause
// Task switches and page tables: CR3, and page faults in TSSs, GDT and stack. Runs at PM_BASE.

#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/string.h"
#include "tests/guest/pm32/env.h"

#define RW (u32)(PTE_P | PTE_W | PTE_U)
#define RO (u32)(PTE_P | PTE_U)

static u8 window[4096] ALIGNED(4096);
static u8 frame_one[4096] ALIGNED(4096), frame_two[4096] ALIGNED(4096);
static u32 cr3_in_a, byte_in_a;

static u32 addr(const void *p)
{
	return (u32)(uintptr_t)p;
}

static void look_through_window(void)
{
	cr3_in_a = rd_cr3();
	byte_in_a = *(volatile u8 *)window;
}

void test_cr3(void)
{
	frame_one[0] = 0x11;
	frame_two[0] = 0x22;
	page_set(addr(window), addr(frame_one), RW, false);
	page_set(addr(window), addr(frame_two), RW, true);
	task_on(S_A, look_through_window);
	tss_a.t.cr3 = cr3_second();
	for (u32 i = 0; i < 3; i++) {
		EXPECT_EQ(0x11, *(volatile u8 *)window);
		EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
		EXPECT_EQ(0x22, byte_in_a);
		EXPECT_EQ(cr3_second(), cr3_in_a);
		EXPECT_EQ(0x11, *(volatile u8 *)window);
		EXPECT_EQ(cr3_main(), rd_cr3());
	}
	EXPECT_EQ(cr3_second(), tss_a.t.cr3); /* never saved */
}

static void pf_handler(void)
{
	u32 cr2;

	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	cr3_in_a = cr2;
	byte_in_a = *(u32 *)seen.gpr[4];
	page_set(addr(window), addr(frame_one), RW, false);
}

void test_pf_gate(void)
{
	gate_to_task(EXC_PF, S_H, 0);
	task_on(S_H, pf_handler);
	page_set(addr(window), 0, 0, false);
	*(u32 *)frame_one = 0x600d;
	op_addr = addr(window);
	EXPECT_EQ(NO_TRAP, try_op(op_load));
	EXPECT_EQ(addr(window), cr3_in_a);
	EXPECT_EQ(0, byte_in_a);
	EXPECT_EQ(0x600d, back.gpr[0]);
	EXPECT_EQ(1, runs_of(S_H));
}

/* Before the commit point: main goes on and can try again. */
static void expect_pf(u32 selector, u32 cr2, u32 code)
{
	u32 eip = tss_main.t.eip, type = desc_type(selector);

	EXPECT_EQ(EXC_PF, try_far(op_call, selector));
	EXPECT_EQ(cr2 & ~0xfffu, caught.cr2 & ~0xfffu); /* which byte is model-specific */
	EXPECT_EQ(code, caught.error);
	EXPECT_EQ(S_MAIN, caught.tr);
	EXPECT_EQ(eip, tss_main.t.eip);
	EXPECT_EQ(type, desc_type(selector));
	EXPECT_EQ(0, runs_of(selector));
}

void test_pf_new_tss(void)
{
	page_set(addr(&tss_a), addr(&tss_a), 0, false);
	expect_pf(S_A, addr(&tss_a), 0);
	page_set(addr(&tss_a), addr(&tss_a), RW, false);
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(1, runs_of(S_A));
}

/* The old TSS must take the registers. */
void test_pf_old_tss(void)
{
	page_set(addr(&tss_main), addr(&tss_main), RO, false);
	EXPECT_EQ(EXC_PF, try_far(op_call, S_A));
	EXPECT_EQ(PFEC_P | PFEC_W, caught.error);
	EXPECT_EQ(addr(&tss_main), caught.cr2 & ~0xfffu);
	EXPECT_EQ(S_MAIN, caught.tr);
	EXPECT_EQ(0x9, desc_type(S_A));
	page_set(addr(&tss_main), addr(&tss_main), RW, false);
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
}

/* CALL writes the link of the new TSS, JMP does not. */
void test_pf_link(void)
{
	page_set(addr(&tss_a), addr(&tss_a), RO, false);
	expect_pf(S_A, addr(&tss_a), PFEC_P | PFEC_W);
	task_on(S_A, task_leave);
	EXPECT_EQ(NO_TRAP, try_far(op_jmp, S_A));
	EXPECT_EQ(1, runs_of(S_A));
}

/* The GDT: reading the descriptor, then setting its busy flag. */
void test_pf_gdt(void)
{
	u32 slot = addr(gdt) + 0x800;

	gdt[0x100] = gdt[S_A >> 3];
	page_set(addr(gdt), addr(gdt), RO, false);
	EXPECT_EQ(EXC_PF, try_far(op_call, S_A));
	EXPECT_EQ(PFEC_P | PFEC_W, caught.error);
	EXPECT_EQ(addr(gdt), caught.cr2 & ~0xfffu);
	EXPECT_EQ(S_MAIN, caught.tr);
	(void)slot;
}

/* A TSS that crosses a page boundary, with the second page away and back. */
void test_tss_over_pages(void)
{
	u32 base = addr(frame_two) - 0x30;
	struct tss32 t = tss_a.t;

	page_set(addr(frame_two), addr(frame_two), RW, false);
	__builtin_memcpy((void *)base, &t, sizeof(t));
	gdt[S_A >> 3] = desc_make(base, TSS32_BYTES - 1, 0x89, 0);
	page_set(addr(frame_two), 0, 0, false);
	expect_pf(S_A, addr(frame_two), 0);
	page_set(addr(frame_two), addr(frame_two), RW, false);
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(1, runs_of(S_A));
	EXPECT_EQ(t.gpr[7], seen_of(S_A)->gpr[7]);
	EXPECT_EQ(t.gpr[0], seen_of(S_A)->gpr[0]);
}

/* Descriptors of the new task that are paged out: a #PF in its context. */
void test_pf_descriptor(void)
{
	tss_a.t.ldt = S_Y;
	tss_a.t.ds = L_DATA;
	gdt[S_Y >> 3] = desc_make(addr(window), 0xfff, 0x82, 0);
	page_set(addr(window), 0, 0, false);
	EXPECT_EQ(EXC_PF, try_far(op_call, S_A));
	EXPECT_EQ(addr(window) + (L_DATA & ~7u), caught.cr2);
	EXPECT_EQ(0, caught.error);
	EXPECT_EQ(S_A, caught.tr);
	EXPECT_EQ(S_Y, caught.ldtr);
	EXPECT_ADDR(op_call_next, tss_main.t.eip);
}

/* The stack for the error code is away: #PF while #GP is delivered, which is serial. */
void test_pf_push(void)
{
	gate_to_task(EXC_GP, S_A, 0);
	gate_to_task(EXC_PF, S_H, 0);
	task_on(S_H, pf_handler);
	task_on(S_A, task_leave);
	tss_a.t.gpr[4] = addr(window) + 64;
	page_set(addr(window), 0, 0, false);
	EXPECT_EQ(NO_TRAP, try_far(op_load_ds, S_BEYOND));
	EXPECT_EQ(addr(window) + 60, cr3_in_a);
	EXPECT_EQ(PFEC_W, byte_in_a);
	EXPECT_EQ(S_A, tss_h.t.link & 0xffff);
	EXPECT_EQ(1, runs_of(S_H));
	EXPECT_EQ(1, runs_of(S_A)); /* after the handler's IRET, without the error code */
	EXPECT_EQ(addr(window) + 64, seen_of(S_A)->gpr[4]);
}
