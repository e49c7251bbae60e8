/* SPDX-License-Identifier: BSD-2-Clause */
/* Enlightenments by QEMU's names: offered here or not, and how their tests ended. */
#pragma once

#include "tests/guest/lib/tap.h"

void words_init(void);

/* word_not_here() - why @t has nothing to test here; NULL: it has. */
const char *word_not_here(const struct test *t);

void word_ended(const struct test *t, enum tap_result result);

/* words_print() - the summary. words_passed(): tests of all words that passed. */
void words_print(void);
u32 words_passed(void);
