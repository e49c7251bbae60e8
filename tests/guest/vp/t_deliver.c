// SPDX-License-Identifier: BSD-2-Clause
// Event delivery whose own accesses meet EPT violations or nothing: stack, IDT, GDT and TSS in
// physical memory that the hypervisor maps on first use, where nothing answers, and in its region.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/layout.h"
#include "tests/guest/lib/str.h"

#define SOFT_VECTOR 0x59
#define IRQ_VECTOR  0x5a

u32 deliver_count;
u64 deliver_rsp, deliver_cr2;
struct jump deliver_jump;
u8 deliver_stack[1024] ALIGNED(16);
void deliver_entry(void);

/* A handler that needs nothing from its stack: IRET (NMIs!) from another one to deliver_jump. */
asm(".globl deliver_entry\n"
    "deliver_entry:\n\t"
    "incl deliver_count(%rip)\n\t"
    "mov %rsp, deliver_rsp(%rip)\n\t"
    "mov %cr2, %rax\n\t"
    "mov %rax, deliver_cr2(%rip)\n\t"
    "lea deliver_stack+1024(%rip), %rsp\n\t"
    "lea deliver_jump(%rip), %rdi\n\t"
    "mov 16(%rdi), %rbx\n\t"
    "mov 24(%rdi), %rbp\n\t"
    "mov 32(%rdi), %r12\n\t"
    "mov 40(%rdi), %r13\n\t"
    "mov 48(%rdi), %r14\n\t"
    "mov 56(%rdi), %r15\n\t"
    "push $0x10\n\t"
    "push 8(%rdi)\n\t"
    "push $2\n\t"
    "push $0x08\n\t"
    "push 0(%rdi)\n\t"
    "mov $1, %eax\n\t"
    "iretq");
static_assert(G_DATA == 0x10 && G_CODE64 == 0x08, "selectors above");
static_assert(offsetof(struct jump, rbx) == 16 && offsetof(struct jump, r15) == 56, "jump above");

static void raise(u64 vector)
{
	switch (vector) {
	case EXC_UD:
		asm volatile("ud2" : : : "memory");
		break;
	case EXC_BP:
		asm volatile("int3" : : : "memory");
		break;
	case SOFT_VECTOR:
		asm volatile("int %0" : : "i"(SOFT_VECTOR) : "memory");
		break;
	case EXC_NMI:
		apic_self_nmi();
		asm volatile("nop; nop");
		break;
	case EXC_PF:
		(void)*(volatile u8 *)map_page(9, 0, 0);
		break;
	case EXC_GP:
		wrmsr(0xdeadbeef, 0); /* injected by the hypervisor */
		break;
	default:
		apic_self_ipi((u8)vector);
		sti_nop_cli();
	}
}

/* --- what backs the page --- */

enum backing { LAZY, REGION };

/* A GiB that nothing has touched: its first access is an EPT violation. Nothing answers there. */
static u64 fresh_gib(void)
{
	static u64 gib = 100;

	return gib++ << 30;
}

static u64 back(enum backing how, u32 n)
{
	u64 base = 0, len = 0;

	if (how == LAZY)
		return fresh_gib() + 4096ull * n;
	EXPECT_TRUE(boot_hv_region(&base, &len));
	return base + len - 4096ull * (20 + n);
}

static const u8 kinds[] = { EXC_UD, EXC_BP, SOFT_VECTOR, EXC_PF, EXC_GP, EXC_NMI, IRQ_VECTOR };

static NOINLINE void deliver(u64 vector)
{
	deliver_count = 0;
	if (guest_setjmp(&deliver_jump) == 0)
		raise(vector);
}

/* The frame goes to a stack there: the event arrives once, after the violation. */
static void stack_on(enum backing how)
{
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		u8 *page = map_page(4, back(how, i), G_PTE_P | G_PTE_W);

		/* The second time without a violation. */
		for (u32 j = 0; j < 2; j++) {
			cpu_set_gate_on(kinds[i], deliver_entry, 4, (u64)(uintptr_t)page + 4096);
			deliver(kinds[i]);
			if (kinds[i] == IRQ_VECTOR) {
				EXPECT_TRUE(apic_in_service(IRQ_VECTOR));
				apic_eoi();
			}
			EXPECT_AT(deliver_count == 1, "vector 0x%x came %u times", kinds[i],
				  deliver_count);
			EXPECT_EQ((u64)(uintptr_t)page, deliver_rsp & ~0xfffull);
			if (kinds[i] == EXC_PF)
				EXPECT_EQ((u64)(uintptr_t)map_page(9, 0, 0), deliver_cr2);
		}
	}
	EXPECT_TRUE(!apic_in_service(IRQ_VECTOR));
}

