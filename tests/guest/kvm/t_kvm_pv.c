// SPDX-License-Identifier: BSD-2-Clause
// The KVM ABI beyond its clocks, on one CPU: each feature does what its CPUID bit says, or is not
// there at all. The same tests run with features on and off: they ask CPUID.

#include "tests/guest/kvm/t_kvm_pv.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

#define VEC 0x61

/* An MSR is there exactly when its bit is. */
static void kvmpv_msrs_follow_cpuid(void)
{
	static const struct {
		u32 msr;
		enum bit bit;
	} rows[] = { { 0x4b564d00, BIT_CLOCK2 },
		     { 0x4b564d01, BIT_CLOCK2 },
		     { STEAL_TIME, BIT_STEAL },
		     { PV_EOI_EN, BIT_EOI },
		     { POLL_CONTROL, BIT_POLL } };

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 val = 0;
		u32 got = try_rdmsr(rows[i].msr, &val);

		if (has(rows[i].bit)) {
			EXPECT_EQ(NO_FAULT, got);
			EXPECT_EQ(NO_FAULT, try_wrmsr(rows[i].msr, val));
		} else {
			EXPECT_REFUSED(got == EXC_GP);
			EXPECT_REFUSED(try_wrmsr(rows[i].msr, val) == EXC_GP);
		}
	}
}

static void call_follows(enum bit bit, s64 result)
{
	if (has(bit))
		EXPECT_EQ(0, result);
	else
		EXPECT_REFUSED(result == NOSYS);
}

static void kvmpv_calls_follow_cpuid(void)
{
	u64 nobody = 0xfffffff0;

	call_follows(BIT_UNHALT, kvm_call(KICK_CPU, 0, nobody, 0, 0));
	call_follows(BIT_IPI, kvm_call(SEND_IPI, 0, 0, 0, VEC));
	call_follows(BIT_YIELD, kvm_call(SCHED_YIELD, nobody, 0, 0, 0));
	call_follows(BIT_YIELD, kvm_call(SCHED_YIELD, apic_id(), 0, 0, 0));
	EXPECT_EQ(NOSYS, kvm_call(12, addr(0), 1, 0, 0));
}

/* --- steal time --- */

static void kvmpv_steal_msr(void)
{
	if (!need(BIT_STEAL))
		return;
	for (u32 bit = 1; bit <= 5; bit++)
		EXPECT_EQ(EXC_GP, try_wrmsr(STEAL_TIME, addr(0) | BIT64(bit) | 1));
	steal_on(0);
	EXPECT_EQ(addr(0) | 1, rdmsr(STEAL_TIME));
	EXPECT_EQ(0, steal_of(0)->version & 1);
	EXPECT_EQ(0, steal_of(0)->flags | steal_of(0)->preempted);
	steal_off(0);
	EXPECT_EQ(0, rdmsr(STEAL_TIME));
}

/* --- PV EOI --- */

static volatile u32 eoi_count, eoi_lazy;

/* What Linux does: test and clear the bit; the register only when it was 0. */
static void pv_eoi(void)
{
	bool armed;

	asm volatile("btrl $0, %0" : "+m"(*(u32 *)(void *)page), "=@ccc"(armed) : : "memory");
	if (armed)
		eoi_lazy++;
	else
		apic_eoi();
}

static void eoi_irq(struct trap_regs *regs)
{
	eoi_count++;
	pv_eoi();
}

static void eoi_register_irq(struct trap_regs *regs)
{
	eoi_count++;
	apic_eoi();
}

static bool eoi_begin(trap_handler fn)
{
	if (!need(BIT_EOI))
		return false;
	eoi_count = 0;
	eoi_lazy = 0;
	trap_handle(VEC, fn);
	trap_handle(VEC + 0x20, fn);
	wrmsr(PV_EOI_EN, addr(0) | 1);
	return true;
}

static void eoi_end(void)
{
	wrmsr(PV_EOI_EN, 0);
	cli();
	EXPECT_TRUE(!apic_in_service(VEC));
	EXPECT_TRUE(!apic_in_service(VEC + 0x20));
	EXPECT_EQ(0, page[0]);
}

