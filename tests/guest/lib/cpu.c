// SPDX-License-Identifier: BSD-2-Clause
// Descriptor tables, exception and interrupt dispatch, CPL 3 calls, the window of test pages.

#include "tests/guest/lib/cpu.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/layout.h"
#include "tests/guest/lib/smp.h"

extern u8 trap_stubs[];
extern u8 user_leave[];
extern u64 page_pml4[512];
u64 user_enter(u64 (*fn)(u64), u64 arg, u64 user_stack_top);

u64 trap_catch_rip;
struct jump *test_jump;
volatile u32 irq_log_count;
volatile u8 irq_log[IRQ_LOG_MAX];
volatile u64 irq_log_rip[IRQ_LOG_MAX];

static struct trap_info last;
static struct jump *catch_jump;
static trap_handler handlers[VECTOR_COUNT];
static u64 gdt[G_ENTRIES];
static struct idt_gate idt[VECTOR_COUNT];
static struct tss64 tss, ap_tss[SMP_MAX];
static u8 df_stack[4096] ALIGNED(16);
static u8 ap_df_stack[SMP_MAX][4096] ALIGNED(16);
static u8 ring0_stack[8192] ALIGNED(16);
static u8 user_stack[8192] ALIGNED(16);
static u64 win_pdpt[512] ALIGNED(4096);
static u64 win_pd[512] ALIGNED(4096);
static u64 win_pt[512] ALIGNED(4096);

static void gate_set(u32 vector, u8 ist, u32 dpl)
{
	idt[vector] = idt_gate_make((u64)(uintptr_t)trap_stubs + vector * 16ull, G_CODE64, ist);
	idt[vector].low |= FIELD_PREP(GATE_DPL, dpl);
}

static void idt_init(void)
{
	const struct desc_ptr ptr = { .limit = sizeof(idt) - 1, .base = (u64)(uintptr_t)idt };

	for (u32 v = 0; v < VECTOR_COUNT; v++)
		gate_set(v, 0, 0);
	gate_set(EXC_DF, 1, 0);
	gate_set(EXC_BP, 0, 3);
	gate_set(USER_EXIT_VECTOR, 0, 3);
	asm volatile("lidt %0" : : "m"(ptr));
}

void cpu_init(void)
{
	const struct desc_ptr ptr = { .limit = sizeof(gdt) - 1, .base = (u64)(uintptr_t)gdt };
	u64 tss_va = (u64)(uintptr_t)&tss;

	gdt[G_CODE64 >> 3] = DESC_FLAT_CODE64;
	gdt[G_DATA >> 3] = DESC_FLAT_DATA;
	gdt[G_CODE32 >> 3] = DESC_FLAT_CODE32;
	gdt[G_USER32 >> 3] = DESC_FLAT_CODE32 | DESC_DPL;
	gdt[G_UDATA >> 3] = DESC_FLAT_DATA | DESC_DPL;
	gdt[G_UCODE64 >> 3] = DESC_FLAT_CODE64 | DESC_DPL;
	gdt[G_CODE16 >> 3] = 0x00009b000000ffffull | FIELD_PREP(DESC_BASE_LOW, LOW_BASE);
	gdt[G_DATA16 >> 3] = 0x000093000000ffffull | FIELD_PREP(DESC_BASE_LOW, LOW_BASE);
	gdt[G_TSS >> 3] = desc_system_low(tss_va, TSS64_LIMIT, DESC_TYPE_TSS_AVAIL);
	gdt[(G_TSS >> 3) + 1] = tss_va >> 32;
	tss.ist[0] = (u64)(uintptr_t)(df_stack + sizeof(df_stack));
	tss.rsp[0] = (u64)(uintptr_t)(ring0_stack + sizeof(ring0_stack));
	tss.iomap_base = TSS64_BYTES; /* no bitmap: CPL 3 I/O is #GP */
	asm volatile("lgdt %0; ltr %w1" : : "m"(ptr), "r"(G_TSS) : "memory");
	idt_init();
	page_pml4[1] = (u64)(uintptr_t)win_pdpt | G_PTE_P | G_PTE_W | G_PTE_U;
	win_pdpt[0] = (u64)(uintptr_t)win_pd | G_PTE_P | G_PTE_W | G_PTE_U;
	win_pd[0] = (u64)(uintptr_t)win_pt | G_PTE_P | G_PTE_W | G_PTE_U;
}

void cpu_reload_tr(void)
{
	gdt[G_TSS >> 3] = desc_system_low((u64)(uintptr_t)&tss, TSS64_LIMIT, DESC_TYPE_TSS_AVAIL);
	asm volatile("ltr %w0" : : "r"(G_TSS) : "memory");
}

void cpu_init_ap(u32 cpu)
{
	const struct desc_ptr ptr = { .limit = sizeof(gdt) - 1, .base = (u64)(uintptr_t)gdt };
	const struct desc_ptr idt_ptr = { .limit = sizeof(idt) - 1, .base = (u64)(uintptr_t)idt };
	u32 sel = G_TSS + 16 * cpu;
	u64 tss_va = (u64)(uintptr_t)&ap_tss[cpu];

	gdt[sel >> 3] = desc_system_low(tss_va, TSS64_LIMIT, DESC_TYPE_TSS_AVAIL);
	gdt[(sel >> 3) + 1] = tss_va >> 32;
	ap_tss[cpu].ist[0] = (u64)(uintptr_t)(ap_df_stack[cpu] + sizeof(ap_df_stack[cpu]));
	ap_tss[cpu].iomap_base = TSS64_BYTES;
	asm volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(ptr), "m"(idt_ptr), "r"(sel) : "memory");
}

