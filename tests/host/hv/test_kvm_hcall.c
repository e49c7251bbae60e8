/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypercalls of hv/kvm that act: hcall*.c, through the exit row, by KVM's hypercalls.rst. */
#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/vmcs.h"
#include "core/apic/vlapic_internal.h"
#include "core/exit/exit.h"
#include "core/vp/park.h"
#include "hv/hv.h"
#include "hv/kvm/kvm_abi.h"
#include "tests/host/fakes/far.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g; /* VP i has APIC ID 2 * i */

#define KICK_CPU      5
#define CLOCK_PAIRING 9
#define SEND_IPI      10
#define SCHED_YIELD   11
#define MODE_NMI      0x400
#define LEVEL         0x8000
#define ASSERT_LEVEL  0x4000

static s64 call(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	struct gpr_regs *r = &g.vp[0].regs;
	struct gpr_regs before = { .rbx = a0, .rcx = a1, .rdx = a2, .rsi = a3, .rdi = 7, .r8 = 8 };
	u64 result;

	*r = before;
	r->rax = nr;
	EXPECT_EQ(EXIT_NEXT,
		  exit_table_row(&exit_table_guest, EXIT_REASON_VMCALL)->fn(&g.vp[0], NULL));
	result = r->rax;
	r->rax = 0;
	EXPECT_MEMEQ(&before, r, sizeof(before));
	return (s64)result;
}

static void start(u32 vps)
{
	fake_guest_init(&g, vps, NULL);
	for (u32 i = 0; i < vps; i++) {
		g.p.vp_of_apic_id[2 * i] = &g.vp[i];
		vlapic_write(&g.vp[i], APIC_SVR, APIC_SVR_ENABLE | 0xff);
	}
}

static bool has_irr(u32 vp, u8 vector)
{
	vlapic_fold_posted(&g.vp[vp]);
	return (*vlapic_bitmap(&g.vp[vp].apic, APIC_IRR, vector) & BIT32(vector & 31)) != 0;
}

static u64 counter(enum counter c)
{
	return g.vp[0].counters.c[c];
}

static void only(struct partition *p)
{
	p->config.cpu_features = BIT64(FEATURE_KVM);
}

/* PV enforcement: without the CPUID bit a call is as unknown as one that does not exist. */
static void test_not_offered_is_enosys(void)
{
	fake_guest_init(&g, 1, only);
	EXPECT_EQ(-1000, call(KICK_CPU, 0, 0, 0, 0));
	EXPECT_EQ(-1000, call(SEND_IPI, 1, 0, 0, 0x40));
	EXPECT_EQ(-1000, call(SCHED_YIELD, 0, 0, 0, 0));
	EXPECT_EQ(0, call(CLOCK_PAIRING, GUEST_RAM_BASE, 0, 0, 0)); /* has no bit */
	EXPECT_FALSE(g.vp[0].unhalted);
}

static void test_kick_of_running_vp_is_sticky(void)
{
	start(2);
	EXPECT_EQ(0, call(KICK_CPU, 0xdead, 2, 0, 0));
	EXPECT_EQ(1, g.vp[1].unhalted);
	EXPECT_EQ(0, fake.kick_count); /* it runs: no NMI */
	EXPECT_EQ(0, g.vp[0].unhalted);
	EXPECT_EQ(0, call(KICK_CPU, 0, 0, 0, 0)); /* oneself */
	EXPECT_EQ(1, g.vp[0].unhalted);
	EXPECT_EQ(0, counter(COUNTER_KVM_KICK_WAKE));
}

static void test_kick_of_halted_vp_wakes_it(void)
{
	start(2);
	g.vp[1].state = VP_HALTED;
	EXPECT_EQ(0, call(KICK_CPU, 0, 2, 0, 0));
	EXPECT_EQ(1, fake.kick_count);
	EXPECT_TRUE(fake.kicked[0] == &g.vp[1]);
	EXPECT_NE(0, g.vp[1].work & VP_WORK_EVENT);
	EXPECT_EQ(1, counter(COUNTER_KVM_KICK_WAKE));
}

static void test_kick_of_nobody(void)
{
	start(2);
	EXPECT_EQ(0, call(KICK_CPU, 0, 1, 0, 0));
	EXPECT_EQ(0, call(KICK_CPU, 0, 0xffffffff, 0, 0));
	EXPECT_EQ(0, g.vp[0].unhalted | g.vp[1].unhalted);
}

/* HLT, IF = 0, nothing pending: the flag alone ends it, once. */
static void test_unhalt_ends_hlt(void)
{
	start(1);
	fake.vmcs[VMCS_GUEST_RFLAGS] = 2;
	g.vp[0].unhalted = 1;
	EXPECT_EQ(EXIT_NEXT, exit_hlt(&g.vp[0], &g.vp[0].exit));
	EXPECT_EQ(VP_RUNNING, g.vp[0].state);
	EXPECT_EQ(0, g.vp[0].unhalted);
	EXPECT_EQ(EXIT_NEXT, exit_hlt(&g.vp[0], &g.vp[0].exit));
	EXPECT_EQ(VP_HALTED, g.vp[0].state);
	EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
	g.vp[0].unhalted = 1;
	vp_left_hlt(&g.vp[0]);
	(void)vp_prepare_entry(&g.vp[0]);
	EXPECT_EQ(VP_RUNNING, g.vp[0].state);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_RFLAGS] & 0x200);
}

