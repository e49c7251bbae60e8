/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/ext_calls.c: the query for extended calls. */
#include "tests/host/harness.h"

#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static void test_no_extended_call_but_the_query(void)
{
	static struct hcall_table t;
	const struct hv_feature *f = hv_features[FEATURE_HV_EXT_HYPERCALLS];
	u64 out = 0;
	struct hcall hc = { .out = &out };
	const struct hcall_row *row;
	bool live;

	fake_guest_init(&g, 1, fake_guest_everything);
	EXPECT_EQ(ERR_NONE, hcall_add(&t, f->hcalls, f->hcall_count, true));
	row = hcall_find(&t, HV_EXT_CALL_QUERY_CAPABILITIES, &live);
	EXPECT_TRUE(row != NULL && live);
	EXPECT_EQ(HV_STATUS_SUCCESS, row->mem(&g.vp[0], &hc));
	EXPECT_EQ(0, out);
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, row->no_fast_status);
	EXPECT_TRUE(hcall_find(&t, HV_EXT_CALL_GET_BOOT_ZEROED_MEMORY, &live) == NULL);
}

TEST_MAIN(TEST(test_no_extended_call_but_the_query))
