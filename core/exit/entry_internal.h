/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of the entry check. */
#pragma once

#include "core/lib/types.h"

/* entry_check_segments() - what the first segment register that fails is called; NULL: all pass. */
const char *entry_check_segments(bool v86);
