/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest whose VPs run: the VMCS is complete, and VM entry would accept it. */
#pragma once

#include "tests/host/fakes/rig.h"

/**
 * fake_guest_entered() - fake_guest_init() with every feature; all @vps VPs have been in the guest,
 * VP 0 is as after power-on, in real mode, in the middle of an exit by an instruction of 3 bytes.
 */
void fake_guest_entered(struct fake_guest *g, u32 vps);
