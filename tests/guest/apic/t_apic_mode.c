// SPDX-License-Identifier: BSD-2-Clause
// Local APIC: its page, its modes, what x2APIC mode changes. Tests named apic_x2_* run in x2APIC
// mode.

#include "arch/x86/defs/apic.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"

#define MMIO(reg) (APIC_BASE_DEFAULT + (reg))

/* The instruction forms the small decoder must know; all 32 bits wide. */
static void apic_mmio_loads(void)
{
	u64 r[3];
	u32 version = apic_read(APIC_VERSION);

	asm volatile("mov $0xfee00000, %%r13d\n\t"
		     "mov $-1, %%r12\n\t"
		     "movl 0x30(%%r13), %%r12d\n\t"
		     "mov %%r12, %0\n\t"
		     "mov $0xc, %%r14d\n\t"
		     "movl (%%r13,%%r14,4), %%r15d\n\t"
		     "mov %%r15, %1\n\t"
		     "movabsl 0xfee00030, %%eax\n\t"
		     "mov %%rax, %2"
		     : "=m"(r[0]), "=m"(r[1]), "=m"(r[2])
		     :
		     : "rax", "r12", "r13", "r14", "r15", "memory");
	EXPECT_EQ(version, r[0]);
	EXPECT_EQ(version, r[1]);
	EXPECT_EQ(version, r[2]);
}

static void apic_mmio_stores(void)
{
	u64 base = APIC_BASE_DEFAULT;
	u32 old = 0x21;

	asm volatile("movl $0x30, 0x80(%0)" : : "r"(base) : "memory");
	EXPECT_EQ(0x30, apic_read(APIC_TPR));
	asm volatile("mov %0, %%r9; mov $0x40, %%r8d; movl %%r8d, 0x80(%%r9)"
		     :
		     : "r"(base)
		     : "r8", "r9", "memory");
	EXPECT_EQ(0x40, apic_read(APIC_TPR));
	asm volatile("orl $0x7, 0x80(%0)" : : "r"(base) : "memory", "cc");
	EXPECT_EQ(0x47, apic_read(APIC_TPR));
	asm volatile("andl $0xf0, 0x80(%0)" : : "r"(base) : "memory", "cc");
	EXPECT_EQ(0x40, apic_read(APIC_TPR));
	asm volatile("xchgl %0, 0x80(%1)" : "+r"(old) : "r"(base) : "memory");
	EXPECT_EQ(0x40, old);
	EXPECT_EQ(0x21, apic_read(APIC_TPR));
	asm volatile("xorl %k0, 0x80(%1)" : : "r"(0x21ull), "r"(base) : "memory", "cc");
	EXPECT_EQ(0, apic_read(APIC_TPR));
}

static void apic_mmio_compares(void)
{
	u64 base = APIC_BASE_DEFAULT;
	bool eq, ne, bit;

	apic_write(APIC_TPR, 0x20);
	asm volatile("cmpl $0x20, 0x80(%1)" : "=@cce"(eq) : "r"(base) : "memory");
	asm volatile("cmpl %k2, 0x80(%1)" : "=@ccne"(ne) : "r"(base), "r"(0x21ull) : "memory");
	asm volatile("testl $0x20, 0x80(%1)" : "=@ccne"(bit) : "r"(base) : "memory");
	EXPECT_TRUE(eq);
	EXPECT_TRUE(ne);
	EXPECT_TRUE(bit);
}

static void apic_mmio_string(void)
{
	u32 buf[2] = { 0x50, 0 };
	void *di = (void *)(uintptr_t)MMIO(APIC_TPR);
	const void *si = buf;

	asm volatile("movsl" : "+D"(di), "+S"(si) : : "memory");
	EXPECT_EQ(0x50, apic_read(APIC_TPR));
	EXPECT_EQ(MMIO(APIC_TPR) + 4, (u64)(uintptr_t)di);
	di = &buf[1];
	si = (const void *)(uintptr_t)MMIO(APIC_TPR);
	asm volatile("movsl" : "+D"(di), "+S"(si) : : "memory");
	EXPECT_EQ(0x50, buf[1]);
	di = (void *)(uintptr_t)MMIO(APIC_TPR);
	asm volatile("stosl" : "+D"(di) : "a"(0x60) : "memory");
	EXPECT_EQ(0x60, apic_read(APIC_TPR));
	apic_write(APIC_TPR, 0);
}

