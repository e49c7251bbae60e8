/* SPDX-License-Identifier: BSD-2-Clause */
/* One group per t_*.c file; suite.c lists them in the order they run. */
#pragma once

#include "tests/guest/lib/tap.h"

extern const struct test_group t_boot, t_cpuid, t_cr, t_msr, t_xcr, t_insn, t_exc, t_deliver,
	t_step, t_shadow, t_io, t_mem, t_hlt, t_apic, t_timer, t_ioapic, t_nmi, t_kvm, t_kvm_pv,
	t_time, t_mode, t_region, t_task, t_vector, t_smp, t_smp_run, t_smp_edge, t_smp_kvm,
	t_stress, t_testdev, t_reset;
