// SPDX-License-Identifier: BSD-2-Clause
// Everything at once, at random, on all CPUs: IPIs of every destination and shorthand, timers,
// NMIs, HLT with either IF, INIT and SIPI of a victim. `seed=N` repeats a run as far as timing
// allows.
//
// Exact: a sender waits until each of its interrupts was acknowledged, so each must arrive once and
// nowhere else. Flood: nobody waits; at least one delivery follows the last send of each vector.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

#define LANES      8 /* vectors of one sender */
#define SERVE_LANE 7 /* for those who sleep until an IPI comes */
#define IPI_VEC    0x40
#define IPIS       (SMP_MAX * LANES)
#define LOWEST_VEC 0xb0 /* + sender */
#define TIMER_LOW  0x38
#define TIMER_HIGH 0xc8

#define NOBODY        SMP_MAX
#define WAIT_US       400000
#define SERVE_TICKS   20000 /* time to get away from the HLT before the next one wakes it */
#define EXACT_STEPS   60
#define EXACT_ROUNDS  6
#define FLOOD_STEPS   400
#define FLOOD_ROUNDS  4
#define RESTART_STEPS 6

enum sleep { AWAKE, UNTIL_NMI, UNTIL_IPI };

/* One CPU's books; written by that CPU unless it says otherwise. */
struct cpu {
	u32 random;
	const char *volatile doing;
	volatile u32 steps;
	volatile bool finished;
	volatile enum sleep sleep;
	u64 served_tsc; /* by who woke it last */
	volatile u32 got[IPIS];
	volatile u32 want[IPIS]; /* by the sender */
	volatile u32 nmis;
	volatile u32 nmis_sent; /* under nmi_lock; in a flood: atomic, by anybody */
	volatile u32 nmi_lock;
	volatile u32 timer, timer_want;
	volatile u32 timer_vec;
	volatile u32 low_got, low_want, low_mask; /* lowest-priority IPIs it sent; got: atomic */
};

static struct cpu cpus[SMP_MAX];
static volatile bool quit, is_flood, is_cluster;
static bool hlt_ends; /* a kick ends CLI; HLT: tests/run/suites/smp.cfg says where and why */
static u32 seed, victim, restarts;
static volatile u32 text_taken;
static char text[200];

static u32 rnd(struct cpu *c, u32 limit)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 17;
	c->random ^= c->random << 5;
	return c->random % limit;
}

/* The first complaint of all CPUs is the one that counts; it ends the run. */
static void complain(const char *fmt, ...) PRINTF(1, 2);
static void complain(const char *fmt, ...)
{
	va_list ap;

	if (__atomic_exchange_n(&text_taken, 1, __ATOMIC_ACQ_REL) == 0) {
		va_start(ap, fmt);
		str_vformat(text, sizeof(text), fmt, ap);
		va_end(ap);
	}
	quit = true;
}

/* --- handlers --- */

/* Higher vectors nest now and then. */
static void maybe_nest(struct cpu *c)
{
	if (rnd(c, 4) == 0)
		sti_nop_cli();
}

static void ipi_irq(struct trap_regs *regs)
{
	struct cpu *c = &cpus[smp_self()];
	u32 i = (u32)regs->vector - IPI_VEC;

	if (is_flood) {
		apic_eoi(); /* before the look: what is sent from now on comes again */
		c->got[i] = LOAD_ACQUIRE(c->want[i]);
		return;
	}
	maybe_nest(c);
	c->got[i]++;
	apic_eoi();
}

static void lowest_irq(struct trap_regs *regs)
{
	u32 from = (u32)regs->vector - LOWEST_VEC;
	struct cpu *c = &cpus[from];

	if (!is_flood && (c->low_mask >> smp_self() & 1) == 0)
		complain("CPU %u got a lowest-priority IPI of CPU %u to mask 0x%x", smp_self(),
			 from, c->low_mask);
	apic_eoi();
	if (is_flood)
		c->low_got = LOAD_ACQUIRE(c->low_want);
	else
		__atomic_add_fetch(&c->low_got, 1, __ATOMIC_RELEASE);
}

static void timer_irq(struct trap_regs *regs)
{
	struct cpu *c = &cpus[smp_self()];

	if (regs->vector != c->timer_vec)
		complain("CPU %u: timer vector 0x%llx, it is set to 0x%x", smp_self(), regs->vector,
			 c->timer_vec);
	c->timer++;
	apic_eoi();
}

