/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/time.c, with the guest's side written down again from the TLFS. */
#include "tests/host/harness.h"

#include <pthread.h>

#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/msr.h"
#include "core/hw.h"
#include "core/mem/ept.h"
#include "core/mem/overlay.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv.h"
#include "tests/host/fakes/rig.h"

#define TIME_REF_COUNT 0x40000020u
#define REFERENCE_TSC  0x40000021u
#define PAGE_GPA       (GUEST_RAM_BASE + 0x3000)

struct tsc_page {
	u32 sequence, reserved;
	u64 scale, offset;
	u64 rest[509];
};

static struct fake_guest g;

static void both_abis(struct partition *p)
{
	fake_guest_everything(p);
}

static void start(u32 vps)
{
	if (g.p.vp_count != 0) /* the last partition ends: its overlay is the module's */
		hv_vp_reset(&g.vp[0], false);
	fake_guest_init(&g, vps, both_abis);
	fake.tsc_step = 1;
}

static u64 get(u32 vp, u32 msr)
{
	u64 val = ~0ull;

	EXPECT_EQ(MSR_OK, msr_read(&g.vp[vp], msr, &val));
	return val;
}

static void set(u32 vp, u32 msr, u64 val)
{
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[vp], msr, val));
}

/* The page that the guest finds at @at: whatever the EPT leads to. */
static const struct tsc_page *page_at(u64 at)
{
	struct ept_leaf leaf = ept_walk(&g.p.ept, gpa(at));

	return hw_phys_to_virt(leaf.hpa);
}

static const struct tsc_page *page(void)
{
	return page_at(PAGE_GPA);
}

/* The guest's formula, with the TSC that @vp reads when the machine's is @tsc. */
static u64 page_time(u32 vp, u64 tsc)
{
	const struct tsc_page *p = page();
	u64 guest_tsc = tsc + g.vp[vp].tsc_offset;

	EXPECT_NE(0, p->sequence);
	EXPECT_NE(~0u, p->sequence);
	return (u64)(((unsigned __int128)guest_tsc * p->scale) >> 64) + p->offset;
}

/* Both at the same TSC: the fake's steps on with each reading. */
static u64 expect_page_is_msr(u32 vp)
{
	u64 tsc = fake.tsc, time = get(vp, TIME_REF_COUNT);

	EXPECT_EQ(page_time(vp, tsc), time);
	return time;
}

/* What time should be, exactly, within a unit for each of the two roundings. */
static void expect_true_time(u64 time)
{
	u64 exact = (u64)((unsigned __int128)(fake.tsc - g.p.clock.boot_tsc) * 10000000 /
			  g.p.clock.tsc_hz);

	EXPECT_GE(time + 2, exact);
	EXPECT_LE(time, exact + 2);
}

static void enable(void)
{
	set(0, REFERENCE_TSC, PAGE_GPA | 1);
}

static void test_starts_at_zero(void)
{
	start(1);
	fake.tsc = g.p.clock.boot_tsc;
	EXPECT_EQ(0, get(0, TIME_REF_COUNT));
	EXPECT_EQ(0, get(0, REFERENCE_TSC));
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], TIME_REF_COUNT, 0));
}

static void test_page_is_msr(void)
{
	for (u32 i = 0; i < 200; i++) {
		start(1);
		EXPECT_EQ(ERR_NONE, clock_init(&g.p.clock, 11000000 + test_rng() % 9989000000ull,
					       test_rng() >> 24, 0));
		fake.tsc = g.p.clock.boot_tsc;
		hv_vp_reset(&g.vp[0], false);
		enable();
		for (u32 k = 0; k < 100; k++) {
			fake.tsc += test_rng() >> (20 + test_rng() % 40);
			expect_true_time(expect_page_is_msr(0));
		}
	}
}

/* One TSC for all VPs again: a new sequence, the same time, and never less. */
static void test_tsc_writes(void)
{
	u64 last = 0;

	start(1);
	enable();
	for (u32 i = 0; i < 20000; i++) {
		u32 sequence = page()->sequence;
		u64 time;

		fake.tsc += test_rng() % 8;
		set(0, MSR_IA32_TSC, test_rng() >> (1 + test_rng() % 60));
		EXPECT_NE(sequence, page()->sequence);
		time = expect_page_is_msr(0);
		EXPECT_GE(time, last);
		expect_true_time(time);
		last = time;
	}
}

