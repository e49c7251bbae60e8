/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux' struct screen_info: the screen it finds. Boot time, pure.
 * Source: <linux/screen_info.h> and the boot protocol's "zero page".
 */
#include "boot/load/bootparam.h"
#include "boot/load/bzimage.h"
#include "boot/load/framebuffer.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

static void text_mode(u8 *zp)
{
	zp[BP_VIDEO_MODE] = 3;
	zp[BP_VIDEO_COLS] = 80;
	put_u16(zp + BP_VIDEO_EGA_BX, 3); /* not 0x10: a colour adapter newer than CGA */
	zp[BP_VIDEO_LINES] = 25;
	zp[BP_VIDEO_IS_VGA] = 1; /* as the kernel's own set-up code has it for VGAC */
	put_u16(zp + BP_VIDEO_POINTS, 16);
}

/* Unused bits of a pixel are above the colours, except in exotic formats. */
static void colours(u8 *zp, const struct boot_framebuffer *fb)
{
	u32 used = fb->red.size + fb->green.size + fb->blue.size;
	u32 end = umax32(umax32(fb->red.pos + fb->red.size, fb->green.pos + fb->green.size),
			 fb->blue.pos + fb->blue.size);
	u32 rest = fb->bpp - umin32(used, fb->bpp);

	zp[BP_RED_SIZE] = fb->red.size;
	zp[BP_RED_POS] = fb->red.pos;
	zp[BP_GREEN_SIZE] = fb->green.size;
	zp[BP_GREEN_POS] = fb->green.pos;
	zp[BP_BLUE_SIZE] = fb->blue.size;
	zp[BP_BLUE_POS] = fb->blue.pos;
	zp[BP_RSVD_SIZE] = (u8)rest;
	zp[BP_RSVD_POS] = (u8)(rest == 0 || end == fb->bpp ? 0 : end);
}

/* The size is in bytes, for VESA in units of 64 KiB. */
static void linear(u8 *zp, const struct boot_framebuffer *fb, bool is_efi)
{
	u64 bytes = (u64)fb->pitch * fb->height;

	zp[BP_VIDEO_IS_VGA] = is_efi ? BP_VIDEO_TYPE_EFI : BP_VIDEO_TYPE_VLFB;
	put_u16(zp + BP_LFB_WIDTH, (u16)fb->width);
	put_u16(zp + BP_LFB_HEIGHT, (u16)fb->height);
	put_u16(zp + BP_LFB_DEPTH, fb->bpp);
	put_u32(zp + BP_LFB_BASE, (u32)fb->pa);
	put_u32(zp + BP_LFB_SIZE, (u32)(is_efi ? bytes : (bytes + 0xffff) >> 16));
	put_u16(zp + BP_LFB_LINELEN, (u16)fb->pitch);
	put_u16(zp + BP_PAGES, 1);
	colours(zp, fb);
	if (fb->pa >> 32 != 0) {
		put_u32(zp + BP_CAPABILITIES, BP_VIDEO_64BIT_BASE);
		put_u32(zp + BP_EXT_LFB_BASE, (u32)(fb->pa >> 32));
	}
}

void screen_info_fill(u8 *zp, const struct load_input *in)
{
	const struct boot_framebuffer *fb = in->screen;
	bool is_efi = in->efi != NULL && in->efi->present;

	if (fb == NULL)
		return;
	if (screen_is_text(fb, is_efi))
		text_mode(zp);
	else if (fb->kind == FRAMEBUFFER_PIXEL && fb->pitch <= 0xffff)
		linear(zp, fb, is_efi);
}
