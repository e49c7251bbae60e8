/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition of three VPs for the tests of register access, and lists of registers. */
#pragma once

#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/entry_check.h"
#include "core/vp/guest_cr.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_reg_abi.h"
#include "hv/hyperv/vp_reg.h"
#include "tests/host/fakes/entered.h"

#define LIST     100u
#define CODE64   0xa09b
#define DATA     0xc093
#define CODE64_3 0xa0fb
#define DATA_3   0xc0f3
#define RESET_IP 0xfff0ull

static struct fake_guest g;
static struct vp *const vp = &g.vp[0];

static struct {
	struct hv_vp_registers header;
	u32 name[LIST];
	struct hv_register_assoc assoc[LIST];
	union hv_register_value value[LIST];
	struct hcall hc;
} c;

/* As after power-on: real mode. */
static inline void init(void)
{
	fake_guest_entered(&g, 3);
	EXPECT_TRUE(entry_check_passes());
	memset(&c, 0, sizeof(c));
	c.header = (struct hv_vp_registers){ .partition_id = HV_PARTITION_ID_SELF,
					     .vp_index = HV_VP_INDEX_SELF };
}

static inline const struct hcall_row *row(u32 nr)
{
	const struct hv_feature *f = hv_features[FEATURE_HV_VP_REGISTERS];

	for (u32 i = 0; i < f->hcall_count; i++) {
		if (f->hcalls[i].nr == nr)
			return &f->hcalls[i];
	}
	return NULL;
}

static inline u16 run(u32 nr, void *list, u32 count)
{
	c.hc = (struct hcall){
		.in = &c.header,
		.list = list,
		.count = count,
		.out_list = c.value,
	};
	return row(nr)->mem(fake.cpu_vp, &c.hc);
}

static inline void put(u32 i, u32 name, u64 low, u64 high)
{
	c.assoc[i] =
		(struct hv_register_assoc){ .name = name, .value.low = low, .value.high = high };
}

static inline void put_segment(u32 i, u32 name, u16 selector, u64 base, u32 limit, u16 attributes)
{
	c.assoc[i] = (struct hv_register_assoc){
		.name = name,
		.value.segment = { .base = base,
				   .limit = limit,
				   .selector = selector,
				   .attributes = attributes },
	};
}

static inline u16 set_list(u32 count)
{
	return run(HVCALL_SET_VP_REGISTERS, c.assoc, count);
}

static inline u16 set(u32 name, u64 low)
{
	put(0, name, low, 0);
	return set_list(1);
}

static inline u16 get(u32 name)
{
	c.name[0] = name;
	return run(HVCALL_GET_VP_REGISTERS, c.name, 1);
}

static inline u64 value_of(u32 name)
{
	EXPECT_EQ(HV_STATUS_SUCCESS, get(name));
	EXPECT_EQ(1, c.hc.done);
	return c.value[0].low;
}

/* 64-bit mode, by the same steps as a processor takes them. */
static inline void to_long_mode(void)
{
	put(0, HV_X64_REGISTER_CR4, CR4_PAE, 0);
	put(1, HV_X64_REGISTER_CR3, GUEST_RAM_BASE, 0);
	put(2, HV_X64_REGISTER_EFER, EFER_LME, 0);
	put(3, HV_X64_REGISTER_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE, 0);
	put_segment(4, HV_X64_REGISTER_CS, 8, 0, 0xffffffff, CODE64);
	put_segment(5, HV_X64_REGISTER_SS, 16, 0, 0xffffffff, DATA);
	EXPECT_EQ(HV_STATUS_SUCCESS, set_list(6));
	EXPECT_EQ(6, c.hc.done);
	EXPECT_EQ(EFER_LME | EFER_LMA, value_of(HV_X64_REGISTER_EFER));
}
