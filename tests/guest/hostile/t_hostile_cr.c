// SPDX-License-Identifier: BSD-2-Clause
// Every bit and every pair of bits of CR0, CR3, CR4, CR8, XCR0, EFER, DR6 and DR7, changed from a
// legal value: #GP or not, and what the register reads then, against a model of the SDM. The model
// has its own bit numbers on purpose.
//
// Spec: SDM Vol. 3A "Control Registers", "Debug Registers"; "Extended Feature Enable Register";
// SDM Vol. 2 "MOV - Move to/from Control Registers", "MOV - Move to/from Debug Registers",
// "XSETBV".

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"

extern u64 page_pml4[512];

struct reg {
	const char *name;
	u64 (*get)(void);
	u32 (*try_set)(u64 val);
	bool (*is_legal)(u64 old, u64 val);
	u64 (*reads)(u64 old, u64 val); /* after a legal write; NULL: what was written */
	u64 untouched; /* bits that no value changes: the guest would not come back */
};

static bool bit(u64 val, u32 n)
{
	return ((val >> n) & 1) != 0;
}

static void try_one(const struct reg *r, u64 old, u64 val)
{
	bool legal = r->is_legal(old, val);
	u32 vector = r->try_set(val);
	u64 want = !legal ? old : r->reads != NULL ? r->reads(old, val) : val;
	u64 got = r->get();

	EXPECT_AT(vector == (legal ? NO_FAULT : EXC_GP), "%s = 0x%llx, vector %x", r->name, val,
		  vector);
	if (vector == EXC_GP)
		EXPECT_EQ(0, trap_last()->error);
	EXPECT_AT(got == want, "%s = 0x%llx, reads 0x%llx", r->name, val, got);
	if (got != old)
		EXPECT_EQ(NO_FAULT, r->try_set(old));
	EXPECT_EQ(old, r->get());
}

static void sweep(const struct reg *r)
{
	u64 old = r->get();

	for (u32 i = 0; i < 64 && !test_failed(); i++) {
		for (u32 j = i; j < 64; j++) {
			u64 change = BIT64(i) | BIT64(j);

			if ((change & r->untouched) == 0)
				try_one(r, old, old ^ change);
		}
	}
}

/* --- CR0, in 64-bit mode --- */

static u32 set_cr0(u64 val)
{
	return try_write_cr0(val);
}

static bool cr0_legal(u64 old, u64 val)
{
	if ((val >> 32) != 0 || !bit(val, 31) || !bit(val, 0)) /* PG, PE */
		return false;
	return bit(val, 30) || !bit(val, 29); /* CD, NW */
}

/* MP EM TS NE WP AM NW CD; ET is fixed, the other bits of the lower half stay clear. */
static u64 cr0_reads(u64 old, u64 val)
{
	return (val & 0xe005002full) | 0x10;
}

static const struct reg cr0 = { "CR0", read_cr0, set_cr0, cr0_legal, cr0_reads, 0 };

static void hostile_cr0(void)
{
	u64 home = read_cr0();
	static const u64 more[] = { 0, BIT64(30), BIT64(30) | BIT64(29), BIT64(18) | BIT64(3) };

	for (u32 i = 0; i < ARRAY_SIZE(more); i++) {
		write_cr0(home | more[i]);
		sweep(&cr0);
		write_cr0(home);
	}
}

/* --- CR4, in 64-bit mode --- */

static u32 set_cr4(u64 val)
{
	return try_write_cr4(val);
}

