// SPDX-License-Identifier: BSD-2-Clause
// What a CPU of the stress test does in one step: an IPI of any destination and shorthand, an NMI,
// a timer, sleep, a raised TPR, or nothing for a while.

#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/stress.h"

/* --- sending --- */

struct shot {
	const char *what;
	u32 dest, low;
	u32 mask; /* CPUs that get it */
};

/* A random set that is neither empty nor has the victim in it. */
static u32 random_mask(struct stress_cpu *c)
{
	u32 mask;

	do {
		mask = stress_rnd(c, smp_all_mask() + 1) & ~(1u << stress.victim);
	} while (mask == 0);
	return mask;
}

static void shot_logical(struct stress_cpu *c, struct shot *s)
{
	u32 cluster, bits;

	s->low |= LOGICAL;
	s->mask = random_mask(c);
	if (!stress.is_cluster) {
		s->dest = smp_logical_of(s->mask);
		return;
	}
	cluster = (u32)__builtin_ctz(s->mask) / 2; /* CPU n is bit n % 2 of cluster n / 2 */
	bits = s->mask >> cluster * 2 & 3;
	s->mask = bits << cluster * 2;
	s->dest = cluster << 4 | bits;
}

static struct shot shot_fixed(struct stress_cpu *c)
{
	struct shot s = { .low = ASSERT };
	u32 self = smp_self(), kind = stress_rnd(c, 8);

	switch (kind) {
	case 0:
		s.what = "fixed, logical";
		shot_logical(c, &s);
		break;
	case 1:
		s.what = "fixed, broadcast";
		s.dest = apic_mode() == APIC_X2APIC ? ~0u : 0xff;
		s.low |= stress_rnd(c, 2) != 0 ? LOGICAL : 0;
		s.mask = smp_all_mask();
		break;
	case 2:
	case 3:
	case 4:
		s.what = kind == 2 ? "fixed, self" : kind == 3 ? "fixed, all" : "fixed, others";
		s.low |= (kind - 1) << 18;
		s.mask = kind == 2   ? 1u << self
			 : kind == 3 ? smp_all_mask()
				     : smp_all_mask() & ~(1u << self);
		break;
	default:
		s.what = "fixed, physical";
		s.mask = random_mask(c);
		s.mask &= -s.mask;
		s.dest = smp_ids[__builtin_ctz(s.mask)];
	}
	return s;
}

static void shoot(const struct shot *s, u32 vector)
{
	if (apic_mode() == APIC_X2APIC && (s->low & APIC_ICR_SHORTHAND) == 1u << 18 &&
	    (vector & 1) != 0)
		wrmsr(X2APIC_MSR(APIC_SELF_IPI), vector);
	else
		apic_icr(s->dest, s->low | vector);
}

static void act_fixed(struct stress_cpu *c, u32 self)
{
	struct shot s = shot_fixed(c);
	u32 i = self * LANES + stress_rnd(c, SERVE_LANE);

	c->doing = s.what;
	for (u32 to = 0; to < smp_count(); to++) {
		if ((s.mask >> to & 1) != 0)
			STORE_RELEASE(stress_cpu[to].want[i], stress_cpu[to].want[i] + 1);
	}
	shoot(&s, IPI_VEC + i);
	for (u32 to = 0; to < smp_count(); to++) {
		if (stress.is_flood || (s.mask >> to & 1) == 0 || to == stress.victim ||
		    self == stress.victim)
			continue;
		if (!WAIT(LOAD_ACQUIRE(stress_cpu[to].got[i]) == stress_cpu[to].want[i]))
			stress_complain(
				"step %u: CPU %u (%s) acknowledged %u of %u IPIs 0x%x of CPU %u "
				"(%s)",
				c->steps, to, stress_doing(to), stress_cpu[to].got[i],
				stress_cpu[to].want[i], IPI_VEC + i, self, s.what);
	}
}

static void act_lowest(struct stress_cpu *c, u32 self)
{
	struct shot s = { .low = LOWEST | LOGICAL };

	c->doing = "lowest priority";
	shot_logical(c, &s);
	c->low_mask = s.mask;
	STORE_RELEASE(c->low_want, c->low_want + 1);
	apic_icr(s.dest, s.low | (LOWEST_VEC + self));
	if (!stress.is_flood && !WAIT(LOAD_ACQUIRE(c->low_got) == c->low_want))
		stress_complain(
			"step %u: %u of %u lowest-priority IPIs of CPU %u to mask 0x%x came",
			c->steps, c->low_got, c->low_want, self, s.mask);
}

static void act_nmi(struct stress_cpu *c, u32 self)
{
	u32 to = (u32)__builtin_ctz(random_mask(c));

	c->doing = "NMI";
	if (stress.is_flood)
		stress_send_nmi(to);
	else
		stress_nmi_exact(c, to);
}

