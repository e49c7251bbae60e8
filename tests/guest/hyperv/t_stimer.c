// SPDX-License-Identifier: BSD-2-Clause
// Synthetic timers: what KVM's selftest hyperv_features and kvm-unit-tests' hyperv_stimer assert of
// them, and when they expire, by reference time.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

/* Restated from the TLFS, independent of hv/hyperv/hyperv_abi.h on purpose. */
#define TIME_REF_COUNT 0x40000020u
#define SCONTROL       0x40000080u
#define SIMP           0x40000083u
#define EOM            0x40000084u
#define SINT(n)        (0x40000090u + (n))
#define CONFIG(n)      (0x400000b0u + 2 * (n))
#define COUNT(n)       (0x400000b1u + 2 * (n))
#define ACCESS_STIMERS BIT32(3)
#define HAS_DIRECT     BIT32(19)
#define ENABLE         1ull
#define PERIODIC       2ull
#define LAZY           4ull
#define AUTO           8ull
#define DIRECT(vector) (BIT64(12) | (u64)(vector) << 4)
#define TO_SINT(n)     ((u64)(n) << 16)
#define TIMER_EXPIRED  0x80000010u
#define TIMERS         4u
#define MS             10000u /* units of 100 ns */
#define VEC(n)         (0x61u + (n))
#define LATE           (MS / 2) /* a quick machine is not asked for; elsewhere the host is busy */
#define LATE_AT_MOST   (machine_is_kensho() ? LATE : 100 * LATE)
#define SINT_OF(n)     (2 + (n))

struct slot {
	u32 type;
	u8 size, flags, reserved[2];
	u64 sender;
	u32 timer, zero;
	u64 expiration, delivery;
	u64 rest[27];
};

static volatile struct slot slots[SMP_MAX][16] ALIGNED(4096);
static_assert(sizeof(slots[0]) == 4096, "TLFS");

static bool has_direct(void)
{
	return (hyperv_features_d() & HAS_DIRECT) != 0;
}

/* False: the running test is skipped. */
static bool has(bool direct)
{
	if ((hyperv_features_a() & ACCESS_STIMERS) && (!direct || has_direct()))
		return true;
	test_skip("the feature is off");
	return false;
}

static u64 now(void)
{
	return rdmsr(TIME_REF_COUNT);
}

static void wait_until(u64 time)
{
	sti();
	while (now() < time)
		cpu_relax();
	cli();
}

static void reset(void)
{
	for (u32 i = 0; i < TIMERS; i++) {
		wrmsr(COUNT(i), 0);
		wrmsr(CONFIG(i), 0);
	}
}

static void hvstimer_msrs_follow_cpuid(void)
{
	bool on = (hyperv_features_a() & ACCESS_STIMERS) != 0;
	u64 val;

	for (u32 i = 0; !on && i < TIMERS; i++) {
		EXPECT_REFUSED(try_rdmsr(CONFIG(i), &val) == EXC_GP);
		EXPECT_REFUSED(try_rdmsr(COUNT(i), &val) == EXC_GP);
		EXPECT_REFUSED(try_wrmsr(CONFIG(i), 0) == EXC_GP);
		EXPECT_REFUSED(try_wrmsr(COUNT(i), 0) == EXC_GP);
	}
	for (u32 i = 0; on && i < TIMERS; i++) {
		EXPECT_EQ(0, rdmsr(CONFIG(i)));
		EXPECT_EQ(NO_FAULT, try_rdmsr(COUNT(i), &val));
		EXPECT_EQ(NO_FAULT, try_wrmsr(COUNT(i), 0));
		EXPECT_EQ(NO_FAULT, try_wrmsr(CONFIG(i), 0));
		if (has_direct())
			EXPECT_EQ(NO_FAULT, try_wrmsr(CONFIG(i), BIT64(12)));
		else
			EXPECT_REFUSED(try_wrmsr(CONFIG(i), BIT64(12)) == EXC_GP);
		wrmsr(CONFIG(i), 0);
	}
	EXPECT_TRUE(on || !has_direct());
}

