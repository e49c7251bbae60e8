/* SPDX-License-Identifier: BSD-2-Clause */
/* Set-up of the VMX half of the hardware port. */
#pragma once

#include "arch/x86/vmx_caps.h"

/* hw_vmx_init() - keep the capabilities that the port needs. Once, before the first entry. */
void hw_vmx_init(const struct vmx_caps *caps);
