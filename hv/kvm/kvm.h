/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM paravirtual ABI as a module. */
#pragma once

#include "hv/hv.h"

extern const struct hv_module kvm_module;

/* kvm_vmcall() - a hypercall in the KVM ABI. */
enum exit_action kvm_vmcall(struct vp *vp);
