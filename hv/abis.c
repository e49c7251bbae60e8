/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of paravirtual ABIs. Context: none, data only. */
#include "hv/hv.h"
#include "hv/hyperv/hyperv.h"
#include "hv/kvm/kvm.h"

const struct hv_abi *const hv_abis[] = { &hyperv_abi, &kvm_abi, NULL };
