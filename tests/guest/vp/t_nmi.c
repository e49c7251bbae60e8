// SPDX-License-Identifier: BSD-2-Clause
// NMIs the guest sends to itself: delivery with IF = 0, blocking until IRET, HLT.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"

static u32 nmi_count, nmi_depth, nmi_max_depth, nmi_resend;
static u64 nmi_rip;
static bool nmi_breakpoint;

static void nmi_handler(struct trap_regs *regs)
{
	nmi_rip = regs->rip;
	if (++nmi_depth > nmi_max_depth)
		nmi_max_depth = nmi_depth;
	nmi_count++;
	for (; nmi_resend != 0; nmi_resend--) {
		apic_self_nmi();
		(void)cpuid(0); /* exits while NMIs are blocked */
	}
	if (nmi_breakpoint) {
		nmi_breakpoint = false;
		asm volatile("int3"); /* its IRET ends the blocking */
	}
	nmi_depth--;
}

static void bp_handler(struct trap_regs *regs)
{
}

static void nmi_start(u32 resend)
{
	trap_handle(EXC_NMI, nmi_handler);
	trap_handle(EXC_BP, bp_handler);
	nmi_count = nmi_depth = nmi_max_depth = 0;
	nmi_resend = resend;
	nmi_breakpoint = false;
}

static void nmi_self(void)
{
	nmi_start(0);
	for (u32 i = 1; i <= 10; i++) {
		apic_self_nmi();
		asm volatile("nop; nop");
		EXPECT_EQ(i, nmi_count);
	}
}

/* Sent from inside the handler: held until IRET, then one (they merge), not nested. */
static void nmi_blocked_until_iret(void)
{
	nmi_start(1);
	apic_self_nmi();
	asm volatile("nop; nop");
	EXPECT_EQ(2, nmi_count);
	EXPECT_EQ(1, nmi_max_depth);
	nmi_start(3);
	apic_self_nmi();
	asm volatile("nop; nop");
	EXPECT_GE(nmi_count, 2);
	EXPECT_EQ(1, nmi_max_depth);
	/* not blocked afterwards */
	nmi_start(0);
	apic_self_nmi();
	asm volatile("nop; nop");
	EXPECT_EQ(1, nmi_count);
}

/* The IRET of an exception inside the handler ends the blocking: the second NMI nests. */
static void nmi_unblocked_by_inner_iret(void)
{
	nmi_start(1);
	nmi_breakpoint = true;
	apic_self_nmi();
	asm volatile("nop; nop");
	EXPECT_EQ(2, nmi_count);
	EXPECT_EQ(2, nmi_max_depth);
}

static void nmi_iret_bad(struct trap_regs *regs)
{
	nmi_count++;
	if (nmi_count == 1)
		regs->rip = 0x800000000000ull; /* the IRET faults */
}

static void nmi_run_bad(u64 unused)
{
	apic_self_nmi();
	asm volatile("nop; nop");
}

/* SDM "NMI unblocking due to IRET": a faulting IRET has ended the blocking all the same. */
static void nmi_iret_fault(void)
{
	nmi_start(0);
	trap_handle(EXC_NMI, nmi_iret_bad);
	EXPECT_EQ(EXC_GP, trap_of(nmi_run_bad, 0));
	apic_self_nmi();
	asm volatile("nop; nop");
	EXPECT_EQ(2, nmi_count);
}

extern const u8 nmi_far_iret[];
static u64 far_stack, far_rip;

/* A second NMI is pending; then IRET pops what lies in a GiB that nothing has touched. */
static void nmi_iret_far(struct trap_regs *regs)
{
	if (nmi_count++ != 0) {
		far_rip = regs->rip;
		return;
	}
	apic_self_nmi();
	asm volatile(".globl nmi_far_iret\n\t"
		     "mov %0, %%rsp\n"
		     "nmi_far_iret: iretq"
		     :
		     : "r"(far_stack)
		     : "memory");
}

/*
 * SDM "Information About NMI Unblocking Due to IRET": the IRET meets an EPT violation after it has
 * ended the blocking. It starts again with NMIs blocked: the pending NMI comes behind the IRET,
 * whose frame is all-ones here, a #GP; not before it.
 */
