/* SPDX-License-Identifier: BSD-2-Clause */
/* Repeats the CPU's checks on guest state. Pure. Context: VP's CPU, with its VMCS current. */
#pragma once

#include "core/lib/types.h"

/**
 * entry_check_guest_state() - first check of SDM "Checks on the Guest State Area" that the current
 * VMCS fails; a static sentence, "no check known here" when all pass.
 */
const char *entry_check_guest_state(void);

/* entry_check_passes() - VM entry would accept the guest state of the current VMCS. */
bool entry_check_passes(void);
