/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Synthetic timers, four per VP. Each is one entry of the VP's deadline queue, by the reference
 * time of hv/hyperv/time.c.
 *
 * A periodic timer keeps to the grid that its start makes. If it is late, as after a pause or when
 * its message slot was busy, it sends the tick that is due, and then at most CATCH_UP of those that
 * it missed, in quarters of a period; a lazy one none of them. The rest is skipped.
 *
 * Context: VP's own CPU.
 * Spec: TLFS "Synthetic Timers".
 */
#include "core/lib/string.h"
#include "core/partition.h"
#include "hv/hyperv/hyperv_internal.h"
#include "hv/hyperv/synic.h"

#define TIMERS       4u
#define CATCH_UP     3u
#define UNITS_PER_US 10u

#define TICK BIT32(31) /* one-shot, direct and auto-enabled: as Linux' tick */

struct stimer {
	struct timer timer;
	u32 config;  /* as the guest reads it, and TICK */
	u32 changes; /* hv_time_changes() of the deadline */
	u64 count;   /* as the guest reads it */
	/* Of a periodic one, reference time: */
	u64 expiration; /* of the next tick: a multiple of the period from the start */
	u64 due;        /* when that is sent: later, if it is to catch up */
};
static_assert(offsetof(struct stimer, timer) == 0, "one address");

static struct hv_vp_state state = { .size = TIMERS * sizeof(struct stimer) };

static struct stimer *stimers_of(const struct vp *vp)
{
	return hv_state(vp, &state);
}

static struct stimer *stimer_of_msr(const struct vp *vp, u32 msr)
{
	return stimers_of(vp) + (msr - HV_X64_MSR_STIMER0_CONFIG) / 2;
}

/* Enabled, and with a count: its deadline is queued, or it is due and could not be sent yet. */
static bool is_active(const struct stimer *s)
{
	return (s->config & HV_STIMER_ENABLE) && s->count != 0;
}

static NOINLINE void arm_slow(struct vp *vp, struct stimer *s, u64 time)
{
	u64 tsc = hv_time_tsc(vp->partition, time, &s->changes);

	timer_set(vp, &s->timer, tsc);
}

/* Nothing lives across a call. */
static inline void arm(struct vp *vp, struct stimer *s, u64 time)
{
	u64 tsc;

	if (unlikely(!hv_time_plain_tsc(time, &tsc, &s->changes)))
		return arm_slow(vp, s, time);
	timer_set(vp, &s->timer, tsc);
}

static u64 due_of(const struct stimer *s)
{
	return s->config & HV_STIMER_PERIODIC ? s->due : s->count;
}

static u64 shortest_period(const struct vp *vp)
{
	return vp->partition->config.min_timer_period_us * UNITS_PER_US;
}

/* Shorter ones would leave the guest no time: as for the APIC timer. */
u64 stimer_period(const struct vp *vp, u64 count)
{
	return umax64(count, shortest_period(vp));
}

u64 stimer_first(struct vp *vp, u64 count)
{
	if (count < shortest_period(vp))
		COUNT(vp, TIMER_PERIOD_RAISED);
	return hv_time_later(hv_time_now(vp->partition), stimer_period(vp, count));
}

/* The tick of s->expiration was sent at @now. */
static void next_period(struct vp *vp, struct stimer *s, u64 now)
{
	u64 period = stimer_period(vp, s->count), missed = (now - s->expiration) / period,
	    again = 0;

	if (unlikely(missed != 0)) {
		again = s->config & HV_STIMER_LAZY ? 0 : umin64(missed, CATCH_UP);
		vp->counters.c[COUNTER_HV_STIMER_SKIPPED] += missed - again;
	}
	s->expiration = hv_time_later(s->expiration, (missed - again + 1) * period);
	s->due = again != 0 ? now + period / (CATCH_UP + 1) : s->expiration;
	arm(vp, s, s->due);
}

static bool send_message(struct vp *vp, const struct stimer *s)
{
	const struct hv_timer_message_payload payload = {
		.timer_index = (u32)(s - stimers_of(vp)),
		.expiration_time = s->config & HV_STIMER_PERIODIC ? s->expiration : s->count,
		.delivery_time = hv_time_now(vp->partition),
	};
	struct hv_message m;

	m.header = (struct hv_message_header){ .message_type = HVMSG_TIMER_EXPIRED,
					       .payload_size = sizeof(payload) };
	memcpy(m.u.payload, &payload, sizeof(payload));
	return synic_send(vp, (u32)FIELD_GET(HV_STIMER_SINT, s->config), &m) == SYNIC_OK;
}

/* Send what is due. It stays due while its slot is full, and while the VP is held: its interrupts
 * wait, and ticks would become one. */
static void send(struct vp *vp, struct stimer *s)
{
	if (unlikely(vp->hold.stopped))
		return;
	if (likely(s->config & HV_STIMER_DIRECT))
		vlapic_set_irr(vp, (u8)FIELD_GET(HV_STIMER_VECTOR, s->config), false);
	else if (!send_message(vp, s))
		return;
	COUNT(vp, HV_STIMER_FIRED);
	if (s->config & HV_STIMER_PERIODIC)
		next_period(vp, s, hv_time_now(vp->partition));
	else
		s->config &= ~HV_STIMER_ENABLE;
}

/* Never early: by another function the deadline may be a later one. */
static NOINLINE void expire_unsure(struct vp *vp, struct stimer *s)
{
	hv_time_reached(vp->partition, due_of(s), s->changes);
	if (s->changes != hv_time_changes() && hv_time_now(vp->partition) < due_of(s))
		arm(vp, s, due_of(s));
	else
		send(vp, s);
}

