/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lazy EOI: the guest ends an interrupt by clearing a bit of a shared word instead of writing the
 * EOI register, which would exit. KVM calls it PV EOI, the TLFS "No EOI Required".
 *
 * At an injection that nothing waits behind, bit 0 of the word is set: "armed". The guest tests and
 * clears it; when it was set, it owes no EOI. What it did is looked up before anything here uses
 * the bits in service: while armed, vlapic.highest_isr is -1 and the slow paths call
 * lazy_eoi_sync(). Never armed on level-triggered vectors, whose EOI must reach the I/O APIC, nor
 * while the CPU delivers or reads the bits in service by itself.
 *
 * Context: VP's own CPU, root.
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct partition;
struct vp;

/**
 * lazy_eoi_enable() - the word is at @gpa, 4 bytes aligned. ERR_FAULT: not the guest's RAM; nothing
 * changes then. Replaces what was enabled before.
 */
MUST_CHECK err_t lazy_eoi_enable(struct vp *vp, u64 gpa);

/* lazy_eoi_disable() - what is armed is looked up first. */
void lazy_eoi_disable(struct vp *vp);

/* lazy_eoi_arm() - @vector was just injected and is the highest in service. */
void lazy_eoi_arm(struct vp *vp, u8 vector);

/* lazy_eoi_sync() - learn whether the guest ended the armed interrupt; nothing is armed then. */
void lazy_eoi_sync(struct vp *vp);

/* lazy_eoi_forget() - the bits in service were all cleared: so is the word. */
void lazy_eoi_forget(struct vp *vp);

/* lazy_eoi_map_changed() - check the address of @vp again. Any CPU. */
void lazy_eoi_map_changed(struct vp *vp);
