/* SPDX-License-Identifier: BSD-2-Clause */
/* Option test_fault=: the only hook of production code for faults that tests inject. */
#pragma once

#include "boot/option/test_faults.h"

struct options;

/* test_fault_choose() - before the first test_point(): choose the row that strikes, if any. */
void test_fault_choose(const struct options *o);

/**
 * test_point() - the calling CPU is at @point, with @arg as enum test_point says. If the chosen row
 * strikes here it may change *@arg, take long, or not return; else nothing happens.
 */
void test_point(enum test_point point, void *arg);
