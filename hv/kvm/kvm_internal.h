/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the KVM ABI share. A feature's own state is in its own file. */
#pragma once

#include "core/mem/shared_area.h"
#include "hv/feature.h"
#include "hv/hcall.h"
#include "hv/kvm/kvm.h"
#include "hv/kvm/kvm_abi.h"

/* KVM_BITS() - bits of the features leaf, by register. */
#define KVM_BITS(...)                                               \
	{                                                           \
		.leaf = KVM_CPUID_FEATURES, .regs = { __VA_ARGS__ } \
	}

/* clock_pairing.c: a call of the interface itself. */
s64 kvm_clock_pairing(struct vp *vp, const u64 args[4], void *out);
