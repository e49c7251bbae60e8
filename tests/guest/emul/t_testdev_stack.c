// SPDX-License-Identifier: BSD-2-Clause
// Exceptions and interrupts whose stack lies in the emulated RAM of testdev=on: frame, handler and
// return are as on ordinary RAM. The handlers run with that stack, too.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/emul/both.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"

#define VEC       0x55
#define STACK_TOP (BOTH_MMIO + 0x8000)

static void stack_exceptions(void)
{
	BOTH_STACK("ud2", ARITH | BOTH_NO_MEMORY);
	BOTH_STACK("int3", ARITH | BOTH_NO_MEMORY);
	BOTH_STACK("movabs $0x8000000000000000, %%rax; mov (%%rax), %%rax", ARITH | BOTH_NO_MEMORY);
	BOTH_STACK("xor %%ecx, %%ecx; div %%ecx", BOTH_NO_MEMORY);
	BOTH_STACK("movq $0, (%%rbx); divq (%%rbx)", BOTH_NO_MEMORY);
	BOTH_STACK("movabs $0x7fffffff0000, %%rax; mov (%%rax), %%rax", ARITH | BOTH_NO_MEMORY);
	BOTH_STACK("add $3, %%rsp; ud2", ARITH | BOTH_NO_MEMORY); /* the CPU aligns it */
	BOTH_STACK("movabs $0x8000000000000000, %%rax; push %%rax; ret", ARITH | BOTH_NO_MEMORY);
}

/* A gate that is not there: the fault names it. */
static void stack_gate_faults(void)
{
	cpu_gate_present(EXC_UD, false);
	BOTH_STACK("ud2", ARITH | BOTH_NO_MEMORY);
	EXPECT_EQ(EXC_NP, trap_vector());
	EXPECT_EQ(EXC_UD << 3 | ERROR_CODE_IDT, trap_last()->error & ~ERROR_CODE_EXT);
	cpu_gate_present(EXC_UD, true);
}

static struct trap_regs seen;

static void on_trap(struct trap_regs *regs)
{
	seen = *regs;
	if (regs->vector == EXC_UD)
		regs->rip += 2;
}

/* The frame is what the CPU would have pushed, and IRET goes back with all of it. */
static void stack_frame(void)
{
	u64 rsp, flags;

	trap_handle(EXC_UD, on_trap);
	asm volatile(
		"mov %%rsp, %%r12; mov %2, %%rsp; std; stc; ud2; mov %%rsp, %1; mov %%r12, %%rsp;"
		"pushfq; pop %0; cld"
		: "=&r"(flags), "=&r"(rsp)
		: "r"(STACK_TOP + 0x18)
		: "r12", "memory", "cc");
	EXPECT_EQ(STACK_TOP + 0x18, rsp);
	EXPECT_EQ(STACK_TOP + 0x18, seen.rsp);
	EXPECT_EQ(RFLAGS_CF | RFLAGS_DF, flags & (RFLAGS_CF | RFLAGS_DF | RFLAGS_IF));
	EXPECT_EQ(RFLAGS_CF | RFLAGS_DF | RFLAGS_RF,
		  seen.rflags & (RFLAGS_CF | RFLAGS_DF | RFLAGS_IF | RFLAGS_RF));
}

static void stack_interrupt(void)
{
	for (u32 i = 0; i < 4; i++) {
		apic_self_ipi(VEC);
		asm volatile("mov %%rsp, %%r12; mov %0, %%rsp; sti; nop; cli; mov %%r12, %%rsp"
			     :
			     : "r"(STACK_TOP - 8 * i)
			     : "r12", "memory", "cc");
	}
	EXPECT_EQ(4, irq_count(VEC));
	EXPECT_EQ(0, apic_in_service(VEC));
}

static void stack_nmi(void)
{
	trap_handle(EXC_NMI, on_trap);
	for (u32 i = 0; i < 3; i++) {
		seen.vector = 0;
		asm volatile("mov %%rsp, %%r12; mov %0, %%rsp; call apic_self_nmi; mov %%r12, %%rsp"
			     :
			     : "r"(STACK_TOP)
			     : "r12", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
			       "memory", "cc");
		EXPECT_EQ(EXC_NMI, seen.vector); /* again: IRET has unblocked them */
	}
}

/* An interrupt stack there, from CPL 0 and from CPL 3. */
static u64 user_ud(u64 arg)
{
	asm volatile("ud2");
	return arg + 1;
}

static void stack_ist(void)
{
	trap_handle(EXC_UD, on_trap);
	cpu_set_ist(EXC_UD, 3, STACK_TOP + 8);
	asm volatile("ud2");
	EXPECT_EQ(0, seen.cs & 3);
	EXPECT_EQ(0x77, user_call(user_ud, 0x76));
	EXPECT_EQ(3, seen.cs & 3);
	EXPECT_EQ(3, seen.ss & 3);
	cpu_set_ist(EXC_UD, 0, 0);
}

/* The stack for CPL 0 in the TSS is there: exceptions of CPL 3, and the way back. */
static void stack_of_tss(void)
{
	struct desc_ptr gdt;
	struct tss64 *tss;
	u64 *desc, old;
	u16 tr;

	asm volatile("sgdt %0; str %1" : "=m"(gdt), "=r"(tr));
	desc = (u64 *)(uintptr_t)(gdt.base + tr);
	tss = (struct tss64 *)(uintptr_t)(desc_base(desc[0]) | desc[1] << 32);
	old = tss->rsp[0];
	trap_handle(EXC_UD, on_trap);
	tss->rsp[0] = STACK_TOP - 8;
	EXPECT_EQ(0x67, user_call(user_ud, 0x66));
	EXPECT_EQ(3, seen.cs & 3);
	tss->rsp[0] = old;
}

static const struct test t_testdev_stack_tests[] = {
	TESTDEV_ROW(stack_exceptions), TESTDEV_ROW(stack_gate_faults), TESTDEV_ROW(stack_frame),
	TESTDEV_ROW(stack_interrupt),  TESTDEV_ROW(stack_nmi),         TESTDEV_ROW(stack_ist),
	TESTDEV_ROW(stack_of_tss),
};
TEST_GROUP(t_testdev_stack);
