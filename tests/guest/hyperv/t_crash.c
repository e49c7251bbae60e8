// SPDX-License-Identifier: BSD-2-Clause
// A guest that crashes tells us; it goes on: on Kensho only, QEMU ends. What reaches the log is
// judged by the row.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/hv_abi.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/str.h"

#define NOTIFY  BIT64(63)
#define MESSAGE BIT64(62)

static void set_params(u64 p3, u64 p4)
{
	for (u32 i = 0; i < 3; i++)
		wrmsr(HV_CRASH_P0 + i, 0xc0de0 + i);
	wrmsr(HV_CRASH_P0 + 3, p3);
	wrmsr(HV_CRASH_P0 + 4, p4);
}

static void hv_crash_numbers(void)
{
	if (!hv_need(HV_BIT_CRASH))
		return;
	EXPECT_EQ(NOTIFY | MESSAGE, rdmsr(HV_CRASH_CTL));
	set_params(~0ull, BIT64(63));
	for (u32 i = 0; i < 5; i++)
		EXPECT_EQ(i < 3 ? 0xc0de0 + i : i == 3 ? ~0ull : BIT64(63), rdmsr(HV_CRASH_P0 + i));
	wrmsr(HV_CRASH_CTL, MESSAGE); /* not without the other bit */
	wrmsr(HV_CRASH_CTL, NOTIFY);
	EXPECT_EQ(NOTIFY | MESSAGE, rdmsr(HV_CRASH_CTL));
	counter_want("HV_CRASH", 1);
}

static char text[3 * 4096] ALIGNED(4096);

/* Across pages, with what would spoil a terminal. Then lengths and addresses without text. */
static void hv_crash_text(void)
{
	static const char first[] = "Kernel panic - not syncing: attempted to kill init!\n"
				    "second\x1b[2J line\r\n\n";
	u64 at = (u64)(uintptr_t)text + 4096 - 20;

	if (!hv_need(HV_BIT_CRASH))
		return;
	memcpy(text + 4096 - 20, first, sizeof(first) - 1);
	set_params(at, sizeof(first) - 1);
	wrmsr(HV_CRASH_CTL, NOTIFY | MESSAGE);
	set_params(0xfee00000, 16);
	wrmsr(HV_CRASH_CTL, NOTIFY | MESSAGE);
	set_params(~0ull - 7, ~0ull);
	wrmsr(HV_CRASH_CTL, NOTIFY | MESSAGE);
	EXPECT_EQ(~0ull, rdmsr(HV_CRASH_P0 + 4));
	counter_want("HV_CRASH", 3);
}

static const struct test t_crash_tests[] = {
	{ "hv_crash_text", hv_crash_text, T_KENSHO | T_NAMED, NULL },
	{ "hv_crash_numbers", hv_crash_numbers, T_KENSHO | T_NAMED, NULL },
};
TEST_GROUP(t_crash);
