/* SPDX-License-Identifier: BSD-2-Clause */
/* The groups of groups.def, which suite.c runs. */
#pragma once

#include "tests/guest/lib/tap.h"

#define X(group) extern const struct test_group group;
#include "tests/guest/groups.def"
#undef X