/* A TSC that would wrap while the guest uses the page: the page says so, the time goes on. */
static void test_tsc_about_to_wrap(void)
{
	u64 before;

	start(1);
	enable();
	before = expect_page_is_msr(0);
	set(0, MSR_IA32_TSC, ~0ull - 1000);
	EXPECT_EQ(0, page()->sequence);
	for (u32 i = 0; i < 3000; i++) { /* and on over the wrap */
		u64 now = get(0, TIME_REF_COUNT);

		EXPECT_GE(now, before);
		expect_true_time(now);
		before = now;
	}
	set(0, MSR_IA32_TSC, 5);
	EXPECT_GE(expect_page_is_msr(0), before);
}

static void test_unequal_offsets(void)
{
	u64 last;

	start(3);
	enable();
	last = expect_page_is_msr(2);
	set(1, MSR_IA32_TSC_ADJUST, 5000000000ull);
	EXPECT_EQ(0, page()->sequence);
	for (u32 vp = 0; vp < 3; vp++) {
		u64 now = get(vp, TIME_REF_COUNT);

		EXPECT_GE(now, last);
		expect_true_time(now);
		last = now;
	}
	for (u32 vp = 0; vp < 3; vp++) { /* 1 has it already */
		EXPECT_EQ(0, page()->sequence);
		set(vp, MSR_IA32_TSC_ADJUST, 5000000000ull);
		if (vp == 0)
			vp++;
	}
	for (u32 vp = 0; vp < 3; vp++)
		EXPECT_GE(expect_page_is_msr(vp), last);
}

/* The CPUs disagree for ever: no page, and no VP reads less than another has. */
static void test_out_of_step(void)
{
	u64 last = 0;

	start(2);
	clock_out_of_step(&g.p.clock);
	hv_vp_reset(&g.vp[0], false);
	enable();
	EXPECT_EQ(0, page()->sequence);
	fake.tsc = g.p.clock.boot_tsc - 100000; /* as far behind is the CPU that asks first */
	EXPECT_EQ(0, get(0, TIME_REF_COUNT));
	fake.tsc = g.p.clock.boot_tsc + 100000;
	for (u32 i = 0; i < 100; i++) {
		u64 time;

		fake.tsc += i % 2 ? 2000 : -1500ull; /* the other CPU's is behind */
		time = get(i % 2, TIME_REF_COUNT);
		EXPECT_GE(time, last);
		last = time;
	}
	EXPECT_NE(0, last);
}

static void test_overlay(void)
{
	struct tsc_page old;

	start(1);
	memset(g.ram + 0x3000, 0x5a, sizeof(old));
	memset(&old, 0x5a, sizeof(old));
	set(0, REFERENCE_TSC, PAGE_GPA);
	EXPECT_MEMEQ(&old, page(), sizeof(old)); /* not enabled: not touched */
	enable();
	EXPECT_EQ(PAGE_GPA | 1, get(0, REFERENCE_TSC));
	EXPECT_EQ(EPT_R, ept_walk(&g.p.ept, gpa(PAGE_GPA)).perms);
	(void)expect_page_is_msr(0);
	for (u32 i = 0; i < 509; i++)
		EXPECT_EQ(0, page()->rest[i]);
	EXPECT_EQ(0, page()->reserved);
	set(0, REFERENCE_TSC, (PAGE_GPA + 0x1000) | 1); /* moved */
	EXPECT_MEMEQ(&old, page(), sizeof(old));
	EXPECT_NE(0, page_at(PAGE_GPA + 0x1000)->sequence);
	set(0, REFERENCE_TSC, 0xffe); /* the reserved bits are kept, and mean nothing */
	EXPECT_EQ(0xffe, get(0, REFERENCE_TSC));
	EXPECT_EQ(EPT_RWX, ept_walk(&g.p.ept, gpa(PAGE_GPA + 0x1000)).perms);
}