/* --- timers and sleep --- */

static void timer_start(struct stress_cpu *c, u32 mode)
{
	c->timer_vec = stress_rnd(c, 2) != 0 ? TIMER_LOW : TIMER_HIGH;
	apic_timer(mode, (u8)c->timer_vec, APIC_TDCR_BY_1);
	if (mode == APIC_TIMER_TSC_DEADLINE)
		apic_deadline(rdtsc() + stress_rnd(c, 3000)); /* 0: at once */
	else if (mode == APIC_TIMER_ONE_SHOT)
		apic_write(APIC_TMICT, 1 + stress_rnd(c, 100000));
	else
		apic_write(APIC_TMICT, 200000 + stress_rnd(c, 10000));
}

static void timer_stop(struct stress_cpu *c)
{
	apic_deadline(0);
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	sti_nop_cli();
	c->timer_want = c->timer;
}

/* One expiration, or three in periodic mode, awaited with IF = 1 or in HLT. */
static void act_timer(struct stress_cpu *c, u32 self)
{
	static const char *const names[] = {
		"one-shot timer",      "periodic timer",      "deadline",
		"one-shot timer, HLT", "periodic timer, HLT", "deadline, HLT"
	};
	u32 mode = stress_rnd(c, 3), halt = stress_rnd(c, 2),
	    count = mode == APIC_TIMER_PERIODIC ? 3 : 1;
	u32 want = c->timer + count;

	c->doing = names[mode + 3 * halt];
	cli();
	if (c->timer != c->timer_want)
		stress_complain("step %u: CPU %u: a timer that is off fired", c->steps, self);
	timer_start(c, mode);
	while (halt != 0 && c->timer < want && !stress.quit)
		sti_hlt_cli();
	sti();
	if (!WAIT(c->timer >= want))
		stress_complain("step %u: CPU %u misses an interrupt of its timer (%s): %u of %u",
				c->steps, self, c->doing, count - (want - c->timer), count);
	cli();
	if (mode != APIC_TIMER_PERIODIC && c->timer != want)
		stress_complain("step %u: CPU %u: timer fired %u times (%s)", c->steps, self,
				c->timer + count - want, c->doing);
	timer_stop(c);
	sti();
}

/* Others see to it that it wakes: stress_serve(). IF = 0: by an NMI and nothing else. */
static void act_sleep(struct stress_cpu *c, u32 self)
{
	u32 before;
	bool until_nmi = stress_rnd(c, 2) != 0;

	if (self == 0)
		return;
	c->doing = until_nmi ? "CLI; HLT" : "HLT";
	cli();
	before = c->nmis;
	STORE_RELEASE(c->sleep, until_nmi ? UNTIL_NMI : UNTIL_IPI);
	if (!until_nmi) {
		sti_hlt_cli();
	} else {
		do {
			asm volatile("hlt" : : : "memory");
		} while (stress.hlt_ends && c->nmis == before);
		/* In a flood an NMI may have found its number acknowledged already. */
		if (!stress.is_flood && c->nmis == before)
			stress_complain("step %u: CPU %u woke from CLI; HLT without an NMI",
					c->steps, self);
	}
	STORE_RELEASE(c->sleep, AWAKE);
	sti();
}

static void act_tpr(struct stress_cpu *c, u32 self)
{
	c->doing = "raised TPR";
	apic_write(APIC_TPR, stress_rnd(c, 16) << 4);
	for (u32 i = stress_rnd(c, 64); i != 0; i--)
		(void)cpuid(0);
	apic_write(APIC_TPR, 0);
}

static void act_spin(struct stress_cpu *c, u32 self)
{
	bool masked = stress_rnd(c, 2) != 0;

	c->doing = masked ? "spinning with IF = 0" : "spinning";
	if (masked)
		cli();
	for (u32 i = stress_rnd(c, 1000); i != 0; i--)
		cpu_relax();
	sti();
}

void stress_step(struct stress_cpu *c, u32 self)
{
	static void (*const acts[])(struct stress_cpu *, u32) = {
		act_fixed, act_fixed, act_fixed, act_fixed, act_fixed, act_lowest,
		act_nmi,   act_timer, act_timer, act_sleep, act_tpr,   act_spin,
	};
	void (*act)(struct stress_cpu *, u32) = acts[stress_rnd(c, ARRAY_SIZE(acts))];

	if (self == stress.victim && (act == act_nmi || act == act_lowest))
		act = act_fixed; /* it may be gone before the answer comes, with the lock */
	act(c, self);
	c->steps++;
	stress_serve();
}
