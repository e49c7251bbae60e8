/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/kvm/clock.c, with the guest's side of the ABI written down again from the specification. */
#include "tests/host/harness.h"

#include <pthread.h>
#include <sched.h>

#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/msr.h"
#include "core/mem/gpa.h"
#include "hv/hv.h"
#include "hv/kvm/kvm_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

#define PAGE_GPA (GUEST_RAM_BASE + 0x2040)

static struct pvclock_vcpu_time_info page_at(u64 addr)
{
	struct pvclock_vcpu_time_info t;

	memcpy(&t, g.ram + (addr - GUEST_RAM_BASE), sizeof(t));
	return t;
}

/* The guest's formula, 96-bit product. */
static u64 guest_ns(const struct pvclock_vcpu_time_info *t, u64 tsc)
{
	u64 d = tsc - t->tsc_timestamp;

	d = t->tsc_shift >= 0 ? d << t->tsc_shift : d >> -t->tsc_shift;
	return t->system_time + (u64)(((unsigned __int128)d * t->tsc_to_system_mul) >> 32);
}

static void enable(u32 vp, u64 addr)
{
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[vp], MSR_KVM_SYSTEM_TIME_NEW, addr | 1));
}

static u64 get(u32 msr)
{
	u64 val = ~0ull;

	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], msr, &val));
	return val;
}

/* Two formulas for one quantity is an anti-pattern: page and clock module agree to the ns. */
static void test_page_agrees_with_clock_module(void)
{
	for (int i = 0; i < 200; i++) {
		struct pvclock_vcpu_time_info t;
		u64 hz = 11000000 + test_rng() % 9989000000ull;

		fake_guest_init(&g, 1, NULL);
		EXPECT_EQ(ERR_NONE, clock_init(&g.p.clock, hz, test_rng() >> 20, 0));
		enable(0, PAGE_GPA);
		t = page_at(PAGE_GPA);
		EXPECT_NE(0, t.version);
		EXPECT_EQ(0, t.version & 1);
		EXPECT_EQ(PVCLOCK_TSC_STABLE_BIT, t.flags);
		for (int k = 0; k < 100; k++) {
			u64 tsc = g.p.clock.boot_tsc + (test_rng() >> 20);

			EXPECT_EQ(clock_now_ns(&g.p.clock, tsc), guest_ns(&t, tsc));
		}
	}
}

/* Whatever the guest does to its TSC, its kvmclock shows partition time. */
static void test_tsc_writes_do_not_move_time(void)
{
	fake_guest_init(&g, 1, NULL);
	enable(0, PAGE_GPA);
	for (int i = 0; i < 1000; i++) {
		struct pvclock_vcpu_time_info t;
		u32 version = page_at(PAGE_GPA).version;

		fake.tsc += test_rng() & 0xffffff;
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_IA32_TSC, test_rng()));
		t = page_at(PAGE_GPA);
		EXPECT_NE(version, t.version);
		EXPECT_EQ(0, t.version & 1);
		EXPECT_EQ(clock_now_ns(&g.p.clock, fake.tsc),
			  guest_ns(&t, fake.tsc + g.vp[0].tsc_offset));
	}
}

static void test_unequal_offsets_drop_stable_everywhere(void)
{
	fake_guest_init(&g, 3, NULL);
	for (u32 i = 0; i < 3; i++)
		enable(i, PAGE_GPA + 0x40 * i);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[1], MSR_IA32_TSC_ADJUST, 5000));
	for (u32 i = 0; i < 3; i++) {
		struct pvclock_vcpu_time_info t = page_at(PAGE_GPA + 0x40 * i);

		EXPECT_EQ(0, t.flags & PVCLOCK_TSC_STABLE_BIT);
		EXPECT_EQ(clock_now_ns(&g.p.clock, fake.tsc),
			  guest_ns(&t, fake.tsc + g.vp[i].tsc_offset));
	}
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[1], MSR_IA32_TSC_ADJUST, 0));
	for (u32 i = 0; i < 3; i++)
		EXPECT_EQ(PVCLOCK_TSC_STABLE_BIT, page_at(PAGE_GPA + 0x40 * i).flags);
}

/* The machine's own TSCs differ: nothing that the guest writes makes a page STABLE. */
static void test_tscs_out_of_step_are_never_stable(void)
{
	fake_guest_init(&g, 2, NULL);
	clock_out_of_step(&g.p.clock);
	for (u32 i = 0; i < 2; i++)
		enable(i, PAGE_GPA + 0x40 * i);
	for (u64 adjust = 0; adjust < 3; adjust++) {
		for (u32 i = 0; i < 2; i++) {
			EXPECT_EQ(MSR_OK, msr_write(&g.vp[i], MSR_IA32_TSC_ADJUST, adjust));
			EXPECT_EQ(0, page_at(PAGE_GPA).flags);
			EXPECT_EQ(0, page_at(PAGE_GPA + 0x40).flags);
		}
	}
}

