// SPDX-License-Identifier: BSD-2-Clause
// Exceptions: error codes, merging into #DF, breakpoints, alignment checks, software interrupts.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"

static u64 frame[512] ALIGNED(4096);

static u32 try_read(const volatile void *p)
{
	trap_clear();
	asm volatile(TRY_BEGIN "movb (%0), %%al" TRY_END : : "r"(p) : "rax", "memory");
	return trap_vector();
}

static u32 try_write(const volatile void *p)
{
	trap_clear();
	asm volatile(TRY_BEGIN "movb $0, (%0)" TRY_END : : "r"(p) : "memory");
	return trap_vector();
}

static u64 user_try_read(u64 va)
{
	return try_read((void *)(uintptr_t)va);
}

static void exc_simple(void)
{
	EXPECT_EQ(EXC_UD, TRY_INSN("ud2"));
	EXPECT_EQ(EXC_DE, TRY_INSN("xor %%ecx, %%ecx; div %%ecx"));
	EXPECT_EQ(EXC_BP, TRY_INSN("int3"));
	EXPECT_EQ(EXC_GP, try_read((void *)0x800000000000ull));
	EXPECT_EQ(0, trap_last()->error);
	EXPECT_EQ(EXC_GP, TRY_INSN("mov $0x1000, %%eax; mov %%eax, %%ds"));
	EXPECT_EQ(0x1000, trap_last()->error);
	write_cr0(read_cr0() | CR0_TS);
	EXPECT_EQ(EXC_NM, TRY_INSN("fnop"));
	write_cr0(read_cr0() & ~CR0_TS);
}

static void exc_page_fault(void)
{
	u64 pa = (u64)(uintptr_t)frame;
	u8 *va = map_page(2, 0, 0);

	EXPECT_EQ(EXC_PF, try_read(va + 0x123));
	EXPECT_EQ(0, trap_last()->error);
	EXPECT_EQ((u64)(uintptr_t)va + 0x123, trap_last()->cr2);
	map_page(2, pa, G_PTE_P);
	EXPECT_EQ(EXC_PF, try_write(va + 5));
	EXPECT_EQ(3, trap_last()->error);
	map_page(2, pa, G_PTE_P | G_PTE_W);
	EXPECT_EQ(EXC_PF, user_call(user_try_read, (u64)(uintptr_t)va));
	EXPECT_EQ(5, trap_last()->error);
	map_page(2, pa, G_PTE_P | G_PTE_W | G_PTE_NX);
	EXPECT_EQ(NO_FAULT, try_write(va + 5));
	EXPECT_EQ(EXC_PF, trap_of((void (*)(u64))va, 0));
	EXPECT_EQ(0x11, trap_last()->error);
	EXPECT_EQ((u64)(uintptr_t)va, trap_last()->rip);
	map_page(2, pa | BIT64(51), G_PTE_P | G_PTE_W);
	EXPECT_EQ(EXC_PF, try_read(va));
	EXPECT_EQ(9, trap_last()->error);
	map_page(2, 0, 0);
}

/* CR2 written by the guest is not disturbed by exits. */
static void exc_cr2_survives(void)
{
	write_cr2(0x123456789abcull);
	(void)cpuid(0);
	(void)rdmsr(0x1b);
	asm volatile("wbinvd" : : : "memory");
	EXPECT_EQ(0x123456789abcull, read_cr2());
}

static void raise_gp(u64 unused)
{
	(void)*(volatile u8 *)0x800000000000ull;
}

static void raise_pf(u64 unused)
{
	(void)*(volatile u8 *)map_page(3, 0, 0);
}

static void raise_ud(u64 unused)
{
	asm volatile("ud2");
}

/* The same fault by an instruction that the hypervisor emulates: injected, not hardware-raised. */
static void raise_gp_injected(u64 unused)
{
	wrmsr(0xdeadbeef, 0);
}

static void exc_df_gp_np(void)
{
	cpu_gate_present(EXC_GP, false);
	EXPECT_EQ(EXC_DF, trap_of(raise_gp, 0));
	EXPECT_EQ(0, trap_last()->error);
	EXPECT_EQ(EXC_DF, trap_of(raise_gp_injected, 0));
	EXPECT_EQ(0, trap_last()->error);
	cpu_gate_present(EXC_GP, true);
}

static void exc_df_pf_np(void)
{
	cpu_gate_present(EXC_PF, false);
	EXPECT_EQ(EXC_DF, trap_of(raise_pf, 0));
	EXPECT_EQ(0, trap_last()->error);
	cpu_gate_present(EXC_PF, true);
}