static void deliver_stack_lazy(void)
{
	stack_on(LAZY);
}

static void deliver_stack_region(void)
{
	stack_on(REGION);
}

/* --- tables whose second page lies there: it reads all-ones --- */

static u8 first_page[4096] ALIGNED(4096);

/* Two pages of the test window; the table starts @offset into the first. */
static u8 *two_pages(enum backing how, u32 n, u32 offset)
{
	u8 *va = map_page(6, (u64)(uintptr_t)first_page, G_PTE_P | G_PTE_W);

	memset(first_page, 0, sizeof(first_page));
	(void)map_page(7, back(how, n), G_PTE_P | G_PTE_W);
	return va + offset;
}

static void idt_on(enum backing how)
{
	struct desc_ptr old, idt = { .limit = 0xfff };
	u8 *at = two_pages(how, 8, 0xc00); /* vectors 0 to 3Fh in the first page */

	asm volatile("sidt %0" : "=m"(old));
	memcpy(at, (const void *)(uintptr_t)old.base, 0x400);
	idt.base = (u64)(uintptr_t)at;
	asm volatile("lidt %0" : : "m"(idt));
	EXPECT_EQ(EXC_GP, trap_of(raise, SOFT_VECTOR));
	EXPECT_EQ(SOFT_VECTOR << 3 | ERROR_CODE_IDT, trap_last()->error);
	EXPECT_EQ(EXC_GP, trap_of(raise, IRQ_VECTOR));
	EXPECT_EQ(IRQ_VECTOR << 3 | ERROR_CODE_IDT | ERROR_CODE_EXT, trap_last()->error);
	cli();
	EXPECT_TRUE(apic_in_service(IRQ_VECTOR)); /* acknowledged and lost */
	apic_eoi();
	EXPECT_EQ(EXC_UD, trap_of(raise, EXC_UD));
	asm volatile("lidt %0" : : "m"(old));
}

static void deliver_idt_lazy(void)
{
	idt_on(LAZY);
}

static void deliver_idt_region(void)
{
	idt_on(REGION);
}

#define SEL_FAR 0x800 /* the first one in the second page */

/* All-ones is a conforming code segment with DPL 3: good for DS, not for a handler at CPL 0. */
static void gdt_on(enum backing how)
{
	struct desc_ptr old, gdt = { .limit = 0xfff };
	struct idt_gate gate[2], *idt;
	struct desc_ptr idt_ptr;
	u8 *at = two_pages(how, 9, 0x800);

	asm volatile("sgdt %0; sidt %1" : "=m"(old), "=m"(idt_ptr));
	memcpy(at, (const void *)(uintptr_t)old.base, old.limit + 1u);
	gdt.base = (u64)(uintptr_t)at;
	idt = (struct idt_gate *)(uintptr_t)idt_ptr.base;
	gate[0] = idt[EXC_UD];
	gate[1] = idt[SOFT_VECTOR];
	asm volatile("lgdt %0" : : "m"(gdt));
	EXPECT_EQ(NO_FAULT, TRY_INSN("mov $0x800, %%eax; mov %%eax, %%ds"));
	idt[EXC_UD].low = (idt[EXC_UD].low & ~GATE_SELECTOR) | FIELD_PREP(GATE_SELECTOR, SEL_FAR);
	idt[SOFT_VECTOR].low =
		(idt[SOFT_VECTOR].low & ~GATE_SELECTOR) | FIELD_PREP(GATE_SELECTOR, SEL_FAR + 8);
	EXPECT_EQ(EXC_GP, trap_of(raise, EXC_UD));
	EXPECT_EQ(SEL_FAR | ERROR_CODE_EXT, trap_last()->error);
	EXPECT_EQ(EXC_GP, trap_of(raise, SOFT_VECTOR));
	EXPECT_EQ(SEL_FAR + 8, trap_last()->error);
	idt[EXC_UD] = gate[0];
	idt[SOFT_VECTOR] = gate[1];
	asm volatile("lgdt %0; mov %1, %%ds" : : "m"(old), "r"(G_DATA));
}

