// SPDX-License-Identifier: BSD-2-Clause
// Control and debug registers: owned bits, reserved bits, LMSW/SMSW/CLTS, CR8.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"

static void cr0_cache_disable(void)
{
	u64 cr0 = read_cr0();

	write_cr0(cr0 | CR0_CD);
	EXPECT_EQ(cr0 | CR0_CD, read_cr0());
	write_cr0(cr0 | CR0_CD | CR0_NW);
	EXPECT_EQ(cr0 | CR0_CD | CR0_NW, read_cr0());
	EXPECT_EQ(EXC_GP, try_write_cr0(cr0 | CR0_NW));
	EXPECT_EQ(0, trap_last()->error);
	EXPECT_EQ(cr0 | CR0_CD | CR0_NW, read_cr0());
	write_cr0(cr0);
	EXPECT_EQ(cr0, read_cr0());
}

static void cr0_illegal(void)
{
	u64 cr0 = read_cr0();

	EXPECT_EQ(EXC_GP, try_write_cr0(cr0 & ~CR0_PE));
	EXPECT_EQ(EXC_GP, try_write_cr0(cr0 | BIT64(32)));
	EXPECT_EQ(EXC_GP, try_write_cr0(cr0 | BIT64(63)));
	EXPECT_EQ(EXC_GP, try_write_cr0(cr0 | CR0_CD | BIT64(40)));
	EXPECT_EQ(EXC_GP, try_write_cr0((cr0 | CR0_CD) & ~CR0_PE));
	EXPECT_EQ(cr0, read_cr0());
}

/* Clearing PG in 64-bit mode: #GP; with a CD change in the same write too (the write exits). */
static void cr0_clear_pg(void)
{
	u64 cr0 = read_cr0();

	EXPECT_EQ(EXC_GP, try_write_cr0(cr0 & ~CR0_PG));
	EXPECT_EQ(EXC_GP, try_write_cr0((cr0 | CR0_CD) & ~CR0_PG));
	EXPECT_EQ(cr0, read_cr0());
}

/* Reserved CR0 bits of the low half are dropped silently and ET reads 1. */
static void cr0_reserved_low(void)
{
	u64 cr0 = read_cr0();

	write_cr0(cr0 | BIT64(6) | BIT64(15) | BIT64(17));
	EXPECT_EQ(cr0, read_cr0());
	write_cr0(cr0 & ~CR0_ET);
	EXPECT_EQ(cr0, read_cr0());
}

/* The guest sees the NE it wrote although the CPU needs it set in VMX operation. */
static void cr0_ne(void)
{
	u64 cr0 = read_cr0();

	write_cr0(cr0 & ~CR0_NE);
	EXPECT_EQ(cr0 & ~CR0_NE, read_cr0());
	write_cr0((cr0 & ~CR0_NE) | CR0_CD);
	EXPECT_EQ((cr0 & ~CR0_NE) | CR0_CD, read_cr0());
	write_cr0(cr0);
	EXPECT_EQ(cr0, read_cr0());
}

static void cr0_plain_bits(void)
{
	static const u64 bits[] = { CR0_MP, CR0_EM, CR0_TS, CR0_WP, CR0_AM };
	u64 cr0 = read_cr0();

	for (u32 i = 0; i < ARRAY_SIZE(bits); i++) {
		write_cr0(cr0 ^ bits[i]);
		EXPECT_EQ(cr0 ^ bits[i], read_cr0());
		write_cr0((cr0 ^ bits[i]) | CR0_CD);
		EXPECT_EQ((cr0 ^ bits[i]) | CR0_CD, read_cr0());
		write_cr0(cr0);
	}
}