/* #UD is benign: a fault of its delivery is delivered in its place. */
static void exc_serial_ud_np(void)
{
	cpu_gate_present(EXC_UD, false);
	EXPECT_EQ(EXC_NP, trap_of(raise_ud, 0));
	EXPECT_EQ((EXC_UD << 3) | ERROR_CODE_IDT | ERROR_CODE_EXT, trap_last()->error);
	cpu_gate_present(EXC_UD, true);
}

/* #PF while the CPU pushes the frame of a #GP: contributory then #PF is serial. */
static void exc_serial_gp_pf(void)
{
	u8 *stack = map_page(4, 0, 0);

	cpu_set_ist(EXC_GP, 3, (u64)(uintptr_t)stack + 4096);
	EXPECT_EQ(EXC_PF, trap_of(raise_gp, 0));
	EXPECT_EQ(2, trap_last()->error);
	EXPECT_EQ((u64)(uintptr_t)stack, trap_last()->cr2 & ~0xfffull);
	EXPECT_EQ(EXC_PF, trap_of(raise_gp_injected, 0));
	cpu_set_ist(EXC_GP, 0, 0);
}

/* #PF while the CPU pushes the frame of a #PF: double fault. */
static void exc_df_pf_pf(void)
{
	u8 *stack = map_page(4, 0, 0);

	cpu_set_ist(EXC_PF, 3, (u64)(uintptr_t)stack + 4096);
	EXPECT_EQ(EXC_DF, trap_of(raise_pf, 0));
	cpu_set_ist(EXC_PF, 0, 0);
}

static volatile u64 soft_rip;

static void soft_handler(struct trap_regs *regs)
{
	soft_rip = regs->rip;
}

static void exc_soft_int(void)
{
	u64 next;

	trap_handle(0x40, soft_handler);
	asm volatile("lea 1f(%%rip), %0; int $0x40; 1:" : "=r"(next) : : "memory");
	EXPECT_EQ(next, soft_rip);
	trap_handle(EXC_BP, soft_handler);
	asm volatile("lea 1f(%%rip), %0; int3; 1:" : "=r"(next) : : "memory");
	EXPECT_EQ(next, soft_rip);
}

static u64 user_int40(u64 unused)
{
	return TRY_INSN("int $0x40");
}

static u64 user_int3(u64 unused)
{
	return TRY_INSN("int3");
}

static void exc_soft_int_cpl3(void)
{
	EXPECT_EQ(EXC_GP, user_call(user_int40, 0));
	EXPECT_EQ(0x40 << 3 | ERROR_CODE_IDT, trap_last()->error);
	EXPECT_EQ(EXC_BP, user_call(user_int3, 0));
	EXPECT_EQ(3, trap_last()->cs & 3);
}

static u64 user_misaligned(u64 unused)
{
	u64 f = read_rflags(), vector;

	write_rflags(f | RFLAGS_AC);
	trap_clear();
	asm volatile(TRY_BEGIN "mov (%0), %%eax" TRY_END
		     :
		     : "r"((u8 *)frame + 1)
		     : "rax", "memory");
	vector = trap_vector();
	write_rflags(f);
	return vector;
}

/* #AC is intercepted by the hypervisor (rule M3): the guest must not notice. */
static void exc_alignment_check(void)
{
	EXPECT_EQ(NO_FAULT, user_call(user_misaligned, 0));
	write_cr0(read_cr0() | CR0_AM);
	EXPECT_EQ(EXC_AC, user_call(user_misaligned, 0));
	EXPECT_EQ(0, trap_last()->error);
	EXPECT_NE(0, trap_last()->rflags & RFLAGS_AC);
}

static struct {
	u32 count;
	u64 rip[8], dr6[8];
} db;

static void db_handler(struct trap_regs *regs)
{
	if (db.count < 8) {
		db.rip[db.count] = regs->rip;
		db.dr6[db.count] = read_dr6();
	}
	db.count++;
	write_dr6(0xffff0ff0);
	regs->rflags |= RFLAGS_RF; /* a fault on an instruction breakpoint must not repeat */
	if (db.count > 6)
		write_dr7(0x400);
}

