/* SPDX-License-Identifier: BSD-2-Clause */
/* Formatted text: %s %c %d %i %u %x %X %p %%, l/ll/z, width, 0 and - flags, .precision, * . Pure.
 */
#pragma once

#include <stdarg.h>

#include "core/lib/compiler.h"
#include "core/lib/types.h"

/* fmt_print() - like snprintf(): always terminates, returns the length the text would have had. */
size_t fmt_print(char *buf, size_t len, const char *fmt, ...) PRINTF(3, 4);
size_t fmt_vprint(char *buf, size_t len, const char *fmt, va_list ap) PRINTF(3, 0);

/* plural() - the ending of a noun behind the number @n. */
static inline const char *plural(u64 n)
{
	return n == 1 ? "" : "s";
}
