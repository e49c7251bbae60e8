// SPDX-License-Identifier: BSD-2-Clause
// Single stepping over instructions that the hypervisor emulates: #DB comes right behind each.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"

u64 step_next;
static u32 step_count, step_limit;
static u64 step_rip[8], step_dr6[8], step_cx[8];

static void step_handler(struct trap_regs *regs)
{
	if (step_count < 8) {
		step_rip[step_count] = regs->rip;
		step_dr6[step_count] = read_dr6();
		step_cx[step_count] = regs->rcx;
	}
	write_dr6(0xffff0ff0);
	if (++step_count >= step_limit)
		regs->rflags &= ~RFLAGS_TF;
}

static void step_start(u32 limit)
{
	trap_handle(EXC_DB, step_handler);
	step_count = 0;
	step_limit = limit;
}

/* One instruction with TF set; RAX, RCX, RDX given. */
#define STEP(text, a, c, d)                                                           \
	({                                                                            \
		u64 a_ = (a), c_ = (c), d_ = (d);                                     \
		step_start(1);                                                        \
		asm volatile("movq $773f, step_next(%%rip)\n\t"                       \
			     "pushf; orq $0x100, (%%rsp); popf\n\t" text "\n773:\n\t" \
			     "nop; nop"                                               \
			     : "+a"(a_), "+c"(c_), "+d"(d_)                           \
			     :                                                        \
			     : "rbx", "rsi", "rdi", "memory", "cc");                  \
		step_check(#text, __LINE__);                                          \
	})

static void step_check(const char *what, int line)
{
	if (test_expect(step_count == 1 && step_rip[0] == step_next, "#DB wanted at", what,
			step_count != 0 ? step_rip[0] : 0, step_next, __FILE__, line))
		test_expect((step_dr6[0] & (DR6_BS | DR6_B0_B3)) == DR6_BS, "DR6 with BS", what,
			    step_dr6[0], DR6_BS, __FILE__, line);
}

static void step_native(void)
{
	STEP("nop", 0, 0, 0);
	STEP("mov %%rcx, %%rdx", 0, 0, 0);
	STEP("rdtsc", 0, 0, 0);
	STEP("pause", 0, 0, 0);
}

static void step_cpuid(void)
{
	STEP("cpuid", 0, 0, 0);
	STEP("cpuid", 0x40000001, 0, 0);
}

static void step_msr(void)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE);

	STEP("rdmsr", 0, MSR_IA32_APIC_BASE, 0);
	STEP("wrmsr", base, MSR_IA32_APIC_BASE, base >> 32);
	STEP("rdmsr", 0, MSR_IA32_MTRRCAP, 0);
}

static void step_io(void)
{
	STEP("inb %%dx, %%al", 0, 0, 0x92);
	STEP("inb $0x64, %%al", 0, 0, 0);
	STEP("outb %%al, $0x80", 0, 0, 0);
	STEP("outb %%al, %%dx", inb(0x92) | 2, 0, 0x92);
}

static void step_cr(void)
{
	u64 cr0 = read_cr0();

	STEP("mov %%rax, %%cr0", cr0 | CR0_CD, 0, 0);
	STEP("mov %%rax, %%cr0", cr0, 0, 0);
	STEP("mov %%cr0, %%rax", 0, 0, 0);
	STEP("mov %%rax, %%cr4", read_cr4() | CR4_OSXSAVE, 0, 0);
	STEP("mov %%rax, %%cr8", 0, 0, 0);
	STEP("clts", 0, 0, 0);
	STEP("xgetbv", 0, 0, 0);
	STEP("xsetbv", 1, 0, 0);
}

static void step_cache(void)
{
	STEP("wbinvd", 0, 0, 0);
	STEP("invd", 0, 0, 0);
}

static void step_mmio(void)
{
	STEP("movl (%%rcx), %%eax", 0, APIC_BASE_DEFAULT + APIC_VERSION, 0);
	STEP("movl %%eax, (%%rcx)", 0x10, APIC_BASE_DEFAULT + APIC_TPR, 0);
	STEP("movl (%%rcx), %%eax", 0, IOAPIC_ADDR, 0);
}

static void step_vmcall(void)
{
	STEP("vmcall", 0x4b1d, 0, 0);
	EXPECT_EQ(NO_FAULT, trap_vector());
}

