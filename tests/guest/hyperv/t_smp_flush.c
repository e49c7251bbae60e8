// SPDX-License-Identifier: BSD-2-Clause
// Flush hypercalls between CPUs (hv/hyperv/tlbflush.c, core/vp/tlb_flush.c): who is named sees the
// new page from the return of the call on, whatever it does meanwhile. The others watch a page
// without an exit, so that what they see is what their TLBs hold.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/flush.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

#define ROUNDS 10

static volatile u32 *window;
static volatile u32 want[SMP_MAX]; /* what a CPU must see; 0: anything */
static volatile u32 seen[SMP_MAX], checks[SMP_MAX], wrong[SMP_MAX];
static volatile u32 vp_of[SMP_MAX];

static void read_index(u64 cpu)
{
	vp_of[cpu] = (u32)rdmsr(HV_X64_MSR_VP_INDEX);
}

/* What is wanted is read before and after: only then does it hold for the value. */
static void watch(u64 unused)
{
	u32 cpu = smp_self();

	while (!smp_quit) {
		u32 before = want[cpu], val = *window;

		seen[cpu] = val;
		smp_beat[cpu]++;
		if (before == 0 || want[cpu] != before)
			continue;
		checks[cpu]++;
		if (val != before)
			wrong[cpu]++;
	}
}

static bool begin(void)
{
	if (!flush_begin())
		return false;
	if (!smp_begin()) {
		hyperv_end();
		return false;
	}
	window = flush_window();
	for (u32 cpu = 0; cpu < smp_count(); cpu++) {
		want[cpu] = checks[cpu] = wrong[cpu] = 0;
		if (cpu == 0)
			read_index(0);
		else
			EXPECT_TRUE(smp_run(cpu, read_index, cpu));
	}
	return true;
}

static void end(void)
{
	EXPECT_TRUE(smp_end());
	smp_stop();
	hyperv_end();
}

/* Everybody has the page in its TLB, then it is another one. Returns its number. */
static u32 change_page(void)
{
	static u32 number = 1;

	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		want[cpu] = 0;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		EXPECT_TRUE(smp_beats(cpu));
		EXPECT_TRUE(smp_beats(cpu));
	}
	number = 3 - number;
	flush_map(number);
	return number;
}

/* The CPUs of @cpus see page @number and no other from now on. */
static void expect_page(u32 number, u32 cpus)
{
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		if (cpus >> cpu & 1)
			want[cpu] = number;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		u32 before = checks[cpu];

		if (!(cpus >> cpu & 1))
			continue;
		EXPECT_TRUE(WAIT_FOR(checks[cpu] > before + 20, 20000));
		EXPECT_AT(wrong[cpu] == 0, "CPU %u saw the old page %u times", cpu, wrong[cpu]);
		wrong[cpu] = 0;
	}
}

static u64 vps_of(u32 cpus)
{
	u64 vps = 0;

	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		vps |= cpus >> cpu & 1 ? BIT64(vp_of[cpu]) : 0;
	return vps;
}

/* Without a flush the old page stays in sight, and another CPU's flush does not change that. */
static void smp_hvflush_control(void)
{
	u32 last, number;

	if (!begin())
		return;
	last = smp_count() - 1;
	EXPECT_TRUE(smp_all(watch, 0));
	for (u32 round = 0; round < ROUNDS; round++) {
		number = change_page();
		delay_us(50);
		EXPECT_EQ(3 - number, seen[last]);
		EXPECT_TRUE(flush_do(0, BIT64(vp_of[0])));
		delay_us(50);
		EXPECT_EQ(3 - number, seen[last]);
		EXPECT_TRUE(flush_do(0, BIT64(vp_of[last])));
		expect_page(number, 1u << last);
	}
	end();
}

static void every_variant(u32 cpus)
{
	u32 others = (1u << smp_count()) - 2;

	for (u32 i = 0; i < FLUSH_VARIANTS; i++) {
		for (u32 round = 0; flush_applies(i) && round < ROUNDS; round++) {
			u32 number = change_page();

			EXPECT_AT(flush_do(i, vps_of(cpus)), "variant %u", i);
			expect_page(number, flush_names_all(i) ? others : cpus);
		}
	}
}

static void smp_hvflush_one(void)
{
	if (!begin())
		return;
	EXPECT_TRUE(smp_all(watch, 0));
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		every_variant(1u << cpu);
	end();
}

static void smp_hvflush_all(void)
{
	if (!begin())
		return;
	EXPECT_TRUE(smp_all(watch, 0));
	every_variant((1u << smp_count()) - 1);
	end();
}

/* --- targets that do not run --- */

static void halt_then_look(u64 interrupts)
{
	u32 cpu = smp_self();

	(void)*window;
	smp_beat[cpu]++;
	if (interrupts)
		asm volatile("sti; hlt; cli" : : : "memory");
	else
		asm volatile("hlt" : : : "memory");
	seen[cpu] = *window;
}