/* What the specification leaves open: reserved bits are dropped, SINT 0 always disables. */
static void hvstimer_bits(void)
{
	if (!has(false))
		return;
	for (u32 i = 0; i < TIMERS; i++) {
		wrmsr(CONFIG(i), ~ENABLE & ~BIT64(12));
		EXPECT_EQ(0xf0ffe, rdmsr(CONFIG(i)));
		wrmsr(CONFIG(i), ENABLE); /* to SINT 0 */
		EXPECT_EQ(0, rdmsr(CONFIG(i)));
	}
}

/* Each timer by itself, enabled by either register: once, not early, disabled behind it. */
static void hvstimer_one_shot(void)
{
	if (!has(true))
		return;
	for (u32 i = 0; i < 2 * TIMERS; i++) {
		u32 t = i % TIMERS;
		u64 time = now() + MS + 100 * i, late;

		if (i < TIMERS) {
			wrmsr(CONFIG(t), AUTO | DIRECT(VEC(t)));
			wrmsr(COUNT(t), time);
		} else {
			wrmsr(CONFIG(t), DIRECT(VEC(t)));
			wrmsr(COUNT(t), time);
			EXPECT_EQ(DIRECT(VEC(t)), rdmsr(CONFIG(t)));
			wrmsr(CONFIG(t), ENABLE | DIRECT(VEC(t)));
		}
		EXPECT_NE(0, rdmsr(CONFIG(t)) & ENABLE);
		EXPECT_EQ(i / TIMERS, irq_count((u8)VEC(t)));
		sti();
		while (irq_count((u8)VEC(t)) == i / TIMERS)
			cpu_relax();
		cli();
		late = now() - time;
		EXPECT_LE(late, LATE_AT_MOST);
		EXPECT_EQ(0, rdmsr(CONFIG(t)) & ENABLE);
		EXPECT_EQ(time, rdmsr(COUNT(t)));
	}
	wait_until(now() + 2 * MS);
	EXPECT_EQ(2 * TIMERS, irq_log_count);
	reset();
}

static void hvstimer_past_and_zero(void)
{
	if (!has(true))
		return;
	wrmsr(CONFIG(0), AUTO | DIRECT(VEC(0)));
	wrmsr(COUNT(0), 1);
	EXPECT_TRUE(apic_requested(VEC(0)));
	sti_nop_cli();
	EXPECT_EQ(1, irq_count(VEC(0)));
	wrmsr(COUNT(0), ~0ull); /* never */
	EXPECT_EQ(AUTO | ENABLE | DIRECT(VEC(0)), rdmsr(CONFIG(0)));
	wrmsr(CONFIG(1), AUTO | PERIODIC | DIRECT(VEC(1)));
	wrmsr(COUNT(1), MS);
	wrmsr(COUNT(1), 0);
	EXPECT_EQ(AUTO | PERIODIC | DIRECT(VEC(1)), rdmsr(CONFIG(1)));
	wrmsr(CONFIG(1), ENABLE | PERIODIC | DIRECT(VEC(1))); /* without a count */
	wait_until(now() + 3 * MS);
	EXPECT_EQ(1, irq_log_count);
	reset();
}

/* N periods later it has ticked N times, at its grid. */
static void hvstimer_periodic(void)
{
	u64 begin;

	if (!has(true))
		return;
	for (u32 i = 0; i < TIMERS; i++) {
		wrmsr(CONFIG(i), AUTO | (i % 2 ? LAZY : 0) | PERIODIC | DIRECT(VEC(i)));
		begin = now();
		wrmsr(COUNT(i), MS);
		wait_until(begin + 10 * MS + LATE);
		EXPECT_EQ(10, irq_count((u8)VEC(i)));
		wrmsr(CONFIG(i), 0);
		wait_until(now() + 2 * MS);
		EXPECT_EQ(10, irq_count((u8)VEC(i)));
	}
	reset();
}

static volatile u64 stamp;

static void note_time(struct trap_regs *regs)
{
	stamp = now();
	apic_eoi();
}

