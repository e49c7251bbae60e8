/* SPDX-License-Identifier: BSD-2-Clause */
/* The only file that sees the version, so that a new commit rebuilds one file. */
#include "boot/version.h"

#ifndef KENSHO_VERSION
#define KENSHO_VERSION "unknown"
#endif

const char kensho_version[] = KENSHO_VERSION;