static void wake_by_nmi(struct trap_regs *regs)
{
}

/* Asleep: the call returns at once, no IPI is sent; the sleeper flushes when it wakes. */
static void smp_hvflush_halted(void)
{
	if (!begin())
		return;
	trap_handle(EXC_NMI, wake_by_nmi);
	for (u32 round = 0; round < 2 * ROUNDS; round++) {
		u32 number = round % 2 + 1, interrupts = round / 2 % 2;

		flush_map(3 - number);
		for (u32 cpu = 1; cpu < smp_count(); cpu++)
			EXPECT_TRUE(smp_call_beats(cpu, halt_then_look, interrupts));
		delay_us(500); /* longer than halt polling */
		flush_map(number);
		EXPECT_TRUE(flush_do(2, 0));
		EXPECT_TRUE(flush_do(2, 0)); /* it has the work already */
		for (u32 cpu = 1; cpu < smp_count(); cpu++) {
			apic_icr(smp_ids[cpu], interrupts ? SMP_VEC | ASSERT : NMI);
			EXPECT_TRUE(smp_wait(cpu));
			EXPECT_EQ(number, seen[cpu]);
		}
	}
	counter_want("TLB_FLUSH_LATER", 2ull * 2 * ROUNDS * (smp_count() - 1));
	end();
}

/* Waiting for a SIPI. */
static void smp_hvflush_stopped(void)
{
	if (!begin())
		return;
	for (u32 round = 0; round < 4; round++) {
		u32 number;

		EXPECT_TRUE(smp_all(watch, 0));
		number = change_page();
		for (u32 cpu = 1; cpu < smp_count(); cpu++)
			smp_send_init(cpu);
		delay_us(2000); /* an INIT is a long way through root */
		EXPECT_TRUE(flush_do(2, 0));
		REQUIRE(smp_start());
		EXPECT_TRUE(smp_all(watch, 0));
		expect_page(number, (1u << smp_count()) - 2);
		EXPECT_TRUE(smp_end());
		smp_quit = false;
	}
	counter_want("TLB_FLUSH_LATER", 4ull * (smp_count() - 1));
	end();
}

/* --- everybody at once --- */

#define STORM 200

static volatile u32 flushes_done[SMP_MAX];

static void storm(u64 unused)
{
	u32 cpu = smp_self();

	memset(flush_in(cpu), 0, 4096);
	for (u32 i = 0; i < STORM; i++) {
		u64 result = hyperv_call(SPACE, flush_gpa(cpu), 0);

		flushes_done[cpu] += result == HV_STATUS_SUCCESS;
	}
}

/* All flush each other: each waits for all others, which wait for it. */
static void smp_hvflush_each_other(void)
{
	if (!begin())
		return;
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		flushes_done[cpu] = 0;
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_call(cpu, storm, 0);
	storm(0);
	EXPECT_TRUE(smp_end());
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		EXPECT_EQ(STORM, flushes_done[cpu]);
	end();
}

/* The APIC page somewhere else and back: two changes of the EPT, for which all CPUs flush. */
static void move_apic(u64 times)
{
	u64 home = rdmsr(MSR_IA32_APIC_BASE);

	for (u64 i = 0; i < times; i++) {
		wrmsr(MSR_IA32_APIC_BASE, (home & 0xfff) | 0xfed80000);
		wrmsr(MSR_IA32_APIC_BASE, home);
		smp_beat[smp_self()]++;
	}
}

/* One changes the EPT meanwhile. */
static void smp_hvflush_and_ept(void)
{
	if (!begin())
		return;
	if (apic_mode() != APIC_XAPIC) {
		test_skip("no APIC page in x2APIC mode");
		end();
		return;
	}
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		flushes_done[cpu] = 0;
	smp_call(1, move_apic, STORM / 2);
	for (u32 cpu = 2; cpu < smp_count(); cpu++)
		smp_call(cpu, storm, 0);
	storm(0);
	EXPECT_TRUE(smp_end());
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		EXPECT_EQ(cpu == 1 ? 0 : STORM, flushes_done[cpu]);
	EXPECT_EQ(STORM / 2, smp_beat[1]);
	end();
}

#define ROW(fn)                                        \
	{                                              \
		.name = #fn, .run = fn, .flags = T_ABI \
	}

/* That TLBs keep the old page and that the APIC moves are no promises of the interface. */
#define OURS(fn)                                          \
	{                                                 \
		.name = #fn, .run = fn, .flags = T_KENSHO \
	}

static const struct test t_smp_flush_tests[] = {
	OURS(smp_hvflush_control), ROW(smp_hvflush_one),     ROW(smp_hvflush_all),
	ROW(smp_hvflush_halted),   ROW(smp_hvflush_stopped), ROW(smp_hvflush_each_other),
	OURS(smp_hvflush_and_ept),
};
TEST_GROUP(t_smp_flush);
