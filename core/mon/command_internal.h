/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions behind the rows of commands.c, by file. Contract: struct command. */
#pragma once

#include "core/mon/command.h"

/*
 * command_vps() - the VPs that @args names, [*first, *end): a number is one VP, nothing is all.
 * False: no such VP, and that was printed.
 */
bool command_vps(const struct vp *vp, struct word args, u32 *first, u32 *end);

/* cmd_dump.c */
void cmd_counters(struct vp *vp, struct word args);
void cmd_regs(struct vp *vp, struct word args);
void cmd_trace(struct vp *vp, struct word args);
void cmd_audit(struct vp *vp, struct word args);
void cmd_crash(struct vp *vp, struct word args);

/* cmd_vp.c */
void cmd_vps(struct vp *vp, struct word args);
void cmd_hold(struct vp *vp, struct word args);
void cmd_release(struct vp *vp, struct word args);
void cmd_step(struct vp *vp, struct word args);
