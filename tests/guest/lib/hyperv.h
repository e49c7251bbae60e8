/* SPDX-License-Identifier: BSD-2-Clause */
/* The Hyper-V ABI for test guests: the hypercall page, and calls in all their forms. */
#pragma once

#include "core/lib/types.h"
#include "hv/hyperv/hyperv_abi.h"

/* Leaf and bits of hyperv_abi.h; 0 also if the leaves are not Hyper-V's. */
u32 hyperv_features_a(void); /* EAX of the features leaf */
u32 hyperv_features_d(void);
u32 hyperv_hints(void); /* EAX of the leaf of recommendations */

/*
 * hyperv_begin() - set an OS ID and enable the hypercall page. False: the leaves are not Hyper-V's,
 * and the running test is skipped. hyperv_end(): both 0 again.
 */
bool hyperv_begin(void);
void hyperv_end(void);

/* hyperv_cpu_begin() - what each CPU needs that makes XMM calls. */
void hyperv_cpu_begin(void);

/* hyperv_rip() - where an interrupt finds the VP that a call has let in: behind the VMCALL. */
u64 hyperv_rip(void);

/* hyperv_call() - by the page: @control, then two registers: addresses, or the input. */
u64 hyperv_call(u64 control, u64 rdx, u64 r8);

/* hyperv_xmm_call() - a fast call whose input is @words, at most 14: 2 in registers, 12 in XMM0-5.
 */
#define HYPERV_FAST_WORDS 14u
u64 hyperv_xmm_call(u64 control, const u64 words[HYPERV_FAST_WORDS]);

/* Fields of a control word. */
#define HYPERV_FAST       BIT64(16)
#define HYPERV_VAR(words) ((u64)(words) << 17)
#define HYPERV_REPS(n)    ((u64)(n) << 32)
#define HYPERV_START(n)   ((u64)(n) << 48)
