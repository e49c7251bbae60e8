/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of flush hypercalls share: all forms of the call, and a page that changes. */
#pragma once

#include "core/lib/bits.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/tap.h"

#define SPACE    HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE
#define LIST     HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST
#define SPACE_EX HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX
#define LIST_EX  HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX

static inline bool is_list(u32 code)
{
	return code == LIST || code == LIST_EX;
}

static inline bool is_ex(u32 code)
{
	return code == SPACE_EX || code == LIST_EX;
}

static inline bool flush_is_on(void)
{
	return (hyperv_hints() & HV_X64_REMOTE_TLB_FLUSH_RECOMMENDED) != 0;
}

static inline bool has_xmm(void)
{
	return (hyperv_features_d() & HV_X64_HYPERCALL_XMM_INPUT_AVAILABLE) != 0;
}

/* flush_begin() - hyperv_begin(), or the test is skipped. */
bool flush_begin(void);

/* The input page of a CPU. */
u64 *flush_in(u32 cpu);
u64 flush_gpa(u32 cpu);

/* A page of the test window: what is read there is the number last given to flush_map(), 1 or 2.
 * flush_map() changes the mapping, which is global, and no TLB. */
volatile u32 *flush_window(void);
void flush_map(u32 number);

/*
 * Forms of the call: in memory and fast, space and list, plain and Ex; the VPs by mask or by flag,
 * by one bank, with banks of others around, by the format "all".
 */
#define FLUSH_VARIANTS 24u
bool flush_applies(u32 variant); /* fast forms need XMM registers */
bool flush_names_all(u32 variant);

/* flush_do() - for the VPs of @vps, bits by VP index, or for all. False: its result is wrong. */
bool flush_do(u32 variant, u64 vps);
