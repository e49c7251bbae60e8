/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot information of multiboot guests: one block of guest RAM, filled as one blob of the plan. */
#pragma once

#include "boot/load/load.h"

struct mbinfo {
	u8 *data;
	u32 len, used;
	u64 pa;
};

/* mbinfo_begin() - get @len zeroed bytes and plan a place for them, in low memory if there is
 * room. */
MUST_CHECK err_t mbinfo_begin(struct mbinfo *info, const struct load_input *in, u64 len,
			      struct load_plan *out);

/* mbinfo_take() - the next @len bytes of the block and their address; NULL when it is full. */
u8 *mbinfo_take(struct mbinfo *info, u32 len, u32 align, u64 *pa);

/* The modules of a multiboot guest: all of them, or an initrd as the only one. */
const struct guest_image *mbinfo_modules(const struct load_input *in, u32 *count);

/* mbinfo_lower_kib(), mbinfo_upper_kib() - contiguous RAM from 0 and from 1 MiB. */
u32 mbinfo_lower_kib(const struct e820_map *m);
u32 mbinfo_upper_kib(const struct e820_map *m);

/* The bytes that describe a pixel's colours, in both protocols. */
#define MBINFO_RGB_LEN 6u
void mbinfo_put_rgb(u8 *p, const struct boot_framebuffer *fb);

/* Values of framebuffer_type in both protocols. */
#define MBINFO_FB_RGB  1u
#define MBINFO_FB_TEXT 2u

/* mbinfo_loader() - our name and version. */
const char *mbinfo_loader(const struct load_input *in);

/* mbinfo_has_screen() - there is a screen whose description is complete. */
bool mbinfo_has_screen(const struct load_input *in);

/* mbinfo_passed() - the payload of the boot loader's tag @type if it is @len bytes; else NULL. */
const u8 *mbinfo_passed(const struct load_input *in, u32 type, u32 len);
