/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM paravirtual ABI. */
#pragma once

struct hv_abi;

extern const struct hv_abi kvm_abi;
