/* SPDX-License-Identifier: BSD-2-Clause */
/* The demonstration guest: what its C and assembly files share. */
#pragma once

#define DEMO_CS        0x08
#define DEMO_DS        0x10
#define DEMO_CS32      0x18
#define DEMO_CPUS      64
#define AP_STACK_SHIFT 12
#define AP_PAGE        0x8000 /* unused conventional memory */
