// SPDX-License-Identifier: BSD-2-Clause
// The stress test's handlers, which keep the books, and how the CPUs wait for what is sent: until
// then they wake each other. The first who waits in vain complains.

#include "arch/x86/defs/vector.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/stress.h"

#define SERVE_TICKS 20000 /* time to get away from the HLT before the next one wakes it */

struct stress_cpu stress_cpu[SMP_MAX];
struct stress stress;

u32 stress_rnd(struct stress_cpu *c, u32 limit)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 17;
	c->random ^= c->random << 5;
	return c->random % limit;
}

void stress_complain(const char *fmt, ...)
{
	va_list ap;

	if (__atomic_exchange_n(&stress.text_taken, 1, __ATOMIC_ACQ_REL) == 0) {
		va_start(ap, fmt);
		str_vformat(stress.text, sizeof(stress.text), fmt, ap);
		va_end(ap);
	}
	stress.quit = true;
}

const char *stress_doing(u32 i)
{
	return stress_cpu[i].doing != NULL ? stress_cpu[i].doing : "nothing";
}

/* --- handlers --- */

/* Higher vectors nest now and then. */
static void maybe_nest(struct stress_cpu *c)
{
	if (stress_rnd(c, 4) == 0)
		sti_nop_cli();
}

static void ipi_irq(struct trap_regs *regs)
{
	struct stress_cpu *c = &stress_cpu[smp_self()];
	u32 i = (u32)regs->vector - IPI_VEC;

	if (stress.is_flood) {
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
	struct stress_cpu *c = &stress_cpu[from];

	if (!stress.is_flood && (c->low_mask >> smp_self() & 1) == 0)
		stress_complain("CPU %u got a lowest-priority IPI of CPU %u to mask 0x%x",
				smp_self(), from, c->low_mask);
	apic_eoi();
	if (stress.is_flood)
		c->low_got = LOAD_ACQUIRE(c->low_want);
	else
		__atomic_add_fetch(&c->low_got, 1, __ATOMIC_RELEASE);
}

static void timer_irq(struct trap_regs *regs)
{
	struct stress_cpu *c = &stress_cpu[smp_self()];

	if (regs->vector != c->timer_vec)
		stress_complain("CPU %u: timer vector 0x%llx, it is set to 0x%x", smp_self(),
				regs->vector, c->timer_vec);
	c->timer++;
	apic_eoi();
}

static void nmi_trap(struct trap_regs *regs)
{
	struct stress_cpu *c = &stress_cpu[smp_self()];

	if (stress.is_flood)
		c->nmis = LOAD_ACQUIRE(c->nmis_sent);
	else
		c->nmis++;
}

void stress_handlers(void)
{
	for (u32 i = 0; i < SMP_MAX; i++)
		trap_handle(LOWEST_VEC + i, lowest_irq);
	for (u32 i = 0; i < IPIS; i++)
		trap_handle(IPI_VEC + i, ipi_irq);
	trap_handle(TIMER_LOW, timer_irq);
	trap_handle(TIMER_HIGH, timer_irq);
	trap_handle(EXC_NMI, nmi_trap);
}

/* --- waiting --- */

static bool nmi_trylock(struct stress_cpu *to)
{
	return __atomic_exchange_n(&to->nmi_lock, 1, __ATOMIC_ACQUIRE) == 0;
}

static void nmi_unlock(struct stress_cpu *to)
{
	STORE_RELEASE(to->nmi_lock, 0);
}

void stress_send_nmi(u32 to)
{
	__atomic_add_fetch(&stress_cpu[to].nmis_sent, 1, __ATOMIC_RELEASE);
	apic_icr(smp_ids[to], NMI);
}

static void wake_by_ipi(u32 to)
{
	u32 i = smp_self() * LANES + SERVE_LANE;

	if (LOAD_ACQUIRE(stress_cpu[to].got[i]) != stress_cpu[to].want[i])
		return;
	STORE_RELEASE(stress_cpu[to].want[i], stress_cpu[to].want[i] + 1);
	apic_icr(smp_ids[to], (IPI_VEC + i) | ASSERT);
}

static bool is_serve_due(struct stress_cpu *to)
{
	u64 now = rdtsc(), last = to->served_tsc;

	return to->sleep != AWAKE && now - last > SERVE_TICKS &&
	       __atomic_compare_exchange_n(&to->served_tsc, &last, now, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

/* Wake those who sleep until somebody does: again and again, for the first may come too early. */
void stress_serve(void)
{
	u32 self = smp_self();

	for (u32 i = 0; i < smp_count(); i++) {
		struct stress_cpu *to = &stress_cpu[i];

		/* Only CPU 0 knows whether the victim is alive. */
		if (i == self || (i == stress.victim && self != 0) || self == stress.victim ||
		    !is_serve_due(to))
			continue;
		if (to->sleep == UNTIL_IPI)
			wake_by_ipi(i);
		if (to->sleep == UNTIL_NMI && nmi_trylock(to)) {
			if (to->nmis == to->nmis_sent && to->sleep == UNTIL_NMI)
				stress_send_nmi(i);
			nmi_unlock(to);
		}
	}
}

void stress_nmi_exact(struct stress_cpu *c, u32 to)
{
	struct stress_cpu *t = &stress_cpu[to];

	if (!WAIT(nmi_trylock(t)))
		stress_complain("step %u: NMIs to CPU %u (%s) are stuck", c->steps, to,
				stress_doing(to));
	stress_send_nmi(to);
	if (!WAIT(LOAD_ACQUIRE(t->nmis) == t->nmis_sent))
		stress_complain(
			"step %u: CPU %u (%s) acknowledged %u of %u NMIs, the last by CPU %u",
			c->steps, to, stress_doing(to), t->nmis, t->nmis_sent, smp_self());
	nmi_unlock(t);
}
