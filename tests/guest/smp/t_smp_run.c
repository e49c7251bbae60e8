// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs at once: clocks against each other, timers, rings and floods of IPIs.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

#define KVM_SYSTEM_TIME 0x4b564d01u
#define TIMER_VEC       0x56

/* --- clocks --- */

#define TURNS 1000

static volatile u32 turn; /* even: CPU 0's, odd: the other's */
static volatile u64 last_time;
static volatile u32 went_back;
static u64 (*clock_read)(void);

static void take_turns(u64 parity)
{
	for (u32 i = 0; i < TURNS; i++) {
		u64 now;

		while (LOAD_ACQUIRE(turn) % 2 != parity)
			cpu_relax();
		now = clock_read();
		if (now < last_time)
			went_back++;
		last_time = now;
		STORE_RELEASE(turn, turn + 1);
	}
}

/* The clock of every CPU against CPU 0's, each reading ordered after the previous one. */
static void compare_clocks(u64 (*read)(void))
{
	clock_read = read;
	for (u32 i = 1; i < smp_count(); i++) {
		turn = 0;
		last_time = 0;
		went_back = 0;
		smp_call(i, take_turns, 1);
		take_turns(0);
		EXPECT_TRUE(smp_wait(i));
		EXPECT_EQ(0, went_back);
	}
}

static void tsc_equal(void)
{
	if (smp_begin())
		compare_clocks(rdtsc);
}

static volatile u64 seen_tsc, seen_adjust;

static void report_tsc(u64 unused)
{
	seen_tsc = rdtsc();
	seen_adjust = rdmsr(MSR_IA32_TSC_ADJUST);
}

static void write_tsc(u64 add)
{
	wrmsr(MSR_IA32_TSC, rdtsc() + add);
}

static void write_adjust(u64 val)
{
	wrmsr(MSR_IA32_TSC_ADJUST, val);
}

/* WRMSR TSC on one CPU: its TSC and TSC_ADJUST move, nobody else's. */
static void tsc_write(void)
{
	const u64 jump = 1ull << 40;
	u64 adjust;

	if (!smp_begin())
		return;
	EXPECT_TRUE(smp_run(1, report_tsc, 0));
	adjust = seen_adjust;
	EXPECT_TRUE(smp_run(1, write_tsc, jump));
	for (u32 i = 1; i < smp_count(); i++) {
		EXPECT_TRUE(smp_run(i, report_tsc, 0));
		if (i == 1) {
			EXPECT_GE(seen_tsc, rdtsc() + jump / 2);
			EXPECT_GE(seen_adjust, adjust + jump - jump / 100);
		} else {
			EXPECT_LE(seen_tsc, rdtsc());
			EXPECT_EQ(adjust, seen_adjust);
		}
	}
	EXPECT_TRUE(smp_run(1, write_adjust, adjust));
	compare_clocks(rdtsc);
}

struct pvclock {
	u32 version, pad;
	u64 tsc_timestamp, system_time;
	u32 mul;
	s8 shift;
	u8 flags, pad2[2];
};

static volatile struct pvclock pages[SMP_MAX] ALIGNED(4096);

static u64 pvclock_read(void)
{
	const volatile struct pvclock *pv = &pages[smp_self()];
	u32 version;
	u64 delta, ns;

	do {
		version = pv->version;
		delta = rdtsc() - pv->tsc_timestamp;
		delta = pv->shift >= 0 ? delta << pv->shift : delta >> -pv->shift;
		ns = pv->system_time + (u64)(((unsigned __int128)delta * pv->mul) >> 32);
	} while ((version & 1) != 0 || version != pv->version);
	return ns;
}

static void clock_page(u64 on)
{
	wrmsr(KVM_SYSTEM_TIME, on ? (u64)(uintptr_t)&pages[smp_self()] | 1 : 0);
}

static void clock_everywhere(u64 on)
{
	clock_page(on);
	for (u32 i = 1; i < smp_count(); i++) {
		EXPECT_TRUE(smp_run(i, clock_page, on));
		if (on)
			EXPECT_NE(0, pages[i].mul);
	}
}

