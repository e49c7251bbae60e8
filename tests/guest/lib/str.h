/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings and formatting: %s %c %d %u %x %llu %llx with width and 0 padding. */
#pragma once

#include <stdarg.h>

#include "core/lib/types.h"

void str_vformat(char *out, u32 size, const char *fmt, va_list ap);
void str_format(char *out, u32 size, const char *fmt, ...) PRINTF(3, 4);
bool str_equal(const char *a, const char *b);
bool str_prefix(const char *text, const char *prefix, u32 len);
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memmove(void *dst, const void *src, size_t n);