void cpu_reset_handlers(void)
{
	for (u32 v = 0; v < VECTOR_COUNT; v++)
		handlers[v] = NULL;
	idt_init();
	irq_log_count = 0;
	trap_catch_rip = 0;
	catch_jump = NULL;
	trap_clear();
}

void trap_clear(void)
{
	last = (struct trap_info){ .vector = NO_FAULT };
}

u32 trap_vector(void)
{
	return READ_ONCE(last.vector);
}

const struct trap_info *trap_last(void)
{
	return &last;
}

void trap_handle(u32 vector, trap_handler fn)
{
	handlers[vector] = fn;
}

u32 irq_count(u8 vector)
{
	u32 n = 0;

	for (u32 i = 0; i < irq_log_count && i < IRQ_LOG_MAX; i++)
		n += irq_log[i] == vector;
	return n;
}

void trap_resume_jump(struct trap_regs *regs, const struct jump *j)
{
	regs->rip = j->rip;
	regs->rsp = j->rsp;
	regs->rbx = j->rbx;
	regs->rbp = j->rbp;
	regs->r12 = j->r12;
	regs->r13 = j->r13;
	regs->r14 = j->r14;
	regs->r15 = j->r15;
	regs->rax = 1;
	regs->cs = G_CODE64;
	regs->ss = G_DATA;
	regs->rflags = RFLAGS_FIXED;
}

static void trap_record(const struct trap_regs *regs)
{
	last = (struct trap_info){
		.vector = (u32)regs->vector,
		.error = (u32)regs->error,
		.rip = regs->rip,
		.rflags = regs->rflags,
		.cr2 = read_cr2(),
		.cs = regs->cs,
		.rcx = regs->rcx,
		.rdi = regs->rdi,
		.rsi = regs->rsi,
		.dr6 = regs->vector == EXC_DB ? read_dr6() : 0,
	};
}

static void irq_default(const struct trap_regs *regs)
{
	u32 i = irq_log_count;

	if (i < IRQ_LOG_MAX) {
		irq_log[i] = (u8)regs->vector;
		irq_log_rip[i] = regs->rip;
	}
	irq_log_count = i + 1;
	if (apic_in_service((u8)regs->vector))
		apic_eoi();
}

void trap_dispatch(struct trap_regs *regs);
void trap_dispatch(struct trap_regs *regs)
{
	u32 vector = (u32)regs->vector;

	if (handlers[vector] != NULL) {
		handlers[vector](regs);
		return;
	}
	if (smp_self() != 0) {
		smp_trap(regs);
		return;
	}
	if (vector == USER_EXIT_VECTOR && (regs->cs & 3) == 3) {
		regs->rip = (u64)(uintptr_t)user_leave;
		regs->cs = G_CODE64;
		regs->ss = G_DATA;
		regs->rflags = RFLAGS_FIXED;
		return;
	}
	if (vector >= EXC_COUNT) {
		irq_default(regs);
		return;
	}
	if (trap_catch_rip != 0) {
		trap_record(regs);
		regs->rip = trap_catch_rip;
		trap_catch_rip = 0;
		return;
	}
	if (catch_jump != NULL) {
		trap_record(regs);
		trap_resume_jump(regs, catch_jump);
		catch_jump = NULL;
		return;
	}
	test_trapped(regs, read_cr2());
	if (test_jump != NULL)
		trap_resume_jump(regs, test_jump);
}

u32 trap_of(void (*fn)(u64), u64 arg)
{
	struct jump j;

	trap_clear();
	if (guest_setjmp(&j) == 0) {
		WRITE_ONCE(catch_jump, &j);
		fn(arg);
	}
	WRITE_ONCE(catch_jump, NULL);
	return trap_vector();
}

u64 user_call(u64 (*fn)(u64), u64 arg)
{
	return user_enter(fn, arg, (u64)(uintptr_t)(user_stack + sizeof(user_stack)) - 64);
}

void cpu_set_ist(u8 vector, u8 ist, u64 stack_top)
{
	if (ist != 0)
		tss.ist[ist - 1] = stack_top;
	gate_set(vector, ist, 0);
}

void cpu_gate_present(u8 vector, bool present)
{
	if (present)
		idt[vector].low |= GATE_P;
	else
		idt[vector].low &= ~GATE_P;
}

void cpu_set_gate(u8 vector, void (*entry)(void))
{
	idt[vector] = idt_gate_make((u64)(uintptr_t)entry, G_CODE64, 0);
}

void cpu_set_gate_on(u8 vector, void (*entry)(void), u8 ist, u64 stack_top)
{
	tss.ist[ist - 1] = stack_top;
	idt[vector] = idt_gate_make((u64)(uintptr_t)entry, G_CODE64, ist);
}

void *map_page(u32 index, u64 pa, u64 flags)
{
	u8 *va = (u8 *)(uintptr_t)(TEST_VA + index * 4096ull);

	win_pt[index] = pa | flags;
	invlpg(va);
	return va;
}

u64 *map_pte(u32 index)
{
	return &win_pt[index];
}

u64 *map_pde(void)
{
	return &win_pd[0];
}