/* Bits that exist, by the CPUID bit of their feature: SDM "CPUID - CPU Identification". */
static u64 cr4_existing(void)
{
	struct cpuid_regs l1 = cpuid(1), l7 = cpuid(7), l71 = cpuid2(7, 1);
	const struct {
		u32 cr4, reg, bit;
	} rows[] = {
		{ 0, l1.d, 1 },   { 1, l1.d, 1 },   { 2, l1.d, 4 },    { 3, l1.d, 2 },
		{ 4, l1.d, 3 },   { 5, l1.d, 6 },   { 6, l1.d, 7 },    { 7, l1.d, 13 },
		{ 9, l1.d, 24 },  { 10, l1.d, 25 }, { 11, l7.c, 2 },   { 12, l7.c, 16 },
		{ 13, l1.c, 5 },  { 14, l1.c, 6 },  { 16, l7.b, 0 },   { 17, l1.c, 17 },
		{ 18, l1.c, 26 }, { 19, l7.c, 23 }, { 20, l7.b, 7 },   { 21, l7.b, 20 },
		{ 22, l7.c, 3 },  { 23, l7.c, 7 },  { 23, l7.d, 20 },  { 24, l7.c, 31 },
		{ 25, l7.d, 5 },  { 27, l71.a, 6 }, { 28, l71.a, 26 }, { 32, l71.a, 17 },
	};
	u64 all = BIT64(8); /* PCE */

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (bit(rows[i].reg, rows[i].bit) && (rows[i].reg != l71.a || l7.a >= 1))
			all |= BIT64(rows[i].cr4);
	}
	return all;
}

static u64 cr4_all;

static bool cr4_legal(u64 old, u64 val)
{
	if ((val & ~cr4_all) != 0 || !bit(val, 5)) /* PAE */
		return false;
	return bit(val, 12) == bit(old, 12); /* LA57 */
}

static const struct reg cr4 = { "CR4", read_cr4, set_cr4, cr4_legal, NULL, 0 };

static void hostile_cr4(void)
{
	cr4_all = cr4_existing();
	/* SMEP and SMAP: this program's pages must be the supervisor's. */
	page_pml4[0] &= ~G_PTE_U;
	write_cr3(read_cr3());
	sweep(&cr4);
	write_cr4(read_cr4() | BIT64(2) | BIT64(7) | BIT64(9));
	sweep(&cr4);
	write_cr4(BIT64(5));
	page_pml4[0] |= G_PTE_U;
	write_cr3(read_cr3());
}

/* PCIDE cannot be set with a PCID in CR3, nor PG be cleared with PCIDE set. */
static void hostile_cr4_pcide(void)
{
	u64 home = read_cr3();

	if (!bit(cpuid(1).c, 17)) {
		test_skip("no PCID");
		return;
	}
	for (u32 i = 0; i < 12; i++) {
		write_cr3(home | BIT64(i));
		/* Without PCIDE only PWT and PCD are anything; the others may read 0. */
		EXPECT_EQ((read_cr3() & 0xfff) != 0 ? EXC_GP : NO_FAULT,
			  try_write_cr4(read_cr4() | BIT64(17)));
		write_cr4(BIT64(5));
		write_cr3(home);
	}
	write_cr4(read_cr4() | BIT64(17));
	for (u32 i = 0; i < 12; i++) {
		EXPECT_EQ(NO_FAULT, try_write_cr3(home | BIT64(i)));
		EXPECT_EQ(home | BIT64(i), read_cr3());
	}
	EXPECT_EQ(NO_FAULT, try_write_cr3(home | BIT64(63))); /* "do not flush", not stored */
	EXPECT_EQ(home, read_cr3());
	EXPECT_EQ(EXC_GP, try_write_cr3(home | BIT64(62)));
	EXPECT_EQ(EXC_GP, try_write_cr3(home | BIT64(63) | BIT64(51)));
	EXPECT_EQ(EXC_GP, try_write_cr0(read_cr0() & ~BIT64(31)));
	write_cr4(BIT64(5));
}

/* --- CR3, CR8 --- */

static u64 cr3_reserved;

static u32 set_cr3(u64 val)
{
	return try_write_cr3(val);
}

static bool cr3_legal(u64 old, u64 val)
{
	return (val & cr3_reserved) == 0;
}

