/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/acpi/fadt.c, where it decides by itself; test_acpi.c has the table among the others. */
#include "tests/host/harness.h"

#include "boot/acpi/tables.h"

#define PM_TMR     76u
#define PM_TMR_LEN 91u
#define X_PM_TMR   208u

/* ACPI 6.4, "Fixed ACPI Description Table": PM_TMR_LEN is 4; 0, with a port or an extended address
 * or without, means that there is no timer. No other length is defined. */
static void test_only_a_pm_timer_of_4_bytes_is_one(void)
{
	for (u32 len = 0; len < 256; len++) {
		for (u32 extended = 0; extended < 2; extended++) {
			struct acpi_info info = { 0 };
			struct fadt_links links;
			u8 fadt[244] = { [PM_TMR] = 0x08, [PM_TMR + 1] = 0x06 };

			fadt[PM_TMR_LEN] = (u8)len;
			if (extended) {
				fadt[X_PM_TMR] = 1; /* I/O space */
				fadt[X_PM_TMR + 4] = 0x08;
				fadt[X_PM_TMR + 5] = 0x18;
			}
			fadt_parse(fadt, sizeof(fadt), &info, &links);
			EXPECT_EQ(len != 4 ? 0 : extended ? 0x1808 : 0x608, info.pm_tmr_port);
		}
	}
}

TEST_MAIN(TEST(test_only_a_pm_timer_of_4_bytes_is_one))
