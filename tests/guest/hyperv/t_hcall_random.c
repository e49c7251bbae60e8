// SPDX-License-Identifier: BSD-2-Clause
// Random control words and addresses.

#include "tests/guest/hyperv/hcall.h"

static u64 seed = 0x9e3779b97f4a7c15;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* None that starts a VP, sends an interrupt or writes a register: those may end the test. */
static u64 random_control(void)
{
	static const u16 codes[] = { SPIN,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX,
				     HVCALL_GET_VP_REGISTERS,
				     HVCALL_TRANSLATE_VIRTUAL_ADDRESS,
				     HVCALL_POST_MESSAGE,
				     UNKNOWN,
				     0x8001 };
	u64 r = random64(), control = codes[r % ARRAY_SIZE(codes)];

	control |= r & BIT64(16);
	if (r >> 8 & 1)
		control |= random64() & GENMASK64(26, 17);
	if (r >> 9 & 1)
		control |= random64() & GENMASK64(43, 32);
	if (r >> 10 & 1)
		control |= random64() & GENMASK64(59, 48);
	if (r >> 11 & 1)
		control |= BIT64(random64() % 48 + 16);
	return control;
}

static u64 random_place(void)
{
	u64 r = random64();

	switch (r & 7) {
	case 0:
		return r;
	case 1:
		return random64() % machine_end();
	case 2:
		return at(area) + (r >> 8) % 4096;
	default:
		return at(area) + ((r >> 8) % 4096 & ~7ull);
	}
}

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
