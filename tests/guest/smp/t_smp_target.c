// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: IPIs and NMIs to one that blocks them, sleeps, has other work pending or an APIC
// that is disabled or in another mode. Tests named smp_x2_* run in x2APIC mode.

#include "arch/x86/defs/vector.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

static volatile u32 nmis[SMP_MAX], nmi_depth[SMP_MAX], nmi_deepest;
static volatile bool nmi_hold;

static void nmi_count(struct trap_regs *regs)
{
	u32 self = smp_self();

	if (++nmi_depth[self] > nmi_deepest)
		nmi_deepest = nmi_depth[self];
	nmis[self]++;
	for (u32 i = 0; nmi_hold && i < 10000000; i++)
		cpu_relax();
	nmi_depth[self]--;
}

static void nmi_begin(void)
{
	for (u32 i = 0; i < SMP_MAX; i++)
		nmis[i] = nmi_depth[i] = 0;
	nmi_deepest = 0;
	nmi_hold = false;
	trap_handle(EXC_NMI, nmi_count);
}

/* To each CPU, to all others; also into code that runs with IF = 0 and never exits. */
static void nmi_others(void)
{
	nmi_begin();
	if (!smp_begin())
		return;
	for (u32 interrupts = 0; interrupts < 2; interrupts++) {
		REQUIRE(smp_all(smp_spin, interrupts));
		for (u32 round = 0; round < 20; round++) {
			for (u32 i = 1; i < smp_count(); i++) {
				u32 before = nmis[i];

				apic_icr(smp_ids[i], NMI);
				EXPECT_TRUE(WAIT_FOR(nmis[i] == before + 1, 10000));
			}
		}
		apic_icr(0, NMI | SHORT(APIC_SHORTHAND_OTHERS));
		delay_us(SETTLE_US);
		for (u32 i = 1; i < smp_count(); i++)
			EXPECT_EQ(21 * (interrupts + 1), nmis[i]);
		EXPECT_EQ(0, nmis[0]);
		EXPECT_TRUE(smp_end());
		smp_quit = false;
	}
	EXPECT_EQ(1, nmi_deepest);
}

/* More NMIs while one is handled: one of them comes, after the IRET. */
static void nmi_blocked(void)
{
	nmi_begin();
	if (!smp_begin())
		return;
	REQUIRE(smp_all(smp_spin, 0));
	for (u32 round = 1; round <= 10; round++) {
		nmi_hold = true;
		apic_icr(smp_ids[1], NMI);
		EXPECT_TRUE(WAIT_FOR(nmis[1] == 2 * round - 1, 10000));
		apic_icr(smp_ids[1], NMI);
		apic_icr(smp_ids[1], NMI);
		delay_us(SETTLE_US);
		EXPECT_EQ(2 * round - 1, nmis[1]);
		nmi_hold = false;
		EXPECT_TRUE(WAIT_FOR(nmis[1] == 2 * round, 10000));
		delay_us(SETTLE_US);
		EXPECT_EQ(2 * round, nmis[1]);
	}
	EXPECT_EQ(1, nmi_deepest);
	EXPECT_TRUE(smp_end());
}

static volatile u32 irr_seen;

static void watch_irr(u64 unused)
{
	smp_beat[1]++;
	irr_seen = WAIT_FOR(apic_requested(SMP_VEC), 20000);
	irr_seen += smp_hits[1] == 0 && !apic_in_service(SMP_VEC);
	sti_nop_cli();
	irr_seen += smp_hits[1] == 1 && !apic_requested(SMP_VEC);
}

static void ipi_pending(void)
{
	if (!smp_begin())
		return;
	for (u32 i = 0; i < 10; i++) {
		irr_seen = 0;
		smp_hits[1] = 0;
		EXPECT_TRUE(smp_call_beats(1, watch_irr, 0));
		delay_us(i * 10);
		apic_icr(smp_ids[1], SMP_VEC | ASSERT);
		EXPECT_TRUE(smp_wait(1));
		EXPECT_EQ(3, irr_seen);
		EXPECT_EQ(1, smp_hits[1]);
	}
}

/* TPR of the target holds it back until the target lowers it. */
static void watch_tpr(u64 unused)
{
	apic_write(APIC_TPR, 0xf0);
	sti();
	smp_beat[1]++;
	(void)WAIT_FOR(apic_requested(SMP_VEC), 20000);
	irr_seen = smp_hits[1] == 0;
	apic_write(APIC_TPR, 0);
	asm volatile("nop; nop");
	cli();
	irr_seen += smp_hits[1] == 1;
}

