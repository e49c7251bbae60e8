/* SPDX-License-Identifier: BSD-2-Clause */
/* Can we draw on the screen that the loader describes? Pure. */
#pragma once

#include "boot/load/boot_info.h"

/* 8K with 32 bits per pixel has 127 MiB. */
#define FRAMEBUFFER_BYTES_MAX (256ull << 20)

/* framebuffer_bytes() - from its first pixel to its last. */
u64 framebuffer_bytes(const struct boot_framebuffer *fb);

/**
 * framebuffer_refusal() - NULL: a linear framebuffer whose every pixel can be written; else why
 * not, for the user.
 * @memory: where RAM is; @phys_bits: physical-address width
 *
 * With a wrong description we would overwrite something else.
 */
const char *framebuffer_refusal(const struct boot_framebuffer *fb, const struct e820_map *memory,
				u32 phys_bits);

/* screen_is_text() - VGA text of 80 x 25, as far as we can know. @is_efi: UEFI firmware has no
 * text mode. */
bool screen_is_text(const struct boot_framebuffer *fb, bool is_efi);
