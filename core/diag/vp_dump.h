/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VP was doing, as text: a panic, the end of a guest and COM2 print the same lines. Pure. */
#pragma once

struct vp;

/* A printer of whole lines: log_info(), log_error(), log_panic(). */
typedef void (*dump_line_fn)(const char *fmt, ...);

/*
 * Context of both: the CPU of @vp, its VMCS current. Fields that cannot be read are 0: a panic may
 * come without a current VMCS.
 */

/* vp_dump_state() - two lines: where the guest was, in which mode, and why it left. */
void vp_dump_state(const struct vp *vp, dump_line_fn line);

/* vp_dump_registers() - the general registers, and the addresses of the last EPT violation. */
void vp_dump_registers(const struct vp *vp, dump_line_fn line);