/* Through another virtual address, and from code that is not identity-mapped. */
static void apic_mmio_alias(void)
{
	volatile u32 *va = map_page(24, APIC_BASE_DEFAULT, G_PTE_P | G_PTE_W);

	EXPECT_EQ(apic_read(APIC_VERSION), va[APIC_VERSION / 4]);
	va[APIC_TPR / 4] = 0x70;
	EXPECT_EQ(0x70, apic_read(APIC_TPR));
	apic_write(APIC_TPR, 0);
}

static void apic_base_reserved_bits(void)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE);
	u32 bits = cpuid(0x80000008).a & 0xff;

	EXPECT_EQ(EXC_GP, try_wrmsr(MSR_IA32_APIC_BASE, base | 1));
	EXPECT_EQ(EXC_GP, try_wrmsr(MSR_IA32_APIC_BASE, base | BIT64(9)));
	EXPECT_EQ(EXC_GP, try_wrmsr(MSR_IA32_APIC_BASE, base | BIT64(bits)));
	EXPECT_EQ(EXC_GP, try_wrmsr(MSR_IA32_APIC_BASE, base | BIT64(63)));
	/* EXTD without EN */
	EXPECT_EQ(EXC_GP, try_wrmsr(MSR_IA32_APIC_BASE, (base & ~APIC_BASE_EN) | APIC_BASE_EXTD));
	EXPECT_EQ(base, rdmsr(MSR_IA32_APIC_BASE));
	EXPECT_EQ(NO_FAULT, try_wrmsr(MSR_IA32_APIC_BASE, base));
}

/* From x2APIC mode back to xAPIC without "disabled" in between: #GP. From disabled to x2APIC: #GP.
 */
static void apic_x2_transitions(void)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE), off = base & ~(APIC_BASE_EN | APIC_BASE_EXTD);

	EXPECT_EQ(EXC_GP, try_wrmsr(MSR_IA32_APIC_BASE, off | APIC_BASE_EN));
	EXPECT_EQ(base, rdmsr(MSR_IA32_APIC_BASE));
	if (!machine_is_kensho())
		return;
	EXPECT_EQ(NO_FAULT, try_wrmsr(MSR_IA32_APIC_BASE, off));
	EXPECT_EQ(EXC_GP, try_wrmsr(MSR_IA32_APIC_BASE, off | APIC_BASE_EN | APIC_BASE_EXTD));
	EXPECT_EQ(NO_FAULT, try_wrmsr(MSR_IA32_APIC_BASE, off | APIC_BASE_EN));
	EXPECT_EQ(NO_FAULT, try_wrmsr(MSR_IA32_APIC_BASE, base));
}

/* SDM "Local APIC State After It Has Been Disabled and Enabled Again": the power-up state. */
static void apic_reset_values(void)
{
	u32 id = apic_id();

	apic_write(APIC_TPR, 0x30);
	apic_write(APIC_LVT_TIMER, 0x50);
	apic_self_ipi(0x60);
	REQUIRE(apic_enter(APIC_OFF));
	REQUIRE(apic_enter(APIC_XAPIC));
	EXPECT_EQ(id, apic_id());
	EXPECT_EQ(0xff, apic_read(APIC_SVR));
	EXPECT_EQ(0, apic_read(APIC_TPR));
	EXPECT_EQ(0, apic_read(APIC_LDR));
	EXPECT_EQ(0xffffffff, apic_read(APIC_DFR));
	EXPECT_EQ(APIC_LVT_RESET, apic_read(APIC_LVT_TIMER));
	EXPECT_EQ(APIC_LVT_RESET, apic_read(APIC_LVT_LINT0));
	EXPECT_EQ(APIC_LVT_RESET, apic_read(APIC_LVT_LINT1));
	EXPECT_EQ(APIC_LVT_RESET, apic_read(APIC_LVT_ERROR));
	EXPECT_EQ(0, apic_read(APIC_TMICT));
	EXPECT_EQ(0, apic_read(APIC_TDCR));
	EXPECT_TRUE(!apic_requested(0x60));
}