static void nmi_trap(struct trap_regs *regs)
{
	struct cpu *c = &cpus[smp_self()];

	if (is_flood)
		c->nmis = LOAD_ACQUIRE(c->nmis_sent);
	else
		c->nmis++;
}

/* --- waiting --- */

static bool nmi_trylock(struct cpu *to)
{
	return __atomic_exchange_n(&to->nmi_lock, 1, __ATOMIC_ACQUIRE) == 0;
}

static void nmi_unlock(struct cpu *to)
{
	STORE_RELEASE(to->nmi_lock, 0);
}

static void send_nmi(u32 to)
{
	__atomic_add_fetch(&cpus[to].nmis_sent, 1, __ATOMIC_RELEASE);
	apic_icr(smp_ids[to], NMI);
}

static void wake_by_ipi(u32 to)
{
	u32 i = smp_self() * LANES + SERVE_LANE;

	if (LOAD_ACQUIRE(cpus[to].got[i]) != cpus[to].want[i])
		return;
	STORE_RELEASE(cpus[to].want[i], cpus[to].want[i] + 1);
	apic_icr(smp_ids[to], (IPI_VEC + i) | ASSERT);
}

static bool is_serve_due(struct cpu *to)
{
	u64 now = rdtsc(), last = to->served_tsc;

	return to->sleep != AWAKE && now - last > SERVE_TICKS &&
	       __atomic_compare_exchange_n(&to->served_tsc, &last, now, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

/* Wake those who sleep until somebody does: again and again, for the first may come too early. */
static void serve(void)
{
	u32 self = smp_self();

	for (u32 i = 0; i < smp_count(); i++) {
		struct cpu *to = &cpus[i];

		/* Only CPU 0 knows whether the victim is alive. */
		if (i == self || (i == victim && self != 0) || self == victim || !is_serve_due(to))
			continue;
		if (to->sleep == UNTIL_IPI)
			wake_by_ipi(i);
		if (to->sleep == UNTIL_NMI && nmi_trylock(to)) {
			if (to->nmis == to->nmis_sent && to->sleep == UNTIL_NMI)
				send_nmi(i);
			nmi_unlock(to);
		}
	}
}

/* True: it came; also when the run is over, so that there is one complaint only. */
#define WAIT(cond)                                       \
	({                                               \
		u64 end_ = rdtsc() + us_to_tsc(WAIT_US); \
		bool came_;                              \
		while (!(came_ = (cond)) && !quit) {     \
			if (rdtsc() > end_)              \
				break;                   \
			serve();                         \
			cpu_relax();                     \
		}                                        \
		came_ || quit;                           \
	})

static const char *doing(u32 i)
{
	return cpus[i].doing != NULL ? cpus[i].doing : "nothing";
}

/* --- sending --- */

struct shot {
	const char *what;
	u32 dest, low;
	u32 mask; /* CPUs that get it */
};

/* A random set that is neither empty nor has the victim in it. */
static u32 random_mask(struct cpu *c)
{
	u32 mask;

	do {
		mask = rnd(c, smp_all_mask() + 1) & ~(1u << victim);
	} while (mask == 0);
	return mask;
}

static void shot_logical(struct cpu *c, struct shot *s)
{
	u32 cluster, bits;

	s->low |= LOGICAL;
	s->mask = random_mask(c);
	if (!is_cluster) {
		s->dest = smp_logical_of(s->mask);
		return;
	}
	cluster = (u32)__builtin_ctz(s->mask) / 2; /* CPU n is bit n % 2 of cluster n / 2 */
	bits = s->mask >> cluster * 2 & 3;
	s->mask = bits << cluster * 2;
	s->dest = cluster << 4 | bits;
}

static struct shot shot_fixed(struct cpu *c)
{
	struct shot s = { .low = ASSERT };
	u32 self = smp_self(), kind = rnd(c, 8);

	switch (kind) {
	case 0:
		s.what = "fixed, logical";
		shot_logical(c, &s);
		break;
	case 1:
		s.what = "fixed, broadcast";
		s.dest = apic_mode() == APIC_X2APIC ? ~0u : 0xff;
		s.low |= rnd(c, 2) != 0 ? LOGICAL : 0;
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

static void act_fixed(struct cpu *c, u32 self)
{
	struct shot s = shot_fixed(c);
	u32 i = self * LANES + rnd(c, SERVE_LANE);

	c->doing = s.what;
	for (u32 to = 0; to < smp_count(); to++) {
		if ((s.mask >> to & 1) != 0)
			STORE_RELEASE(cpus[to].want[i], cpus[to].want[i] + 1);
	}
	shoot(&s, IPI_VEC + i);
	for (u32 to = 0; to < smp_count(); to++) {
		if (is_flood || (s.mask >> to & 1) == 0 || to == victim || self == victim)
			continue;
		if (!WAIT(LOAD_ACQUIRE(cpus[to].got[i]) == cpus[to].want[i]))
			complain("step %u: CPU %u (%s) acknowledged %u of %u IPIs 0x%x of CPU %u "
				 "(%s)",
				 c->steps, to, doing(to), cpus[to].got[i], cpus[to].want[i],
				 IPI_VEC + i, self, s.what);
	}
}

static void act_lowest(struct cpu *c, u32 self)
{
	struct shot s = { .low = LOWEST | LOGICAL };

	c->doing = "lowest priority";
	shot_logical(c, &s);
	c->low_mask = s.mask;
	STORE_RELEASE(c->low_want, c->low_want + 1);
	apic_icr(s.dest, s.low | (LOWEST_VEC + self));
	if (!is_flood && !WAIT(LOAD_ACQUIRE(c->low_got) == c->low_want))
		complain("step %u: %u of %u lowest-priority IPIs of CPU %u to mask 0x%x came",
			 c->steps, c->low_got, c->low_want, self, s.mask);
}

static void nmi_exact(struct cpu *c, u32 to)
{
	struct cpu *t = &cpus[to];

	if (!WAIT(nmi_trylock(t)))
		complain("step %u: NMIs to CPU %u (%s) are stuck", c->steps, to, doing(to));
	send_nmi(to);
	if (!WAIT(LOAD_ACQUIRE(t->nmis) == t->nmis_sent))
		complain("step %u: CPU %u (%s) acknowledged %u of %u NMIs, the last by CPU %u",
			 c->steps, to, doing(to), t->nmis, t->nmis_sent, smp_self());
	nmi_unlock(t);
}

static void act_nmi(struct cpu *c, u32 self)
{
	u32 to = (u32)__builtin_ctz(random_mask(c));

	c->doing = "NMI";
	if (is_flood)
		send_nmi(to);
	else
		nmi_exact(c, to);
}

/* --- timers and sleep --- */

static void timer_start(struct cpu *c, u32 mode)
{
	c->timer_vec = rnd(c, 2) != 0 ? TIMER_LOW : TIMER_HIGH;
	apic_timer(mode, (u8)c->timer_vec, APIC_TDCR_BY_1);
	if (mode == APIC_TIMER_TSC_DEADLINE)
		apic_deadline(rdtsc() + rnd(c, 3000)); /* 0: at once */
	else if (mode == APIC_TIMER_ONE_SHOT)
		apic_write(APIC_TMICT, 1 + rnd(c, 100000));
	else
		apic_write(APIC_TMICT, 200000 + rnd(c, 10000));
}

static void timer_stop(struct cpu *c)
{
	apic_deadline(0);
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	sti_nop_cli();
	c->timer_want = c->timer;
}

/* One expiration, or three in periodic mode, awaited with IF = 1 or in HLT. */
static void act_timer(struct cpu *c, u32 self)
{
	static const char *const names[] = {
		"one-shot timer",      "periodic timer",      "deadline",
		"one-shot timer, HLT", "periodic timer, HLT", "deadline, HLT"
	};
	u32 mode = rnd(c, 3), halt = rnd(c, 2), count = mode == APIC_TIMER_PERIODIC ? 3 : 1;
	u32 want = c->timer + count;

	c->doing = names[mode + 3 * halt];
	cli();
	if (c->timer != c->timer_want)
		complain("step %u: CPU %u: a timer that is off fired", c->steps, self);
	timer_start(c, mode);
	while (halt != 0 && c->timer < want && !quit)
		sti_hlt_cli();
	sti();
	if (!WAIT(c->timer >= want))
		complain("step %u: CPU %u misses an interrupt of its timer (%s): %u of %u",
			 c->steps, self, c->doing, count - (want - c->timer), count);
	cli();
	if (mode != APIC_TIMER_PERIODIC && c->timer != want)
		complain("step %u: CPU %u: timer fired %u times (%s)", c->steps, self,
			 c->timer + count - want, c->doing);
	timer_stop(c);
	sti();
}

/* Others see to it that it wakes: serve(). IF = 0: by an NMI and nothing else. */
static void act_sleep(struct cpu *c, u32 self)
{
	u32 before;
	bool until_nmi = rnd(c, 2) != 0;

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
		} while (hlt_ends && c->nmis == before);
		/* In a flood an NMI may have found its number acknowledged already. */
		if (!is_flood && c->nmis == before)
			complain("step %u: CPU %u woke from CLI; HLT without an NMI", c->steps,
				 self);
	}
	STORE_RELEASE(c->sleep, AWAKE);
	sti();
}

static void act_tpr(struct cpu *c, u32 self)
{
	c->doing = "raised TPR";
	apic_write(APIC_TPR, rnd(c, 16) << 4);
	for (u32 i = rnd(c, 64); i != 0; i--)
		(void)cpuid(0);
	apic_write(APIC_TPR, 0);
}

static void act_spin(struct cpu *c, u32 self)
{
	bool masked = rnd(c, 2) != 0;

	c->doing = masked ? "spinning with IF = 0" : "spinning";
	if (masked)
		cli();
	for (u32 i = rnd(c, 1000); i != 0; i--)
		cpu_relax();
	sti();
}

/* --- the run --- */

static void step(struct cpu *c, u32 self)
{
	static void (*const acts[])(struct cpu *, u32) = {
		act_fixed, act_fixed, act_fixed, act_fixed, act_fixed, act_lowest,
		act_nmi,   act_timer, act_timer, act_sleep, act_tpr,   act_spin,
	};
	void (*act)(struct cpu *, u32) = acts[rnd(c, ARRAY_SIZE(acts))];

	if (self == victim && (act == act_nmi || act == act_lowest))
		act = act_fixed; /* it may be gone before the answer comes, with the lock */
	act(c, self);
	c->steps++;
	serve();
}

static void work(u64 steps)
{
	u32 self = smp_self();
	struct cpu *c = &cpus[self];

	sti();
	for (u64 i = 0; (i < steps || self == victim) && !quit; i++)
		step(c, self);
	c->doing = "waiting for the others";
	c->finished = true;
	while (!smp_quit) {
		serve();
		cpu_relax();
	}
	cli();
}

/* INIT, SIPI; then an NMI and an IPI reach it, each once, and nothing is left from before. */
static void restart_victim(struct cpu *c)
{
	struct cpu *v = &cpus[victim];
	const struct ap_apic *found = &smp_cpu[victim].found;
	u32 i = SERVE_LANE, before;

	c->doing = "restarting the victim";
	if (!smp_restart(victim))
		return complain("restart %u: CPU %u (%s) does not come back", restarts, victim,
				doing(victim));
	restarts++;
	if ((found->irr | found->isr | found->tmr | found->tmict) != 0)
		complain("restart %u: CPU %u found IRR 0x%x ISR 0x%x TMR 0x%x TMICT 0x%x", restarts,
			 victim, found->irr, found->isr, found->tmr, found->tmict);
	v->sleep = AWAKE;
	v->timer_want = v->timer;
	v->nmis = v->nmis_sent;
	v->doing = "fresh";
	nmi_exact(c, victim);
	for (u32 n = 0; n < IPIS; n++) /* what came too late for it */
		v->got[n] = v->want[n];
	before = v->got[i];
	smp_call(victim, work, 0);
	v->want[i]++;
	apic_icr(smp_ids[victim], (IPI_VEC + i) | ASSERT);
	if (!WAIT(v->got[i] != before))
		complain("restart %u: CPU %u (%s) takes no IPI", restarts, victim, doing(victim));
}

static void set_cluster(u64 on)
{
	u32 i = smp_self();

	apic_write(APIC_DFR, on ? APIC_DFR_CLUSTER : APIC_DFR_FLAT);
	apic_write(APIC_LDR, on ? (i / 2) << 28 | 1u << (24 + i % 2) : 1u << (24 + i));
}

static bool round_begin(u32 round)
{
	victim = round % 2 == 1 && smp_count() > 1 ? smp_count() - 1 : NOBODY;
	is_cluster = apic_mode() == APIC_XAPIC && round % 4 == 2;
	quit = smp_quit = false;
	if (!smp_start()) {
		test_fail("a CPU does not start", __FILE__, __LINE__);
		return false;
	}
	for (u32 i = 0; i < smp_count(); i++) {
		struct cpu *c = &cpus[i];
		u32 random = c->random;

		memset(c, 0, sizeof(*c));
		c->random = random;
		if (apic_mode() != APIC_XAPIC)
			continue;
		if (i == 0)
			set_cluster(is_cluster);
		else
			EXPECT_TRUE(smp_run(i, set_cluster, is_cluster));
	}
	return true;
}

/* Everything that was sent has come, where it was sent to. */
static void check_books(void)
{
	for (u32 to = 0; to < smp_count(); to++) {
		struct cpu *c = &cpus[to];

		for (u32 i = 0; i < IPIS; i++) {
			if (to == victim || i / LANES == victim)
				continue;
			if (!WAIT(c->got[i] == c->want[i]))
				complain("CPU %u got %u of %u IPIs 0x%x of CPU %u", to, c->got[i],
					 c->want[i], IPI_VEC + i, i / LANES);
		}
		if (!WAIT(c->low_got == c->low_want))
			complain("%u of %u lowest-priority IPIs of CPU %u came", c->low_got,
				 c->low_want, to);
		if (!WAIT(c->nmis == c->nmis_sent))
			complain("CPU %u got %u of %u NMIs", to, c->nmis, c->nmis_sent);
		if (c->timer != c->timer_want && to != victim)
			complain("CPU %u: a timer that is off fired", to);
	}
}

static void round_run(u32 steps)
{
	struct cpu *c = &cpus[0];

	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, work, steps);
	sti();
	for (u32 i = 0; i < steps && !quit; i++) {
		step(c, 0);
		if (victim != NOBODY && i % RESTART_STEPS == 0)
			restart_victim(c);
	}
	for (u32 i = 1; i < smp_count(); i++) {
		if (i != victim && !WAIT(cpus[i].finished))
			complain("step %u: CPU %u hangs: %s", cpus[i].steps, i, doing(i));
	}
	if (victim != NOBODY && !quit) {
		u32 gone = victim;

		smp_send_init(gone);
		delay_us(200);
		cpus[gone].nmis = cpus[gone].nmis_sent;
		smp_cpu[gone].fn = NULL;
	}
	if (!quit)
		check_books();
	smp_quit = true;
	cli();
	for (u32 i = 1; i < smp_count(); i++) {
		if (!smp_wait(i))
			complain("CPU %u does not end: %s", i, doing(i));
	}
	apic_write(APIC_TPR, 0);
}

static void stress(u32 rounds, u32 steps)
{
	u32 total = 0;

	if (smp_count() > 1 && !smp_begin())
		return;
	seed = (u32)cmdline_number("seed", 0x5eed);
	steps = (u32)cmdline_number("steps", steps);
	hlt_ends = cmdline_number("hlt_ends", 0) != 0;
	tap_printf("# seed 0x%x, %u CPUs\n", seed, smp_count());
	restarts = text_taken = 0;
	for (u32 i = 0; i < SMP_MAX; i++) {
		cpus[i].random = (seed + 1) * 2654435761u + i * 40503u;
		cpus[i].random |= cpus[i].random == 0;
		trap_handle(LOWEST_VEC + i, lowest_irq);
	}
	for (u32 i = 0; i < IPIS; i++)
		trap_handle(IPI_VEC + i, ipi_irq);
	trap_handle(TIMER_LOW, timer_irq);
	trap_handle(TIMER_HIGH, timer_irq);
	trap_handle(EXC_NMI, nmi_trap);
	for (u32 round = 0; round < rounds && text_taken == 0; round++) {
		if (!round_begin(round))
			return;
		round_run(steps);
		for (u32 i = 0; i < smp_count(); i++)
			total += cpus[i].steps;
		if (text_taken != 0) {
			tap_printf("# round %u: %s\n", round, text);
			test_fail(text, "round", (int)round);
		}
	}
	tap_printf("# %u steps, %u restarts\n", total, restarts);
}

static void stress_exact(void)
{
	is_flood = false;
	stress(EXACT_ROUNDS, EXACT_STEPS);
}

static void stress_flood(void)
{
	is_flood = true;
	stress(FLOOD_ROUNDS, FLOOD_STEPS);
}

static const struct test t_stress_tests[] = {
	{ .name = "stress_exact", .run = stress_exact, .flags = T_KENSHO },
	{ .name = "stress_flood", .run = stress_flood, .flags = T_KENSHO },
	{ .name = "stress_x2_exact", .run = stress_exact, .flags = T_KENSHO | T_X2APIC },
	{ .name = "stress_x2_flood", .run = stress_flood, .flags = T_KENSHO | T_X2APIC },
};
TEST_GROUP(t_stress);
