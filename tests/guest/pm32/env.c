// SPDX-License-Identifier: BSD-2-Clause
// Descriptor tables, tasks, traps and page tables of the 32-bit task tests. Runs at PM_BASE.

#include "tests/guest/pm32/env.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/lib/modes.h"

struct tss_room tss_main ALIGNED(4096), tss_b ALIGNED(4096), tss_h ALIGNED(4096),
	tss_a ALIGNED(4096);
struct tss16 tss_a16 ALIGNED(4096);
u64 gdt[512] ALIGNED(4096), idt[256], ldt[8];
u32 paging;
struct trap caught;
struct regs seen, back, seen16;

u8 stack[6][1024] ALIGNED(16);
static struct regs seen_by[GDT_SLOTS];
static u32 runs[GDT_SLOTS];
static void (*task_fn[GDT_SLOTS])(void);
static void (*trap_fn[64])(struct frame *f);
static bool trying;
static struct mailbox *const mail = (struct mailbox *)(LOW_BASE + LOW_MAIL);

extern u8 trap_stubs[];
extern u32 op_selector;
void try_raw(void (*op)(void));
NORETURN void try_resume(void);
NORETURN void pm_abort(void);
void pm_main(void);
void pm_end(void);
void task_body(void);
void trap_c(struct frame *f);

static const pm_test_fn tests[] = {
#define X(name, flags, why) [PM_TEST_##name] = test_##name,
	PM_TESTS(X) PM_PAGING_TESTS(X) PM_PAE_TESTS(X) PM_FLAT_TESTS(X)
#undef X
};

void check(bool ok, const char *expr, u32 want, u32 got, const char *file, u32 line)
{
	mail->out[PM_OUT_CHECKS]++;
	if (ok || mail->out[PM_OUT_LINE] != 0)
		return;
	mail->out[PM_OUT_LINE] = line;
	mail->out[PM_OUT_FILE] = (u32)(uintptr_t)file;
	mail->out[PM_OUT_EXPR] = (u32)(uintptr_t)expr;
	mail->out[PM_OUT_WANT] = want;
	mail->out[PM_OUT_GOT] = got;
}

/* --- descriptors --- */

u64 desc_make(u32 base, u32 limit, u32 type_byte, u32 flags)
{
	return FIELD_PREP(DESC_LIMIT_LOW, (u64)limit) | FIELD_PREP(DESC_LIMIT_HIGH, limit >> 16) |
	       FIELD_PREP(DESC_BASE_LOW, (u64)base) | FIELD_PREP(DESC_BASE_HIGH, base >> 24) |
	       (u64)type_byte << 40 | (u64)flags << 52;
}

void desc_or(u32 selector, u64 bits)
{
	gdt[selector >> 3] |= bits;
}

void desc_clear(u32 selector, u64 bits)
{
	gdt[selector >> 3] &= ~bits;
}

u32 desc_type(u32 selector)
{
	return (u32)FIELD_GET(DESC_TYPE, gdt[selector >> 3]);
}

static void tss_desc(u32 selector, const void *tss, u32 bytes, u32 type_byte)
{
	gdt[selector >> 3] = desc_make((u32)(uintptr_t)tss, bytes - 1, type_byte, 0);
}

static u64 gate(u32 selector, u32 offset, u32 type_byte)
{
	return FIELD_PREP(GATE_SELECTOR, (u64)selector) | FIELD_PREP(GATE_OFFSET_LOW, (u64)offset) |
	       FIELD_PREP(GATE_OFFSET_MID, offset >> 16) | (u64)type_byte << 40;
}

void gate_to_task(u32 vector, u32 selector, u32 dpl)
{
	idt[vector] = gate(selector, 0, 0x85 | dpl << 5);
}