static void kvmclock(void)
{
	if (!smp_begin())
		return;
	clock_everywhere(1);
	EXPECT_EQ(1, pages[0].flags); /* stable: equal on all CPUs */
	compare_clocks(pvclock_read);
	clock_everywhere(0);
}

/* A TSC that moves, and back: every page that is registered is written twice. */
static void rewrite_clocks(void)
{
	u64 adjust = rdmsr(MSR_IA32_TSC_ADJUST);

	wrmsr(MSR_IA32_TSC_ADJUST, adjust + 1000);
	wrmsr(MSR_IA32_TSC_ADJUST, adjust);
}

/* INIT drops the registration of its CPU: the page is memory again. */
static void kvmclock_init(void)
{
	volatile struct pvclock *pv = &pages[1];

	if (!smp_begin())
		return;
	EXPECT_TRUE(smp_run(1, clock_page, 1));
	REQUIRE(smp_restart(1));
	pv->version = 0x5a5a5a5a;
	pv->mul = 0;
	rewrite_clocks();
	EXPECT_TRUE(smp_run(1, clock_page, 0));
	EXPECT_EQ(0x5a5a5a5a, pv->version);
	EXPECT_EQ(0, pv->mul);
}

static volatile struct pvclock new_pages[SMP_MAX] ALIGNED(4096);

static void new_clock_page(u64 on)
{
	wrmsr(KVM_SYSTEM_TIME, on ? (u64)(uintptr_t)&new_pages[smp_self()] | 1 : 0);
}

/*
 * As by kexec: the old kernel takes its own registration back and stops the others by INIT, the new
 * one registers pages of its own. What it has in the place of the old pages is never written.
 */
static void kvmclock_kexec(void)
{
	volatile u8 *old = (volatile u8 *)pages;
	u32 changed = 0;

	if (!smp_begin())
		return;
	clock_everywhere(1);
	rewrite_clocks();
	EXPECT_NE(0, pages[0].version);
	clock_page(0);
	smp_stop();
	for (u32 i = 0; i < sizeof(pages); i++)
		old[i] = 0xa5;
	REQUIRE(smp_start());
	rewrite_clocks();
	new_clock_page(1);
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_run(i, new_clock_page, 1));
	for (u32 i = 0; i < smp_count(); i++) {
		u32 version = new_pages[i].version;

		rewrite_clocks();
		EXPECT_NE(version, new_pages[i].version); /* it does write */
		EXPECT_NE(0, new_pages[i].mul);
	}
	for (u32 i = 0; i < sizeof(pages); i++)
		changed += old[i] != 0xa5;
	EXPECT_EQ(0, changed);
	new_clock_page(0);
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_run(i, new_clock_page, 0));
}

/* --- timers --- */

static u32 apic_ms; /* timer counts of a millisecond; not the TSC's everywhere */

static void measure_timer(void)
{
	apic_timer(APIC_TIMER_ONE_SHOT, TIMER_VEC, APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, 0xffffffff);
	delay_us(2000);
	apic_ms = (0xffffffff - apic_read(APIC_TMCCT)) / 2;
	apic_write(APIC_TMICT, 0);
}

static u32 period_of(u32 cpu)
{
	return apic_ms / 10 * (10 + cpu);
}

static void start_timer(u64 halt)
{

	apic_timer(APIC_TIMER_PERIODIC, TIMER_VEC, APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, period_of(smp_self()));
	while (!smp_quit) {
		if (halt)
			sti_hlt_cli();
		else
			sti_nop_cli();
	}
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	sti_nop_cli();
}