static u64 cr3_get(void)
{
	return read_cr3() & ~0xfe7ull; /* bits that are ignored without PCIDE */
}

static u64 cr3_reads(u64 old, u64 val)
{
	return val & ~0xfe7ull;
}

static void hostile_cr3(void)
{
	u32 width = cpuid(0x80000008).a & 0xff;
	/* Another root is not an illegal one. */
	const struct reg cr3 = { "CR3",     cr3_get,   set_cr3,
				 cr3_legal, cr3_reads, GENMASK64(width - 1, 12) };

	cr3_reserved = ~(BIT64(width) - 1);
	sweep(&cr3);
}

static u32 set_cr8(u64 val)
{
	return try_write_cr8(val);
}

static bool cr8_legal(u64 old, u64 val)
{
	return val < 16;
}

static const struct reg cr8 = { "CR8", read_cr8, set_cr8, cr8_legal, NULL, 0 };

static void hostile_cr8(void)
{
	sweep(&cr8);
	write_cr8(9);
	sweep(&cr8);
	write_cr8(0);
}

/* --- XCR0 --- */

static u64 xcr0_all;

static u64 get_xcr0(void)
{
	return xgetbv(0);
}

static u32 set_xcr0(u64 val)
{
	return try_xsetbv(0, val);
}

/* SDM Vol. 1 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features". */
static bool xcr0_legal(u64 old, u64 val)
{
	u32 avx512 = (u32)(val >> 5) & 7;

	if ((val & ~xcr0_all) != 0 || !bit(val, 0))
		return false;
	if (bit(val, 2) && !bit(val, 1))
		return false;
	if (avx512 != 0 && (avx512 != 7 || !bit(val, 2)))
		return false;
	return bit(val, 3) == bit(val, 4) && bit(val, 17) == bit(val, 18);
}

static const struct reg xcr0 = { "XCR0", get_xcr0, set_xcr0, xcr0_legal, NULL, 0 };

static void hostile_xcr0(void)
{
	struct cpuid_regs r = cpuid2(0xd, 0);
	u64 good;

	if (!bit(cpuid(1).c, 26)) {
		test_skip("no XSAVE");
		return;
	}
	write_cr4(read_cr4() | BIT64(18));
	xcr0_all = (u64)r.d << 32 | r.a;
	write_cr4(read_cr4() | BIT64(9));
	sweep(&xcr0);
	for (u64 low = 0; low < 1024; low++)
		try_one(&xcr0, 1, low);
	good = xcr0_all & 7;
	EXPECT_EQ(NO_FAULT, try_xsetbv(0, good));
	sweep(&xcr0);
	EXPECT_EQ(NO_FAULT, try_xsetbv(0, xcr0_all));
	sweep(&xcr0);
	for (u32 i = 0; i < 32; i++)
		EXPECT_EQ(EXC_GP, try_xsetbv(BIT32(i), 1));
	EXPECT_EQ(xcr0_all, get_xcr0());
	EXPECT_EQ(NO_FAULT, try_xsetbv(0, 1));
}

/* --- EFER --- */

#define EFER 0xc0000080u

static u64 get_efer(void)
{
	return rdmsr(EFER);
}

static u32 set_efer(u64 val)
{
	return try_wrmsr(EFER, val);
}

/* SCE, LME, LMA and NXE exist; LME is fixed while paging is on; LMA is read-only. */
static bool efer_legal(u64 old, u64 val)
{
	return (val & ~0xd01ull) == 0 && bit(val, 8) == bit(old, 8);
}

static u64 efer_reads(u64 old, u64 val)
{
	return (val & ~BIT64(10)) | (old & BIT64(10));
}

static const struct reg efer = { "EFER", get_efer, set_efer, efer_legal, efer_reads, 0 };