/* In HLT, with the tick the only thing that ends it. */
static void hvstimer_halted(void)
{
	if (!has(true))
		return;
	trap_handle(VEC(0), note_time);
	wrmsr(CONFIG(0), AUTO | DIRECT(VEC(0)));
	for (u32 i = 0; i < 20; i++) {
		u64 time = now() + 200 + 500 * i;

		wrmsr(COUNT(0), time);
		sti_hlt_cli();
		EXPECT_GE(stamp, time);
		EXPECT_LE(stamp, time + LATE_AT_MOST);
	}
	reset();
}

/* The guest's TSC jumps: the time does not, nor does what waits for it. */
static void hvstimer_tsc_write(void)
{
	static const u64 values[] = { 0, 1ull << 40, 0x7000000000000000, 12345 };

	if (!has(true))
		return;
	trap_handle(VEC(0), note_time);
	wrmsr(CONFIG(0), AUTO | DIRECT(VEC(0)));
	for (u32 i = 0; i < 2 * ARRAY_SIZE(values); i++) {
		u64 time = now() + 2 * MS;

		if (i % 2)
			wrmsr(COUNT(0), time);
		wrmsr(MSR_IA32_TSC, values[i / 2]);
		wrmsr(COUNT(0), time);
		sti_hlt_cli();
		EXPECT_GE(stamp, time);
		EXPECT_LE(stamp, time + LATE);
	}
	wrmsr(MSR_IA32_TSC_ADJUST, 0);
	reset();
}

/* --- Messages --- */

static void synic_on(void)
{
	u32 cpu = smp_self();

	for (u32 i = 0; i < TIMERS; i++)
		wrmsr(SINT(SINT_OF(i)), VEC(i));
	wrmsr(SIMP, (u64)(uintptr_t)slots[cpu] | 1);
	wrmsr(SCONTROL, 1);
}

static void synic_off(void)
{
	reset();
	for (u32 i = 0; i < TIMERS; i++)
		wrmsr(SINT(SINT_OF(i)), BIT32(16));
	wrmsr(SCONTROL, 0);
	wrmsr(SIMP, 0);
}

static void end_of_message(u32 sint)
{
	volatile struct slot *slot = &slots[smp_self()][sint];
	u8 flags = slot->flags;

	slot->type = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if ((flags | slot->flags) & 1)
		wrmsr(EOM, 0);
}

static void expect_message(u32 timer, u64 expiration)
{
	const volatile struct slot *slot = &slots[0][SINT_OF(timer)];

	EXPECT_EQ(TIMER_EXPIRED, slot->type);
	EXPECT_EQ(24, slot->size);
	EXPECT_EQ(0, slot->sender);
	EXPECT_EQ(timer, slot->timer);
	EXPECT_EQ(0, slot->zero);
	EXPECT_EQ(expiration, slot->expiration);
	EXPECT_GE(slot->delivery, expiration);
	EXPECT_LE(slot->delivery, now());
}

static void hvstimer_message(void)
{
	if (!has(false))
		return;
	synic_on();
	for (u32 i = 0; i < TIMERS; i++) {
		u64 time = now() + MS;

		wrmsr(CONFIG(i), AUTO | TO_SINT(SINT_OF(i)));
		wrmsr(COUNT(i), time);
		EXPECT_EQ(0, slots[0][SINT_OF(i)].type);
		sti_hlt_cli();
		EXPECT_EQ(1, irq_count((u8)VEC(i)));
		expect_message(i, time);
		EXPECT_EQ(AUTO | TO_SINT(SINT_OF(i)), rdmsr(CONFIG(i)));
		end_of_message(SINT_OF(i));
	}
	synic_off();
}

