// SPDX-License-Identifier: BSD-2-Clause
// Local APIC registers, modes, IPIs, priorities. Tests named apic_x2_* run in x2APIC mode.
// Longer than usual: one property per function, most run in both modes.

#include "arch/x86/defs/apic.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"

static void apic_id_version(void)
{
	u32 version = apic_read(APIC_VERSION);

	EXPECT_GE(version & 0xff, 0x10);
	EXPECT_LE(version & 0xff, 0x15);
	EXPECT_GE((version >> 16) & 0xff, 5);
	EXPECT_EQ(cpuid2(0xb, 0).d, apic_id());
	EXPECT_NE(0, rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_BSP);
}

static void apic_read_only(void)
{
	static const u16 regs[] = { APIC_VERSION, APIC_PPR, APIC_ISR, APIC_TMR, APIC_IRR };

	for (u32 i = 0; i < ARRAY_SIZE(regs); i++) {
		u32 val = apic_read(regs[i]);

		apic_write(regs[i], ~val);
		EXPECT_EQ(val, apic_read(regs[i]));
	}
}

/* Reserved bits read as zero in xAPIC mode whatever is written. */
static void apic_lvt_bits(void)
{
	static const struct {
		u16 reg;
		u32 may;
	} rows[] = {
		{ APIC_LVT_TIMER, 0x710ff }, { APIC_LVT_THERMAL, 0x117ff },
		{ APIC_LVT_PERF, 0x117ff },  { APIC_LVT_LINT0, 0x1f7ff },
		{ APIC_LVT_LINT1, 0x1f7ff }, { APIC_LVT_ERROR, 0x110ff },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		apic_write(rows[i].reg, 0xffffffff);
		EXPECT_EQ(0, apic_read(rows[i].reg) & ~rows[i].may);
		EXPECT_EQ(0x100ff, apic_read(rows[i].reg) & 0x100ff);
		apic_write(rows[i].reg, APIC_LVT_MASKED | 0x31);
		EXPECT_EQ(APIC_LVT_MASKED | 0x31, apic_read(rows[i].reg));
	}
}

static void apic_tpr_ppr(void)
{
	for (u32 tpr = 0; tpr < 256; tpr += 0x11) {
		apic_write(APIC_TPR, tpr);
		EXPECT_EQ(tpr, apic_read(APIC_TPR));
		EXPECT_EQ(tpr, apic_read(APIC_PPR));
		EXPECT_EQ(tpr >> 4, read_cr8());
	}
}

/* SVR.enable = 0 masks the LVTs and keeps them masked; nothing fixed is accepted. */
static void apic_software_disable(void)
{
	apic_write(APIC_LVT_ERROR, 0x40);
	EXPECT_EQ(0x40, apic_read(APIC_LVT_ERROR));
	apic_write(APIC_SVR, SPURIOUS_VECTOR);
	EXPECT_EQ(SPURIOUS_VECTOR, apic_read(APIC_SVR));
	EXPECT_EQ(0x40 | APIC_LVT_MASKED, apic_read(APIC_LVT_ERROR));
	apic_write(APIC_LVT_ERROR, 0x41);
	EXPECT_EQ(0x41 | APIC_LVT_MASKED, apic_read(APIC_LVT_ERROR));
	if (machine_is_kensho()) { /* the bare emulator accepts it */
		apic_self_ipi(0x50);
		EXPECT_TRUE(!apic_requested(0x50));
	}
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	EXPECT_EQ(0x41 | APIC_LVT_MASKED, apic_read(APIC_LVT_ERROR));
	apic_write(APIC_LVT_ERROR, 0x41);
	EXPECT_EQ(0x41, apic_read(APIC_LVT_ERROR));
}

static void apic_logical_destination(void)
{
	apic_write(APIC_LDR, 0xffffffff);
	EXPECT_EQ(0xff000000, apic_read(APIC_LDR));
	apic_write(APIC_LDR, 0x04ffffff & 0xff000000);
	EXPECT_EQ(0x04000000, apic_read(APIC_LDR));
	apic_write(APIC_DFR, 0x0fffffff);
	EXPECT_EQ(0x0fffffff, apic_read(APIC_DFR));
	apic_write(APIC_DFR, 0xf0000000);
	EXPECT_EQ(0xffffffff, apic_read(APIC_DFR));
}