static void test_same_sample_for_all_vps(void)
{
	fake_guest_init(&g, 4, NULL);
	for (u32 i = 0; i < 4; i++) {
		struct pvclock_vcpu_time_info first, t;

		fake.tsc += 123457;
		enable(i, PAGE_GPA + 0x40 * i);
		first = page_at(PAGE_GPA);
		t = page_at(PAGE_GPA + 0x40 * i);
		EXPECT_MEMEQ(&first.tsc_timestamp, &t.tsc_timestamp, sizeof(t) - 8);
	}
}

/* KVM takes any value and stays inactive; not one byte outside guest RAM may change. */
static void test_bad_addresses_are_inactive(void)
{
	static const u64 bad[] = {
		0,
		GUEST_RAM_BASE - 0x1000,
		GUEST_RAM_BASE - 16,                   /* begins before RAM */
		GUEST_RAM_BASE + GUEST_RAM_BYTES - 16, /* ends after it */
		GUEST_RAM_BASE + GUEST_RAM_BYTES,
		GUEST_RAM_BASE + 0x1000 - 16, /* crosses a page */
		GUEST_RAM_BASE + 2,           /* bit 1 */
		0xfee00000,
		~0ull & ~1ull,
		1ull << 62,
	};
	static u8 before[GUEST_RAM_BYTES];

	fake_guest_init(&g, 1, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(g.ram, 0x5a, sizeof(g.ram));
		memcpy(before, g.ram, sizeof(before));
		enable(0, bad[i]);
		EXPECT_EQ(bad[i] | 1, get(MSR_KVM_SYSTEM_TIME_NEW));
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_WALL_CLOCK_NEW, bad[i]));
		/* The wall clock has 12 bytes: at RAM + ... - 16 they fit. */
		if (bad[i] % 4 == 0 && bad[i] >= GUEST_RAM_BASE &&
		    bad[i] - GUEST_RAM_BASE <= sizeof(g.ram) - 12)
			memcpy(before + (bad[i] - GUEST_RAM_BASE),
			       g.ram + (bad[i] - GUEST_RAM_BASE), 12);
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_IA32_TSC_ADJUST, i + 1));
		EXPECT_MEMEQ(before, g.ram, sizeof(before));
	}
}

static void test_hypervisor_region_is_refused(void)
{
	static u8 before[GUEST_RAM_BYTES];

	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(ERR_NONE,
		  e820_reserve(&g.p.memory, GUEST_RAM_BASE + 0x2000, 0x1000, E820_RESERVED));
	/* RAM that ends inside a page, as below the EBDA: the first words alone would be RAM. */
	EXPECT_EQ(ERR_NONE,
		  e820_reserve(&g.p.memory, GUEST_RAM_BASE + 0x4c00, 0x400, E820_RESERVED));
	memcpy(before, g.ram, sizeof(before));
	enable(0, PAGE_GPA);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_WALL_CLOCK_NEW, PAGE_GPA));
	EXPECT_MEMEQ(before, g.ram, sizeof(before));
	enable(0, GUEST_RAM_BASE + 0x4c00 - 16);
	EXPECT_MEMEQ(before, g.ram, sizeof(before));
}

static void test_disable_and_init_stop_writes(void)
{
	for (int how = 0; how < 3; how++) {
		struct pvclock_vcpu_time_info t;

		fake_guest_init(&g, 2, NULL);
		enable(0, PAGE_GPA);
		enable(1, PAGE_GPA + 0x40);
		if (how == 0)
			EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_SYSTEM_TIME_NEW, 0));
		else
			hv_vp_reset(&g.vp[0], how == 1);
		memset(g.ram + (PAGE_GPA - GUEST_RAM_BASE), 0x11, 32);
		EXPECT_EQ(0, get(MSR_KVM_SYSTEM_TIME_NEW));
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[1], MSR_IA32_TSC_ADJUST, 77));
		t = page_at(PAGE_GPA);
		EXPECT_EQ(0x11111111, t.version);
		EXPECT_EQ(0, page_at(PAGE_GPA + 0x40).flags & PVCLOCK_TSC_STABLE_BIT);
	}
}