/* The slot is full: the message waits, and comes with the end of the one before it, once. */
static void hvstimer_busy_slot(void)
{
	u64 time;

	if (!has(false))
		return;
	synic_on();
	slots[0][SINT_OF(0)].type = 1;
	time = now() + MS;
	wrmsr(CONFIG(0), AUTO | TO_SINT(SINT_OF(0)));
	wrmsr(COUNT(0), time);
	wait_until(time + MS);
	EXPECT_EQ(0, irq_count(VEC(0)));
	EXPECT_EQ(1, slots[0][SINT_OF(0)].type);
	EXPECT_EQ(1, slots[0][SINT_OF(0)].flags);
	end_of_message(SINT_OF(0));
	sti_nop_cli();
	EXPECT_EQ(1, irq_count(VEC(0)));
	expect_message(0, time);
	end_of_message(SINT_OF(0));
	wait_until(now() + MS);
	EXPECT_EQ(1, irq_count(VEC(0)));
	EXPECT_EQ(0, slots[0][SINT_OF(0)].type);
	synic_off();
}

/* --- All at once, and on several CPUs --- */

static volatile u32 ticks[SMP_MAX][TIMERS];

static void count_tick(struct trap_regs *regs)
{
	u32 t = (u32)regs->vector - VEC(0);

	ticks[smp_self()][t]++;
	if (t % 2)
		end_of_message(SINT_OF(t));
	apic_eoi();
}

/* Timers 0 and 2 direct, 1 and 3 by message, with periods of 1, 1.5, 2 and 2.5 ms. */
static void tick_all(u64 unused)
{
	u32 self = smp_self();
	u64 begin[TIMERS], end;

	synic_on();
	for (u32 i = 0; i < TIMERS; i++) {
		ticks[self][i] = 0;
		wrmsr(CONFIG(i), AUTO | PERIODIC | (i % 2 ? TO_SINT(SINT_OF(i)) : DIRECT(VEC(i))));
		begin[i] = now();
		wrmsr(COUNT(i), MS + MS / 2 * i);
	}
	end = begin[0] + 30 * MS + LATE / 2;
	if (self % 2)
		wait_until(end);
	while (now() < end)
		sti_hlt_cli();
	synic_off();
}

static void expect_ticks(u32 cpu)
{
	static const u32 want[TIMERS] = { 30, 20, 15, 12 };

	for (u32 i = 0; i < TIMERS; i++)
		EXPECT_AT(ticks[cpu][i] == want[i], "CPU %u, timer %u: %u", cpu, i, ticks[cpu][i]);
}

static void smp_hvstimer_all(void)
{
	if (!has(true) || (smp_count() > 1 && !smp_begin()))
		return;
	for (u32 i = 0; i < TIMERS; i++)
		trap_handle(VEC(i), count_tick);
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_call(cpu, tick_all, 0);
	tick_all(0);
	expect_ticks(0);
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		EXPECT_TRUE(smp_wait(cpu));
		expect_ticks(cpu);
	}
}

static void start_ticks(u64 unused)
{
	wrmsr(CONFIG(0), AUTO | PERIODIC | DIRECT(VEC(0)));
	wrmsr(COUNT(0), MS);
}

static volatile u64 found;

static void look(u64 unused)
{
	found = rdmsr(CONFIG(0)) | rdmsr(COUNT(0)) | apic_requested(VEC(0));
}

/* INIT stops them. */
static void smp_hvstimer_init(void)
{
	if (!has(true) || !smp_begin())
		return;
	found = 1;
	EXPECT_TRUE(smp_run(1, start_ticks, 0));
	REQUIRE(smp_restart(1));
	delay_us(3000);
	EXPECT_TRUE(smp_run(1, look, 0));
	EXPECT_EQ(0, found);
}

#define NAMED(test)                                                     \
	{                                                               \
		.name = #test, .run = test, .flags = T_KENSHO | T_NAMED \
	}
#define ABI(test)                                                    \
	{                                                            \
		.name = #test, .run = test, .flags = T_ABI | T_NAMED \
	}

static const struct test t_stimer_tests[] = {
	ABI(hvstimer_msrs_follow_cpuid), NAMED(hvstimer_bits),     ABI(hvstimer_one_shot),
	NAMED(hvstimer_past_and_zero),   NAMED(hvstimer_periodic), ABI(hvstimer_halted),
	NAMED(hvstimer_tsc_write),       ABI(hvstimer_message),    ABI(hvstimer_busy_slot),
	NAMED(smp_hvstimer_all),         NAMED(smp_hvstimer_init),
};
TEST_GROUP(t_stimer);