/* Writes that the hypervisor decodes and drops, and one that it does not know (rule M1). */
static void step_region(void)
{
	u64 at, len;

	REQUIRE(boot_hv_region(&at, &len));
	STEP("movb %%al, (%%rcx)", 0, at, 0);
	STEP("movw %%ax, (%%rcx)", 0, at + 2, 0);
	STEP("movl %%eax, (%%rcx)", 0, at + 4, 0);
	STEP("movq %%rax, (%%rcx)", 0, at + 8, 0);
	STEP("movl $5, (%%rcx)", 0, at, 0);
	STEP("addl %%eax, (%%rcx)", 1, at, 0);
	STEP("orb $1, (%%rcx)", 1, at, 0);
	STEP("sbbl %%eax, (%%rcx)", 1, at, 0);
	STEP("notl (%%rcx)", 1, at, 0);
	STEP("negl (%%rcx)", 1, at, 0);
	STEP("lock incl (%%rcx)", 1, at, 0);
	STEP("xchg %%eax, (%%rcx)", 1, at, 0);
	STEP("lock cmpxchg %%edx, (%%rcx)", 1, at, 2);
	STEP("lock xadd %%eax, (%%rcx)", 1, at, 2);
	STEP("lock btsl $3, (%%rcx)", 1, at, 2);
	STEP("btcl %%eax, (%%rcx)", 4, at, 2);
	STEP("fnstcw (%%rcx)", 0, at + len - 4096 * 17, 0);
	STEP("fnstcw (%%rcx)", 0, at + len - 4096 * 17, 0);
}

/* REP STOS into the region: a trap after each iteration, and one for the whole. */
static void step_rep_region(void)
{
	u64 region, len, at, cx = 3, di;

	REQUIRE(boot_hv_region(&region, &len));
	di = region + 16;
	step_start(4);
	asm volatile("lea 1f(%%rip), %0\n\t"
		     "pushf; orq $0x100, (%%rsp); popf\n"
		     "1: rep stosl\n\t"
		     "nop; nop; nop"
		     : "=&r"(at), "+c"(cx), "+D"(di)
		     : "a"(0)
		     : "memory", "cc");
	EXPECT_EQ(4, step_count);
	EXPECT_EQ(at, step_rip[0]);
	EXPECT_EQ(2, step_cx[0]);
	EXPECT_EQ(at, step_rip[1]);
	EXPECT_EQ(1, step_cx[1]);
	EXPECT_EQ(at + 2, step_rip[2]);
	EXPECT_EQ(0, step_cx[2]);
	EXPECT_EQ(region + 28, di);
}

/* The trap ends HLT at once, with nothing else to wake it. */
static void step_hlt(void)
{
	STEP("hlt", 0, 0, 0);
}

/* An instruction that is refused: the fault instead of the trap, with TF in what it saves. */
#define STEP_FAULT(want, text)                                                                   \
	({                                                                                       \
		u64 at_;                                                                         \
		step_start(1);                                                                   \
		trap_clear();                                                                    \
		asm volatile(TRY_BEGIN "lea 1f(%%rip), %0\n\t"                                   \
				       "pushf; orq $0x100, (%%rsp); popf\n"                      \
				       "1: " text TRY_END                                        \
			     : "=&r"(at_)                                                        \
			     : "c"(~0u), "a"(0), "d"(0)                                          \
			     : "memory", "cc");                                                  \
		write_rflags(read_rflags() & ~RFLAGS_TF);                                        \
		EXPECT_EQ(want, trap_vector());                                                  \
		EXPECT_EQ(at_, trap_last()->rip);                                                \
		EXPECT_EQ(RFLAGS_TF | RFLAGS_RF, trap_last()->rflags & (RFLAGS_TF | RFLAGS_RF)); \
	})

static void step_faults(void)
{
	STEP_FAULT(EXC_GP, "rdpmc");
	STEP_FAULT(EXC_GP, "wrmsr");
	STEP_FAULT(EXC_UD, "vmxoff");
	STEP_FAULT(EXC_UD, "getsec");
	STEP_FAULT(EXC_UD, "ud2");
}

/* A repeated string instruction traps after each iteration, owned port or not. */
static void step_rep(void)
{
	static const u16 ports[] = { 0x80, 0x92 };
	static u8 buf[8];

	for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
		u64 at, cx = 3, di = (u64)(uintptr_t)buf;

		step_start(5);
		asm volatile("lea 1f(%%rip), %0\n\t"
			     "pushf; orq $0x100, (%%rsp); popf\n"
			     "1: rep insb\n\t"
			     "nop; nop; nop"
			     : "=&r"(at), "+c"(cx), "+D"(di)
			     : "d"(ports[i])
			     : "memory", "cc");
		EXPECT_EQ(5, step_count);
		EXPECT_EQ(at, step_rip[0]);
		EXPECT_EQ(2, step_cx[0]);
		EXPECT_EQ(at, step_rip[1]);
		EXPECT_EQ(1, step_cx[1]);
		EXPECT_EQ(at + 2, step_rip[2]);
		EXPECT_EQ(at + 3, step_rip[3]);
	}
}

