/* SPDX-License-Identifier: BSD-2-Clause */
/* Option test_fault=: the one door through which production code meets what breaks it in tests. */
#pragma once

#include "boot/option/test_faults.h"

struct options;

/* test_fault_choose() - before the first test_point(): which of the rows is to strike, if any. */
void test_fault_choose(const struct options *o);

/**
 * test_point() - the calling CPU is at @point; @arg is what enum test_point says of it. Does
 * nothing but where the chosen row strikes there: then it may change *@arg, take its time, or not
 * return.
 */
void test_point(enum test_point point, void *arg);