static void deliver_gdt_lazy(void)
{
	gdt_on(LAZY);
}

static void deliver_gdt_region(void)
{
	gdt_on(REGION);
}

#define TSS_SPLIT 0x30 /* IST1 and IST2 in the first page, IST4 in the second */

/* An interrupt stack pointer of all-ones: the push is a #PF at the top of the address space. */
static void tss_on(enum backing how)
{
	struct desc_ptr gdt_ptr;
	u8 *at = two_pages(how, 10, 4096 - TSS_SPLIT);
	u64 *gdt, old[2];

	asm volatile("sgdt %0" : "=m"(gdt_ptr));
	gdt = (u64 *)(uintptr_t)gdt_ptr.base;
	old[0] = gdt[G_TSS >> 3];
	old[1] = gdt[(G_TSS >> 3) + 1];
	cpu_set_ist(EXC_UD, 4, 0); /* the gate; the TSS below has its own IST4 */
	gdt[G_TSS >> 3] = desc_system_low((u64)(uintptr_t)at, TSS64_LIMIT, DESC_TYPE_TSS_AVAIL);
	gdt[(G_TSS >> 3) + 1] = (u64)(uintptr_t)at >> 32;
	asm volatile("ltr %w0" : : "r"(G_TSS) : "memory");
	EXPECT_EQ(EXC_PF, trap_of(raise, EXC_UD));
	EXPECT_EQ(2, trap_last()->error);
	EXPECT_EQ(0xfffull, trap_last()->cr2 >> 52);
	gdt[G_TSS >> 3] = old[0];
	gdt[(G_TSS >> 3) + 1] = old[1];
	cpu_reload_tr();
	cpu_set_ist(EXC_UD, 0, 0);
}

static void deliver_tss_lazy(void)
{
	tss_on(LAZY);
}

static void deliver_tss_region(void)
{
	tss_on(REGION);
}

/* No stack to push on: a stack fault, with a contributory exception before it a double fault. */
static void deliver_stack_fault(void)
{
	static const struct {
		u8 raised, want;
	} cases[] = { { EXC_UD, EXC_SS },     { EXC_BP, EXC_SS }, { SOFT_VECTOR, EXC_SS },
		      { IRQ_VECTOR, EXC_SS }, { EXC_GP, EXC_DF }, { EXC_PF, EXC_DF },
		      { EXC_NMI, EXC_SS } };

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		u32 got;

		cpu_set_ist(cases[i].raised, 4, 1ull << 47); /* not canonical */
		got = trap_of(raise, cases[i].raised);
		cli();
		cpu_set_ist(cases[i].raised, 0, 0);
		EXPECT_AT(got == cases[i].want, "vector 0x%x becomes 0x%x", cases[i].raised, got);
		if (cases[i].raised == IRQ_VECTOR) { /* acknowledged and lost */
			EXPECT_TRUE(apic_in_service(IRQ_VECTOR));
			apic_eoi();
		}
	}
}

static const struct test t_deliver_tests[] = {
	{ .name = "deliver_stack_fault", .run = deliver_stack_fault },
	{ .name = "deliver_stack_lazy", .run = deliver_stack_lazy },
	{ .name = "deliver_stack_region", .run = deliver_stack_region, .flags = T_KENSHO },
	{ .name = "deliver_idt_lazy", .run = deliver_idt_lazy },
	{ .name = "deliver_idt_region", .run = deliver_idt_region, .flags = T_KENSHO },
	{ .name = "deliver_gdt_lazy", .run = deliver_gdt_lazy },
	{ .name = "deliver_gdt_region", .run = deliver_gdt_region, .flags = T_KENSHO },
	{ .name = "deliver_tss_lazy", .run = deliver_tss_lazy },
	{ .name = "deliver_tss_region", .run = deliver_tss_region, .flags = T_KENSHO },
};
TEST_GROUP(t_deliver);