static void test_send_ipi_reaches_the_bitmap(void)
{
	start(4); /* APIC IDs 0, 2, 4, 6 */
	EXPECT_EQ(2, call(SEND_IPI, BIT64(2) | BIT64(3) | BIT64(6), 0, 0, 0x41));
	EXPECT_FALSE(has_irr(0, 0x41));
	EXPECT_TRUE(has_irr(1, 0x41));
	EXPECT_FALSE(has_irr(2, 0x41));
	EXPECT_TRUE(has_irr(3, 0x41));
	/* Oneself, with an offset; the second word begins 64 further. */
	EXPECT_EQ(1, call(SEND_IPI, 1, 0, 0, 0x42));
	EXPECT_TRUE(has_irr(0, 0x42));
	EXPECT_EQ(1, call(SEND_IPI, BIT64(2), 0, 2, 0x43));
	EXPECT_TRUE(has_irr(2, 0x43));
	EXPECT_EQ(0, call(SEND_IPI, 0, BIT64(2), 0, 0x44));
	EXPECT_EQ(0, call(SEND_IPI, ~0ull, ~0ull, 0xffffffff, 0x44));
	EXPECT_EQ(4, call(SEND_IPI, ~0ull, ~0ull, 0, 0x45));
	EXPECT_EQ(8, counter(COUNTER_KVM_SEND_IPI_TARGETS));
}

static void test_send_ipi_second_word(void)
{
	start(2);
	g.p.vp_of_apic_id[2] = NULL;
	g.vp[1].apic_id = 70;
	g.p.vp_of_apic_id[70] = &g.vp[1];
	EXPECT_EQ(1, call(SEND_IPI, 0, BIT64(6), 0, 0x41));
	EXPECT_TRUE(has_irr(1, 0x41));
	/* A 32-bit caller's words have 32 bits, and so have its registers. */
	fake.vmcs[VMCS_GUEST_CS_AR] &= ~(u64)AR_L;
	EXPECT_EQ(1, call(SEND_IPI, BIT64(38), BIT64(38 - 32 + 32) | BIT64(6), 32, 0x42));
	EXPECT_TRUE(has_irr(1, 0x42));
}

static void test_send_ipi_modes(void)
{
	start(2);
	EXPECT_EQ(1, call(SEND_IPI, BIT64(2), 0, 0, MODE_NMI));
	EXPECT_EQ(SIGNAL_NMI, g.vp[1].apic.signals);
	EXPECT_EQ(1, call(SEND_IPI, 1, 0, 0, MODE_NMI));
	EXPECT_TRUE(g.vp[0].event.nmis_pending);
	EXPECT_EQ(-22, call(SEND_IPI, 1, 0, 0, 0x41 | BIT32(11)));
	EXPECT_EQ(-22, call(SEND_IPI, 1, 0, 0, 0x41 | BIT32(18)));
	EXPECT_EQ(-22, call(SEND_IPI, 1, 0, 0, 0x41 | BIT32(19)));
	EXPECT_EQ(0, call(SEND_IPI, BIT64(2), 0, 0, 0x41 | LEVEL)); /* de-assert */
	EXPECT_EQ(1, call(SEND_IPI, BIT64(2), 0, 0, 0x46 | LEVEL | ASSERT_LEVEL));
	EXPECT_EQ(0, call(SEND_IPI, BIT64(2), 0, 0, 0x41 | 0x200)); /* SMI */
	EXPECT_EQ(0, call(SEND_IPI, BIT64(2), 0, 0, 0x41 | 0x300)); /* reserved */
	EXPECT_FALSE(has_irr(1, 0x41));
	EXPECT_TRUE(has_irr(1, 0x46));
	vlapic_write(&g.vp[1], APIC_SVR, 0xff); /* switched off by software: NMIs only */
	EXPECT_EQ(0, call(SEND_IPI, BIT64(2), 0, 0, 0x47));
	EXPECT_EQ(1, call(SEND_IPI, BIT64(2), 0, 0, MODE_NMI));
	g.vp[1].apic.base_msr &= ~APIC_BASE_EN;
	EXPECT_EQ(0, call(SEND_IPI, BIT64(2), 0, 0, MODE_NMI));
}

