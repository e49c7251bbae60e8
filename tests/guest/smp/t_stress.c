// SPDX-License-Identifier: BSD-2-Clause
// Everything at once, at random, on all CPUs: IPIs of every destination and shorthand, timers,
// NMIs, HLT with either IF, INIT and SIPI of a victim. `seed=N` repeats a run as far as timing
// allows.
//
// Exact: a sender waits until each of its interrupts was acknowledged, so each must arrive once and
// nowhere else. Flood: nobody waits; at least one delivery follows the last send of each vector.

#include "tests/guest/groups.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/stress.h"
#include "tests/guest/smp/t_smp.h"

#define EXACT_STEPS   60
#define EXACT_ROUNDS  6
#define FLOOD_STEPS   400
#define FLOOD_ROUNDS  4
#define RESTART_STEPS 6

static u32 seed, restarts;

static void work(u64 steps)
{
	u32 self = smp_self();
	struct stress_cpu *c = &stress_cpu[self];

	sti();
	for (u64 i = 0; (i < steps || self == stress.victim) && !stress.quit; i++)
		stress_step(c, self);
	c->doing = "waiting for the others";
	c->finished = true;
	while (!smp_quit) {
		stress_serve();
		cpu_relax();
	}
	cli();
}

/* INIT, SIPI; then an NMI and an IPI reach it, each once, and nothing is left from before. */
static void restart_victim(struct stress_cpu *c)
{
	struct stress_cpu *v = &stress_cpu[stress.victim];
	const struct ap_apic *found = &smp_cpu[stress.victim].found;
	u32 i = SERVE_LANE, before;

	c->doing = "restarting the victim";
	if (!smp_restart(stress.victim))
		return stress_complain("restart %u: CPU %u (%s) does not come back", restarts,
				       stress.victim, stress_doing(stress.victim));
	restarts++;
	if ((found->irr | found->isr | found->tmr | found->tmict) != 0)
		stress_complain("restart %u: CPU %u found IRR 0x%x ISR 0x%x TMR 0x%x TMICT 0x%x",
				restarts, stress.victim, found->irr, found->isr, found->tmr,
				found->tmict);
	v->sleep = AWAKE;
	v->timer_want = v->timer;
	v->nmis = v->nmis_sent;
	v->doing = "fresh";
	stress_nmi_exact(c, stress.victim);
	for (u32 n = 0; n < IPIS; n++) /* what came too late for it */
		v->got[n] = v->want[n];
	before = v->got[i];
	smp_call(stress.victim, work, 0);
	v->want[i]++;
	apic_icr(smp_ids[stress.victim], (IPI_VEC + i) | ASSERT);
	if (!WAIT(v->got[i] != before))
		stress_complain("restart %u: CPU %u (%s) takes no IPI", restarts, stress.victim,
				stress_doing(stress.victim));
}

static void set_cluster(u64 on)
{
	u32 i = smp_self();

	apic_write(APIC_DFR, on ? APIC_DFR_CLUSTER : APIC_DFR_FLAT);
	apic_write(APIC_LDR, on ? (i / 2) << 28 | 1u << (24 + i % 2) : 1u << (24 + i));
}

static bool round_begin(u32 round)
{
	stress.victim = round % 2 == 1 && smp_count() > 1 ? smp_count() - 1 : NOBODY;
	stress.is_cluster = apic_mode() == APIC_XAPIC && round % 4 == 2;
	stress.quit = smp_quit = false;
	if (!EXPECT_TRUE(smp_start()))
		return false;
	for (u32 i = 0; i < smp_count(); i++) {
		struct stress_cpu *c = &stress_cpu[i];
		u32 random = c->random;

		memset(c, 0, sizeof(*c));
		c->random = random;
		if (apic_mode() != APIC_XAPIC)
			continue;
		if (i == 0)
			set_cluster(stress.is_cluster);
		else
			EXPECT_TRUE(smp_run(i, set_cluster, stress.is_cluster));
	}
	return true;
}

