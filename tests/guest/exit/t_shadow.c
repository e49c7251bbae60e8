// SPDX-License-Identifier: BSD-2-Clause
// Interrupt shadows (STI, MOV SS) over instructions that exit, and interrupt windows.

#include "arch/x86/defs/cr.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"

#define VEC 0x52

u64 shadow_next;

/* IF = 0, VEC pending; STI and one instruction; the interrupt comes behind that instruction. */
#define SHADOW(pre, text, a, c, d)                                                      \
	({                                                                              \
		u64 a_ = (a), c_ = (c), d_ = (d);                                       \
		irq_log_count = 0;                                                      \
		apic_self_ipi(VEC);                                                     \
		asm volatile("movq $774f, shadow_next(%%rip)\n\t" pre text "\n774:\n\t" \
			     "nop; nop; cli"                                            \
			     : "+a"(a_), "+c"(c_), "+d"(d_)                             \
			     :                                                          \
			     : "rbx", "rsi", "rdi", "memory", "cc");                    \
		shadow_check(#text, __LINE__);                                          \
	})

static void shadow_check(const char *what, int line)
{
	if (test_expect(irq_log_count == 1 && irq_log[0] == VEC, "interrupts wanted", what,
			irq_log_count, 1, __FILE__, line))
		test_expect(irq_log_rip[0] == shadow_next, "taken at", what, irq_log_rip[0],
			    shadow_next, __FILE__, line);
}

static void shadow_sti(void)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE), cr0 = read_cr0();

	SHADOW("sti\n\t", "nop", 0, 0, 0);
	SHADOW("sti\n\t", "cpuid", 0, 0, 0);
	SHADOW("sti\n\t", "rdmsr", 0, MSR_IA32_APIC_BASE, 0);
	SHADOW("sti\n\t", "wrmsr", base, MSR_IA32_APIC_BASE, base >> 32);
	SHADOW("sti\n\t", "inb %%dx, %%al", 0, 0, 0x92);
	SHADOW("sti\n\t", "mov %%rax, %%cr0", cr0 | CR0_CD, 0, 0);
	SHADOW("sti\n\t", "mov %%rax, %%cr0", cr0, 0, 0);
	SHADOW("sti\n\t", "wbinvd", 0, 0, 0);
}

static void shadow_sti_mmio(void)
{
	SHADOW("sti\n\t", "movl (%%rcx), %%eax", 0, APIC_BASE_DEFAULT + APIC_VERSION, 0);
	SHADOW("sti\n\t", "movl %%eax, (%%rcx)", 0, APIC_BASE_DEFAULT + APIC_LDR, 0);
}

static void shadow_sti_region(void)
{
	u64 at, len;

	REQUIRE(boot_hv_region(&at, &len));
	SHADOW("sti\n\t", "movl %%eax, (%%rcx)", 0, at, 0);
	SHADOW("sti\n\t", "xchg %%eax, (%%rcx)", 0, at, 0);
	SHADOW("sti\n\t", "fnstcw (%%rcx)", 0, at + len - 4096 * 19, 0);
	SHADOW("mov %%ss, %%esi; sti; mov %%esi, %%ss\n\t", "movl %%eax, (%%rcx)", 0, at, 0);
}

static void shadow_sti_hlt(void)
{
	SHADOW("sti\n\t", "hlt", 0, 0, 0);
}

static void shadow_mov_ss(void)
{
	SHADOW("mov %%ss, %%ecx; sti; mov %%ecx, %%ss\n\t", "cpuid", 0, 0, 0);
	SHADOW("mov %%ss, %%esi; sti; mov %%esi, %%ss\n\t", "rdmsr", 0, MSR_IA32_APIC_BASE, 0);
}

/* POPF has no shadow: the interrupt is taken before the next instruction. */
static void shadow_popf(void)
{
	SHADOW("pushf; orq $0x200, (%%rsp)\n\t", "popf", 0, 0, 0);
}

/* STI; CLI opens no window at all. */
static void shadow_sti_cli(void)
{
	apic_self_ipi(VEC);
	asm volatile("sti; cli; nop; nop" : : : "memory");
	EXPECT_EQ(0, irq_log_count);
	EXPECT_TRUE(apic_requested(VEC));
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

/* A second STI with IF already set casts no shadow. */
static void shadow_second_sti(void)
{
	sti();
	asm volatile("nop");
	irq_log_count = 0;
	apic_self_ipi(VEC); /* IF = 1: taken at once */
	EXPECT_EQ(1, irq_log_count);
	cli();
}

/* Pending with IF = 0 over many exits, then every way to open the window. */
static void shadow_window(void)
{
	for (u32 i = 0; i < 3; i++) {
		irq_log_count = 0;
		apic_self_ipi(VEC);
		for (u32 j = 0; j < 20; j++)
			(void)cpuid(0);
		EXPECT_EQ(0, irq_log_count);
		if (i == 0)
			sti_nop_cli();
		else if (i == 1)
			write_rflags(read_rflags() | RFLAGS_IF);
		else
			asm volatile("mov %%rsp, %%rax; mov %%ss, %%ecx; push %%rcx; push %%rax;"
				     "push $0x202; mov %%cs, %%ecx; push %%rcx;"
				     "lea 1f(%%rip), %%rax; push %%rax; iretq; 1: nop"
				     :
				     :
				     : "rax", "rcx", "memory");
		cli();
		EXPECT_EQ(1, irq_log_count);
	}
}

static u64 tpr_rip;

/* Lowering the TPR opens a window too (TPR threshold). */
static void shadow_tpr(void)
{
	apic_write(APIC_TPR, 0xf0);
	apic_self_ipi(VEC);
	sti();
	(void)cpuid(0);
	EXPECT_EQ(0, irq_log_count);
	apic_write(APIC_TPR, 0x50);
	EXPECT_EQ(0, irq_log_count);
	apic_write(APIC_TPR, 0x40);
	EXPECT_EQ(1, irq_log_count);
	write_cr8(15);
	apic_self_ipi(VEC);
	(void)cpuid(0);
	EXPECT_EQ(1, irq_log_count);
	asm volatile("lea 1f(%%rip), %0; mov %1, %%cr8; 1: nop"
		     : "=&r"(tpr_rip)
		     : "r"(4ull)
		     : "memory");
	EXPECT_EQ(2, irq_log_count);
	EXPECT_EQ(tpr_rip, irq_log_rip[1]);
	cli();
	write_cr8(0);
}

static const struct test t_shadow_tests[] = {
	{ .name = "shadow_sti", .run = shadow_sti },
	{ .name = "shadow_sti_mmio", .run = shadow_sti_mmio },
	{ .name = "shadow_sti_region", .run = shadow_sti_region, .flags = T_KENSHO },
	{ .name = "shadow_sti_hlt", .run = shadow_sti_hlt },
	{ .name = "shadow_mov_ss", .run = shadow_mov_ss },
	{ .name = "shadow_popf", .run = shadow_popf },
	{ .name = "shadow_sti_cli", .run = shadow_sti_cli },
	{ .name = "shadow_second_sti", .run = shadow_second_sti },
	{ .name = "shadow_window", .run = shadow_window },
	{ .name = "shadow_tpr", .run = shadow_tpr },
	{ .name = "shadow_x2apic_sti", .run = shadow_sti, .flags = T_X2APIC },
	{ .name = "shadow_x2apic_window", .run = shadow_window, .flags = T_X2APIC },
	{ .name = "shadow_x2apic_tpr", .run = shadow_tpr, .flags = T_X2APIC },
};
TEST_GROUP(t_shadow);
