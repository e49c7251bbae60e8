// SPDX-License-Identifier: BSD-2-Clause
// Random control words and addresses.

#include "tests/guest/hyperv/hcall.h"

static void hcall_random(void)
{
	u64 guard = 0x5a5a5a5a5a5a5a5a;

	if (!hyperv_begin())
		return;
	slot_begin();
	for (u32 i = 0; i < 3000; i++) {
		u64 control = random_control(), in = random_place(), out = at(area);
		register u64 third asm("r8") = out;
		u64 result = guard, left = control;

		trap_clear();
		asm volatile("mov %%rsp, %%rbx;" TRY_BEGIN "call *%[slot]" TRY_END
			     "mov %%rbx, %%rsp"
			     : "+a"(result), "+c"(left), "+d"(in), "+r"(third)
			     : [slot] "S"(slot)
			     : "rbx", "memory", "cc");
		if (trap_vector() == NO_FAULT)
			EXPECT_AT((result & ~(GENMASK64(43, 32) | 0xffull)) == 0,
				  "control 0x%llx: result 0x%llx", control, result);
		else
			EXPECT_AT(trap_vector() == EXC_UD && (control & HYPERV_FAST) &&
					  !has_d(HV_X64_HYPERCALL_XMM_INPUT_AVAILABLE),
				  "control 0x%llx: vector %u", control, trap_vector());
	}
	hyperv_end();
}

static const struct test t_hcall_random_tests[] = {
	ROW(hcall_random),
};
TEST_GROUP(t_hcall_random);