/* Periodic on all CPUs, each with its own period: 1 ms, 1.1 ms, ... */
static void timers(void)
{
	if (!smp_begin())
		return;
	measure_timer();
	for (u32 halt = 0; halt < 2; halt++) {
		u64 start = rdtsc();

		trap_handle(TIMER_VEC, smp_irq);
		smp_quit = false;
		for (u32 i = 0; i < smp_count(); i++)
			smp_hits[i] = 0;
		for (u32 i = 1; i < smp_count(); i++)
			smp_call(i, start_timer, halt);
		apic_timer(APIC_TIMER_PERIODIC, TIMER_VEC, APIC_TDCR_BY_1);
		apic_write(APIC_TMICT, period_of(0));
		while (smp_hits[0] < 40 && rdtsc() - start < us_to_tsc(1000000)) {
			if (halt)
				sti_hlt_cli();
			else
				sti_nop_cli();
		}
		smp_quit = true;
		apic_write(APIC_TMICT, 0);
		for (u32 i = 1; i < smp_count(); i++) {
			u64 want = smp_hits[0] * 10ull / (10 + i);

			EXPECT_TRUE(smp_wait(i));
			EXPECT_GE(smp_hits[i], want - 4);
			EXPECT_LE(smp_hits[i], want + 4);
		}
	}
}

static void deadline_irq(struct trap_regs *regs)
{
	smp_hits[smp_self()]++;
	apic_deadline(rdtsc() + 5000 + 500 * smp_self());
	apic_eoi();
}

static void halt_deadlines(u64 unused)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, TIMER_VEC, APIC_TDCR_BY_1);
	apic_deadline(rdtsc() + 1000);
	while (!smp_quit)
		sti_hlt_cli();
	apic_deadline(0);
	sti_nop_cli();
	apic_deadline(0);
}

static void deadlines(void)
{
	if (!smp_begin())
		return;
	trap_handle(TIMER_VEC, deadline_irq);
	REQUIRE(smp_all(halt_deadlines, 0));
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(WAIT_FOR(smp_hits[i] >= 30, 100000));
	EXPECT_TRUE(smp_end());
}

/* --- rings: each interrupt is passed on by its handler, so none may be lost or doubled --- */

#define RING_VEC  0x57 /* upwards; + 0x10: downwards */
#define RING_HOPS 2000u

static volatile u32 hops[2];

static void ring_send(u32 down)
{
	u32 n = smp_count(), to = (smp_self() + (down != 0 ? n - 1 : 1)) % n;

	apic_icr(smp_ids[to], RING_VEC + down * 0x10 + ASSERT);
}

static void ring_irq(struct trap_regs *regs)
{
	u32 down = regs->vector != RING_VEC;

	smp_hits[smp_self()]++;
	apic_eoi();
	if (__atomic_add_fetch(&hops[down], 1, __ATOMIC_RELAXED) < RING_HOPS)
		ring_send(down);
}

/* What CPU n does while it waits: spin, exit all the time, halt. */
static void ring_wait(u64 kind)
{
	while (!smp_quit) {
		if (kind == 2) {
			sti_hlt_cli();
			continue;
		}
		sti();
		if (kind == 1)
			(void)cpuid(0);
		cpu_relax();
		cli();
	}
}

/* Only ends a HLT. */
static void wake_irq(struct trap_regs *regs)
{
	apic_eoi();
}

static void ring_run(u32 both, u32 kinds)
{
	u32 total = 0, want = RING_HOPS * (both + 1);

	for (u32 i = 0; i < smp_count(); i++)
		smp_hits[i] = 0;
	hops[0] = hops[1] = 0;
	smp_quit = false;
	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, ring_wait, (kinds + i) % 3);
	ring_send(0);
	if (both != 0)
		ring_send(1);
	sti();
	(void)WAIT_FOR(hops[0] + hops[1] >= want, 2000000);
	delay_us(200);
	cli();
	smp_quit = true;
	apic_icr(0, SMP_VEC | ASSERT | (u32)FIELD_PREP(APIC_ICR_SHORTHAND, APIC_SHORTHAND_OTHERS));
	EXPECT_TRUE(smp_end());
	EXPECT_EQ(RING_HOPS, hops[0]);
	EXPECT_EQ(both != 0 ? RING_HOPS : 0, hops[1]);
	for (u32 i = 0; i < smp_count(); i++)
		total += smp_hits[i];
	EXPECT_EQ(want, total);
}

