/* SPDX-License-Identifier: BSD-2-Clause */
/* core/vp/tsc_change.c and core/time/tsc_emul.c: the guest's TSC and clocks over a change of the
 * frequency. */
#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/apic/vlapic_internal.h"
#include "core/exit/exit.h"
#include "core/time/tsc_emul.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv.h"
#include "hv/kvm/kvm_abi.h"
#include "tests/host/fakes/rig.h"

#define TIME_REF_COUNT          0x40000020u
#define TSC_FREQUENCY           0x40000022u
#define REENLIGHTENMENT_CONTROL 0x40000106u
#define TSC_EMULATION_CONTROL   0x40000107u
#define TSC_EMULATION_STATUS    0x40000108u
#define NEW_HZ                  (GUEST_TSC_HZ / 3 * 4)

static struct fake_guest g;

static u64 get(u32 msr)
{
	u64 val = ~0ull;

	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], msr, &val));
	return val;
}

static void start(void)
{
	if (g.p.vp_count != 0)
		hv_vp_reset(&g.vp[0], false);
	fake_guest_init(&g, 1, fake_guest_everything);
	vlapic_write(&g.vp[0], APIC_SVR, APIC_SVR_ENABLE | 0xff);
	fake.tsc_step = 1;
}

static u64 kvm_time(void)
{
	struct pvclock_vcpu_time_info t;
	u64 d;

	memcpy(&t, g.ram + 0x2040, sizeof(t));
	d = vp_guest_tsc(&g.vp[0]) - t.tsc_timestamp;
	d = t.tsc_shift >= 0 ? d << t.tsc_shift : d >> -t.tsc_shift;
	return t.system_time + (u64)(((unsigned __int128)d * t.tsc_to_system_mul) >> 32);
}

static void test_arithmetic(void)
{
	for (u32 i = 0; i < 100000; i++) {
		struct tsc_emul e = { .at_tsc = test_rng() >> 4,
				      .old_hz = 11000000 + test_rng() % 9989000000ull,
				      .new_hz = 11000000 + test_rng() % 9989000000ull };
		u64 delta = test_rng() >> 16, ticks = tsc_emul_at(&e, e.at_tsc + delta) - e.at_tsc;
		unsigned __int128 exact = (unsigned __int128)delta * e.old_hz / e.new_hz;

		EXPECT_EQ((u64)exact, ticks);
		/* never early: when the span is over, that many ticks have passed */
		EXPECT_GE(tsc_emul_at(&e, e.at_tsc + tsc_emul_span(&e, ticks)), e.at_tsc + ticks);
		EXPECT_EQ(e.at_tsc, tsc_emul_at(&e, e.at_tsc));
	}
	EXPECT_EQ(~0ull, tsc_emul_span(&(struct tsc_emul){ .old_hz = 1, .new_hz = 2 }, ~0ull));
}

static bool rdtsc_exits(void)
{
	return (fake.vmcs[VMCS_PROC_BASED_CTLS] & PROC_RDTSC_EXITING) != 0;
}

static u64 exit_tsc(u32 reason)
{
	g.vp[0].regs.rax = g.vp[0].regs.rdx = ~0ull;
	EXPECT_EQ(EXIT_NEXT, exit_table_row(&exit_table_guest, reason)->fn(&g.vp[0], NULL));
	EXPECT_EQ(0, (g.vp[0].regs.rax | g.vp[0].regs.rdx) >> 32);
	return edx_eax(&g.vp[0].regs);
}

