/* SPDX-License-Identifier: BSD-2-Clause */
/* Called by code that the compiler adds under -fstack-protector. */
#pragma once

#include "core/lib/compiler.h"

NORETURN void __stack_chk_fail(void);