/* KVM writes all 32 bytes: what lay in the pads is gone. Nothing around them changes. */
static void test_pads_are_zero(void)
{
	struct pvclock_vcpu_time_info t;
	u8 *page;

	fake_guest_init(&g, 1, NULL);
	page = g.ram + (PAGE_GPA - GUEST_RAM_BASE);
	memset(page - 4, 0xa5, sizeof(t) + 8);
	enable(0, PAGE_GPA);
	t = page_at(PAGE_GPA);
	EXPECT_EQ(0, t.pad0 | t.pad[0] | t.pad[1]);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(0xa5a5, page[i - 4] << 8 | page[(int)sizeof(t) + i]);
}

static void test_guest_stopped_flag_is_the_guests(void)
{
	fake_guest_init(&g, 1, NULL);
	g.ram[PAGE_GPA - GUEST_RAM_BASE + 29] = PVCLOCK_GUEST_STOPPED | 0xf0;
	enable(0, PAGE_GPA);
	EXPECT_EQ(PVCLOCK_GUEST_STOPPED | PVCLOCK_TSC_STABLE_BIT, page_at(PAGE_GPA).flags);
}

static void set_page_perms(u64 perms)
{
	EXPECT_EQ(ERR_NONE, ept_map(&g.p.ept, gpa(PAGE_GPA & ~0xfffull), hpa(PAGE_GPA & ~0xfffull),
				    4096, perms, MT_WB));
	partition_map_changed(&g.p);
}

static u8 flags(void)
{
	return page_at(PAGE_GPA).flags & PVCLOCK_GUEST_STOPPED;
}

/* The page may be out of reach just then, as under an overlay: it gets the flag afterwards. */
static void test_pause_reaches_a_page_that_is_live_later(void)
{
	fake_guest_init(&g, 1, NULL);
	g.p.hooks->paused(&g.vp[0]);
	enable(0, PAGE_GPA);
	EXPECT_EQ(0, flags()); /* registered after the pause */
	set_page_perms(EPT_R | EPT_X);
	g.p.hooks->paused(&g.vp[0]);
	EXPECT_EQ(0, flags());
	set_page_perms(EPT_RWX);
	EXPECT_EQ(PVCLOCK_GUEST_STOPPED, flags());
	set_page_perms(EPT_R | EPT_X);
	g.p.hooks->paused(&g.vp[0]);
	hv_vp_reset(&g.vp[0], true);
	set_page_perms(EPT_RWX);
	memset(g.ram + (PAGE_GPA - GUEST_RAM_BASE), 0, 32);
	enable(0, PAGE_GPA);
	EXPECT_EQ(0, flags());
}

static void test_unaligned_page_and_old_version(void)
{
	u64 addr = GUEST_RAM_BASE + 0x1004; /* 4-byte aligned only */
	u32 old = 0xffffffff;
	struct pvclock_vcpu_time_info t;

	fake_guest_init(&g, 1, NULL);
	memcpy(g.ram + 0x1004, &old, 4);
	enable(0, addr);
	t = page_at(addr);
	EXPECT_EQ(0, t.version & 1);
	EXPECT_NE(old, t.version);
	EXPECT_EQ(g.p.clock.mul, t.tsc_to_system_mul);
	EXPECT_EQ(g.p.clock.boot_tsc, t.tsc_timestamp);
}

static void test_wall_clock(void)
{
	static const u32 msrs[] = { MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK_NEW };

	fake_guest_init(&g, 1, NULL);
	for (size_t i = 0; i < 2; i++) {
		struct pvclock_wall_clock w, again;

		memset(g.ram, 0, sizeof(g.ram));
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], msrs[i], PAGE_GPA));
		memcpy(&w, g.ram + (PAGE_GPA - GUEST_RAM_BASE), sizeof(w));
		EXPECT_EQ(1700000000, w.sec);
		EXPECT_EQ(123456789, w.nsec);
		EXPECT_NE(0, w.version);
		EXPECT_EQ(0, w.version & 1);
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], msrs[i], PAGE_GPA));
		memcpy(&again, g.ram + (PAGE_GPA - GUEST_RAM_BASE), sizeof(w));
		EXPECT_NE(w.version, again.version);
		EXPECT_EQ(PAGE_GPA, get(MSR_KVM_WALL_CLOCK));
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], msrs[i], 0));
		EXPECT_EQ(0, get(MSR_KVM_WALL_CLOCK_NEW));
	}
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_WALL_CLOCK, PAGE_GPA));
	hv_vp_reset(&g.vp[0], true); /* INIT keeps the VM-wide value, power-on does not */
	EXPECT_EQ(PAGE_GPA, get(MSR_KVM_WALL_CLOCK));
	hv_vp_reset(&g.vp[0], false);
	EXPECT_EQ(0, get(MSR_KVM_WALL_CLOCK));
}