/* Old frequency until the guest ends it, then the new one; TSC and clocks go on without a jump. */
static void test_emulation(void)
{
	u64 tsc, time, ns;

	start();
	EXPECT_EQ(MSR_OK,
		  msr_write(&g.vp[0], MSR_KVM_SYSTEM_TIME_NEW, (GUEST_RAM_BASE + 0x2040) | 1));
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_CONTROL, 1));
	fake.tsc += 5 * GUEST_TSC_HZ;
	tsc = vp_guest_tsc(&g.vp[0]);
	time = get(TIME_REF_COUNT);
	ns = kvm_time();
	EXPECT_FALSE(rdtsc_exits());
	hv_tsc_frequency(&g.p, NEW_HZ);
	EXPECT_TRUE(rdtsc_exits());
	EXPECT_EQ(1, get(TSC_EMULATION_STATUS));
	EXPECT_EQ(GUEST_TSC_HZ, get(TSC_FREQUENCY));
	fake.tsc += NEW_HZ; /* a second of the new machine */
	EXPECT_GE(vp_guest_tsc(&g.vp[0]), tsc + GUEST_TSC_HZ);
	EXPECT_LE(vp_guest_tsc(&g.vp[0]), tsc + GUEST_TSC_HZ + 100);
	EXPECT_GE(get(TIME_REF_COUNT), time + 10000000);
	EXPECT_LE(get(TIME_REF_COUNT), time + 10000002);
	EXPECT_LE(kvm_time(), ns + 1000000200);
	EXPECT_GE(kvm_time(), ns + 999999800);
	tsc = exit_tsc(EXIT_REASON_RDTSC);
	fake_msr_set(MSR_IA32_TSC_AUX, 0x12345678);
	EXPECT_LE(exit_tsc(EXIT_REASON_RDTSCP), tsc + 2);
	EXPECT_EQ(0x12345678, g.vp[0].regs.rcx);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_STATUS, 0));
	EXPECT_FALSE(rdtsc_exits());
	EXPECT_EQ(0, get(TSC_EMULATION_STATUS));
	EXPECT_EQ(NEW_HZ, get(TSC_FREQUENCY));
	EXPECT_GE(vp_guest_tsc(&g.vp[0]), tsc);
	EXPECT_LE(vp_guest_tsc(&g.vp[0]), tsc + 100);
	EXPECT_EQ(g.vp[0].tsc_offset, fake.vmcs[VMCS_TSC_OFFSET]);
	fake.tsc += NEW_HZ;
	EXPECT_GE(vp_guest_tsc(&g.vp[0]), tsc + NEW_HZ);
	EXPECT_GE(get(TIME_REF_COUNT), time + 19999999);
	EXPECT_LE(get(TIME_REF_COUNT), time + 20000020);
	EXPECT_LE(kvm_time(), ns + 2000002000);
	EXPECT_GE(kvm_time(), ns + 1999999000);
}

/* A deadline is the guest's TSC: it stays right when that becomes slower than the machine's, if it
 * was armed before or is armed then, and when the emulation ends. */
static void test_deadline(void)
{
	u64 deadline;

	start();
	vlapic_write(&g.vp[0], APIC_LVT_TIMER,
		     FIELD_PREP(APIC_LVT_TIMER_MODE, APIC_TIMER_TSC_DEADLINE) | 0x40);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_CONTROL, 1));
	deadline = vp_guest_tsc(&g.vp[0]) + 3000000;
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_IA32_TSC_DEADLINE, deadline));
	hv_tsc_frequency(&g.p, NEW_HZ);
	EXPECT_GE(g.vp[0].deadline_tsc, fake.tsc + 3999900);
	EXPECT_LE(g.vp[0].deadline_tsc, fake.tsc + 4000100);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_IA32_TSC_DEADLINE, deadline + 3000000));
	EXPECT_GE(g.vp[0].deadline_tsc, fake.tsc + 7999900);
	EXPECT_LE(g.vp[0].deadline_tsc, fake.tsc + 8000100);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_STATUS, 0));
	EXPECT_GE(g.vp[0].deadline_tsc, fake.tsc + 5999900);
	EXPECT_LE(g.vp[0].deadline_tsc, fake.tsc + 6000100);
}

#define COUNT_MS ((u32)(g.vp[0].apic.timer_hz / 1000))

static void arm(u32 mode, u32 ms)
{
	vlapic_write(&g.vp[0], APIC_TDCR, 0xb); /* divide by 1 */
	vlapic_write(&g.vp[0], APIC_LVT_TIMER, FIELD_PREP(APIC_LVT_TIMER_MODE, mode) | 0x40);
	vlapic_write(&g.vp[0], APIC_TMICT, ms * COUNT_MS);
}

/* @tsc: of the machine, give or take little. */
static void expect_due_in(u64 tsc)
{
	EXPECT_GE(g.vp[0].deadline_tsc, fake.tsc + tsc - 1000);
	EXPECT_LE(g.vp[0].deadline_tsc, fake.tsc + tsc + 1000);
}

static void expect_count(u32 ms)
{
	u32 count = vlapic_timer_current(&g.vp[0]);

	EXPECT_GE(count, ms * COUNT_MS - 1000);
	EXPECT_LE(count, ms * COUNT_MS + 1000);
}

/* The APIC's counter runs at its own frequency, whatever the TSC does: before the change, after it,
 * with the old TSC emulated, and when that ends. */
static void count_over_a_change(u64 emulation)
{
	start();
	g.p.config.min_timer_period_us = 0;
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_CONTROL, emulation));
	arm(APIC_TIMER_ONE_SHOT, 8);
	fake.tsc += 2 * GUEST_TSC_HZ / 1000;
	expect_count(6);
	hv_tsc_frequency(&g.p, NEW_HZ);
	expect_count(6);
	expect_due_in(6 * NEW_HZ / 1000);
	fake.tsc += 3 * NEW_HZ / 1000;
	expect_count(3);
	arm(APIC_TIMER_PERIODIC, 5);
	expect_due_in(5 * NEW_HZ / 1000);
	fake.tsc += 6 * NEW_HZ / 1000;
	expect_count(4);
	timer_run(&g.vp[0], fake.tsc);
	expect_due_in(4 * NEW_HZ / 1000);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_STATUS, 0));
	expect_count(4);
	expect_due_in(4 * NEW_HZ / 1000);
}

