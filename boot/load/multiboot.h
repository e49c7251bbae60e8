/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 1 images. Boot time, pure. */
#pragma once

#include "boot/load/mb1_abi.h"
#include "core/lib/types.h"

/* multiboot_find() - offset of the header in the first 8 KiB; ~0: none. */
u64 multiboot_find(const u8 *data, u64 len);
