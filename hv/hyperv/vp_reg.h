/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a VP by the names of the TLFS: rows in vp_reg_rows.c. Setting one obeys the
 * checks of the instruction that loads it; what only VM entry checks is the caller's business, once
 * all registers that belong together are set: entry_check_passes(). If it fails they go back, each
 * as vp_reg_way_back() says.
 *
 * Context: CPU of the VP, between two exits, or in the middle of one of its own hypercalls.
 * Spec:    TLFS "Virtual Processor Register Names" and "Virtual Processor Register Formats".
 */
#pragma once

#include "core/vp/vp.h"
#include "hv/hyperv/hyperv_reg_abi.h"

#define VP_REG_UNDO_MAX 52u

/* Fields of the VMCS as they were. Zeroed: nothing to undo. */
struct vp_reg_undo {
	u32 count;
	enum vmcs_field field[VP_REG_UNDO_MAX];
	u64 old[VP_REG_UNDO_MAX];
};

/* How a register gets its old value back. */
enum vp_reg_way_back {
	BACK_NEVER,    /* setting it has other effects: it does not wait for registers behind it */
	BACK_BY_VALUE, /* set what vp_reg_get() had read */
	BACK_BY_UNDO,  /* vp_reg_undo() */
};

/* vp_reg_way_back() - BACK_NEVER also if there is no such register. */
enum vp_reg_way_back vp_reg_way_back(u32 name);

/* vp_reg_note() - remember @field before it is changed. */
void vp_reg_note(struct vp_reg_undo *u, enum vmcs_field field);

/* vp_reg_undo() - all fields are as they were. */
void vp_reg_undo(struct vp_reg_undo *u);

/**
 * vp_reg_get() - HV_STATUS_INVALID_PARAMETER: there is no such register, its feature is off, or it
 * cannot be read.
 */
MUST_CHECK u16 vp_reg_get(struct vp *vp, u32 name, union hv_register_value *val);

/**
 * vp_reg_set() - HV_STATUS_INVALID_PARAMETER as above; HV_STATUS_INVALID_REGISTER_VALUE: the
 * instruction would fault, or it is BACK_NEVER while @u has fields to undo. Nothing has changed
 * then.
 */
MUST_CHECK u16 vp_reg_set(struct vp *vp, u32 name, const union hv_register_value *val,
			  struct vp_reg_undo *u);
