/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic time-unhalted timer: periods of the time in which the VP is not halted. It is an
 * entry of the VP's deadline queue as if the VP never halted. When that deadline has passed, the
 * time that the VP was halted meanwhile is added to it; while the VP is halted still, the timer
 * waits to be told that it runs again. So a halt itself does nothing for it.
 *
 * Context: VP's own CPU.
 * Spec: TLFS "Synthetic Time-Unhalted Timer Registers".
 */
#include "arch/x86/defs/vector.h"
#include "core/partition.h"
#include "hv/hyperv/hyperv_internal.h"

struct unhalted {
	struct timer timer;
	u32 config;     /* as the guest reads it */
	u32 changes;    /* hv_time_changes() of the deadline */
	u64 count;      /* as the guest reads it */
	u64 due;        /* reference time of the next tick */
	u64 halted_tsc; /* halt_poll_halted() that @due accounts for */
};
static_assert(offsetof(struct unhalted, timer) == 0, "one address");

static struct hv_vp_state state = { .size = sizeof(struct unhalted) };

static struct unhalted *unhalted_of(const struct vp *vp)
{
	return hv_state(vp, &state);
}

static bool is_active(const struct unhalted *u)
{
	return (u->config & HV_UNHALTED_TIMER_ENABLED) && u->count != 0;
}

static void arm(struct vp *vp, struct unhalted *u)
{
	timer_set(vp, &u->timer, hv_time_tsc(vp->partition, u->due, &u->changes));
}

/* One tick, however many periods ago it was due. */
static void fire(struct vp *vp, struct unhalted *u, u64 now)
{
	u64 period = stimer_period(vp, u->count), missed = (now - u->due) / period;
	u8 vector = (u8)FIELD_GET(HV_UNHALTED_TIMER_VECTOR, u->config);

	COUNT(vp, HV_STIMER_FIRED);
	vp->counters.c[COUNTER_HV_STIMER_SKIPPED] += missed;
	hv_assist_timer_expired(vp);
	if (vector == EXC_NMI)
		event_nmi(vp);
	else
		vlapic_set_irr(vp, vector, false);
	u->due = hv_time_later(u->due, (missed + 1) * period);
}

/* Is it due? What it waits for otherwise calls again. */
static void look(struct vp *vp, struct unhalted *u)
{
	u64 halted_tsc, now;

	if (vp->hold.stopped)
		return;
	if (vp_is_halted(vp)) {
		vp->event.tell_running = true;
		return;
	}
	halted_tsc = halt_poll_halted(&vp->halt_poll);
	u->due = hv_time_later(u->due, hv_time_units(vp->partition, halted_tsc - u->halted_tsc));
	u->halted_tsc = halted_tsc;
	now = hv_time_now(vp->partition);
	if (now >= u->due)
		fire(vp, u, now);
	arm(vp, u);
}

static void unhalted_expire(struct vp *vp, struct timer *t)
{
	struct unhalted *u = (void *)t;

	hv_time_reached(vp->partition, u->due, u->changes);
	look(vp, u);
}

/* It runs, is no longer held, or the clock is another one. */
static void unhalted_look(struct vp *vp)
{
	if (is_active(unhalted_of(vp)))
		look(vp, unhalted_of(vp));
}

static void unhalted_clock_changed(struct partition *p)
{
	unhalted_look(hw_cpu_vp());
}

/* SPEC-GAP: when a period begins: with each write of either register. Count 0: none does. */
static void start(struct vp *vp, struct unhalted *u)
{
	if (!is_active(u))
		return timer_cancel(vp, &u->timer);
	u->timer.fn = unhalted_expire;
	u->halted_tsc = vp_is_halted(vp) /* another VP writes its registers */
				? halt_poll_halted_until(&vp->halt_poll, hw_tsc())
				: halt_poll_halted(&vp->halt_poll);
	u->due = stimer_first(vp, u->count);
	arm(vp, u);
}

static enum msr_result config_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = unhalted_of(vp)->config;
	return MSR_OK;
}

/*
 * "The Vector field must be either 2 (to deliver an NMI) or a value >= 16. Other values are
 * invalid." SPEC-GAP: #GP, unless disabled, as for SINTs. Reserved bits are dropped, as those of
 * the other timers.
 */
static enum msr_result config_write(struct vp *vp, u32 msr, u64 val)
{
	struct unhalted *u = unhalted_of(vp);
	u64 vector = FIELD_GET(HV_UNHALTED_TIMER_VECTOR, val);

	if ((val & HV_UNHALTED_TIMER_ENABLED) && vector != EXC_NMI &&
	    vector < HV_SYNIC_FIRST_VALID_VECTOR)
		return MSR_GP;
	u->config = (u32)(val & (HV_UNHALTED_TIMER_ENABLED | HV_UNHALTED_TIMER_VECTOR));
	start(vp, u);
	return MSR_OK;
}

static enum msr_result count_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = unhalted_of(vp)->count;
	return MSR_OK;
}

static enum msr_result count_write(struct vp *vp, u32 msr, u64 val)
{
	struct unhalted *u = unhalted_of(vp);

	u->count = val;
	start(vp, u);
	return MSR_OK;
}

static void unhalted_reset(struct vp *vp, bool init)
{
	struct unhalted *u = unhalted_of(vp);

	timer_cancel(vp, &u->timer);
	*u = (struct unhalted){ 0 };
}

static const struct msr_row msrs[] = {
	/* Manual: enabled with a vector that is neither 2 nor from 16 on | - | 0 | 0 */
	{ MSR_ONE(HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, "HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG"),
	  .read = config_read, .write = config_write },
	/* Manual: never | - | 0 | 0 */
	{ MSR_ONE(HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT, "HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT"),
	  .read = count_read, .write = count_write },
};

/*
 * Manual: a periodic timer that counts only while the VP is not halted; vector 2 is an NMI. The
 * specification leaves open when a period begins: with each write of either register. Count 0
 * stops it, periods that were missed are skipped, and a VP that is held counts as running
 */
const struct hv_feature hv_stimer_unhalted_feature = {
	.name = "hv-stimer-unhalted",
	.help = "a timer that counts only while its VP is not halted",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.needs = BIT64(FEATURE_HV_STIMER) | BIT64(FEATURE_HV_VAPIC),
	.bits = { HV_PRIVILEGES(.d = HV_TIME_UNHALTED_TIMER_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_state = &state,
	.vp_reset = unhalted_reset,
	.clock_changed = unhalted_clock_changed,
	.paused = unhalted_look,
	.running = unhalted_look,
};