static void tables_init(void)
{
	struct {
		u16 limit;
		u32 base;
	} PACKED ptr = { GDT_SLOTS * 8 - 1, (u32)(uintptr_t)gdt },
		 idtr = { sizeof(idt) - 1, (u32)(uintptr_t)idt };

	gdt[S_DATA >> 3] = DESC_FLAT_DATA;
	gdt[S_CODE >> 3] = DESC_FLAT_CODE32;
	gdt[S_UCODE >> 3] = DESC_FLAT_CODE32 | DESC_DPL;
	gdt[S_UDATA >> 3] = DESC_FLAT_DATA | DESC_DPL;
	gdt[S_CODE_LOW >> 3] = desc_make(PM_BASE, 0xffff, 0x9b, 4);
	gdt[S_DATA_LOW >> 3] = desc_make((u32)(uintptr_t)stack, 0xffff, 0x93, 0);
	tss_desc(S_MAIN, &tss_main, TSS32_BYTES, 0x89);
	tss_desc(S_A, &tss_a, TSS32_BYTES, 0x89);
	tss_desc(S_B, &tss_b, TSS32_BYTES, 0x89);
	tss_desc(S_H, &tss_h, TSS32_BYTES, 0x89);
	tss_desc(S_A16, &tss_a16, TSS16_BYTES, 0x81);
	gdt[S_GATE >> 3] = gate(S_A, 0, 0x85);
	gdt[S_LDT >> 3] = desc_make((u32)(uintptr_t)ldt, sizeof(ldt) - 1, 0x82, 0);
	ldt[L_CODE >> 3] = DESC_FLAT_CODE32;
	ldt[L_DATA >> 3] = DESC_FLAT_DATA;
	ldt[L_GATE >> 3] = gate(S_A, 0, 0x85);
	for (u32 i = 0; i < 64; i++)
		idt[i] = gate(S_CODE, (u32)(uintptr_t)trap_stubs + 16 * i,
			      i >= 0x30 || i == 3 ? 0xee : 0x8e);
	asm volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(ptr), "m"(idtr), "r"(S_MAIN) : "memory");
}

static void tss_init(struct tss32 *t, u32 n)
{
	*t = (struct tss32){
		.esp0 = (u32)(uintptr_t)stack[5] + sizeof(stack[5]),
		.ss0 = S_DATA,
		.cr3 = cr3_main(),
		.eip = (u32)(uintptr_t)task_entry,
		.eflags = 2,
		.es = S_DATA,
		.cs = S_CODE,
		.ss = S_DATA,
		.ds = S_DATA,
		.fs = S_DATA,
		.iomap = TSS32_BYTES,
	};
	for (u32 i = 0; i < 8; i++)
		t->gpr[i] = 0x10000000 * n + 0x1111 * i;
	t->gpr[4] = (u32)(uintptr_t)stack[n] + sizeof(stack[n]);
}

static void tasks_init(void)
{
	tss_init(&tss_main.t, 0);
	tss_init(&tss_a.t, 1);
	tss_init(&tss_b.t, 2);
	tss_init(&tss_h.t, 3);
	tss_a16 = (struct tss16){
		.ip = (u16)((u32)(uintptr_t)task16_entry - PM_BASE),
		.flags = 2,
		.es = S_DATA,
		.cs = S_CODE_LOW,
		.ss = S_DATA_LOW,
		.ds = S_DATA,
	};
	for (u32 i = 0; i < 8; i++)
		tss_a16.gpr[i] = (u16)(0x1600 + i);
	tss_a16.gpr[4] = 5 * sizeof(stack[0]);
}

#define PAGE_RW 3u

/* --- tasks and traps --- */

struct regs *seen_of(u32 selector)
{
	return &seen_by[selector >> 3];
}

u32 runs_of(u32 selector)
{
	return runs[selector >> 3];
}

void task_on(u32 selector, void (*fn)(void))
{
	task_fn[selector >> 3] = fn;
}

void trap_on(u32 vector, void (*fn)(struct frame *f))
{
	trap_fn[vector] = fn;
}

void task_body(void)
{
	u32 n = (seen.tr & 0xffff) >> 3;

	seen_by[n] = seen;
	runs[n]++;
	if (task_fn[n] != NULL)
		task_fn[n]();
}

/* Main again, whatever task and address space a trap left behind. */
static NORETURN void main_restore(void)
{
	if (paging != PM_PAGING_OFF) {
		asm volatile("mov %0, %%cr3" : : "r"(cr3_main()) : "memory");
		page_set((u32)(uintptr_t)gdt, (u32)(uintptr_t)gdt, PAGE_RW | 4, false);
	}
	desc_clear(S_MAIN, FIELD_PREP(DESC_TYPE, 2ull));
	asm volatile("pushl $2; popf; ltr %w0; lldt %w1; clts"
		     :
		     : "r"(S_MAIN), "r"(0)
		     : "memory", "cc");
	asm volatile("mov %0, %%ss; mov %0, %%ds; mov %0, %%es" : : "r"(S_DATA) : "memory");
	wr_dr7(DR7_RESET);
	if (trying)
		try_resume();
	check(false, "a trap outside of an operation", NO_TRAP, caught.vector, __FILE__,
	      caught.eip);
	pm_abort();
}

void task_leave(void)
{
	main_restore();
}

