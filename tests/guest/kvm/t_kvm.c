// SPDX-License-Identifier: BSD-2-Clause
// The KVM ABI: VMCALL conventions, kvmclock and wall clock pages.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/kvm.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/pvclock.h"
#include "tests/guest/lib/str.h"

/* Restated from the KVM documentation, independent of hv/kvm/kvm_abi.h on purpose. */
#define KVM_WALL_CLOCK      0x4b564d00u
#define KVM_SYSTEM_TIME     0x4b564d01u
#define KVM_WALL_CLOCK_OLD  0x11u
#define KVM_SYSTEM_TIME_OLD 0x12u
#define KVM_ENOSYS          (-1000ll)
#define KVM_EPERM           (-1ll)

struct wall_clock {
	u32 version, sec, nsec;
};

static u8 page[8192] ALIGNED(4096);

static void kvm_vmcall_unknown(void)
{
	static const u64 numbers[] = {
		0, 2, 3, 4, 6, 7, 8, 12, 13, 100, 0x4b1d, 0xffffffff, 0x100000000ull, ~0ull
	};

	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++)
		EXPECT_EQ(KVM_ENOSYS, kvm_call(numbers[i], 0, 0, 0, 0));
}

static void kvm_vmcall_registers(void)
{
	u64 rax = 0x7777, rbx = 1, rcx = 2, rdx = 3, rsi = 4, rdi = 5;
	u64 r8, r15;

	asm volatile("mov $0x88, %%r8; mov $0xff, %%r15; vmcall; mov %%r8, %6; mov %%r15, %7"
		     : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+S"(rsi), "+D"(rdi), "=m"(r8),
		       "=m"(r15)
		     :
		     : "r8", "r15", "memory");
	EXPECT_EQ(KVM_ENOSYS, (s64)rax);
	EXPECT_EQ(1, rbx);
	EXPECT_EQ(2, rcx);
	EXPECT_EQ(3, rdx);
	EXPECT_EQ(4, rsi);
	EXPECT_EQ(5, rdi);
	EXPECT_EQ(0x88, r8);
	EXPECT_EQ(0xff, r15);
}

static u64 user_vmcall(u64 nr)
{
	return (u64)kvm_call(nr, 0, 0, 0, 0);
}

/* CPL 3 is refused before the number is looked at; no exception. */
static void kvm_vmcall_cpl3(void)
{
	EXPECT_EQ(KVM_EPERM, (s64)user_call(user_vmcall, 0x7777));
	EXPECT_EQ(KVM_EPERM, (s64)user_call(user_vmcall, 1));
}

/* Outside 64-bit mode number and result are 32 bits wide. */
static void kvm_vmcall_32bit(void)
{
	static const u32 modes[] = { MODE_COMPAT, MODE_PM32, MODE_REAL };
	struct mailbox *mail = mode_mail();

	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		mail->in[0] = 0x7777;
		mail->in[1] = 1;
		mail->cr0_or = 0;
		mode_run(modes[i], modes[i] == MODE_REAL ? rm_regs : pm_regs);
		EXPECT_EQ((u32)KVM_ENOSYS, mail->out[8]);
		if (modes[i] != MODE_REAL) {
			EXPECT_EQ(0x11111111, mail->out[10]);
			EXPECT_EQ(0x44444444, mail->out[13]);
		}
	}
}

static volatile struct pvclock *clock_on(u32 msr, u32 offset)
{
	memset(page, 0xa5, sizeof(page));
	wrmsr(msr, ((u64)(uintptr_t)page + offset) | 1);
	return (volatile struct pvclock *)(uintptr_t)(page + offset);
}

static bool untouched(u32 from, u32 to)
{
	for (u32 i = from; i < to; i++) {
		if (READ_ONCE(page[i]) != 0xa5)
			return false;
	}
	return true;
}

static void kvm_clock_page(void)
{
	static const u32 msrs[] = { KVM_SYSTEM_TIME, KVM_SYSTEM_TIME_OLD };

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		volatile struct pvclock *pv = clock_on(msrs[i], 64);

		EXPECT_EQ(0, pv->version & 1);
		EXPECT_EQ(0, pv->pad | pv->pad2[0] | pv->pad2[1]);
		EXPECT_NE(0, pv->mul);
		EXPECT_LE(pv->tsc_timestamp, rdtsc());
		if (machine_is_kensho()) /* TSC stable, where CPUID says that the bit counts */
			EXPECT_EQ(1, pv->flags);
		EXPECT_EQ(0, pv->flags & ~1u); /* not "guest stopped" */
		EXPECT_TRUE(untouched(0, 64));
		EXPECT_TRUE(untouched(96, sizeof(page)));
		EXPECT_EQ(((u64)(uintptr_t)page + 64) | 1, rdmsr(msrs[i]));
		wrmsr(msrs[i], 0);
		EXPECT_EQ(0, rdmsr(msrs[i]));
	}
}

