// SPDX-License-Identifier: BSD-2-Clause
// IA32_APIC_BASE in bad hands: every transition of its mode, the register page in the hypervisor's
// region, on RAM, on code and above 4 GiB, moved while it is off or in x2APIC mode.
//
// Spec: SDM Vol. 3A "Local APIC Status and Location", "x2APIC State Transitions".

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"

#define ONES64 ~0ull
#define EN     BIT64(11)
#define EXTD   BIT64(10)
#define VEC    0x5c

static u64 home; /* the value to come back to */

static u32 set_base(u64 val)
{
	u32 vector = try_wrmsr(MSR_IA32_APIC_BASE, val);

	if (vector == EXC_GP)
		counter_want("MSR_GP", 1);
	return vector;
}

static void go_home(void)
{
	if (rdmsr(MSR_IA32_APIC_BASE) != home)
		EXPECT_EQ(NO_FAULT, set_base(home & ~(EN | EXTD)));
	EXPECT_EQ(NO_FAULT, set_base(home));
	EXPECT_EQ(home, rdmsr(MSR_IA32_APIC_BASE));
	apic_quiesce();
}

/* The page at @va is the APIC: its registers read and write, its interrupts arrive. */
static void expect_apic_at(u64 va, u32 version)
{
	EXPECT_EQ(version, mmio_read32(va + APIC_VERSION));
	mmio_write32(va + APIC_TPR, 0x40);
	EXPECT_EQ(4, read_cr8());
	EXPECT_EQ(0x40, mmio_read32(va + APIC_TPR));
	mmio_write32(va + APIC_TPR, 0);
	mmio_write32(va + APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	irq_log_count = 0;
	mmio_write32(va + APIC_ICR, VEC | BIT32(18) | APIC_ICR_ASSERT); /* to self */
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
	mmio_write32(va + APIC_EOI, 0);
}

/* A write where the registers were before is nobody's. */
static void expect_nothing_at_default(void)
{
	mmio_write32(APIC_BASE_DEFAULT + APIC_TPR, 0x70);
	counter_want("APIC_WINDOW", 1);
	EXPECT_EQ(0, read_cr8());
}

static u64 with_address(u64 base, u64 address)
{
	return (base & ~(u64)APIC_BASE_ADDR) | address;
}

/* The default handler of interrupts needs the page in the identity map. */
static void hostile_apic_in_region(void)
{
	static const u64 offsets[] = { 0, 0x40000, 0x1ff000 };
	u32 version = apic_read(APIC_VERSION);
	u64 region, len;

	home = rdmsr(MSR_IA32_APIC_BASE);
	REQUIRE(boot_hv_region(&region, &len));
	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		u64 at = region + offsets[i];

		EXPECT_EQ(NO_FAULT, set_base(with_address(home, at)));
		expect_apic_at(at, version);
		expect_nothing_at_default();
		EXPECT_EQ(ONES64, *(volatile u64 *)(uintptr_t)(at ^ 0x1000)); /* its neighbour */
		EXPECT_EQ(NO_FAULT, set_base(home));
		for (u32 j = 0; j < 4096; j += 8) {
			u64 val = *(volatile u64 *)(uintptr_t)(at + j);

			EXPECT_AT(val == ONES64, "address 0x%llx", at + j);
		}
		*(volatile u32 *)(uintptr_t)(at + APIC_TPR) = 0x50;
		counter_want("REGION_WRITE_DROPPED", 1);
		EXPECT_EQ(0, read_cr8());
	}
	expect_apic_at(APIC_BASE_DEFAULT, version);
}

static u8 covered[4096] ALIGNED(4096);

/* RAM beneath the page keeps what it holds. */
static void hostile_apic_on_ram(void)
{
	u32 version = apic_read(APIC_VERSION);
	u64 at = (u64)(uintptr_t)covered;

	home = rdmsr(MSR_IA32_APIC_BASE);
	for (u32 i = 0; i < sizeof(covered); i++)
		covered[i] = (u8)(i * 7);
	for (u32 round = 0; round < 3; round++) {
		EXPECT_EQ(NO_FAULT, set_base(with_address(home, at)));
		expect_apic_at(at, version);
		expect_nothing_at_default();
		EXPECT_EQ(NO_FAULT, set_base(home));
		for (u32 i = 0; i < sizeof(covered); i++)
			EXPECT_AT(READ_ONCE(covered[i]) == (u8)(i * 7), "byte 0x%x", i);
	}
}

