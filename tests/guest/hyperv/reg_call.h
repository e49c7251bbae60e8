/* SPDX-License-Identifier: BSD-2-Clause */
/* Register calls as the tests of hv-vp-registers and hv-start-vp make them. */
#pragma once

#include "hv/hyperv/hyperv_reg_abi.h"
#include "tests/guest/lib/hyperv.h"

/* reg_begin() - hyperv_begin(), or the test is skipped: EBX of the features leaf lacks @privilege.
 */
bool reg_begin(u32 privilege);

/* reg_privileges() - EBX of the features leaf; 0 without Hyper-V. */
u32 reg_privileges(void);

/* reg_refused() - a status of a call that is not offered; others than Kensho may not know it. */
bool reg_refused(u64 result);

/* reg_get(), reg_set() - of VP @vp by a call in memory; the result value of the call. */
u64 reg_get(u32 vp, u32 name, union hv_register_value *val);
u64 reg_set(u32 vp, u32 name, const union hv_register_value *val);

/* reg_of() - low half; expects success. reg_put(): sets it, returns the status. */
u64 reg_of(u32 vp, u32 name);
u16 reg_put(u32 vp, u32 name, u64 low);

/* reg_put_list() - several at once; the result value. */
u64 reg_put_list(u32 vp, const struct hv_register_assoc *list, u32 n);

/* reg_segment() - element that sets a segment register. */
struct hv_register_assoc reg_segment(u32 name, u16 selector, u64 base, u32 limit, u16 attributes);

/* reg_wait_for() - until another CPU has set *@word; false: not within 1 s. */
bool reg_wait_for(const volatile u32 *word);

#define REG_DONE(result)   ((u32)((result) >> 32) & 0xfff)
#define REG_STATUS(result) ((u16)(result))
