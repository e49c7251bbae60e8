/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of <string.h> that a freestanding C program needs, plus bounded helpers. */
#pragma once

#include "core/lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