static void kvmpv_eoi_msr(void)
{
	u64 region, len;

	if (!need(BIT_EOI))
		return;
	EXPECT_EQ(EXC_GP, try_wrmsr(PV_EOI_EN, 2));
	EXPECT_EQ(EXC_GP, try_wrmsr(PV_EOI_EN, addr(0) | 3));
	EXPECT_EQ(EXC_GP, try_wrmsr(PV_EOI_EN, 0xfee00001));
	if (boot_hv_region(&region, &len))
		EXPECT_EQ(EXC_GP, try_wrmsr(PV_EOI_EN, region | 1));
	EXPECT_EQ(0, rdmsr(PV_EOI_EN));
	wrmsr(PV_EOI_EN, addr(0) | 1);
	EXPECT_EQ(addr(0) | 1, rdmsr(PV_EOI_EN));
	wrmsr(PV_EOI_EN, 0);
}

/* One after another: each handler ends its own, whichever way it is offered. */
static void kvmpv_eoi_each(void)
{
	if (!eoi_begin(eoi_irq))
		return;
	for (u32 i = 0; i < 100; i++) {
		apic_self_ipi(VEC);
		sti_nop_cli();
		EXPECT_EQ(i + 1, eoi_count);
	}
	tap_printf("# %u of %u EOIs without an exit\n", eoi_lazy, eoi_count);
	eoi_end();
}

/* The guest need not take the offer. */
static void kvmpv_eoi_by_register(void)
{
	if (!eoi_begin(eoi_register_irq))
		return;
	for (u32 i = 0; i < 50; i++) {
		apic_self_ipi(VEC);
		apic_self_ipi(VEC + 0x20);
		sti_nop_cli();
		EXPECT_EQ(2 * i + 2, eoi_count);
	}
	eoi_end();
}

static void eoi_nest_irq(struct trap_regs *regs)
{
	if (regs->vector == VEC) { /* the higher one comes in between, then this one ends */
		u32 before = eoi_count;

		apic_self_ipi(VEC + 0x20);
		sti_nop_cli();
		EXPECT_EQ(before + 1, eoi_count);
	}
	eoi_count++;
	pv_eoi();
}

static void kvmpv_eoi_nested(void)
{
	if (!eoi_begin(eoi_nest_irq))
		return;
	for (u32 i = 0; i < 50; i++) {
		apic_self_ipi(VEC);
		sti_nop_cli();
		EXPECT_EQ(2 * i + 2, eoi_count);
	}
	eoi_end();
}

/* A lower one that waits is delivered when the higher one ends. */
static void kvmpv_eoi_waiting(void)
{
	if (!eoi_begin(eoi_irq))
		return;
	for (u32 i = 0; i < 50; i++) {
		apic_self_ipi(VEC);
		apic_self_ipi(VEC + 0x20);
		sti_nop_cli();
		EXPECT_EQ(2 * i + 2, eoi_count);
	}
	eoi_end();
}

/* --- kicks and IPIs --- */

/* Sticky: a kick before HLT makes that HLT return, with interrupts off. */
static void kvmpv_kick_is_sticky(void)
{
	if (!need(BIT_UNHALT))
		return;
	for (u32 i = 0; i < 20; i++) {
		EXPECT_EQ(0, kvm_call(KICK_CPU, 0, apic_id(), 0, 0));
		asm volatile("hlt" : : : "memory"); /* for ever, were it not for the kick */
	}
}

static volatile u32 self_hits;

static void self_irq(struct trap_regs *regs)
{
	self_hits++;
	apic_eoi();
}

static void kvmpv_send_ipi_to_self(void)
{
	if (!need(BIT_IPI))
		return;
	self_hits = 0;
	trap_handle(VEC, self_irq);
	EXPECT_EQ(1, kvm_call(SEND_IPI, 1, 0, apic_id(), VEC));
	sti_nop_cli();
	EXPECT_EQ(1, self_hits);
	EXPECT_EQ(0, kvm_call(SEND_IPI, ~0ull, ~0ull, 0xffffff00, VEC));
}