static void apic_disabled(void)
{
	u64 val;

	REQUIRE(apic_enter(APIC_OFF));
	EXPECT_NE(0x50014, mmio_read32(MMIO(APIC_VERSION)));
	mmio_write32(MMIO(APIC_TPR), 0xf0);
	EXPECT_EQ(EXC_GP, try_rdmsr(X2APIC_MSR(APIC_ID), &val));
	EXPECT_EQ(EXC_GP, try_wrmsr(X2APIC_MSR(APIC_EOI), 0));
	REQUIRE(apic_enter(APIC_XAPIC));
	EXPECT_EQ(0, apic_read(APIC_TPR));
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	apic_self_ipi(0x50);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

static void apic_no_x2_msrs(void)
{
	u64 val;

	EXPECT_EQ(EXC_GP, try_rdmsr(X2APIC_MSR(APIC_ID), &val));
	EXPECT_EQ(EXC_GP, try_rdmsr(X2APIC_MSR(APIC_TPR), &val));
	EXPECT_EQ(EXC_GP, try_wrmsr(X2APIC_MSR(APIC_TPR), 0));
	EXPECT_EQ(EXC_GP, try_wrmsr(X2APIC_MSR(APIC_SELF_IPI), 0x50));
}

/* The register page moves; what is beneath the old and the new place is not the APIC. */
static void apic_relocate(void)
{
	static const u64 places[] = { 0xd0000000ull, 0x01800000ull };
	u64 base = rdmsr(MSR_IA32_APIC_BASE);
	u32 version = apic_read(APIC_VERSION), under;

	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		under = mmio_read32(places[i] + APIC_VERSION);
		wrmsr(MSR_IA32_APIC_BASE, (base & ~APIC_BASE_ADDR) | places[i]);
		EXPECT_EQ(version, mmio_read32(places[i] + APIC_VERSION));
		EXPECT_NE(version, mmio_read32(MMIO(APIC_VERSION)));
		apic_write(APIC_TPR, 0x40);
		EXPECT_EQ(4, read_cr8());
		mmio_write32(MMIO(APIC_TPR), 0);
		EXPECT_EQ(4, read_cr8());
		apic_write(APIC_TPR, 0);
		irq_log_count = 0;
		apic_self_ipi(0x50);
		sti_nop_cli();
		EXPECT_EQ(1, irq_log_count);
		wrmsr(MSR_IA32_APIC_BASE, base);
		EXPECT_EQ(version, apic_read(APIC_VERSION));
		EXPECT_EQ(under, mmio_read32(places[i] + APIC_VERSION));
	}
}

/* Rule I8: the rest of FEE00000-FEEFFFFF is nobody's, and certainly not the physical APIC. */
static void apic_window(void)
{
	static const u64 at[] = { 0xfee01000ull, 0xfee01030ull, 0xfee80000ull, 0xfeeff030ull };

	for (u32 i = 0; i < ARRAY_SIZE(at); i++) {
		u32 val = mmio_read32(at[i]);

		EXPECT_TRUE(val == 0xffffffff || val == 0);
		mmio_write32(at[i], 0x12345678);
	}
	EXPECT_EQ(0, irq_log_count);
}

static const struct {
	u16 msr;
	u8 read_gp, write_gp; /* writing 0 */
} x2_rows[] = {
	{ 0x800, 1, 1 }, { 0x801, 1, 1 }, { 0x802, 0, 1 }, { 0x803, 0, 1 }, { 0x804, 1, 1 },
	{ 0x807, 1, 1 }, { 0x808, 0, 0 }, { 0x809, 1, 1 }, { 0x80a, 0, 1 }, { 0x80b, 1, 0 },
	{ 0x80c, 1, 1 }, { 0x80d, 0, 1 }, { 0x80e, 1, 1 }, { 0x80f, 0, 0 }, { 0x810, 0, 1 },
	{ 0x817, 0, 1 }, { 0x818, 0, 1 }, { 0x81f, 0, 1 }, { 0x820, 0, 1 }, { 0x827, 0, 1 },
	{ 0x828, 0, 0 }, { 0x829, 1, 1 }, { 0x82e, 1, 1 }, { 0x831, 1, 1 }, { 0x832, 0, 0 },
	{ 0x833, 0, 0 }, { 0x834, 0, 0 }, { 0x835, 0, 0 }, { 0x836, 0, 0 }, { 0x837, 0, 0 },
	{ 0x838, 0, 0 }, { 0x839, 0, 1 }, { 0x83a, 1, 1 }, { 0x83d, 1, 1 }, { 0x83e, 0, 0 },
	{ 0x840, 1, 1 }, { 0x87f, 1, 1 }, { 0x8ff, 1, 1 },
};

static void apic_x2_registers(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(x2_rows); i++) {
		u64 val;
		bool gp = try_rdmsr(x2_rows[i].msr, &val) == EXC_GP;

		EXPECT_AT(gp == x2_rows[i].read_gp, "MSR 0x%x", x2_rows[i].msr);
		gp = try_wrmsr(x2_rows[i].msr, 0) == EXC_GP;
		EXPECT_AT(gp == x2_rows[i].write_gp, "MSR 0x%x", x2_rows[i].msr);
	}
}