static void jump_to(u64 addr)
{
	((void (*)(void))(uintptr_t)addr)();
}

/* There is no code in registers: #UD, until the page is gone. */
static void hostile_apic_on_code(void)
{
	u64 at = (u64)(uintptr_t)covered;

	home = rdmsr(MSR_IA32_APIC_BASE);
	memset(covered, 0xc3, sizeof(covered));
	EXPECT_EQ(NO_FAULT, trap_of(jump_to, at + 0x123));
	EXPECT_EQ(NO_FAULT, set_base(with_address(home, at)));
	for (u32 i = 0; i < 4096; i += 0x123) {
		EXPECT_EQ(EXC_UD, trap_of(jump_to, at + i));
		EXPECT_EQ(at + i, trap_last()->rip);
		counter_want("MMIO_FETCH", 1);
	}
	EXPECT_EQ(NO_FAULT, set_base(home));
	EXPECT_EQ(NO_FAULT, trap_of(jump_to, at + 0x123));
}

static void hostile_apic_above_4g(void)
{
	u32 width = cpuid(0x80000008).a & 0xff;
	const u64 places[] = { GIB(4), GIB(5) + 0x123000, BIT64(width - 1), BIT64(width) - 4096 };
	u32 version = apic_read(APIC_VERSION);

	home = rdmsr(MSR_IA32_APIC_BASE);
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		u64 va = (u64)(uintptr_t)map_page(30, places[i], G_PTE_P | G_PTE_W);
		u64 before = *(volatile u64 *)(uintptr_t)va;

		EXPECT_EQ(NO_FAULT, set_base(with_address(home, places[i])));
		EXPECT_EQ(with_address(home, places[i]), rdmsr(MSR_IA32_APIC_BASE));
		EXPECT_EQ(version, mmio_read32(va + APIC_VERSION));
		mmio_write32(va + APIC_TPR, 0x30);
		EXPECT_EQ(3, read_cr8());
		mmio_write32(va + APIC_TPR, 0);
		expect_nothing_at_default();
		EXPECT_EQ(NO_FAULT, set_base(home));
		EXPECT_EQ(before, *(volatile u64 *)(uintptr_t)va);
		EXPECT_NE(version, mmio_read32(va + APIC_VERSION));
	}
	for (u32 n = width; n < 64; n++)
		EXPECT_EQ(EXC_GP, set_base(home | BIT64(n)));
	for (u32 n = 0; n < 10; n++) {
		if (n != 8) /* BSP: read-only */
			EXPECT_EQ(EXC_GP, set_base(home | BIT64(n)));
	}
	expect_apic_at(APIC_BASE_DEFAULT, version);
	(void)map_page(30, 0, 0);
}

/*
 * A page in every part of the address space, one after the other: what Kensho's tables take for one
 * place they must give back, or its memory ends. The lowest 32 MiB are this program's.
 */
static void hostile_apic_everywhere(void)
{
	u32 width = cpuid(0x80000008).a & 0xff, version = apic_read(APIC_VERSION);

	home = rdmsr(MSR_IA32_APIC_BASE);
	for (u64 at = MIB(32); at < GIB(4) && !test_failed(); at += MIB(4))
		EXPECT_EQ(NO_FAULT, set_base(with_address(home, at | 0x1ff000)));
	for (u64 at = GIB(4); at < BIT64(umin32(width, 41)) && !test_failed(); at += GIB(1))
		EXPECT_EQ(NO_FAULT, set_base(with_address(home, at | 0x12345000)));
	EXPECT_EQ(NO_FAULT, set_base(home));
	expect_apic_at(APIC_BASE_DEFAULT, version);
}

/* The figure "Local x2APIC State Transitions": rows are where from, columns where to. */
enum state { OFF, XAPIC, X2APIC, INVALID, STATES };

