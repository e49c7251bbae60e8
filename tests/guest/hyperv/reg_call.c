// SPDX-License-Identifier: BSD-2-Clause
// Register calls as the tests of hv-vp-registers and hv-start-vp make them.

#include "tests/guest/hyperv/reg_call.h"

#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

/* One page for each CPU that calls. */
static u8 in[SMP_MAX][4096] ALIGNED(4096);
static u8 out[SMP_MAX][4096] ALIGNED(4096);

u32 reg_privileges(void)
{
	if (!machine_has_hypervisor() ||
	    cpuid(0x40000000u + HYPERV_CPUID_INTERFACE).a != HYPERV_INTERFACE_SIGNATURE)
		return 0;
	return cpuid(0x40000000u + HYPERV_CPUID_FEATURES).b;
}

bool reg_begin(u32 privilege)
{
	if (!(reg_privileges() & privilege)) {
		test_skip("the feature is off");
		return false;
	}
	return hyperv_begin();
}

bool reg_refused(u64 result)
{
	return REG_STATUS(result) == HV_STATUS_ACCESS_DENIED ||
	       (!machine_is_kensho() && REG_STATUS(result) == HV_STATUS_INVALID_HYPERCALL_CODE);
}

static u64 at(const void *p)
{
	return (u64)(uintptr_t)p;
}

static u8 *header(u32 vp)
{
	u8 *page = in[smp_self()];
	struct hv_vp_registers h = { .partition_id = HV_PARTITION_ID_SELF, .vp_index = vp };

	memcpy(page, &h, sizeof(h));
	return page;
}

u64 reg_get(u32 vp, u32 name, union hv_register_value *val)
{
	u8 *page = header(vp);
	u64 result;

	memcpy(page + sizeof(struct hv_vp_registers), &name, sizeof(name));
	result = hyperv_call(HVCALL_GET_VP_REGISTERS | HYPERV_REPS(1), at(page),
			     at(out[smp_self()]));
	memcpy(val, out[smp_self()], sizeof(*val));
	return result;
}

u64 reg_put_list(u32 vp, const struct hv_register_assoc *list, u32 n)
{
	u8 *page = header(vp);

	memcpy(page + sizeof(struct hv_vp_registers), list, n * sizeof(*list));
	return hyperv_call(HVCALL_SET_VP_REGISTERS | HYPERV_REPS(n), at(page), 0);
}

u64 reg_set(u32 vp, u32 name, const union hv_register_value *val)
{
	struct hv_register_assoc e = { .name = name, .value = *val };

	return reg_put_list(vp, &e, 1);
}

u64 reg_of(u32 vp, u32 name)
{
	union hv_register_value val;

	EXPECT_EQ(1ull << 32, reg_get(vp, name, &val));
	return val.low;
}

u16 reg_put(u32 vp, u32 name, u64 low)
{
	const union hv_register_value val = { .low = low };

	return REG_STATUS(reg_set(vp, name, &val));
}

struct hv_register_assoc reg_segment(u32 name, u16 selector, u64 base, u32 limit, u16 attributes)
{
	return (struct hv_register_assoc){
		.name = name,
		.value.segment = { .base = base,
				   .limit = limit,
				   .selector = selector,
				   .attributes = attributes },
	};
}

bool reg_wait_for(const volatile u32 *word)
{
	for (u32 i = 0; i < 10000 && *word == 0; i++)
		delay_us(100);
	return *word != 0;
}