static void ipi_tpr(void)
{
	if (!smp_begin())
		return;
	for (u32 i = 0; i < 10; i++) {
		smp_hits[1] = 0;
		EXPECT_TRUE(smp_call_beats(1, watch_tpr, 0));
		apic_icr(smp_ids[1], SMP_VEC | ASSERT);
		EXPECT_TRUE(smp_wait(1));
		EXPECT_EQ(2, irr_seen);
	}
}

/* No wake-up is lost, wherever around STI; HLT the interrupt comes. */
static void hlt_wakes(void)
{
	if (!smp_begin())
		return;
	REQUIRE(smp_all(smp_halts, 1));
	for (u32 round = 0; round < 300; round++) {
		for (u32 i = 1; i < smp_count(); i++) {
			u32 hits = smp_hits[i], beat = smp_beat[i];

			apic_icr(smp_ids[i], SMP_VEC | ASSERT);
			if (!EXPECT_AT(WAIT_FOR(smp_hits[i] == hits + 1, 10000) &&
					       WAIT_FOR(smp_beat[i] != beat, 10000),
				       "round %u, CPU %u, %u interrupts", round, i,
				       smp_hits[i] - hits))
				return;
		}
		for (u32 n = 0; n < round % 64; n++)
			cpu_relax();
	}
	smp_quit = true;
	apic_icr(0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_OTHERS));
	EXPECT_TRUE(smp_end());
}

/* CLI; HLT: an interrupt does not end it and stays pending, an NMI does. */
static void hlt_cli(void)
{
	nmi_begin();
	if (!smp_begin())
		return;
	for (u32 round = 1; round <= 5; round++) {
		u32 beat = smp_beat[1];

		smp_quit = false;
		EXPECT_TRUE(smp_call_beats(1, smp_halts, 0));
		apic_icr(smp_ids[1], SMP_VEC | ASSERT);
		delay_us(SETTLE_US);
		EXPECT_EQ(beat + 1, smp_beat[1]);
		apic_icr(smp_ids[1], NMI);
		EXPECT_TRUE(WAIT_FOR(smp_beat[1] == beat + 2, 10000));
		EXPECT_EQ(round, nmis[1]);
		EXPECT_EQ(round - 1, smp_hits[1]);
		smp_quit = true;
		delay_us(SETTLE_US);
		apic_icr(smp_ids[1], NMI);
		EXPECT_TRUE(smp_wait(1));
		nmis[1] = round;
		smp_quit = true;
		EXPECT_TRUE(smp_run(1, smp_spin, 1)); /* STI: here it comes */
		EXPECT_EQ(round, smp_hits[1]);
	}
}

static volatile u32 seen_esr;

static void send_illegal(u64 low)
{
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
	apic_icr(smp_ids[0], (u32)low);
	apic_write(APIC_ESR, 0);
	seen_esr = apic_read(APIC_ESR);
	apic_write(APIC_ESR, 0);
}

/* Vectors 0-15: the sender's ESR says so, nothing arrives. */
static void ipi_illegal(void)
{
	if (!smp_begin())
		return;
	for (u32 v = 0; v < 16; v += 5) {
		apic_write(APIC_ESR, 0);
		EXPECT_TRUE(smp_run(1, send_illegal, v | ASSERT));
		apic_write(APIC_ESR, 0);
		if (machine_is_kensho()) { /* the bare emulator logs nothing at the sender */
			EXPECT_EQ(APIC_ESR_SEND_ILLEGAL, seen_esr);
			EXPECT_EQ(0, apic_read(APIC_ESR));
		}
		EXPECT_TRUE(!apic_requested((u8)v));
	}
	EXPECT_TRUE(smp_run(1, send_illegal, SMP_VEC | ASSERT));
	EXPECT_EQ(0, seen_esr);
	sti_nop_cli();
	EXPECT_EQ(1, smp_hits[0]);
}

static void disable_svr(u64 unused)
{
	apic_write(APIC_SVR, SPURIOUS_VECTOR);
}

/* A software-disabled APIC takes no fixed interrupt, yet NMI, INIT and SIPI. */
static void ipi_disabled(void)
{
	nmi_begin();
	if (!smp_begin())
		return;
	if (!machine_is_kensho()) {
		test_skip("the bare emulator's disabled APIC accepts interrupts");
		return;
	}
	EXPECT_TRUE(smp_run(1, disable_svr, 0));
	EXPECT_TRUE(smp_call_beats(1, smp_spin, 1));
	apic_icr(smp_ids[1], SMP_VEC | ASSERT);
	apic_icr(smp_ids[1], NMI);
	EXPECT_TRUE(WAIT_FOR(nmis[1] == 1, 10000));
	delay_us(SETTLE_US);
	EXPECT_EQ(0, smp_hits[1]);
	EXPECT_TRUE(smp_beats(1));
	EXPECT_TRUE(smp_restart(1));
}