/* Accepted, and nowhere: beyond the machine, the hypervisor's own memory. */
static void test_bad_places(void)
{
	static const u64 bad[] = { 1ull << 46, 0xfffffffffffff000, 0xfee00000 };

	start(1);
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		enable();
		set(0, REFERENCE_TSC, bad[i] | 1);
		EXPECT_EQ(bad[i] | 1, get(0, REFERENCE_TSC));
		EXPECT_EQ(EPT_RWX, ept_walk(&g.p.ept, gpa(PAGE_GPA)).perms);
	}
	enable();
	(void)expect_page_is_msr(0);
}

static void test_reset(void)
{
	start(2);
	enable();
	hv_vp_reset(&g.vp[0], true); /* INIT */
	hv_vp_reset(&g.vp[1], false);
	EXPECT_EQ(PAGE_GPA | 1, get(1, REFERENCE_TSC));
	(void)expect_page_is_msr(1);
	hv_vp_reset(&g.vp[0], false);
	EXPECT_EQ(0, get(1, REFERENCE_TSC));
	EXPECT_EQ(EPT_RWX, ept_walk(&g.p.ept, gpa(PAGE_GPA)).perms);
}

/* --- Two VPs race on the register: it ends up where it says. --- */

static void *place(void *arg)
{
	u32 vp = *(u32 *)arg;

	for (u32 i = 0; i < 20000; i++)
		set(vp, REFERENCE_TSC, (PAGE_GPA + 0x1000 * (i % 2)) | (i % 5 != vp));
	return NULL;
}

static void test_race(void)
{
	static u32 vp[2] = { 0, 1 };
	pthread_t thread[2];
	u64 msr;

	start(2);
	for (u32 i = 0; i < 2; i++)
		EXPECT_EQ(0, pthread_create(&thread[i], NULL, place, &vp[i]));
	for (u32 i = 0; i < 2; i++)
		EXPECT_EQ(0, pthread_join(thread[i], NULL));
	msr = get(0, REFERENCE_TSC);
	for (u32 i = 0; i < 2; i++) {
		u64 at = PAGE_GPA + 0x1000 * i;
		bool there = msr == (at | 1);

		EXPECT_EQ(there ? EPT_R : EPT_RWX, ept_walk(&g.p.ept, gpa(at)).perms);
	}
}

/* --- The readers never see a mix of two functions --- */

static bool stop;
static u64 worst;

static void *read_on(void *arg)
{
	u64 last = 0;

	while (!READ_ONCE(stop)) {
		u64 now = 0;

		if (msr_read(&g.vp[1], TIME_REF_COUNT, &now) == MSR_OK && now < last)
			worst++;
		last = now;
	}
	return NULL;
}

/* The host's TSC, which never goes back for either thread. */
static void tsc_of_host(void)
{
	u64 now = __builtin_ia32_rdtsc(), seen = READ_ONCE(fake.tsc);

	while (now > seen && !__atomic_compare_exchange_n(&fake.tsc, &seen, now, false,
							  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static void test_reader_during_changes(void)
{
	pthread_t thread;

	start(2);
	fake.tsc_step = 0;
	fake.on_tsc = tsc_of_host;
	WRITE_ONCE(stop, false);
	worst = 0;
	EXPECT_EQ(0, pthread_create(&thread, NULL, read_on, NULL));
	for (u32 i = 0; i < 20000; i++) { /* equal offsets after every second write */
		u64 adjust = (u64)(i / 2) << 40 | i / 2 * 12345;

		set(i % 2, MSR_IA32_TSC_ADJUST, adjust & ~(1ull << 63));
	}
	WRITE_ONCE(stop, true);
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, worst);
}

static void test_off(void)
{
	static const u32 msrs[] = { TIME_REF_COUNT, REFERENCE_TSC };
	u64 val;

	fake_guest_init(&g, 1, NULL);
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], msrs[i], &val));
		EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], msrs[i], 0));
	}
}

TEST_MAIN(TEST(test_starts_at_zero), TEST(test_page_is_msr), TEST(test_tsc_writes),
	  TEST(test_tsc_about_to_wrap), TEST(test_unequal_offsets), TEST(test_out_of_step),
	  TEST(test_overlay), TEST(test_bad_places), TEST(test_reset), TEST(test_race),
	  TEST(test_reader_during_changes), TEST(test_off))
