// SPDX-License-Identifier: BSD-2-Clause
// hv-ext-hypercalls: what KVM's selftest hyperv_extended_hypercalls asserts.

#include "tests/guest/groups.h"
#include "tests/guest/hyperv/reg_call.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

static u8 out[4096] ALIGNED(4096);

static u64 query(u64 control)
{
	return hyperv_call(HV_EXT_CALL_QUERY_CAPABILITIES | control, 0, (u64)(uintptr_t)out);
}

static void ext_query(void)
{
	u64 capabilities = 0;

	if (!reg_begin(HV_ENABLE_EXTENDED_HYPERCALLS))
		return;
	memset(out, 0xff, sizeof(out));
	EXPECT_EQ(HV_STATUS_SUCCESS, query(0));
	memcpy(&capabilities, out, sizeof(capabilities));
	EXPECT_EQ(0, capabilities);
	EXPECT_EQ(0xff, out[8]);
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, query(HYPERV_FAST));
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT, query(HYPERV_REPS(1)));
	hyperv_end();
}

/* What the query does not name does not exist. */
static void ext_others(void)
{
	if (!reg_begin(HV_ENABLE_EXTENDED_HYPERCALLS))
		return;
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_CODE,
		  hyperv_call(HV_EXT_CALL_GET_BOOT_ZEROED_MEMORY, 0, (u64)(uintptr_t)out));
	for (u64 code = 0x8003; code < 0x8010; code++)
		EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_CODE,
			  hyperv_call(code, 0, (u64)(uintptr_t)out));
	hyperv_end();
}

/* Off: a known call that is denied. */
static void ext_follows_cpuid(void)
{
	bool on = (reg_privileges() & HV_ENABLE_EXTENDED_HYPERCALLS) != 0;

	if (!hyperv_begin())
		return;
	if (on) {
		EXPECT_EQ(HV_STATUS_SUCCESS, query(0));
		EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, query(HYPERV_FAST));
	} else {
		EXPECT_TRUE(reg_refused(query(0)));
		EXPECT_REFUSED(query(HYPERV_FAST) == HV_STATUS_ACCESS_DENIED);
	}
	hyperv_end();
}

#define ROW(fn)                                                  \
	{                                                        \
		.name = #fn, .run = fn, .flags = T_ABI | T_NAMED \
	}

static const struct test t_ext_tests[] = { ROW(ext_query), ROW(ext_others),
					   ROW(ext_follows_cpuid) };
TEST_GROUP(t_ext);
