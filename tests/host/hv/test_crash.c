/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/crash.c: parameters, capabilities, and where the text may come from. */
#include "tests/host/harness.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/diag/guest_crash.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;
static char out[8192];

static void crash(struct partition *p)
{
	p->config.cpu_features |= BIT64(FEATURE_HYPERV) | BIT64(FEATURE_HV_CRASH);
}

static void PRINTF(1, 2) line(const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(out + n, sizeof(out) - n, fmt, args);
	va_end(args);
}

static const char *notify(u64 at, u64 len, u64 control)
{
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[1], HV_X64_MSR_CRASH_P0 + 3, at));
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], HV_X64_MSR_CRASH_P4, len));
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], HV_X64_MSR_CRASH_CTL, control));
	out[0] = '\0';
	guest_crash_dump(line);
	return out;
}

static void test_registers_are_the_partition_s(void)
{
	u64 val;

	fake_guest_init(&g, 2, NULL);
	EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], HV_X64_MSR_CRASH_P0, &val));
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], HV_X64_MSR_CRASH_CTL, 0));
	fake_guest_init(&g, 2, crash);
	for (u32 i = 0; i < 5; i++)
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], HV_X64_MSR_CRASH_P0 + i, ~0ull - i));
	for (u32 i = 0; i < 5; i++) {
		EXPECT_EQ(MSR_OK, msr_read(&g.vp[1], HV_X64_MSR_CRASH_P0 + i, &val));
		EXPECT_EQ(~0ull - i, val);
	}
	hv_vp_reset(&g.vp[0], true);
	EXPECT_EQ(MSR_OK, msr_read(&g.vp[1], HV_X64_MSR_CRASH_P0, &val));
	EXPECT_EQ(~0ull, val);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], HV_X64_MSR_CRASH_CTL, 0));
	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], HV_X64_MSR_CRASH_CTL, &val));
	EXPECT_EQ(3ull << 62, val);
}

static void test_text(void)
{
	u64 both = HV_CRASH_CTL_CRASH_NOTIFY | HV_CRASH_CTL_CRASH_NOTIFY_MSG;
	u64 at = GUEST_RAM_BASE + 4090;

	fake_guest_init(&g, 2, crash);
	guest_crash_reset();
	memcpy(g.ram + 4090, "across two pages", 16);
	EXPECT_CONTAINS(notify(at, 16, HV_CRASH_CTL_CRASH_NOTIFY_MSG), "none so far");
	EXPECT_CONTAINS(notify(at, 16, both), "guest crash: across two pages");
	EXPECT_CONTAINS(notify(at, 16, HV_CRASH_CTL_CRASH_NOTIFY), "guest crash 2, ");
	EXPECT_NULL(strstr(out, "across"));
	EXPECT_CONTAINS(notify(at, 6, both), "guest crash: across");
	EXPECT_NULL(strstr(out, "two"));
	EXPECT_CONTAINS(notify(0xfee00000, 16, both), " 0 bytes");
	EXPECT_CONTAINS(notify(~0ull, ~0ull, both), " 0 bytes");
	EXPECT_CONTAINS(notify(at, ~0ull, both), " 4096 bytes");
	EXPECT_CONTAINS(notify(at, 0, both), "guest crash 7, on vp0: 0x0 0x0 0x0 0x100ffa 0x0, 0 ");
}

TEST_MAIN(TEST(test_registers_are_the_partition_s), TEST(test_text))