/* A faulting emulated instruction with TF: the fault, with TF in the saved flags; no #DB. */
static void step_fault(void)
{
	u64 at;

	step_start(1);
	trap_clear();
	asm volatile(TRY_BEGIN "pushf; orq $0x100, (%%rsp); popf\n\t"
			       "lea 1f(%%rip), %0\n"
			       "1: wrmsr" TRY_END
		     : "=&r"(at)
		     : "c"(0xdeadbeef), "a"(0), "d"(0)
		     : "memory", "cc");
	write_rflags(read_rflags() & ~RFLAGS_TF);
	EXPECT_EQ(EXC_GP, trap_vector());
	EXPECT_EQ(at, trap_last()->rip);
}

/* MOV SS holds the trap back over the next instruction, also when that one is emulated. */
static void step_mov_ss(void)
{
	u64 next, ss;

	step_start(1);
	asm volatile("mov %%ss, %0" : "=r"(ss));
	asm volatile("lea 1f(%%rip), %0\n\t"
		     "xor %%eax, %%eax\n\t"
		     "pushf; orq $0x100, (%%rsp); popf\n\t"
		     "mov %1, %%ss\n\t"
		     "cpuid\n"
		     "1: nop"
		     : "=&S"(next)
		     : "D"(ss)
		     : "rax", "rbx", "rcx", "rdx", "memory", "cc");
	EXPECT_EQ(1, step_count);
	EXPECT_EQ(next, step_rip[0]);
}

/* A data breakpoint on the operand of MOV SS is held back too, over an emulated instruction. */
static void step_mov_ss_breakpoint(void)
{
	static u64 selector;
	u64 next;

	asm volatile("mov %%ss, %0" : "=r"(selector));
	step_start(1);
	write_dr0((u64)(uintptr_t)&selector);
	write_dr7(DR7_FIXED | DR7_L0 | FIELD_PREP(DR7_RW0, DR7_RW_ACCESS) |
		  FIELD_PREP(DR7_LEN0, DR7_LEN_2));
	asm volatile("lea 1f(%%rip), %0\n\t"
		     "xor %%eax, %%eax\n\t"
		     "mov %1, %%ss\n\t"
		     "cpuid\n"
		     "1: nop"
		     : "=&S"(next)
		     : "m"(*(u16 *)&selector)
		     : "rax", "rbx", "rcx", "rdx", "memory", "cc");
	write_dr7(0x400);
	EXPECT_EQ(1, step_count);
	EXPECT_EQ(next, step_rip[0]);
	EXPECT_EQ(DR6_B0, step_dr6[0] & (DR6_B0_B3 | DR6_BS));
}

/* An interrupt handler runs with TF clear and the step goes on behind it. */
static void step_interrupt(void)
{
	STEP("nop", 0, 0, 0);
	apic_self_ipi(0x51);
	step_start(3);
	asm volatile("sti\n\t"
		     "pushf; orq $0x100, (%%rsp); popf\n\t"
		     "nop; nop; nop; cli"
		     :
		     :
		     : "memory", "cc");
	EXPECT_EQ(1, irq_log_count);
	EXPECT_EQ(3, step_count);
}

static const struct test t_step_tests[] = {
	{ .name = "step_native", .run = step_native },
	{ .name = "step_cpuid", .run = step_cpuid },
	{ .name = "step_msr", .run = step_msr },
	{ .name = "step_io", .run = step_io },
	{ .name = "step_cr", .run = step_cr },
	{ .name = "step_cache", .run = step_cache },
	{ .name = "step_mmio", .run = step_mmio },
	{ .name = "step_vmcall", .run = step_vmcall, .flags = T_KENSHO },
	{ .name = "step_rep", .run = step_rep },
	{ .name = "step_region", .run = step_region, .flags = T_KENSHO },
	{ .name = "step_rep_region", .run = step_rep_region, .flags = T_KENSHO },
	{ .name = "step_hlt",
	  .run = step_hlt,
	  .flags = T_BOCHS,
	  .why = "the bare emulator sleeps in HLT with its single-step trap pending" },
	{ .name = "step_faults", .run = step_faults, .flags = T_KENSHO },
	{ .name = "step_fault", .run = step_fault },
	{ .name = "step_mov_ss", .run = step_mov_ss },
	{ .name = "step_mov_ss_breakpoint", .run = step_mov_ss_breakpoint },
	{ .name = "step_interrupt", .run = step_interrupt },
};
TEST_GROUP(t_step);
