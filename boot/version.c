/* SPDX-License-Identifier: BSD-2-Clause */
/* The only file that uses the version: a new commit rebuilds only this. */
#include "boot/version.h"

#ifndef KENSHO_VERSION
#define KENSHO_VERSION "unknown"
#endif

const char kensho_version[] = KENSHO_VERSION;