static void cr0_lmsw_smsw_clts(void)
{
	u64 cr0 = read_cr0(), msw;

	asm volatile("smsw %0" : "=r"(msw));
	EXPECT_EQ(cr0 & 0xffff, msw & 0xffff);
	asm volatile("lmsw %w0" : : "r"(msw | CR0_TS | CR0_EM) : "memory");
	EXPECT_EQ(cr0 | CR0_TS | CR0_EM, read_cr0());
	asm volatile("clts");
	EXPECT_EQ(cr0 | CR0_EM, read_cr0());
	asm volatile("lmsw %w0" : : "r"(0) : "memory"); /* cannot clear PE, does not reach NE */
	EXPECT_EQ(cr0 & ~(CR0_MP | CR0_EM | CR0_TS), read_cr0());
	write_cr0(cr0);
}

static void cr4_vmxe(void)
{
	u64 cr4 = read_cr4();

	EXPECT_EQ(0, cr4 & CR4_VMXE);
	EXPECT_EQ(EXC_GP, try_write_cr4(cr4 | CR4_VMXE));
	EXPECT_EQ(0, trap_last()->error);
	EXPECT_EQ(cr4, read_cr4());
}

static void cr4_illegal(void)
{
	u64 cr4 = read_cr4();
	static const u32 bits[] = { 15, 19, 26, 27, 28, 29, 30, 31, 32, 33, 47, 63 };

	for (u32 i = 0; i < ARRAY_SIZE(bits); i++)
		EXPECT_AT(try_write_cr4(cr4 | BIT64(bits[i])) == EXC_GP, "bit %u", bits[i]);
	EXPECT_EQ(EXC_GP, try_write_cr4(cr4 & ~CR4_PAE));
	EXPECT_EQ(cr4, read_cr4());
}

/* A CR4 bit of a feature that CPUID does not offer is #GP; one that it offers works. */
static void cr4_follows_cpuid(void)
{
	struct cpuid_regs l1 = cpuid(1), l7 = cpuid(7);
	u64 cr4 = read_cr4();
	const struct {
		u64 bit;
		bool have;
	} rows[] = {
		{ CR4_SMXE, l1.c & CPUID1_ECX_SMX },
		{ CR4_PCIDE, l1.c & CPUID1_ECX_PCID },
		{ CR4_OSXSAVE, l1.c & CPUID1_ECX_XSAVE },
		{ CR4_DE, l1.d & CPUID1_EDX_DE },
		{ CR4_MCE, l1.d & CPUID1_EDX_MCE },
		{ CR4_PGE, l1.d & CPUID1_EDX_PGE },
		{ CR4_OSFXSR, l1.d & CPUID1_EDX_FXSR },
		{ CR4_FSGSBASE, l7.b & CPUID7_EBX_FSGSBASE },
		{ CR4_SMEP, l7.b & CPUID7_EBX_SMEP },
		{ CR4_UMIP, l7.c & CPUID7_ECX_UMIP },
		{ CR4_PKE, l7.c & CPUID7_ECX_PKU },
		{ CR4_CET, l7.c & CPUID7_ECX_CET_SS },
		{ CR4_PKS, l7.c & CPUID7_ECX_PKS },
		{ CR4_UINTR, l7.d & CPUID7_EDX_UINTR },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		/* the identity map is CPL 3 memory: executing it with SMEP faults */
		if (rows[i].bit == CR4_SMEP && rows[i].have)
			continue;
		EXPECT_EQ(rows[i].have ? NO_FAULT : EXC_GP, try_write_cr4(cr4 | rows[i].bit));
		if (rows[i].have)
			EXPECT_EQ(cr4 | rows[i].bit, read_cr4());
		write_cr4(cr4);
	}
}

static void cr3_reserved(void)
{
	u64 cr3 = read_cr3();
	u32 bits = cpuid(0x80000008).a & 0xff;

	EXPECT_EQ(EXC_GP, try_write_cr3(cr3 | BIT64(bits)));
	EXPECT_EQ(EXC_GP, try_write_cr3(cr3 | BIT64(63)));
	EXPECT_EQ(cr3, read_cr3());
	write_cr3(cr3 | CR3_PWT | CR3_PCD);
	EXPECT_EQ(cr3 | CR3_PWT | CR3_PCD, read_cr3());
	write_cr3(cr3);
}