static void kvm_off(struct partition *p)
{
	p->config.cpu_features &= ~BIT64(FEATURE_KVM);
}

static void test_not_advertised_is_gp(void)
{
	static const u32 unknown[] = { 0x4b564d02, 0x4b564d06, 0x4b564d07,
				       0x4b564d08, 0x4b564d09, 0x4b564dff };
	u64 val;

	fake_guest_init(&g, 1, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], unknown[i], &val));
	fake_guest_init(&g, 1, kvm_off);
	EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], MSR_KVM_SYSTEM_TIME_NEW, &val));
	EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], MSR_KVM_WALL_CLOCK, &val));
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], MSR_KVM_SYSTEM_TIME, PAGE_GPA | 1));
}

/* The option is this feature's own: its hook is called all the same, and does nothing. */
static void test_periodic_sync_is_an_option(void)
{
	fake_guest_init(&g, 1, NULL);
	enable(0, PAGE_GPA);
	hv_start_periodic(&g.vp[0]);
	for (u32 on = 0; on < 2; on++) {
		u32 version = page_at(PAGE_GPA).version;

		g.p.config.kvmclock_periodic_sync = on != 0;
		fake.tsc = g.vp[0].periodic_tsc;
		g.p.hooks->periodic(&g.vp[0]);
		EXPECT_EQ(version + 2 * on, page_at(PAGE_GPA).version);
		EXPECT_EQ(on, g.vp[0].counters.c[COUNTER_CLOCK_SYNC]);
		EXPECT_GE(g.vp[0].periodic_tsc, fake.tsc + 299 * g.p.clock.tsc_hz);
	}
}

/* --- Version protocol, watched by another CPU --- */

static bool reader_stop;
static u32 torn, snapshots;

static void *reader(void *arg)
{
	const volatile struct pvclock_vcpu_time_info *t = arg;

	while (!__atomic_load_n(&reader_stop, __ATOMIC_RELAXED)) {
		u32 v = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE);
		u64 stamp = t->tsc_timestamp;
		u32 mul = t->tsc_to_system_mul;

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if ((v & 1) || v != __atomic_load_n(&t->version, __ATOMIC_RELAXED))
			continue;
		snapshots++;
		/* The writer keeps both halves equal and mul = low half. */
		if ((u32)stamp != (u32)(stamp >> 32) || mul != (u32)stamp)
			torn++;
	}
	return NULL;
}

static void test_reader_never_sees_half_an_update(void)
{
	pthread_t thread;

	fake_guest_init(&g, 1, NULL);
	g.p.clock.boot_tsc = 0;
	g.p.clock.mul = 0;
	enable(0, PAGE_GPA);
	reader_stop = false;
	torn = 0;
	snapshots = 0;
	EXPECT_EQ(0, pthread_create(&thread, NULL, reader, g.ram + (PAGE_GPA - GUEST_RAM_BASE)));
	/* On a busy machine the reader may not have had the CPU by then. */
	for (u64 i = 1; i < 200000 || (READ_ONCE(snapshots) == 0 && i < 100000000); i++) {
		u32 x = (u32)i * 2654435761u;

		if (i % 16 == 0)
			sched_yield(); /* both threads may share one CPU */
		g.p.clock.boot_tsc = (u64)x << 32 | x;
		g.p.clock.mul = x;
		g.p.hooks->clock_changed(&g.p);
	}
	__atomic_store_n(&reader_stop, true, __ATOMIC_RELAXED);
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_GE(snapshots, 1);
	EXPECT_EQ(0, torn);
}

TEST_MAIN(TEST(test_page_agrees_with_clock_module), TEST(test_tsc_writes_do_not_move_time),
	  TEST(test_unequal_offsets_drop_stable_everywhere),
	  TEST(test_tscs_out_of_step_are_never_stable), TEST(test_same_sample_for_all_vps),
	  TEST(test_bad_addresses_are_inactive), TEST(test_hypervisor_region_is_refused),
	  TEST(test_disable_and_init_stop_writes), TEST(test_pads_are_zero),
	  TEST(test_guest_stopped_flag_is_the_guests),
	  TEST(test_pause_reaches_a_page_that_is_live_later),
	  TEST(test_unaligned_page_and_old_version), TEST(test_wall_clock),
	  TEST(test_not_advertised_is_gp), TEST(test_periodic_sync_is_an_option),
	  TEST(test_reader_never_sees_half_an_update))
