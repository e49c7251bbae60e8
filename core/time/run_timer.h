/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ends a run of the guest when the head of the deadline queue is due (rule T1): the
 * VMX-preemption timer, or the physical local APIC's where there is none. Pure.
 */
#pragma once

#include "core/lib/types.h"

enum run_timer {
	RUN_TIMER_VMX,
	RUN_TIMER_APIC_DEADLINE, /* core/time/apic_timer.h */
	RUN_TIMER_APIC_ONE_SHOT,
	RUN_TIMERS
};

struct run_timer_facts {
	bool has_vmx_timer;
	bool vmx_timer_is_broken; /* by erratum */
	bool has_tsc_deadline;    /* CPUID.1:ECX.24 */
};

/**
 * run_timer_choose() - the best that the machine has.
 * @why: a clause for the log and the report.
 */
enum run_timer run_timer_choose(const struct run_timer_facts *facts, const char **why);

/* run_timer_name() - one stable word, for the report. run_timer_what() - for people. */
const char *run_timer_name(enum run_timer timer);
const char *run_timer_what(enum run_timer timer);