/* --- modes of the APIC --- */

static volatile u32 mode_ok;

static bool has_x2apic(void)
{
	return (cpuid(1).c & CPUID1_ECX_X2APIC) != 0;
}

static void cycle_modes(u64 last)
{
	u32 id = apic_id(), ok = 1;

	ok &= apic_enter(APIC_OFF);
	ok &= apic_enter(APIC_XAPIC);
	ok &= apic_id() == id;
	if (has_x2apic()) {
		ok &= apic_enter(APIC_X2APIC);
		ok &= apic_id() == id && apic_read(APIC_LDR) == x2apic_ldr(id);
	}
	ok &= apic_enter((enum apic_mode)last);
	ok &= apic_id() == id;
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	mode_ok = ok;
}

static void check_all_reached(u32 low)
{
	REQUIRE(smp_all(smp_spin, 1));
	for (u32 i = 0; i < smp_count(); i++)
		smp_expect_ipi("after the switch", smp_ids[i], low | ASSERT, 1u << i);
	smp_expect_ipi("all", 0, low | ASSERT | SHORT(APIC_SHORTHAND_ALL), smp_all_mask());
	EXPECT_TRUE(smp_end());
	smp_quit = false;
}

/* Every CPU through all modes; at the end of each round IPIs reach everybody. */
static void modes_all(void)
{
	enum apic_mode old = apic_mode();

	if (!smp_begin())
		return;
	for (u32 round = 0; round < 4; round++) {
		enum apic_mode last = round % 2 == 0 && has_x2apic() ? APIC_X2APIC : APIC_XAPIC;

		cycle_modes(last);
		EXPECT_EQ(1, mode_ok);
		for (u32 i = 1; i < smp_count(); i++) {
			mode_ok = 0;
			EXPECT_TRUE(smp_run(i, cycle_modes, last));
			EXPECT_EQ(1, mode_ok);
		}
		check_all_reached(SMP_VEC);
	}
	apic_enter(old);
}

static void apic_off(u64 unused)
{
	apic_enter(APIC_OFF);
	smp_spin(1);
	apic_enter(APIC_XAPIC);
	mode_ok = apic_id() == smp_ids[smp_self()] && !apic_requested(SMP_VEC);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	sti_nop_cli();
}

/* A disabled APIC is not on the bus: no IPI, no NMI, no INIT; enabled again it is. */
static void disabled_ap(void)
{
	nmi_begin();
	if (!smp_begin())
		return;
	EXPECT_TRUE(smp_call_beats(1, apic_off, 0));
	apic_icr(smp_ids[1], SMP_VEC | ASSERT);
	apic_icr(smp_ids[1], NMI);
	apic_icr(0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_OTHERS));
	delay_us(SETTLE_US);
	EXPECT_TRUE(smp_beats(1));
	EXPECT_EQ(0, nmis[1] | smp_hits[1]);
	smp_quit = true;
	EXPECT_TRUE(smp_wait(1));
	EXPECT_EQ(1, mode_ok);
	EXPECT_EQ(0, nmis[1] | smp_hits[1]);
	smp_quit = false;
	EXPECT_TRUE(smp_start());
	check_all_reached(SMP_VEC);
}

#define BOTH(prefix, more)                                                             \
	{ .name = prefix "ipi_pending", .run = ipi_pending, .flags = more },           \
		{ .name = prefix "ipi_tpr", .run = ipi_tpr, .flags = more },           \
		{ .name = prefix "ipi_illegal", .run = ipi_illegal, .flags = more },   \
		{ .name = prefix "ipi_disabled", .run = ipi_disabled, .flags = more }, \
		{ .name = prefix "nmi_others", .run = nmi_others, .flags = more },     \
		{ .name = prefix "nmi_blocked", .run = nmi_blocked, .flags = more },   \
		{ .name = prefix "hlt_wakes", .run = hlt_wakes, .flags = more },       \
	{                                                                              \
		.name = prefix "hlt_cli", .run = hlt_cli, .flags = more                \
	}

static const struct test t_smp_target_tests[] = {
	BOTH("smp_", 0),
	{ .name = "smp_modes_all", .run = modes_all, .flags = T_KENSHO },
	{ .name = "smp_disabled_ap", .run = disabled_ap, .flags = T_KENSHO },
	BOTH("smp_x2_", T_X2APIC),
};
TEST_GROUP(t_smp_target);