static void ipi_expect(const char *what, u32 dest, u32 low, u32 count)
{
	irq_log_count = 0;
	sti();
	apic_icr(dest, low);
	asm volatile("nop; nop");
	cli();
	if (irq_log_count != count)
		test_expect(false, "interrupts wanted", what, irq_log_count, count, __FILE__,
			    __LINE__);
}

static void apic_ipi_destinations(void)
{
	u32 me = apic_id(), logical = BIT32(11), assert = APIC_ICR_ASSERT;
	bool x2 = apic_mode() == APIC_X2APIC;
	u32 mine = x2 ? x2apic_ldr(me) : 1;

	ipi_expect("self shorthand", 0, 0x50 | 1 << 18 | assert, 1);
	ipi_expect("all including self", 0, 0x50 | 2 << 18 | assert, 1);
	ipi_expect("all but self", 0, 0x50 | 3 << 18 | assert, 0);
	ipi_expect("physical", me, 0x50 | assert, 1);
	ipi_expect("physical, nobody", me + 77, 0x50 | assert, 0);
	ipi_expect("physical broadcast", x2 ? 0xffffffff : 0xff, 0x50 | assert, 1);
	ipi_expect("logical", mine, 0x50 | logical | assert, 1);
	ipi_expect("logical, nobody", x2 ? 0x00010002 : 0x80, 0x50 | logical | assert, 0);
	ipi_expect("lowest priority", mine, 0x150 | logical | assert, 1);
	if (!x2) {
		apic_write(APIC_DFR, APIC_DFR_CLUSTER);
		apic_write(APIC_LDR, 0x24000000);
		ipi_expect("cluster", 0x26, 0x50 | logical | assert, 1);
		ipi_expect("other cluster", 0x34, 0x50 | logical | assert, 0);
		ipi_expect("other in cluster", 0x21, 0x50 | logical | assert, 0);
		ipi_expect("cluster broadcast", 0xff, 0x50 | logical | assert, 1);
	}
}