static void hostile_efer(void)
{
	u64 home = rdmsr(EFER);

	EXPECT_TRUE(bit(cpuid(0x80000001).d, 11) && bit(cpuid(0x80000001).d, 20));
	sweep(&efer);
	wrmsr(EFER, home & ~0x801ull);
	sweep(&efer);
	wrmsr(EFER, home);
}

/* --- DR6, DR7 --- */

static bool dr_legal(u64 old, u64 val)
{
	return (val >> 32) == 0;
}

#define TRY_DR(n)                                                                          \
	static u32 set_dr##n(u64 val)                                                      \
	{                                                                                  \
		trap_clear();                                                              \
		asm volatile(TRY_BEGIN "mov %0, %%dr" #n TRY_END : : "r"(val) : "memory"); \
		return trap_vector();                                                      \
	}
TRY_DR(6)
TRY_DR(7)

/* B0-B3, BD, BS, BT; RTM and BLD stay set without their features. */
static u64 dr6_reads(u64 old, u64 val)
{
	return (val & 0xe00f) | 0xffff0ff0;
}

/* Bit 10 is 1; 11, 12, 14 and 15 are 0. */
static u64 dr7_reads(u64 old, u64 val)
{
	return (val & 0xffff23ff) | 0x400;
}

static const struct reg dr6 = { "DR6", read_dr6, set_dr6, dr_legal, dr6_reads, 0 };

static void hostile_dr6(void)
{
	sweep(&dr6);
	write_dr6(0xffff0ff0);
}

/* GD (bit 13) apart: it makes the next MOV DR a #DB; and RTM, which the emulator always keeps. */
static const struct reg dr7 = {
	"DR7", read_dr7, set_dr7, dr_legal, dr7_reads, BIT64(13) | BIT64(11)
};

static void hostile_dr7(void)
{
	/* Breakpoints where nothing is executed, read or written. */
	asm volatile("mov %0, %%db0; mov %0, %%db1; mov %0, %%db2; mov %0, %%db3"
		     :
		     : "r"(0x7ffff0ull));
	sweep(&dr7);
	for (u32 i = 0; i < 64; i++) {
		u64 val = 0x2400 | (i == 11 ? 0 : BIT64(i)), got;

		EXPECT_EQ(i < 32 ? NO_FAULT : EXC_GP, set_dr7(val));
		if (i >= 32)
			continue;
		trap_clear();
		asm volatile(TRY_BEGIN "mov %%dr7, %0" TRY_END : "=r"(got) : : "memory");
		EXPECT_EQ(EXC_DB, trap_vector());
		EXPECT_NE(0, trap_last()->dr6 & BIT64(13));
		EXPECT_EQ(dr7_reads(0, val) & ~BIT64(13), read_dr7());
		write_dr6(0xffff0ff0);
		write_dr7(0x400);
	}
	asm volatile("mov %0, %%db0; mov %0, %%db1; mov %0, %%db2; mov %0, %%db3" : : "r"(0ull));
}

/* DR0 to DR3 take any value. */
static void hostile_dr_addresses(void)
{
	for (u32 i = 0; i < 64; i++) {
		write_dr0(BIT64(i));
		write_dr1(~BIT64(i));
		EXPECT_EQ(BIT64(i), read_dr0());
		EXPECT_EQ(~BIT64(i), read_dr1());
		(void)cpuid(0);
		EXPECT_EQ(BIT64(i), read_dr0());
	}
	write_dr0(0);
	write_dr1(0);
}

#define ROW(test)                                            \
	{                                                    \
		.name = #test, .run = test, .flags = T_NAMED \
	}

static const struct test t_hostile_cr_tests[] = {
	ROW(hostile_cr0), ROW(hostile_cr4),          ROW(hostile_cr4_pcide), ROW(hostile_cr3),
	ROW(hostile_cr8), ROW(hostile_xcr0),         ROW(hostile_efer),      ROW(hostile_dr6),
	ROW(hostile_dr7), ROW(hostile_dr_addresses),
};
TEST_GROUP(t_hostile_cr);