static void db_start(u64 addr, u32 rw, u32 len)
{
	db.count = 0;
	trap_handle(EXC_DB, db_handler);
	write_dr6(0xffff0ff0);
	write_dr0(addr);
	write_dr7(DR7_FIXED | DR7_L0 | DR7_G0 | FIELD_PREP(DR7_RW0, rw) |
		  FIELD_PREP(DR7_LEN0, len));
}

extern u8 bp_a[], bp_b[], bp_c[];

static NOINLINE void bp_code(void)
{
	asm volatile(".globl bp_a, bp_b, bp_c\n"
		     "bp_a: nop\n\t"
		     "xor %%eax, %%eax\n"
		     "bp_b: cpuid\n"
		     "bp_c: nop"
		     :
		     :
		     : "rax", "rbx", "rcx", "rdx");
}

static void exc_breakpoint_exec(void)
{
	u8 *const at[] = { bp_a, bp_b, bp_c };

	for (u32 i = 0; i < ARRAY_SIZE(at); i++) {
		db_start((u64)(uintptr_t)at[i], DR7_RW_EXECUTE, 0);
		bp_code();
		write_dr7(0x400);
		EXPECT_EQ(1, db.count);
		EXPECT_EQ((u64)(uintptr_t)at[i], db.rip[0]);
		EXPECT_EQ(DR6_B0, db.dr6[0] & (DR6_B0_B3 | DR6_BS));
	}
}

/* Breakpoints on an emulated instruction and on the one behind it: RF must not leak over. */
static void exc_breakpoint_on_emulated(void)
{
	db_start((u64)(uintptr_t)bp_b, DR7_RW_EXECUTE, 0);
	write_dr1((u64)(uintptr_t)bp_c);
	write_dr7(read_dr7() | DR7_L1);
	bp_code();
	write_dr7(0x400);
	EXPECT_EQ(2, db.count);
	EXPECT_EQ((u64)(uintptr_t)bp_b, db.rip[0]);
	EXPECT_EQ((u64)(uintptr_t)bp_c, db.rip[1]);
	EXPECT_EQ(DR6_B1, db.dr6[1] & (DR6_B0_B3 | DR6_BS));
}

/*
 * Breakpoints on an instruction and on the one behind it: one #DB each. Were RF lost while the
 * first is emulated, it would hit again; were it kept, the second would not.
 */
#define RF_OVER(text, a, c, d)                                                                     \
	({                                                                                         \
		u64 a_ = (a), c_ = (c), d_ = (d), at_, next_;                                      \
		asm volatile("lea 775f(%%rip), %0; lea 776f(%%rip), %1" : "=r"(at_), "=r"(next_)); \
		db_start(at_, DR7_RW_EXECUTE, 0);                                                  \
		write_dr1(next_);                                                                  \
		write_dr7(read_dr7() | DR7_L1);                                                    \
		asm volatile("775: " text "\n776: nop"                                             \
			     : "+a"(a_), "+c"(c_), "+d"(d_)                                        \
			     :                                                                     \
			     : "rbx", "memory", "cc");                                             \
		write_dr7(0x400);                                                                  \
		test_expect(db.count == 2 && db.rip[0] == at_ && db.rip[1] == next_,               \
			    "#DB wanted twice over", text, db.count, 2, __FILE__, __LINE__);       \
	})

static void exc_resume_flag(void)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE), cr0 = read_cr0();

	write_cr4(read_cr4() | CR4_OSXSAVE);
	RF_OVER("nop", 0, 0, 0);
	RF_OVER("cpuid", 0, 0, 0);
	RF_OVER("rdmsr", 0, MSR_IA32_APIC_BASE, 0);
	RF_OVER("wrmsr", base, MSR_IA32_APIC_BASE, base >> 32);
	RF_OVER("inb %%dx, %%al", 0, 0, 0x92);
	RF_OVER("mov %%rax, %%cr0", cr0 | CR0_CD, 0, 0);
	RF_OVER("mov %%rax, %%cr0", cr0, 0, 0);
	RF_OVER("wbinvd", 0, 0, 0);
	RF_OVER("xsetbv", 1, 0, 0);
	RF_OVER("movl (%%rcx), %%eax", 0, APIC_BASE_DEFAULT + APIC_VERSION, 0);
	RF_OVER("movl %%eax, (%%rcx)", 0, APIC_BASE_DEFAULT + APIC_LDR, 0);
}