/* --- polling, clock pairing --- */

static void kvmpv_poll_control(void)
{
	if (!need(BIT_POLL))
		return;
	EXPECT_EQ(1, rdmsr(POLL_CONTROL));
	for (u32 bit = 1; bit < 64; bit += 7)
		EXPECT_EQ(EXC_GP, try_wrmsr(POLL_CONTROL, BIT64(bit)));
	wrmsr(POLL_CONTROL, 0);
	EXPECT_EQ(0, rdmsr(POLL_CONTROL));
	wrmsr(POLL_CONTROL, 1);
}

struct pairing {
	s64 sec, nsec;
	u64 tsc;
	u32 flags, pad[9];
};

static void kvmpv_clock_pairing(void)
{
	volatile struct pairing *a = (volatile struct pairing *)(uintptr_t)page;
	volatile struct pairing *b = a + 1;
	u64 before, after, ns;

	s64 result;

	memset(page, 0xa5, sizeof(page));
	before = rdtsc();
	result = kvm_call(CLOCK_PAIRING, addr(0), 0, 0, 0);
	after = rdtsc();
	if (result == NOTSUPP && !machine_is_kensho())
		return test_skip("the host's clock source is not the TSC");
	EXPECT_EQ(0, result);
	EXPECT_GE(a->tsc, before);
	EXPECT_LE(a->tsc, after);
	EXPECT_LE(a->nsec, 999999999);
	EXPECT_EQ(0, a->flags | a->pad[0] | a->pad[8]);
	EXPECT_EQ(0xa5, page[64]);
	delay_us(20000);
	EXPECT_EQ(0, kvm_call(CLOCK_PAIRING, addr(64), 0, 0, 0));
	ns = (u64)(b->sec - a->sec) * 1000000000ull + (u64)(b->nsec - a->nsec);
	EXPECT_GE(ns, (b->tsc - a->tsc) * 998 / 1000 * 1000000 / (tsc_hz() / 1000));
	EXPECT_LE(ns, (b->tsc - a->tsc) * 1002 / 1000 * 1000000 / (tsc_hz() / 1000));
	EXPECT_EQ(NOTSUPP, kvm_call(CLOCK_PAIRING, addr(0), 1, 0, 0));
	EXPECT_EQ(FAULT, kvm_call(CLOCK_PAIRING, 0xfee00000, 0, 0, 0));
	EXPECT_EQ(FAULT, kvm_call(CLOCK_PAIRING, BIT64(45), 0, 0, 0));
}

/* --- what takes time: rows of their own --- */

#define SYSTEM_TIME   0x4b564d01u
#define FLAGS_OFFSET  29 /* in struct pvclock_vcpu_time_info */
#define GUEST_STOPPED 2

/* test_fault=pause: the flag is set after each pause, and stays clear when it was cleared. */
static void kvmslow_pause(void)
{
	volatile u8 *flags = page + FLAGS_OFFSET;
	volatile struct steal *s = steal_of(1);

	memset(page, 0, sizeof(page));
	wrmsr(SYSTEM_TIME, addr(0) | 1);
	steal_on(1);
	for (u32 i = 0; i < 2; i++) {
		u64 stolen = s->steal;

		*flags &= (u8)~GUEST_STOPPED;
		EXPECT_TRUE(WAIT_FOR((*flags & GUEST_STOPPED) != 0, 7000000));
		EXPECT_GE(s->steal - stolen, 499000000);
		EXPECT_LE(s->steal - stolen, 510000000);
	}
	steal_off(0);
	wrmsr(SYSTEM_TIME, 0);
}

/* kvmclock_periodic_sync: 300 s later the page is written again, with the same sample. */
static void kvmslow_sync(void)
{
	volatile u32 *version = (volatile u32 *)(uintptr_t)page;
	u64 end = rdtsc() + 302 * tsc_hz();
	u8 before[32];
	u32 first;

	memset(page, 0, sizeof(page));
	wrmsr(SYSTEM_TIME, addr(0) | 1);
	first = *version;
	memcpy(before, page, sizeof(before));
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	apic_deadline(end);
	while (rdtsc() < end)
		sti_hlt_cli();
	EXPECT_EQ(first + 2 * cmdline_number("sync", 1), *version);
	for (u32 i = 4; i < sizeof(before); i++)
		EXPECT_EQ(before[i], page[i]);
	wrmsr(SYSTEM_TIME, 0);
}

