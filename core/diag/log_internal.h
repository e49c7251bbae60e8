/* SPDX-License-Identifier: BSD-2-Clause */
/* Between log.c and panic.c. */
#pragma once

#include "core/diag/log.h"

/* log_vpanic() - log_panic() with an argument list. */
void log_vpanic(const char *fmt, va_list ap) PRINTF(1, 0);

/* log_reset(), panic_reset() - forget everything; tests only. */
void log_reset(void);
void panic_reset(void);