void trap_c(struct frame *f)
{
	if (trap_fn[f->vector] != NULL) {
		trap_fn[f->vector](f);
		return;
	}
	caught = (struct trap){
		.vector = f->vector,
		.error = f->error,
		.eip = f->eip,
		.cs = f->cs,
		.eflags = f->eflags,
		.dr6 = rd_dr6(),
		.esp = (u32)(uintptr_t)f,
	};
	asm volatile("str %0; sldt %1; mov %%cr2, %2"
		     : "=r"(caught.tr), "=r"(caught.ldtr), "=r"(caught.cr2));
	caught.tr &= 0xffff;
	caught.ldtr &= 0xffff;
	main_restore();
}

u32 try_op(void (*op)(void))
{
	caught = (struct trap){ .vector = NO_TRAP };
	trying = true;
	try_raw(op);
	trying = false;
	return caught.vector;
}

u32 try_far(void (*op)(void), u32 selector)
{
	far_ptr[0] = 0xdead0000; /* a task switch does not look at the offset */
	far_ptr[1] = selector;
	op_selector = selector;
	return try_op(op);
}

/* With paging the region has a page of the first 2 MiB in front of it. */
u32 region_page(void)
{
	static u8 window[4096] ALIGNED(4096);

	if (paging == PM_PAGING_OFF)
		return mail->in[PM_IN_REGION];
	page_set((u32)(uintptr_t)window, mail->in[PM_IN_REGION], PAGE_RW | 4, false);
	return (u32)(uintptr_t)window;
}

/* --- paging: the first 2 MiB by 4-KiB pages, the APIC's page, in two copies --- */

static u32 table(u32 n)
{
	return PM_TABLES + n * 0x1000;
}

u32 cr3_main(void)
{
	return paging == PM_PAGING_OFF ? 0 : table(0);
}

u32 cr3_second(void)
{
	return table(8);
}

void page_set(u32 linear, u32 frame, u32 flags, bool second)
{
	u32 pt = table(second ? 9 : 1);

	if (paging == PM_PAGING_PAE)
		((u64 *)pt)[linear >> 12] = frame | flags;
	else
		((u32 *)pt)[linear >> 12] = frame | flags;
	asm volatile("invlpg (%0)" : : "r"(linear) : "memory");
}

static void tables_32(u32 n)
{
	u32 *pd = (u32 *)table(n);

	pd[0] = table(n + 1) | PAGE_RW | 4;
	pd[0xfee00000u >> 22] = 0xfec00000u | PAGE_RW | 0x80;
}

static void tables_pae(u32 n)
{
	u64 *pdpt = (u64 *)table(n), *pd0 = (u64 *)table(n + 2), *pd3 = (u64 *)table(n + 3);

	pdpt[0] = (u32)(uintptr_t)pd0 | 1;
	pdpt[3] = (u32)(uintptr_t)pd3 | 1;
	pd0[0] = table(n + 1) | PAGE_RW | 4;
	pd3[(0xfee00000u >> 21) & 511] = 0xfee00000u | PAGE_RW | 0x80;
}

static void paging_on(void)
{
	u32 *const all = (u32 *)PM_TABLES;

	if (paging == PM_PAGING_OFF)
		return;
	for (u32 i = 0; i < (PM_END - PM_TABLES) / 4; i++)
		all[i] = 0;
	for (u32 n = 0; n <= 8; n += 8) {
		if (paging == PM_PAGING_PAE)
			tables_pae(n);
		else
			tables_32(n);
		for (u32 at = 0; at < 0x200000; at += 0x1000)
			page_set(at, at, PAGE_RW | 4, n != 0);
	}
	asm volatile("mov %0, %%cr4; mov %1, %%cr3; mov %2, %%cr0"
		     :
		     : "r"(paging == PM_PAGING_PAE ? (u32)CR4_PAE : (u32)CR4_PSE), "r"(cr3_main()),
		       "r"(rd_cr0() | (u32)CR0_PG)
		     : "memory");
}

static void paging_off(void)
{
	asm volatile("mov %0, %%cr0; mov %1, %%cr4"
		     :
		     : "r"(rd_cr0() & 0x7ffffff7u), "r"(0)
		     : "memory");
}

void pm_main(void)
{
	paging = mail->in[PM_IN_PAGING];
	tables_init();
	paging_on();
	tasks_init();
	tests[mail->in[PM_IN_TEST]]();
	mail->out[PM_OUT_DONE] = PM_DONE;
}

void pm_end(void)
{
	asm volatile("lldt %w0" : : "r"(0));
	paging_off();
}
