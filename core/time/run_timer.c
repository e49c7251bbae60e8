/* SPDX-License-Identifier: BSD-2-Clause */
/* See run_timer.h. */
#include "core/time/run_timer.h"

/*
 * In order of preference. The VMX-preemption timer has no vector that could be taken for a
 * device's, and programming it does not exit to an outer hypervisor. Deadline mode needs no
 * calibration.
 */
static const struct run_timer_row {
	const char *name, *what;
} rows[RUN_TIMERS] = {
	[RUN_TIMER_VMX] = { "vmx-preemption", "the VMX-preemption timer" },
	[RUN_TIMER_APIC_DEADLINE] = { "apic-tsc-deadline",
				      "the local APIC timer, TSC-deadline mode" },
	[RUN_TIMER_APIC_ONE_SHOT] = { "apic-one-shot", "the local APIC timer, one-shot mode" },
};

enum run_timer run_timer_choose(const struct run_timer_facts *facts, const char **why)
{
	if (facts->has_vmx_timer && !facts->vmx_timer_is_broken) {
		*why = "this CPU has it";
		return RUN_TIMER_VMX;
	}
	*why = facts->has_vmx_timer ? "the VMX-preemption timer of this CPU runs at the wrong rate "
				      "(erratum)"
				    : "there is no VMX-preemption timer";
	return facts->has_tsc_deadline ? RUN_TIMER_APIC_DEADLINE : RUN_TIMER_APIC_ONE_SHOT;
}

const char *run_timer_name(enum run_timer timer)
{
	return rows[timer].name;
}

const char *run_timer_what(enum run_timer timer)
{
	return rows[timer].what;
}
