/* SPDX-License-Identifier: BSD-2-Clause */
/* Features of a CPU beyond the requirements of vmx_caps.h. Pure. */
#pragma once

#include "arch/x86/vmx_ctls.h"

struct vmx_optional {
	const char *name, *purpose;
	bool present, used;
};

/**
 * vmx_optional() - row @i of the table. False: there is none.
 * @ctls: the control words of this boot, 0 when there are none.
 */
bool vmx_optional(u32 i, const struct vmx_caps *c, const struct vmx_ctls *ctls,
		  struct vmx_optional *out);