static void apic_icr_readback(void)
{
	apic_icr(0, 0x50 | 1 << 18 | APIC_ICR_ASSERT);
	/* the bare emulator does not store an x2APIC mode ICR */
	if (machine_is_kensho() || apic_mode() == APIC_XAPIC)
		EXPECT_EQ(0x50 | 1 << 18 | APIC_ICR_ASSERT, apic_read(APIC_ICR));
	EXPECT_EQ(0, apic_read(APIC_ICR) & APIC_ICR_PENDING);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

/* IF = 0: three vectors wait, then come highest first. */
static void apic_priority_order(void)
{
	apic_self_ipi(0x51);
	apic_self_ipi(0x71);
	apic_self_ipi(0x61);
	apic_self_ipi(0x61); /* merges */
	apic_self_ipi(0x62);
	EXPECT_TRUE(apic_requested(0x51) && apic_requested(0x61) && apic_requested(0x71));
	sti();
	asm volatile("nop; nop");
	cli();
	EXPECT_EQ(4, irq_log_count);
	EXPECT_EQ(0x71626151, irq_log[0] << 24 | irq_log[1] << 16 | irq_log[2] << 8 | irq_log[3]);
	EXPECT_TRUE(!apic_requested(0x51) && !apic_in_service(0x51));
}

static u8 nest_log[16];
static u32 nest_count;

static void nest_note(u8 what)
{
	if (nest_count < sizeof(nest_log))
		nest_log[nest_count] = what;
	nest_count++;
}

/* 0x51: raises 0x61 (nests), 0x52 (same class: waits), 0x41 (lower: waits); then EOI. */
static void nest_outer(struct trap_regs *regs)
{
	nest_note(0x51);
	EXPECT_TRUE(apic_in_service(0x51));
	EXPECT_EQ(0x50, apic_read(APIC_PPR));
	apic_self_ipi(0x61);
	apic_self_ipi(0x52);
	apic_self_ipi(0x41);
	sti();
	asm volatile("nop; nop");
	cli();
	nest_note(0xe1);
	EXPECT_TRUE(apic_requested(0x52) && apic_requested(0x41));
	apic_eoi();
	EXPECT_TRUE(!apic_in_service(0x51));
	nest_note(0xe2);
}

static void nest_inner(struct trap_regs *regs)
{
	nest_note((u8)regs->vector);
	if (regs->vector == 0x61) {
		EXPECT_TRUE(apic_in_service(0x51) && apic_in_service(0x61));
		EXPECT_EQ(0x60, apic_read(APIC_PPR));
	}
	apic_eoi();
	if (regs->vector == 0x61) {
		EXPECT_TRUE(apic_in_service(0x51) && !apic_in_service(0x61));
		EXPECT_EQ(0x50, apic_read(APIC_PPR));
	}
}

static void apic_nesting(void)
{
	static const u8 want[] = { 0x51, 0x61, 0xe1, 0xe2, 0x52, 0x41 };

	nest_count = 0;
	trap_handle(0x51, nest_outer);
	trap_handle(0x52, nest_inner);
	trap_handle(0x61, nest_inner);
	trap_handle(0x41, nest_inner);
	sti();
	apic_self_ipi(0x51);
	asm volatile("nop; nop; nop");
	cli();
	EXPECT_EQ(ARRAY_SIZE(want), nest_count);
	for (u32 i = 0; i < ARRAY_SIZE(want); i++)
		EXPECT_EQ(want[i], nest_log[i]);
	EXPECT_EQ(0, apic_read(APIC_PPR));
}

static u32 again_count;

static void again_handler(struct trap_regs *regs)
{
	if (again_count++ == 0) {
		apic_self_ipi(0x51); /* latched while in service */
		apic_self_ipi(0x51);
		EXPECT_TRUE(apic_requested(0x51) && apic_in_service(0x51));
	}
	apic_eoi();
}

static void apic_latch_in_service(void)
{
	again_count = 0;
	trap_handle(0x51, again_handler);
	sti();
	apic_self_ipi(0x51);
	asm volatile("nop; nop; nop");
	cli();
	EXPECT_EQ(2, again_count);
}

/* EOI with nothing in service is harmless. */
static void apic_eoi_idle(void)
{
	apic_eoi();
	apic_eoi();
	apic_self_ipi(0x50);
	apic_eoi(); /* pending, not in service: stays */
	EXPECT_TRUE(apic_requested(0x50));
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

static void apic_all_vectors(void)
{
	for (u32 v = 32; v < 255; v++) {
		irq_log_count = 0;
		if (v == USER_EXIT_VECTOR)
			continue;
		apic_self_ipi((u8)v);
		if (!apic_requested((u8)v))
			EXPECT_EQ(0, v);
		sti_nop_cli();
		if (irq_log_count != 1 || irq_log[0] != v)
			EXPECT_EQ(0, v); /* names the vector */
	}
}

/* Vectors 0-15 are illegal: ESR says so and the error LVT fires. */
static void apic_illegal_vector(void)
{
	apic_write(APIC_LVT_ERROR, 0x45);
	apic_write(APIC_ESR, 0);
	irq_log_count = 0;
	apic_icr(0, 0x0f | 1 << 18 | APIC_ICR_ASSERT);
	sti_nop_cli();
	if (machine_is_kensho()) /* the bare emulator has no error interrupt */
		EXPECT_EQ(1, irq_count(0x45));
	apic_write(APIC_ESR, 0);
	EXPECT_NE(0, apic_read(APIC_ESR) & (APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECEIVE_ILLEGAL));
	apic_write(APIC_ESR, 0);
	EXPECT_EQ(0, apic_read(APIC_ESR));
}

static void apic_reserved_register(void)
{
	apic_write(APIC_ESR, 0);
	(void)apic_read(0x040);
	apic_write(APIC_ESR, 0);
	EXPECT_EQ(APIC_ESR_ILLEGAL_REGISTER, apic_read(APIC_ESR));
	apic_write(APIC_ESR, 0);
	EXPECT_EQ(0, apic_read(APIC_ESR));
}

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

		if (gp != x2_rows[i].read_gp)
			test_expect(false, "#GP wanted", "rdmsr", x2_rows[i].msr,
				    x2_rows[i].read_gp, __FILE__, __LINE__);
		gp = try_wrmsr(x2_rows[i].msr, 0) == EXC_GP;
		if (gp != x2_rows[i].write_gp)
			test_expect(false, "#GP wanted", "wrmsr", x2_rows[i].msr,
				    x2_rows[i].write_gp, __FILE__, __LINE__);
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

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (try_wrmsr(X2APIC_MSR(rows[i].reg), rows[i].val) != EXC_GP)
			test_expect(false, "#GP wanted for", "wrmsr x2APIC", rows[i].reg,
				    rows[i].val, __FILE__, __LINE__);
	}
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

static u32 hot_count;

static void hot_irq(struct trap_regs *regs)
{
	hot_count++;
	apic_eoi();
}

/*
 * TPR and EOI a thousand times: the runner looks at the exits by reason, which are none with
 * apicv=on. Solo, for other tests would add theirs.
 */
static void apic_tpr_eoi(void)
{
	trap_handle(0x55, hot_irq);
	hot_count = 0;
	sti();
	for (u32 i = 0; i < 1000; i++) {
		apic_write(APIC_TPR, 0x20);
		if (apic_read(APIC_TPR) != 0x20)
			EXPECT_EQ(0x20, apic_read(APIC_TPR));
		apic_write(APIC_TPR, 0);
		if (i % 100 == 0)
			apic_self_ipi(0x55); /* its EOI is one of the thousand */
		else
			apic_eoi();
	}
	cli();
	EXPECT_EQ(10, hot_count);
}

#define BOTH(prefix, more)                                                                         \
	{ .name = prefix "id_version", .run = apic_id_version, .flags = more },                    \
		{ .name = prefix "tpr_ppr", .run = apic_tpr_ppr, .flags = more },                  \
		{ .name = prefix "software_disable",                                               \
		  .run = apic_software_disable,                                                    \
		  .flags = more },                                                                 \
		{ .name = prefix "ipi_destinations",                                               \
		  .run = apic_ipi_destinations,                                                    \
		  .flags = more },                                                                 \
		{ .name = prefix "icr_readback", .run = apic_icr_readback, .flags = more },        \
		{ .name = prefix "priority_order", .run = apic_priority_order, .flags = more },    \
		{ .name = prefix "nesting", .run = apic_nesting, .flags = more },                  \
		{ .name = prefix "latch_in_service",                                               \
		  .run = apic_latch_in_service,                                                    \
		  .flags = more },                                                                 \
		{ .name = prefix "eoi_idle", .run = apic_eoi_idle, .flags = more },                \
		{ .name = prefix "all_vectors", .run = apic_all_vectors, .flags = more },          \
		{ .name = prefix "illegal_vector", .run = apic_illegal_vector, .flags = more },    \
	{                                                                                          \
		.name = prefix "base_reserved_bits", .run = apic_base_reserved_bits, .flags = more \
	}

static const struct test t_apic_tests[] = {
	BOTH("apic_", 0),
	{ .name = "apic_read_only", .run = apic_read_only },
	{ .name = "apic_lvt_bits", .run = apic_lvt_bits },
	{ .name = "apic_logical_destination", .run = apic_logical_destination },
	{ .name = "apic_reserved_register", .run = apic_reserved_register },
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
	{ .name = "apic_tpr_eoi", .run = apic_tpr_eoi, .flags = T_SOLO },
	{ .name = "apic_x2_tpr_eoi", .run = apic_tpr_eoi, .flags = T_SOLO | T_X2APIC },
};
TEST_GROUP(t_apic);