/* --- hostile guests --- */

static u64 seed = 0x4b564d;

static u64 random(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed ^ seed >> 29;
}

/* Every MSR with every single bit and with random values: #GP or nothing bad. */
static void kvmpv_msr_patterns(void)
{
	u64 region = 0, len = 0;

	(void)boot_hv_region(&region, &len);
	for (u32 nr = 0; nr < 16; nr++) {
		u32 msr = nr < 2 ? 0x11 + nr : 0x4b564d00 + nr - 2;
		u64 val, old = 0;

		if (try_rdmsr(msr, &old) != NO_FAULT)
			old = 0;
		for (u32 i = 0; i < 64 + 64; i++) {
			/* never in the low 16 MiB: an address there would be this program's */
			val = i < 64 ? BIT64(i) | 1 : random() | BIT64(40) | 1;
			if (val < MIB(16))
				val = MIB(15) | (val & 0x3f); /* nobody uses it */
			(void)try_wrmsr(msr, val);
			(void)try_wrmsr(msr, region + (val & 0xfff));
		}
		(void)try_wrmsr(msr, 0);
		(void)try_wrmsr(msr, old);
	}
	EXPECT_EQ(0xffffffff, region != 0 ? mmio_read32(region) : 0xffffffff);
	if (has(BIT_POLL))
		wrmsr(POLL_CONTROL, 1);
}

static u64 user_random_calls(u64 count)
{
	for (u64 i = 0; i < count; i++) {
		if (kvm_call(random() % 16, random(), random(), random(), random()) != -1)
			return 0;
	}
	return 1;
}

static void kvmpv_random_calls(void)
{
	EXPECT_EQ(1, user_call(user_random_calls, 50));
	trap_handle(VEC, self_irq);
	for (u32 i = 0; i < 500; i++) {
		u64 nr = random() % 16;

		if (nr == SEND_IPI) /* anything but INIT and SIPI of this CPU */
			(void)kvm_call(nr, random(), random(), random() | BIT32(20), random());
		else if (nr == CLOCK_PAIRING)
			(void)kvm_call(nr, random() | BIT64(40), random() % 2, random(), random());
		else
			(void)kvm_call(nr, random(), random(), random(), random());
	}
	if (has(BIT_UNHALT)) { /* whatever the above left: one kick, and the HLT that it ends */
		EXPECT_EQ(0, kvm_call(KICK_CPU, 0, apic_id(), 0, 0));
		asm volatile("hlt" : : : "memory");
	}
}

#define ROW(fn)                                        \
	{                                              \
		.name = #fn, .run = fn, .flags = T_ABI \
	}

#define ROW_NAMED(fn)                                               \
	{                                                           \
		.name = #fn, .run = fn, .flags = T_KENSHO | T_NAMED \
	}

static const struct test t_kvm_pv_tests[] = {
	ROW_NAMED(kvmslow_pause),      ROW_NAMED(kvmslow_sync),    ROW(kvmpv_msrs_follow_cpuid),
	ROW(kvmpv_calls_follow_cpuid), ROW(kvmpv_steal_msr),       ROW(kvmpv_eoi_msr),
	ROW(kvmpv_eoi_each),           ROW(kvmpv_eoi_by_register), ROW(kvmpv_eoi_nested),
	ROW(kvmpv_eoi_waiting),        ROW(kvmpv_kick_is_sticky),  ROW(kvmpv_send_ipi_to_self),
	ROW(kvmpv_poll_control),       ROW(kvmpv_clock_pairing),   ROW(kvmpv_msr_patterns),
	ROW(kvmpv_random_calls),
};
TEST_GROUP(t_kvm_pv);