/* Everything that was sent has come, where it was sent to. */
static void check_books(void)
{
	for (u32 to = 0; to < smp_count(); to++) {
		struct stress_cpu *c = &stress_cpu[to];

		for (u32 i = 0; i < IPIS; i++) {
			if (to == stress.victim || i / LANES == stress.victim)
				continue;
			if (!WAIT(c->got[i] == c->want[i]))
				stress_complain("CPU %u got %u of %u IPIs 0x%x of CPU %u", to,
						c->got[i], c->want[i], IPI_VEC + i, i / LANES);
		}
		if (!WAIT(c->low_got == c->low_want))
			stress_complain("%u of %u lowest-priority IPIs of CPU %u came", c->low_got,
					c->low_want, to);
		if (!WAIT(c->nmis == c->nmis_sent))
			stress_complain("CPU %u got %u of %u NMIs", to, c->nmis, c->nmis_sent);
		if (c->timer != c->timer_want && to != stress.victim)
			stress_complain("CPU %u: a timer that is off fired", to);
	}
}

static void round_run(u32 steps)
{
	struct stress_cpu *c = &stress_cpu[0];

	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, work, steps);
	sti();
	for (u32 i = 0; i < steps && !stress.quit; i++) {
		stress_step(c, 0);
		if (stress.victim != NOBODY && i % RESTART_STEPS == 0)
			restart_victim(c);
	}
	for (u32 i = 1; i < smp_count(); i++) {
		if (i != stress.victim && !WAIT(stress_cpu[i].finished))
			stress_complain("step %u: CPU %u hangs: %s", stress_cpu[i].steps, i,
					stress_doing(i));
	}
	if (stress.victim != NOBODY && !stress.quit) {
		u32 gone = stress.victim;

		smp_send_init(gone);
		delay_us(200);
		stress_cpu[gone].nmis = stress_cpu[gone].nmis_sent;
		smp_cpu[gone].fn = NULL;
	}
	if (!stress.quit)
		check_books();
	smp_quit = true;
	cli();
	for (u32 i = 1; i < smp_count(); i++) {
		if (!smp_wait(i))
			stress_complain("CPU %u does not end: %s", i, stress_doing(i));
	}
	apic_write(APIC_TPR, 0);
}

static void run(u32 rounds, u32 steps)
{
	u32 total = 0;

	if (smp_count() > 1 && !smp_begin())
		return;
	seed = (u32)cmdline_number("seed", 0x5eed);
	steps = (u32)cmdline_number("steps", steps);
	stress.hlt_ends = cmdline_number("hlt_ends", 0) != 0;
	tap_printf("# seed 0x%x, %u CPUs\n", seed, smp_count());
	restarts = stress.text_taken = 0;
	for (u32 i = 0; i < SMP_MAX; i++) {
		stress_cpu[i].random = (seed + 1) * 2654435761u + i * 40503u;
		stress_cpu[i].random |= stress_cpu[i].random == 0;
	}
	stress_handlers();
	for (u32 round = 0; round < rounds && stress.text_taken == 0; round++) {
		if (!round_begin(round))
			return;
		round_run(steps);
		for (u32 i = 0; i < smp_count(); i++)
			total += stress_cpu[i].steps;
		EXPECT_AT(stress.text_taken == 0, "round %u: %s", round, stress.text);
	}
	tap_printf("# %u steps, %u restarts\n", total, restarts);
}

static void stress_exact(void)
{
	stress.is_flood = false;
	run(EXACT_ROUNDS, EXACT_STEPS);
}

static void stress_flood(void)
{
	stress.is_flood = true;
	run(FLOOD_ROUNDS, FLOOD_STEPS);
}

static const struct test t_stress_tests[] = {
	{ .name = "stress_exact", .run = stress_exact, .flags = T_KENSHO },
	{ .name = "stress_flood", .run = stress_flood, .flags = T_KENSHO },
	{ .name = "stress_x2_exact", .run = stress_exact, .flags = T_KENSHO | T_X2APIC },
	{ .name = "stress_x2_flood", .run = stress_flood, .flags = T_KENSHO | T_X2APIC },
};
TEST_GROUP(t_stress);
