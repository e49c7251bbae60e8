/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset of the machine; the use of it is hw_reboot() in core/hw.h. */
#pragma once

#include "core/lib/types.h"

/* reboot_init() - the ACPI reset register: address space, address, value; memory is mapped. */
void reboot_init(u8 space, u64 addr, u8 value);