static void stimer_expire(struct vp *vp, struct timer *t)
{
	struct stimer *s = (void *)t;

	if (unlikely(s->changes != hv_time_changes()) || unlikely(!vp->partition->clock.in_step))
		return expire_unsure(vp, s);
	send(vp, s);
}

/*
 * SPEC-GAP: what an enabled timer without a count does: it waits for one, as in KVM. What a
 * message of SINT 0 does: "the timer will be marked disabled (that is, bit 0 cleared) immediately".
 */
static void start(struct vp *vp, struct stimer *s)
{
	if (!(s->config & (HV_STIMER_DIRECT | HV_STIMER_SINT)))
		s->config &= ~HV_STIMER_ENABLE;
	if (!is_active(s))
		return timer_cancel(vp, &s->timer);
	if (s->config & HV_STIMER_PERIODIC) {
		s->expiration = stimer_first(vp, s->count);
		s->due = s->expiration;
	}
	arm(vp, s, due_of(s));
}

static enum msr_result config_write(struct vp *vp, struct stimer *s, u64 val)
{
	if ((val & HV_STIMER_DIRECT) && !hv_has(vp->partition, FEATURE_HV_STIMER_DIRECT))
		return MSR_GP;
	s->config = (u32)val & HV_STIMER_CONFIG;
	if ((s->config & (HV_STIMER_DIRECT | HV_STIMER_AUTO_ENABLE | HV_STIMER_PERIODIC)) ==
	    (HV_STIMER_DIRECT | HV_STIMER_AUTO_ENABLE))
		s->config |= TICK;
	start(vp, s);
	return MSR_OK;
}

static NOINLINE void count_write(struct vp *vp, struct stimer *s)
{
	if (s->count == 0) {
		s->config &= ~HV_STIMER_ENABLE;
		return timer_cancel(vp, &s->timer);
	}
	if (s->config & HV_STIMER_AUTO_ENABLE)
		s->config |= HV_STIMER_ENABLE;
	start(vp, s);
}

/* A count in the past is due before the next entry. */
static enum msr_result stimer_write(struct vp *vp, u32 msr, u64 val)
{
	struct stimer *s = stimer_of_msr(vp, msr);

	if ((msr & 1) == 0)
		return config_write(vp, s, val);
	s->count = val;
	if (likely((s->config & TICK) != 0) && likely(val != 0)) {
		s->config |= HV_STIMER_ENABLE;
		arm(vp, s, val);
	} else {
		count_write(vp, s);
	}
	return MSR_OK;
}

static enum msr_result stimer_read(struct vp *vp, u32 msr, u64 *val)
{
	const struct stimer *s = stimer_of_msr(vp, msr);

	*val = msr & 1 ? s->count : s->config & ~TICK;
	return MSR_OK;
}

static bool is_unsent(const struct stimer *s)
{
	return is_active(s) && !s->timer.queued;
}

static void stimer_slots_free(struct vp *vp, u32 sints)
{
	struct stimer *s = stimers_of(vp);

	for (u32 i = 0; i < TIMERS; i++) {
		if (is_unsent(&s[i]) && (sints & BIT32(FIELD_GET(HV_STIMER_SINT, s[i].config))))
			send(vp, &s[i]);
	}
}

/* @vp goes on: it was held, and another frequency may have made its deadlines wrong, also those
 * that passed meanwhile. */
static void stimer_paused(struct vp *vp)
{
	struct stimer *s = stimers_of(vp);

	for (u32 i = 0; i < TIMERS; i++) {
		if (s[i].timer.queued ||
		    (is_unsent(&s[i]) && hv_time_now(vp->partition) < due_of(&s[i])))
			arm(vp, &s[i], due_of(&s[i]));
		else if (is_unsent(&s[i]))
			send(vp, &s[i]);
	}
}

/* The frequency, too, changes while all VPs are held but the one that changes it. */
static void stimer_clock_changed(struct partition *p)
{
	stimer_paused(hw_cpu_vp());
}

static err_t stimer_vp_create(struct vp *vp)
{
	synic_listen(stimer_slots_free);
	return ERR_NONE;
}

static void stimer_reset(struct vp *vp, bool init)
{
	struct stimer *s = stimers_of(vp);

	for (u32 i = 0; i < TIMERS; i++) {
		timer_cancel(vp, &s[i].timer);
		s[i] = (struct stimer){ .timer.fn = stimer_expire };
	}
}

static const struct msr_row msrs[] = {
	/* Manual: CONFIG with direct mode without hv-stimer-direct | - | 0 | 0 */
	{ MSR_RANGE(HV_X64_MSR_STIMER0_CONFIG, HV_X64_MSR_STIMER3_COUNT,
		    "HV_X64_MSR_STIMER0_CONFIG"),
	  .read = stimer_read, .write = stimer_write },
};

/*
 * Manual: four timers by reference time, one-shot or periodic. A late periodic timer sends up to
 * three of the ticks that it missed, a lazy one none. `min_timer_period_us=` is their shortest
 * period
 */
const struct hv_feature hv_stimer_feature = {
	.name = "hv-stimer",
	.help = "four timers by reference time",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.needs = BIT64(FEATURE_HV_VPINDEX) | BIT64(FEATURE_HV_SYNIC) | BIT64(FEATURE_HV_TIME),
	.bits = { HV_PRIVILEGES(.a = HV_MSR_SYNTIMER_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_state = &state,
	.vp_create = stimer_vp_create,
	.vp_reset = stimer_reset,
	.clock_changed = stimer_clock_changed,
	.paused = stimer_paused,
};
