/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the Hyper-V ABI share. A feature's own state is in its own file. */
#pragma once

#include "core/vp/exit_info.h"
#include "hv/feature.h"
#include "hv/hcall.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/hyperv_abi.h"

/* HV_PRIVILEGES() - bits of the features leaf, by register: a: MSRs, b: hypercalls, d: others. */
#define HV_PRIVILEGES(...)                                             \
	{                                                              \
		.leaf = HYPERV_CPUID_FEATURES, .regs = { __VA_ARGS__ } \
	}

/* HV_HINTS() - bits of the leaf of recommendations. */
#define HV_HINTS(...)                                                          \
	{                                                                      \
		.leaf = HYPERV_CPUID_ENLIGHTMENT_INFO, .regs = { __VA_ARGS__ } \
	}

/* HV_HINT_WITH_SETS() - a bit of EAX there, and that calls take sparse sets of VPs: each feature
 * with such calls says so. */
#define HV_HINT_WITH_SETS(bit)                                                  \
	{                                                                       \
		.leaf = HYPERV_CPUID_ENLIGHTMENT_INFO,                          \
		.regs = { .a = (bit) | HV_X64_EX_PROCESSOR_MASKS_RECOMMENDED }, \
		.shared = { .a = HV_X64_EX_PROCESSOR_MASKS_RECOMMENDED },       \
	}

/* vmcall.c: with an enabled hypercall page, and without: #UD. */
extern struct hcall_table hyperv_calls;
enum exit_action hyperv_vmcall(struct vp *vp, const struct exit_info *x);
enum exit_action hyperv_vmcall_off(struct vp *vp, const struct exit_info *x);

/* synic_testdev.c: struct hv_abi.testdev */
MUST_CHECK err_t hyperv_testdev_add(struct partition *p);

/* time.c */

/* hv_time_now() - partition reference time, 100 ns. VP's CPU. */
u64 hv_time_now(const struct partition *p);

/**
 * hv_time_tsc() - the machine's TSC from which on the reference time is @time or more, by the
 * function of now. Any past TSC: it is already. TIMER_NEVER: it will not be. @changes: what
 * hv_time_changes() answers until another function is in use. VP's CPU.
 */
u64 hv_time_tsc(const struct partition *p, u64 time, u32 *changes);

/* hv_time_plain_tsc() - the same in few instructions, for a time after 0 and while VPs read the
 * machine's TSC. False: ask hv_time_tsc(). */
bool hv_time_plain_tsc(u64 time, u64 *tsc, u32 *changes);
u32 hv_time_changes(void);

/*
 * hv_time_reached() - a deadline by hv_time_tsc(), with @changes, has come: it is @time now. Where
 * the TSCs are out of step, the time of this CPU stands still until that of the one that leads is
 * read again, or somebody says so. VP's CPU.
 */
void hv_time_reached_slow(u64 time, u32 changes);

static inline void hv_time_reached(const struct partition *p, u64 time, u32 changes)
{
	if (unlikely(!p->clock.in_step))
		hv_time_reached_slow(time, changes);
}

/* hv_time_units() - reference time that passes in @ticks of the machine's TSC, rounded down. */
u64 hv_time_units(const struct partition *p, u64 ticks);

/* hv_time_later() - @units after @time; ~0, never, if that is beyond the end of time. */
static inline u64 hv_time_later(u64 time, u64 units)
{
	return time + units < time ? ~0ull : time + units;
}

/* vapic.c */
/* hv_assist_timer_expired() - the time-unhalted timer's byte of the VP assist page, if there is
 * one. VP's CPU. */
void hv_assist_timer_expired(struct vp *vp);

/* stimer.c */

/* stimer_period() - @count, or the shortest period that timers have. 100 ns. */
u64 stimer_period(const struct vp *vp, u64 count);

/* stimer_first() - when the first period of @count ends, if it begins now. Reference time. */
u64 stimer_first(struct vp *vp, u64 count);

/* hypercall_page.c */
/* struct hv_abi.vmcall: false if GUEST_OS_ID is 0. Any CPU */
bool hyperv_vmcall_now(const struct partition *p, exit_fn *fn);
struct hcall_buffer *hyperv_buffer(const struct vp *vp);
