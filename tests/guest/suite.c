// SPDX-License-Identifier: BSD-2-Clause
// The functional guest: every group of tests, in order.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/platform.h"

static const struct test_group *const groups[] = {
	&t_boot, &t_cpuid,   &t_cr,       &t_msr,     &t_xcr,    &t_insn,    &t_exc,    &t_deliver,
	&t_step, &t_shadow,  &t_io,       &t_mem,     &t_hlt,    &t_apic,    &t_timer,  &t_ioapic,
	&t_nmi,  &t_kvm,     &t_kvm_pv,   &t_time,    &t_mode,   &t_task,    &t_region, &t_vector,
	&t_smp,  &t_smp_run, &t_smp_edge, &t_smp_kvm, &t_stress, &t_testdev, &t_reset,
};

void guest_main(void);
void guest_main(void)
{
	boot_copy();
	cpu_init();
	tap_init();
	modes_init();
	platform_init();
	tap_printf("# %s, TSC %llu Hz\n", machine_is_kensho() ? "kensho" : "bare", tsc_hz());
	tap_run(groups, ARRAY_SIZE(groups));
	platform_poweroff();
}