static const u64 bits_of[STATES] = { 0, EN, EN | EXTD, EXTD };
static const bool legal[STATES - 1][STATES] = {
	[OFF] = { [OFF] = true, [XAPIC] = true },
	[XAPIC] = { [OFF] = true, [XAPIC] = true, [X2APIC] = true },
	[X2APIC] = { [OFF] = true, [X2APIC] = true },
};

static void enter(enum state s)
{
	u64 off = home & ~(EN | EXTD);

	EXPECT_EQ(NO_FAULT, set_base(off));
	if (s != OFF)
		EXPECT_EQ(NO_FAULT, set_base(off | EN));
	if (s == X2APIC)
		EXPECT_EQ(NO_FAULT, set_base(off | EN | EXTD));
}

static void expect_state(enum state s, u32 version)
{
	u64 val = 0;
	u32 vector = try_rdmsr(X2APIC_MSR(APIC_VERSION), &val);

	EXPECT_EQ((home & ~(EN | EXTD)) | bits_of[s], rdmsr(MSR_IA32_APIC_BASE));
	EXPECT_EQ(s == X2APIC ? NO_FAULT : EXC_GP, vector);
	if (s == X2APIC)
		EXPECT_EQ(version, val);
	else
		counter_want("MSR_GP", 1);
	EXPECT_EQ(s == XAPIC, mmio_read32(APIC_BASE_DEFAULT + APIC_VERSION) == version);
	EXPECT_EQ(s != OFF, (cpuid(1).d & CPUID1_EDX_APIC) != 0);
}

static void hostile_apic_transitions(void)
{
	u32 version = apic_read(APIC_VERSION);
	bool x2apic = (cpuid(1).c & CPUID1_ECX_X2APIC) != 0;

	home = rdmsr(MSR_IA32_APIC_BASE);
	for (u32 from = OFF; from < INVALID; from++) {
		for (u32 to = OFF; to < STATES; to++) {
			bool ok = legal[from][to] && (to != X2APIC || x2apic);

			if (from == X2APIC && !x2apic)
				continue;
			enter((enum state)from);
			EXPECT_EQ(ok ? NO_FAULT : EXC_GP,
				  set_base((home & ~(EN | EXTD)) | bits_of[to]));
			expect_state((enum state)(ok ? to : from), version);
		}
	}
	go_home();
	expect_apic_at(APIC_BASE_DEFAULT, version);
}

/* What waits when the APIC goes off never arrives; what was armed never fires. */
static void hostile_apic_off_and_on(void)
{
	u32 version = apic_read(APIC_VERSION);

	home = rdmsr(MSR_IA32_APIC_BASE);
	for (u32 i = 0; i < 50; i++) {
		apic_write(APIC_LVT_TIMER, VEC + 1);
		apic_write(APIC_TMICT, 100);
		apic_self_ipi(VEC);
		EXPECT_EQ(NO_FAULT, set_base(home & ~EN));
		EXPECT_EQ(NO_FAULT, set_base(home));
		EXPECT_TRUE(!apic_requested(VEC));
		EXPECT_EQ(0, apic_read(APIC_TMICT));
	}
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	irq_log_count = 0;
	sti();
	delay_us(200);
	cli();
	EXPECT_EQ(0, irq_log_count);
	expect_apic_at(APIC_BASE_DEFAULT, version);
}

/* Off, the base is an address like any other; the page follows it when the APIC comes back. */
static void hostile_apic_moved_while_off(void)
{
	u32 version = apic_read(APIC_VERSION);
	u64 region, len, at = (u64)(uintptr_t)covered;

	home = rdmsr(MSR_IA32_APIC_BASE);
	REQUIRE(boot_hv_region(&region, &len));
	memset(covered, 0x5a, sizeof(covered));
	EXPECT_EQ(NO_FAULT, set_base(with_address(home, region) & ~EN));
	EXPECT_EQ(ONES64, *(volatile u64 *)(uintptr_t)region);
	EXPECT_EQ(NO_FAULT, set_base(with_address(home, at) & ~EN));
	EXPECT_EQ(0x5a, READ_ONCE(covered[APIC_VERSION]));
	EXPECT_EQ(NO_FAULT, set_base(with_address(home, at)));
	expect_apic_at(at, version);
	EXPECT_EQ(NO_FAULT, set_base(home & ~EN));
	EXPECT_EQ(0x5a, READ_ONCE(covered[APIC_VERSION]));
	EXPECT_EQ(0x5a, READ_ONCE(covered[APIC_TPR]));
	go_home();
	expect_apic_at(APIC_BASE_DEFAULT, version);
}

