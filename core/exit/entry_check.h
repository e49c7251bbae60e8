/* SPDX-License-Identifier: BSD-2-Clause */
/* Repeats the CPU's checks on guest state to name the one that failed. Pure. */
#pragma once

/**
 * entry_check_guest_state() - first check of SDM "Checks on the Guest State Area" that the current
 * VMCS fails; a static sentence, "no check known here" when all pass.
 */
const char *entry_check_guest_state(void);