static void kvm_clock_version_moves(void)
{
	volatile struct pvclock *pv = clock_on(KVM_SYSTEM_TIME, 0);
	u32 first = pv->version;

	wrmsr(KVM_SYSTEM_TIME, (u64)(uintptr_t)page | 1);
	EXPECT_NE(first, pv->version);
	EXPECT_EQ(0, pv->version & 1);
	wrmsr(KVM_SYSTEM_TIME, 0);
}

/* mul and shift give the TSC frequency; Linux calibrates from them. */
static void kvm_clock_frequency(void)
{
	volatile struct pvclock *pv = clock_on(KVM_SYSTEM_TIME, 0);
	u64 hz = (1000000000ull << 32) / pv->mul;
	u64 f = pv->shift < 0 ? hz << -pv->shift : hz >> pv->shift;

	EXPECT_GE(pv->mul, 0x80000000u);
	EXPECT_GE(f, tsc_hz() - tsc_hz() / 500);
	EXPECT_LE(f, tsc_hz() + tsc_hz() / 500);
	wrmsr(KVM_SYSTEM_TIME, 0);
}

static void kvm_clock_against_pm_timer(void)
{
	volatile struct pvclock *pv = clock_on(KVM_SYSTEM_TIME, 128);
	u32 pm = pm_timer();
	u64 start = pvclock_read(pv), ns, want;

	delay_us(50000);
	ns = pvclock_read(pv) - start;
	want = ((pm_timer() - pm) & 0xffffff) * 1000000000ull / PM_TIMER_HZ;
	EXPECT_GE(ns, want - want / 200);
	EXPECT_LE(ns, want + want / 200);
	wrmsr(KVM_SYSTEM_TIME, 0);
}

static void kvm_clock_monotonic(void)
{
	volatile struct pvclock *pv = clock_on(KVM_SYSTEM_TIME, 0);
	u64 last = pvclock_read(pv);

	for (u32 i = 0; i < 200; i++) {
		u64 now;

		if (i % 10 == 0)
			wrmsr(KVM_SYSTEM_TIME, (u64)(uintptr_t)page | 1); /* a new sample */
		now = pvclock_read(pv);
		EXPECT_LE(last, now);
		last = now;
	}
	wrmsr(KVM_SYSTEM_TIME, 0);
}

/* A write to the TSC moves the page along: guest time goes on. */
static void kvm_clock_after_tsc_write(void)
{
	volatile struct pvclock *pv = clock_on(KVM_SYSTEM_TIME, 0);
	u64 adjust = rdmsr(0x3b), before = pvclock_read(pv), after;

	wrmsr(0x10, rdtsc() + (1ull << 36));
	(void)cpuid(0);
	after = pvclock_read(pv);
	wrmsr(0x3b, adjust);
	(void)cpuid(0);
	EXPECT_GE(after, before);
	EXPECT_LE(after - before, 1000000000ull);
	EXPECT_LE(pvclock_read(pv) - before, 1000000000ull);
	wrmsr(KVM_SYSTEM_TIME, 0);
}

/* After unregistering nobody writes the page any more. */
static void kvm_clock_unregister(void)
{
	(void)clock_on(KVM_SYSTEM_TIME, 256);
	wrmsr(KVM_SYSTEM_TIME, 0);
	memset(page, 0xa5, sizeof(page));
	wrmsr(0x3b, rdmsr(0x3b)); /* would force an update */
	delay_us(2000);
	(void)cpuid(0);
	EXPECT_TRUE(untouched(0, sizeof(page)));
}

/* Not enabled: the address is stored, nothing is written. */
static void kvm_clock_disabled_address(void)
{
	memset(page, 0xa5, sizeof(page));
	wrmsr(KVM_SYSTEM_TIME, (u64)(uintptr_t)page);
	EXPECT_EQ((u64)(uintptr_t)page, rdmsr(KVM_SYSTEM_TIME));
	EXPECT_TRUE(untouched(0, sizeof(page)));
	wrmsr(KVM_SYSTEM_TIME, 0);
}