static void ring(void)
{
	if (!smp_begin())
		return;
	trap_handle(SMP_VEC, wake_irq);
	trap_handle(RING_VEC, ring_irq);
	trap_handle(RING_VEC + 0x10, ring_irq);
	for (u32 kinds = 0; kinds < 3; kinds++) {
		ring_run(0, kinds);
		ring_run(1, kinds);
	}
}

/* --- floods: the vector tells the sender; what was sent before the last one must be seen --- */

#define FROM_VEC(from) (0x68 + ((from) << 4)) /* not 0x80 and 0x81 */
#define FLOOD_ROUNDS   300

static volatile u32 sent[SMP_MAX][SMP_MAX]; /* [to][from] */
static volatile u32 seen[SMP_MAX][SMP_MAX];

static void flood_irq(struct trap_regs *regs)
{
	u32 self = smp_self(), from = ((u32)regs->vector - FROM_VEC(0)) >> 4;

	apic_eoi(); /* before the look: an IPI from now on comes again */
	seen[self][from] = LOAD_ACQUIRE(sent[self][from]);
	smp_hits[self]++;
}

static void flood_begin(void)
{
	for (u32 i = 0; i < SMP_MAX; i++) {
		trap_handle(FROM_VEC(i), flood_irq);
		for (u32 j = 0; j < SMP_MAX; j++)
			sent[i][j] = seen[i][j] = 0;
	}
}

static void send_to(u32 to)
{
	u32 self = smp_self();

	STORE_RELEASE(sent[to][self], sent[to][self] + 1);
	cli(); /* ICR and ICR2 are two writes */
	apic_icr(smp_ids[to], FROM_VEC(self) | ASSERT);
	sti();
}

static void flood(u64 unused)
{
	for (u32 round = 0; round < FLOOD_ROUNDS; round++) {
		for (u32 i = 0; i < smp_count(); i++) {
			if (i != smp_self())
				send_to(i);
		}
	}
	smp_spin(1);
}

static void expect_all_seen(void)
{
	for (u32 to = 0; to < smp_count(); to++) {
		for (u32 from = 0; from < smp_count(); from++) {
			if (!WAIT_FOR(seen[to][from] == sent[to][from], 20000))
				test_expect(false, "sent to << 8 | from", "seen", seen[to][from],
					    (u64)sent[to][from] << 16 | to << 8 | from, __FILE__,
					    __LINE__);
		}
	}
}

static void flood_all(void)
{
	if (!smp_begin())
		return;
	flood_begin();
	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, flood, 0);
	smp_quit = false;
	for (u32 round = 0; round < FLOOD_ROUNDS; round++) {
		for (u32 i = 1; i < smp_count(); i++)
			send_to(i);
	}
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(WAIT_FOR(sent[0][i] == FLOOD_ROUNDS && smp_beat[i] != 0, 1000000));
	expect_all_seen();
	cli();
	EXPECT_TRUE(smp_end());
}

#define BOTH(prefix, more)                                                       \
	{ .name = prefix "timers", .run = timers, .flags = more },               \
		{ .name = prefix "deadlines", .run = deadlines, .flags = more }, \
		{ .name = prefix "ring", .run = ring, .flags = more },           \
	{                                                                        \
		.name = prefix "flood", .run = flood_all, .flags = more          \
	}

static const struct test t_smp_run_tests[] = {
	{ .name = "smp_tsc_equal", .run = tsc_equal },
	{ .name = "smp_tsc_write", .run = tsc_write },
	{ .name = "smp_kvmclock", .run = kvmclock, .flags = T_KENSHO },
	{ .name = "smp_kvmclock_init", .run = kvmclock_init, .flags = T_KENSHO },
	{ .name = "smp_kvmclock_kexec", .run = kvmclock_kexec, .flags = T_KENSHO },
	BOTH("smp_", 0),
	BOTH("smp_x2_", T_X2APIC),
};
TEST_GROUP(t_smp_run);