static void apic_x2_reserved_bits(void)
{
	static const struct {
		u16 reg;
		u64 val;
	} rows[] = {
		{ APIC_TPR, 0x100 },
		{ APIC_TPR, BIT64(32) },
		{ APIC_EOI, 1 },
		{ APIC_ESR, 1 },
		{ APIC_SVR, 0x1ff | BIT64(10) },
		{ APIC_SVR, 0x1ff | BIT64(32) },
		{ APIC_LVT_TIMER, BIT64(8) },
		{ APIC_LVT_TIMER, BIT64(19) },
		{ APIC_LVT_LINT0, BIT64(11) },
		{ APIC_LVT_LINT0, BIT64(17) },
		{ APIC_LVT_ERROR, BIT64(13) },
		{ APIC_LVT_ERROR, BIT64(32) },
		{ APIC_TDCR, 4 },
		{ APIC_TDCR, 0x10 },
		{ APIC_TMICT, BIT64(32) },
		{ APIC_SELF_IPI, 0x150 },
		{ APIC_ICR, BIT64(20) | 0x50 | 1 << 18 },
		{ APIC_ICR, BIT64(31) | 0x50 | 1 << 18 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT_AT(try_wrmsr(X2APIC_MSR(rows[i].reg), rows[i].val) == EXC_GP,
			  "register 0x%x takes 0x%llx", rows[i].reg, rows[i].val);
	EXPECT_EQ(0, irq_log_count);
}

static void apic_x2_ldr(void)
{
	EXPECT_EQ(x2apic_ldr(apic_id()), apic_read(APIC_LDR));
}

static void apic_x2_self_ipi(void)
{
	wrmsr(X2APIC_MSR(APIC_SELF_IPI), 0x66);
	EXPECT_TRUE(apic_requested(0x66));
	EXPECT_TRUE(!apic_level(0x66));
	sti_nop_cli();
	EXPECT_EQ(1, irq_count(0x66));
}

/* In x2APIC mode the MMIO page is not the APIC. */
static void apic_x2_no_mmio(void)
{
	EXPECT_NE(apic_read(APIC_VERSION), mmio_read32(MMIO(APIC_VERSION)));
	mmio_write32(MMIO(APIC_TPR), 0x50);
	EXPECT_EQ(0, apic_read(APIC_TPR));
}

#define BOTH(prefix, more)                                                                         \
	{                                                                                          \
		.name = prefix "base_reserved_bits", .run = apic_base_reserved_bits, .flags = more \
	}

static const struct test t_apic_mode_tests[] = {
	BOTH("apic_", 0),
	{ .name = "apic_mmio_loads", .run = apic_mmio_loads },
	{ .name = "apic_mmio_stores", .run = apic_mmio_stores },
	{ .name = "apic_mmio_compares", .run = apic_mmio_compares },
	{ .name = "apic_mmio_string", .run = apic_mmio_string },
	{ .name = "apic_mmio_alias", .run = apic_mmio_alias },
	{ .name = "apic_no_x2_msrs", .run = apic_no_x2_msrs },
	{ .name = "apic_relocate", .run = apic_relocate },
	{ .name = "apic_reset_values", .run = apic_reset_values, .flags = T_KENSHO },
	{ .name = "apic_disabled", .run = apic_disabled, .flags = T_KENSHO },
	{ .name = "apic_window", .run = apic_window, .flags = T_KENSHO },
	BOTH("apic_x2_", T_X2APIC),
	{ .name = "apic_x2_registers", .run = apic_x2_registers, .flags = T_X2APIC },
	{ .name = "apic_x2_reserved_bits",
	  .run = apic_x2_reserved_bits,
	  .flags = T_X2APIC | T_BOCHS,
	  .why = "the emulator drops reserved LVT bits silently" },
	{ .name = "apic_x2_transitions", .run = apic_x2_transitions, .flags = T_X2APIC },
	{ .name = "apic_x2_ldr", .run = apic_x2_ldr, .flags = T_X2APIC },
	{ .name = "apic_x2_self_ipi", .run = apic_x2_self_ipi, .flags = T_X2APIC },
	{ .name = "apic_x2_no_mmio", .run = apic_x2_no_mmio, .flags = T_X2APIC },
};
TEST_GROUP(t_apic_mode);