/* 32 bytes across a page end, bit 1 set: refused or ignored, never written elsewhere. */
static void kvm_clock_misaligned(void)
{
	static const u32 offsets[] = { 4096 - 16, 4096 - 4, 2 };

	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		memset(page, 0xa5, sizeof(page));
		(void)try_wrmsr(KVM_SYSTEM_TIME, ((u64)(uintptr_t)page + offsets[i]) | 1);
		(void)cpuid(0);
		if (i < 2)
			EXPECT_TRUE(untouched(0, sizeof(page)));
		wrmsr(KVM_SYSTEM_TIME, 0);
	}
}

/* Addresses that are not the guest's RAM: #GP or silently inactive, and nothing is written. */
static void kvm_clock_bad_address(void)
{
	u64 region, len;
	const u64 bad[] = { 0xfee00000ull,     0xfec00000ull, 0xd0000000ull,        0xb8000ull,
			    GIB(4) + MIB(512), BIT64(45),     0xfffffffffffff000ull };
	u16 text = *(volatile u16 *)(uintptr_t)0xb8000;

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		u32 a = try_wrmsr(KVM_SYSTEM_TIME, bad[i] | 1);
		u32 b = try_wrmsr(KVM_WALL_CLOCK, bad[i]);

		EXPECT_TRUE(a == NO_FAULT || a == EXC_GP);
		EXPECT_TRUE(b == NO_FAULT || b == EXC_GP);
		wrmsr(KVM_SYSTEM_TIME, 0);
	}
	EXPECT_EQ(text, *(volatile u16 *)(uintptr_t)0xb8000);
	if (boot_hv_region(&region, &len)) {
		(void)try_wrmsr(KVM_SYSTEM_TIME, region | 1);
		(void)try_wrmsr(KVM_WALL_CLOCK, region + 4096);
		(void)cpuid(0);
		EXPECT_EQ(0xffffffff, mmio_read32(region));
		EXPECT_EQ(0xffffffff, mmio_read32(region + 4096));
		wrmsr(KVM_SYSTEM_TIME, 0);
	}
}

static u32 bcd(u8 val)
{
	return (val & 0xfu) + (val >> 4) * 10u;
}

/* Days since 1970 of a date of 1970-2099 (proleptic Gregorian, no table). */
static u64 days(u32 y, u32 m, u32 d)
{
	static const u16 before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	u64 n = (y - 1970) * 365ull + (y - 1969) / 4 + before[m - 1] + d - 1;

	return n + (m > 2 && y % 4 == 0);
}

static u64 rtc_seconds(void)
{
	u8 r[6], again;
	static const u8 index[] = { 0, 2, 4, 7, 8, 9 };

	do {
		while ((cmos_read(10) & 0x80) != 0)
			;
		for (u32 i = 0; i < 6; i++)
			r[i] = cmos_read(index[i]);
		again = cmos_read(0);
	} while (again != r[0]);
	if ((cmos_read(11) & 4) == 0) {
		for (u32 i = 0; i < 6; i++)
			r[i] = (u8)bcd(r[i]);
	}
	return days(2000u + r[5], r[4], r[3]) * 86400 + r[2] * 3600u + r[1] * 60u + r[0];
}

static void kvm_wall_clock(void)
{
	static const u32 msrs[] = { KVM_WALL_CLOCK, KVM_WALL_CLOCK_OLD };

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		volatile struct pvclock *pv = clock_on(KVM_SYSTEM_TIME, 0);
		volatile struct wall_clock *wall =
			(volatile struct wall_clock *)(uintptr_t)(page + 512);
		u64 now, rtc;

		wall->version = 0;
		wrmsr(msrs[i], (u64)(uintptr_t)wall);
		EXPECT_EQ(0, wall->version & 1);
		EXPECT_NE(0, wall->version);
		EXPECT_LE(wall->nsec, 999999999);
		EXPECT_TRUE(untouched(512 + 12, 1024));
		/* wall time now = time at the clock's zero + the clock; good to a second (T4) */
		now = wall->sec + (wall->nsec + pvclock_read(pv)) / 1000000000;
		rtc = rtc_seconds();
		EXPECT_GE(now, rtc - 2);
		EXPECT_LE(now, rtc + 2);
		EXPECT_EQ((u64)(uintptr_t)wall, rdmsr(msrs[i]));
		wrmsr(KVM_SYSTEM_TIME, 0);
	}
}