/* In x2APIC mode there is no page; the base can be moved all the same. */
static void hostile_apic_moved_in_x2apic(void)
{
	u32 version = apic_read(APIC_VERSION);
	u64 at = (u64)(uintptr_t)covered;

	if ((cpuid(1).c & CPUID1_ECX_X2APIC) == 0) {
		test_skip("no x2APIC");
		return;
	}
	home = rdmsr(MSR_IA32_APIC_BASE);
	memset(covered, 0x5a, sizeof(covered));
	EXPECT_EQ(NO_FAULT, set_base(home | EXTD));
	EXPECT_EQ(NO_FAULT, set_base(with_address(home | EXTD, at)));
	EXPECT_EQ(version, rdmsr(X2APIC_MSR(APIC_VERSION)));
	EXPECT_EQ(0x5a, READ_ONCE(covered[APIC_VERSION]));
	expect_nothing_at_default();
	EXPECT_EQ(NO_FAULT, set_base(with_address(home, at) & ~EN));
	EXPECT_EQ(NO_FAULT, set_base(with_address(home, at)));
	expect_apic_at(at, version);
	go_home();
	EXPECT_EQ(0x5a, READ_ONCE(covered[APIC_TPR]));
	expect_apic_at(APIC_BASE_DEFAULT, version);
}

/*
 * The registers as MSRs: bits 63:32 are reserved in all but the ICR, and what is no register
 * between 800h and BFFh is #GP whatever is written. SDM "x2APIC Register Address Space".
 */
static void apic_x2_msrs_illegal(void)
{
	/* 2, 3, 8-B, D, F-28, 2F, 30, 32-39, 3E, 3F */
	static const u64 exists = 0xc3fd81ffffffaf0cull;

	for (u32 msr = 0x800; msr < 0xc00 && !test_failed(); msr++) {
		bool reg = msr < 0x840 && (exists >> (msr & 63) & 1) != 0;
		u64 old = 0, now = 0;
		bool readable = try_rdmsr(msr, &old) == NO_FAULT;

		EXPECT_TRUE(reg || !readable);
		EXPECT_EQ(EXC_GP, try_wrmsr(msr, ONES64));
		EXPECT_TRUE(reg || try_wrmsr(msr, 0) == EXC_GP);
		for (u32 n = 32; n < 64 && msr != 0x830; n++) {
			EXPECT_EQ(EXC_GP, try_wrmsr(msr, BIT64(n)));
			EXPECT_EQ(0, trap_last()->error);
		}
		EXPECT_EQ(readable ? NO_FAULT : EXC_GP, try_rdmsr(msr, &now));
		EXPECT_EQ(old, now);
	}
	irq_log_count = 0;
	apic_self_ipi(VEC);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

#define ROW(test)                                                       \
	{                                                               \
		.name = #test, .run = test, .flags = T_NAMED | T_KENSHO \
	}

static const struct test t_hostile_apic_tests[] = {
	ROW(hostile_apic_in_region),
	ROW(hostile_apic_on_ram),
	ROW(hostile_apic_on_code),
	ROW(hostile_apic_above_4g),
	ROW(hostile_apic_everywhere),
	ROW(hostile_apic_transitions),
	ROW(hostile_apic_off_and_on),
	ROW(hostile_apic_moved_while_off),
	ROW(hostile_apic_moved_in_x2apic),
	{ .name = "apic_x2_msrs_illegal", .run = apic_x2_msrs_illegal, .flags = T_X2APIC },
};
TEST_GROUP(t_hostile_apic);