static void cr8_is_tpr(void)
{
	for (u32 i = 0; i < 16; i++) {
		write_cr8(i);
		EXPECT_EQ(i, read_cr8());
		EXPECT_EQ(i << 4, apic_read(APIC_TPR));
		apic_write(APIC_TPR, (i ^ 5) << 4 | 3);
		EXPECT_EQ(i ^ 5, read_cr8());
	}
	write_cr8(0);
	EXPECT_EQ(EXC_GP, try_write_cr8(16));
	EXPECT_EQ(EXC_GP, try_write_cr8(BIT64(32)));
}

static void dr_roundtrip(void)
{
	write_dr0(0x123456789abcull);
	write_dr1(0xffff800012345678ull);
	EXPECT_EQ(0x123456789abcull, read_dr0());
	EXPECT_EQ(0xffff800012345678ull, read_dr1());
	write_dr7(0x400);
	EXPECT_EQ(0x400, read_dr7());
	write_dr6(0xffff0ff0);
	EXPECT_EQ(0xffff0ff0, read_dr6());
	write_dr0(0);
	write_dr1(0);
}

static void dr7_upper(u64 unused)
{
	write_dr7(BIT64(32) | 0x400);
}

static void dr6_upper(u64 unused)
{
	write_dr6(BIT64(32) | 0xffff0ff0);
}

static void dr_upper_half(void)
{
	EXPECT_EQ(EXC_GP, trap_of(dr7_upper, 0));
	EXPECT_EQ(EXC_GP, trap_of(dr6_upper, 0));
}

static void read_dr4(u64 unused)
{
	asm volatile("mov %%db4, %%rax" : : : "rax");
}

/* DR4 is DR6 unless CR4.DE is set: then #UD. */
static void dr4_with_de(void)
{
	EXPECT_EQ(NO_FAULT, trap_of(read_dr4, 0));
	write_cr4(read_cr4() | CR4_DE);
	EXPECT_EQ(EXC_UD, trap_of(read_dr4, 0));
}

/* General detect: MOV DR with DR7.GD is #DB, DR6.BD, before the instruction. */
static void dr7_general_detect(void)
{
	u64 val;

	write_dr7(0x400 | DR7_GD);
	trap_clear();
	asm volatile(TRY_BEGIN "mov %%dr7, %0" TRY_END : "=r"(val) : : "memory");
	EXPECT_EQ(EXC_DB, trap_vector());
	EXPECT_NE(0, trap_last()->dr6 & DR6_BD);
	EXPECT_EQ(0x400, read_dr7()); /* delivery cleared GD */
}

static const struct test t_cr_tests[] = {
	{ .name = "cr0_cache_disable", .run = cr0_cache_disable },
	{ .name = "cr0_illegal", .run = cr0_illegal },
	{ .name = "cr0_clear_pg", .run = cr0_clear_pg },
	{ .name = "cr0_reserved_low", .run = cr0_reserved_low },
	{ .name = "cr0_ne", .run = cr0_ne },
	{ .name = "cr0_plain_bits", .run = cr0_plain_bits },
	{ .name = "cr0_lmsw_smsw_clts", .run = cr0_lmsw_smsw_clts },
	{ .name = "cr4_vmxe", .run = cr4_vmxe, .flags = T_KENSHO },
	{ .name = "cr4_illegal", .run = cr4_illegal },
	{ .name = "cr4_follows_cpuid", .run = cr4_follows_cpuid },
	{ .name = "cr3_reserved", .run = cr3_reserved },
	{ .name = "cr8_is_tpr", .run = cr8_is_tpr },
	{ .name = "dr_roundtrip", .run = dr_roundtrip },
	{ .name = "dr_upper_half", .run = dr_upper_half },
	{ .name = "dr4_with_de", .run = dr4_with_de },
	{ .name = "dr7_general_detect", .run = dr7_general_detect },
};
TEST_GROUP(t_cr);