static void kvm_wall_clock_zero(void)
{
	memset(page, 0xa5, sizeof(page));
	wrmsr(KVM_WALL_CLOCK, 0); /* ignored: physical page 0 keeps its interrupt vectors */
	EXPECT_TRUE(untouched(0, sizeof(page)));
}

/* Leaf 10H: what TSC and APIC timer count by another clock. */
static void kvm_cpuid_freq(void)
{
	struct cpuid_regs r = cpuid(kvm_base() + 0x10);
	u32 pm, ticks;
	u64 want;

	EXPECT_GE(r.a, tsc_hz() / 1000 - tsc_hz() / 1000000);
	EXPECT_LE(r.a, tsc_hz() / 1000 + tsc_hz() / 1000000);
	EXPECT_EQ(0, r.c | r.d);
	apic_timer(APIC_TIMER_ONE_SHOT, 0x58, APIC_TDCR_BY_1);
	pm = pm_timer();
	apic_write(APIC_TMICT, 0xffffffff);
	while (((pm_timer() - pm) & 0xffffff) < PM_TIMER_HZ / 50)
		;
	ticks = 0xffffffff - apic_read(APIC_TMCCT);
	apic_write(APIC_TMICT, 0);
	want = (u64)r.b * 1000 / 50;
	EXPECT_GE(ticks, want - want / 50);
	EXPECT_LE(ticks, want + want / 50);
}

/* PV MSRs whose feature bit is not offered are #GP. */
static void kvm_msr_holes(void)
{
	static const struct {
		u32 msr, bits;                 /* of the features */
	} rows[] = { { 0x4b564d02, BIT32(4) }, /* asynchronous page faults */
		     { 0x4b564d06, BIT32(14) }, { 0x4b564d07, BIT32(14) },
		     { 0x4b564d08, BIT32(17) }, /* migration control */
		     { 0x4b564d09, 0 },         { 0x4b564dff, 0 } };

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 val;

		if ((kvm_features() & rows[i].bits) != 0)
			continue;
		EXPECT_REFUSED(try_rdmsr(rows[i].msr, &val) == EXC_GP);
		EXPECT_REFUSED(try_wrmsr(rows[i].msr, 0) == EXC_GP);
	}
}

static const struct test t_kvm_tests[] = {
	{ .name = "kvm_vmcall_unknown", .run = kvm_vmcall_unknown, .flags = T_ABI },
	{ .name = "kvm_vmcall_registers", .run = kvm_vmcall_registers, .flags = T_ABI },
	{ .name = "kvm_vmcall_cpl3", .run = kvm_vmcall_cpl3, .flags = T_ABI },
	{ .name = "kvm_vmcall_32bit", .run = kvm_vmcall_32bit, .flags = T_ABI },
	{ .name = "kvm_clock_page", .run = kvm_clock_page, .flags = T_ABI },
	{ .name = "kvm_clock_version_moves", .run = kvm_clock_version_moves, .flags = T_ABI },
	{ .name = "kvm_clock_frequency", .run = kvm_clock_frequency, .flags = T_ABI },
	{ .name = "kvm_clock_against_pm_timer", .run = kvm_clock_against_pm_timer, .flags = T_ABI },
	{ .name = "kvm_clock_monotonic", .run = kvm_clock_monotonic, .flags = T_ABI },
	{ .name = "kvm_clock_after_tsc_write", .run = kvm_clock_after_tsc_write, .flags = T_ABI },
	{ .name = "kvm_clock_unregister", .run = kvm_clock_unregister, .flags = T_ABI },
	{ .name = "kvm_clock_disabled_address", .run = kvm_clock_disabled_address, .flags = T_ABI },
	{ .name = "kvm_clock_misaligned", .run = kvm_clock_misaligned, .flags = T_ABI },
	{ .name = "kvm_clock_bad_address", .run = kvm_clock_bad_address, .flags = T_ABI },
	{ .name = "kvm_wall_clock", .run = kvm_wall_clock, .flags = T_ABI },
	{ .name = "kvm_wall_clock_zero", .run = kvm_wall_clock_zero, .flags = T_ABI },
	{ .name = "kvm_cpuid_freq", .run = kvm_cpuid_freq, .flags = T_ABI },
	{ .name = "kvm_msr_holes", .run = kvm_msr_holes, .flags = T_ABI },
};
TEST_GROUP(t_kvm);