static void nmi_iret_violation(void)
{
	static u8 gp_stack[4096] ALIGNED(16), nmi_stack[8192] ALIGNED(16);
	static u64 gib = 300;

	nmi_start(0);
	trap_handle(EXC_NMI, nmi_iret_far);
	cpu_set_ist(EXC_GP, 4, (u64)(uintptr_t)gp_stack + sizeof(gp_stack));
	cpu_set_ist(EXC_NMI, 5, (u64)(uintptr_t)nmi_stack + sizeof(nmi_stack));
	far_stack = (u64)(uintptr_t)map_page(11, gib++ << 30, G_PTE_P | G_PTE_W) + 256;
	EXPECT_EQ(EXC_GP, trap_of(nmi_run_bad, 0));
	EXPECT_EQ((u64)(uintptr_t)nmi_far_iret, trap_last()->rip);
	EXPECT_EQ(2, nmi_count);
	EXPECT_NE((u64)(uintptr_t)nmi_far_iret, far_rip);
	cpu_set_ist(EXC_GP, 0, 0);
	cpu_set_ist(EXC_NMI, 0, 0);
	nmi_start(0);
	apic_self_nmi();
	asm volatile("nop; nop");
	EXPECT_EQ(1, nmi_count);
}

static void nmi_and_irq(void)
{
	nmi_start(0);
	apic_self_ipi(0x50);
	apic_self_nmi();
	asm volatile("nop");
	EXPECT_EQ(1, nmi_count);
	EXPECT_EQ(0, irq_log_count);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

static u32 irq_in_nmi;

static void nmi_sti_handler(struct trap_regs *regs)
{
	nmi_count++;
	apic_self_ipi(0x50);
	sti_nop_cli();
	irq_in_nmi = irq_log_count;
}

/* Maskable interrupts are not blocked by NMI blocking, only by IF. */
static void nmi_irq_inside(void)
{
	nmi_start(0);
	trap_handle(EXC_NMI, nmi_sti_handler);
	apic_self_nmi();
	asm volatile("nop");
	EXPECT_EQ(1, nmi_count);
	EXPECT_EQ(1, irq_in_nmi);
}

/* MOV SS holds an NMI back over one instruction: x2APIC mode has an ICR of one instruction. */
static void nmi_mov_ss(void)
{
	u64 next, ss, icr = apic_id();

	nmi_start(0);
	asm volatile("mov %%ss, %0" : "=r"(ss));
	asm volatile("lea 1f(%%rip), %0\n\t"
		     "mov %%ecx, %%ecx\n\t"
		     "mov %1, %%ss\n\t"
		     "wrmsr\n"
		     "1: nop; nop"
		     : "=&S"(next)
		     : "D"(ss), "c"(X2APIC_MSR(APIC_ICR)),
		       "a"((u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_NMI) | APIC_ICR_ASSERT),
		       "d"(icr)
		     : "memory");
	EXPECT_EQ(1, nmi_count);
	EXPECT_EQ(next, nmi_rip);
}

/* Many NMIs in a row over all kinds of exits: none is lost, none is doubled. */
static void nmi_many(void)
{
	nmi_start(0);
	for (u32 i = 1; i <= 200; i++) {
		apic_self_nmi();
		(void)cpuid(0);
		(void)inb(0x92);
		if (!EXPECT_EQ(i, nmi_count))
			return;
	}
}

#define NMI_TESTS(prefix, more)                                                                \
	{ .name = prefix "self", .run = nmi_self, .flags = more },                             \
		{ .name = prefix "blocked_until_iret",                                         \
		  .run = nmi_blocked_until_iret,                                               \
		  .flags = more },                                                             \
		{ .name = prefix "unblocked_by_inner_iret",                                    \
		  .run = nmi_unblocked_by_inner_iret,                                          \
		  .flags = more },                                                             \
		{ .name = prefix "iret_fault", .run = nmi_iret_fault, .flags = more },         \
		{ .name = prefix "iret_violation", .run = nmi_iret_violation, .flags = more }, \
		{ .name = prefix "and_irq", .run = nmi_and_irq, .flags = more },               \
		{ .name = prefix "irq_inside", .run = nmi_irq_inside, .flags = more },         \
	{                                                                                      \
		.name = prefix "many", .run = nmi_many, .flags = more                          \
	}

static const struct test t_nmi_tests[] = {
	NMI_TESTS("nmi_", 0),
	NMI_TESTS("nmi_x2_", T_X2APIC),
	{ .name = "nmi_x2_mov_ss", .run = nmi_mov_ss, .flags = T_X2APIC },
};
TEST_GROUP(t_nmi);
