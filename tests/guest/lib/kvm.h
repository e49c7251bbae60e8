/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM ABI for test guests: where its leaves are, and hypercalls. */
#pragma once

#include "core/lib/types.h"

/* kvm_base() - the first of KVM's leaves, which another interface's may precede; 0: there are none.
 * kvm_features(): EAX of the next one. */
u32 kvm_base(void);
u32 kvm_features(void);

/* kvm_call() - by the instruction that this CPU's vendor has for it. */
s64 kvm_call(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3);

/* hypercall_is_vmmcall() - AMD and Hygon. */
bool hypercall_is_vmmcall(void);
