// SPDX-License-Identifier: BSD-2-Clause
// The functional guest: every group of tests, in order.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/platform.h"

static const struct test_group *const groups[] = {
#define X(group) &group,
#include "tests/guest/groups.def"
#undef X
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
	(void)tap_run(groups, ARRAY_SIZE(groups), NULL);
	platform_poweroff();
}
