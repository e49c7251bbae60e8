/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware task switches, which VMX leaves to the hypervisor. Context: VP's CPU. */
#pragma once

#include "core/vp/exit_info.h"

/* The handler of task-switch exits: see exit_fn. */
COLD enum exit_action exit_task_switch(struct vp *vp, const struct exit_info *x);