static void exc_resume_flag_region(void)
{
	u64 at, len;

	REQUIRE(boot_hv_region(&at, &len));
	RF_OVER("movl %%eax, (%%rcx)", 0, at, 0);
	RF_OVER("xchg %%eax, (%%rcx)", 0, at, 0);
	RF_OVER("lock cmpxchg %%edx, (%%rcx)", 0, at, 0);
	RF_OVER("fnstcw (%%rcx)", 0, at + len - 4096 * 18, 0);
	RF_OVER("vmcall", 0x4b1d, 0, 0);
}

static void exc_breakpoint_data(void)
{
	u64 next;

	db_start((u64)(uintptr_t)&frame[8], DR7_RW_WRITE, DR7_LEN_8);
	asm volatile("lea 1f(%%rip), %0; movq $1, (%1); 1: nop"
		     : "=&r"(next)
		     : "r"(&frame[8])
		     : "memory");
	(void)READ_ONCE(frame[8]);
	write_dr7(0x400);
	EXPECT_EQ(1, db.count);
	EXPECT_EQ(next, db.rip[0]);
	EXPECT_EQ(DR6_B0, db.dr6[0] & (DR6_B0_B3 | DR6_BS));
}

static void exc_icebp(void)
{
	u64 next;

	db_start(0, DR7_RW_EXECUTE, 0);
	write_dr7(0x400);
	asm volatile("lea 1f(%%rip), %0; .byte 0xf1; 1: nop" : "=r"(next) : : "memory");
	EXPECT_EQ(1, db.count);
	EXPECT_EQ(next, db.rip[0]);
	EXPECT_EQ(0, db.dr6[0] & (DR6_B0_B3 | DR6_BS));
}

/*
 * The frame of #DB hits a data breakpoint: #DB again, for ever. Never returns; what counts is that
 * the hypervisor goes on (rule M3).
 */
static void exc_db_loop(void)
{
	static u8 loop_stack[4096] ALIGNED(16);
	u64 top = (u64)(uintptr_t)loop_stack + sizeof(loop_stack);

	cpu_set_ist(EXC_DB, 4, top);
	write_dr0(top - 8);
	write_dr7(DR7_FIXED | DR7_L0 | DR7_G0 | FIELD_PREP(DR7_RW0, DR7_RW_WRITE) |
		  FIELD_PREP(DR7_LEN0, DR7_LEN_8));
	tap_printf("# looping\n");
	*(volatile u64 *)(uintptr_t)(top - 8) = 1;
	test_fail("the loop ended", __FILE__, __LINE__);
}

static void iret_noncanonical(u64 unused)
{
	asm volatile("mov %%ss, %%eax; push %%rax; push %%rsp; pushf; mov %%cs, %%eax; push %%rax;"
		     "mov $1, %%eax; shl $47, %%rax; push %%rax; iretq"
		     :
		     :
		     : "rax", "memory");
}

static void exc_iret_fault(void)
{
	EXPECT_EQ(EXC_GP, trap_of(iret_noncanonical, 0));
	EXPECT_EQ(0, trap_last()->error);
}

static const struct test t_exc_tests[] = {
	{ .name = "exc_simple", .run = exc_simple },
	{ .name = "exc_page_fault", .run = exc_page_fault },
	{ .name = "exc_cr2_survives", .run = exc_cr2_survives },
	{ .name = "exc_df_gp_np", .run = exc_df_gp_np },
	{ .name = "exc_df_pf_np", .run = exc_df_pf_np },
	{ .name = "exc_df_pf_pf", .run = exc_df_pf_pf },
	{ .name = "exc_serial_ud_np", .run = exc_serial_ud_np },
	{ .name = "exc_serial_gp_pf", .run = exc_serial_gp_pf },
	{ .name = "exc_soft_int", .run = exc_soft_int },
	{ .name = "exc_soft_int_cpl3", .run = exc_soft_int_cpl3 },
	{ .name = "exc_alignment_check", .run = exc_alignment_check },
	{ .name = "exc_breakpoint_exec", .run = exc_breakpoint_exec },
	{ .name = "exc_breakpoint_on_emulated", .run = exc_breakpoint_on_emulated },
	{ .name = "exc_resume_flag", .run = exc_resume_flag },
	{ .name = "exc_resume_flag_region", .run = exc_resume_flag_region, .flags = T_KENSHO },
	{ .name = "exc_breakpoint_data", .run = exc_breakpoint_data },
	{ .name = "exc_db_loop", .run = exc_db_loop, .flags = T_SOLO },
	{ .name = "exc_icebp", .run = exc_icebp },
	{ .name = "exc_iret_fault", .run = exc_iret_fault },
};
TEST_GROUP(t_exc);