static void test_count(void)
{
	count_over_a_change(1);
	count_over_a_change(0);
}

/* Nobody asked: the new frequency at once; the TSC itself does not move. */
static void test_no_emulation(void)
{
	u64 time;

	start();
	fake.tsc += GUEST_TSC_HZ;
	time = get(TIME_REF_COUNT);
	hv_tsc_frequency(&g.p, NEW_HZ);
	EXPECT_FALSE(rdtsc_exits());
	EXPECT_EQ(0, g.vp[0].tsc_offset);
	EXPECT_EQ(NEW_HZ, get(TSC_FREQUENCY));
	fake.tsc += NEW_HZ;
	EXPECT_GE(get(TIME_REF_COUNT), time + 9999999);
	EXPECT_LE(get(TIME_REF_COUNT), time + 10000020);
}

/* The VP that is to be told need not exist. */
static void test_nobody_to_tell(void)
{
	static const u32 targets[] = { GUEST_VPS, VP_MAX, 0x7fffffff, ~0u };

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		start();
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_CONTROL, 1));
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], REENLIGHTENMENT_CONTROL,
					    (u64)targets[i] << 32 | BIT64(16) | 0x55));
		hv_tsc_frequency(&g.p, NEW_HZ);
		EXPECT_EQ(1, get(TSC_EMULATION_STATUS));
		for (u32 vp = 0; vp < g.p.vp_count; vp++)
			EXPECT_NE(0x55, vlapic_pending_vector(&g.vp[vp]));
	}
}

static void other_vp_is_done(struct vp *vp, void *arg)
{
	g.p.tsc_emul.on = false;
	g.p.tsc_emul.lock.held = 0;
}

/* Of two VPs that end it the second waits, and serves the first: when it goes on, it has ended. */
static void test_end_by_two(void)
{
	struct remote_call other = { .fn = other_vp_is_done };

	start();
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_CONTROL, 1));
	hv_tsc_frequency(&g.p, NEW_HZ);
	g.p.tsc_emul.lock.held = 1;
	g.vp[0].remote.incoming[REMOTE_ANY] = &other;
	vp_set_work(&g.vp[0], VP_WORK_CALL);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_STATUS, 0));
	EXPECT_TRUE(other.done);
	EXPECT_EQ(0, get(TSC_EMULATION_STATUS));
	EXPECT_EQ(0, g.p.tsc_emul.lock.held);
}

static bool irr_has(u32 vector)
{
	vlapic_fold_posted(&g.vp[0]);
	return (*vlapic_bitmap(&g.vp[0].apic, APIC_IRR, (u8)vector) & BIT32(vector & 31)) != 0;
}

/* VPs whose TSCs differ have no page, but a time. */
static void test_offsets_differ(void)
{
	u64 time;

	if (g.p.vp_count != 0)
		hv_vp_reset(&g.vp[0], false);
	fake_guest_init(&g, 2, fake_guest_everything);
	fake.tsc_step = 1;
	g.vp[1].state = VP_WAIT_SIPI;
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[1], MSR_IA32_TSC_ADJUST, 1ull << 40));
	fake.tsc += GUEST_TSC_HZ;
	time = get(TIME_REF_COUNT);
	hv_tsc_frequency(&g.p, NEW_HZ);
	fake.tsc += NEW_HZ;
	EXPECT_GE(get(TIME_REF_COUNT), time + 9999999);
	EXPECT_LE(get(TIME_REF_COUNT), time + 10000020);
}

/* To the VP and with the vector of the register, if enabled and the VP exists. */
static void test_interrupt(void)
{
	static const struct {
		u64 control;
		bool comes;
	} rows[] = {
		{ 0x100ee, true },
		{ 0xee, false },
		{ 1ull << 32 | 0x100ee, false },
		{ 0xffffffffull << 32 | 0x100ee, false },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		start();
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], REENLIGHTENMENT_CONTROL, rows[i].control));
		hv_tsc_frequency(&g.p, NEW_HZ);
		EXPECT_EQ(rows[i].comes, irr_has(0xee));
	}
}

TEST_MAIN(TEST(test_nobody_to_tell), TEST(test_arithmetic), TEST(test_emulation),
	  TEST(test_deadline), TEST(test_count), TEST(test_no_emulation), TEST(test_end_by_two),
	  TEST(test_offsets_differ), TEST(test_interrupt))