static void test_clock_pairing(void)
{
	struct kvm_clock_pairing pair;
	u64 wall_ns, at = GUEST_RAM_BASE + 0x1ff0; /* any alignment, across pages */

	start(1);
	memset(g.ram, 0xa5, sizeof(g.ram));
	g.vp[0].tsc_offset = 12345;
	fake.tsc = g.p.clock.boot_tsc + 5 * GUEST_TSC_HZ;
	EXPECT_EQ(0, call(CLOCK_PAIRING, at, 0, 0, 0));
	memcpy(&pair, g.ram + 0x1ff0, sizeof(pair));
	wall_ns = 1700000000123456789ull + 5000000000ull;
	EXPECT_GE((u64)pair.sec * 1000000000 + (u64)pair.nsec, wall_ns - 10);
	EXPECT_LE((u64)pair.sec * 1000000000 + (u64)pair.nsec, wall_ns + 10);
	EXPECT_LE(pair.nsec, 999999999);
	EXPECT_EQ(fake.tsc + 12345, pair.tsc);
	EXPECT_EQ(0, pair.flags | pair.pad[0] | pair.pad[8]);
	EXPECT_EQ(0xa5, g.ram[0x1ff0 + 64]);
	EXPECT_EQ(-95, call(CLOCK_PAIRING, at, 1, 0, 0));
	EXPECT_EQ(-14, call(CLOCK_PAIRING, GUEST_RAM_BASE + GUEST_RAM_BYTES - 63, 0, 0, 0));
	EXPECT_EQ(-14, call(CLOCK_PAIRING, 0xfee00000, 0, 0, 0));
	EXPECT_EQ(-14, call(CLOCK_PAIRING, ~0ull, 0, 0, 0));
}

static void test_yield_ends_work_that_can_wait(void)
{
	u64 begin_tsc;

	start(2);
	EXPECT_EQ(0, call(SCHED_YIELD, 2, 0, 0, 0));
	EXPECT_EQ(0, call(SCHED_YIELD, 1, 0, 0, 0)); /* nobody */
	EXPECT_FALSE(park_is_wanted(&g.vp[1]));
	begin_tsc = park_begin_work(&g.vp[1]);
	EXPECT_EQ(0, call(SCHED_YIELD, 0, 0, 0, 0)); /* oneself */
	EXPECT_FALSE(park_is_wanted(&g.vp[1]));
	EXPECT_EQ(0, call(SCHED_YIELD, 2, 0, 0, 0));
	EXPECT_TRUE(park_is_wanted(&g.vp[1]));
	park_end_work(&g.vp[1], STEAL_DUMP, begin_tsc);
}

static void test_poll_control(void)
{
	u64 val = 0;

	start(1);
	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], MSR_KVM_POLL_CONTROL, &val));
	EXPECT_EQ(1, val);
	for (u32 bit = 1; bit < 64; bit++)
		EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], MSR_KVM_POLL_CONTROL, BIT64(bit) | 1));
	EXPECT_FALSE(g.vp[0].halt_poll.disallowed);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_POLL_CONTROL, 0));
	EXPECT_TRUE(g.vp[0].halt_poll.disallowed);
	hv_vp_reset(&g.vp[0], true); /* survives INIT */
	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], MSR_KVM_POLL_CONTROL, &val));
	EXPECT_EQ(0, val);
	hv_vp_reset(&g.vp[0], false);
	EXPECT_FALSE(g.vp[0].halt_poll.disallowed);
}

/* The guest's instruction is not retired before the answer is in its memory. */
static void test_clock_pairing_waits_for_its_page(void)
{
	struct kvm_clock_pairing pair;

	start(1);
	fake_far_add(&g.p, GUEST_RAM_BASE + 0x2000, GUEST_RAM_BASE + 0x3000);
	fake.tsc = g.p.clock.boot_tsc + 5 * GUEST_TSC_HZ;
	fake.tsc_step = GUEST_TSC_HZ / 10000;
	EXPECT_EQ(0, call(CLOCK_PAIRING, GUEST_RAM_BASE + 0x1ff0, 0, 0, 0));
	EXPECT_EQ(2, counter(COUNTER_PAGE_WAIT));
	EXPECT_GE(g.vp[0].park.stolen_tsc[STEAL_PAGE], 1);
	EXPECT_EQ(0, fake_far.pinned);
	memcpy(&pair, g.ram + 0x1ff0, sizeof(pair));
	EXPECT_EQ(1700000005, pair.sec);
	fake_far.never = true;
	EXPECT_EQ(-14, call(CLOCK_PAIRING, GUEST_RAM_BASE + 0x1ff0, 0, 0, 0));
}

TEST_MAIN(TEST(test_not_offered_is_enosys), TEST(test_kick_of_running_vp_is_sticky),
	  TEST(test_kick_of_halted_vp_wakes_it), TEST(test_kick_of_nobody),
	  TEST(test_unhalt_ends_hlt), TEST(test_send_ipi_reaches_the_bitmap),
	  TEST(test_send_ipi_second_word), TEST(test_send_ipi_modes), TEST(test_clock_pairing),
	  TEST(test_yield_ends_work_that_can_wait), TEST(test_poll_control),
	  TEST(test_clock_pairing_waits_for_its_page))
