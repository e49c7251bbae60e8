/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of the framebuffer tag. Boot time, pure. */
#include "boot/load/framebuffer.h"

#include "core/lib/bits.h"

#define VGA_TEXT_PA 0xb8000u

#define SIDE_MIN 8u     /* one character */
#define SIDE_MAX 16384u /* keeps every product below in 64 bits, too */

u64 framebuffer_bytes(const struct boot_framebuffer *fb)
{
	u64 line = (u64)fb->width * ((fb->bpp + 7u) / 8);

	return (u64)(fb->height - 1) * fb->pitch + line;
}

static bool channels_are_valid(const struct boot_framebuffer *fb)
{
	const struct framebuffer_channel *c[] = { &fb->red, &fb->green, &fb->blue };
	u64 used = 0;

	for (u32 i = 0; i < ARRAY_SIZE(c); i++) {
		u64 mask;

		if (c[i]->size == 0 || c[i]->size > 16 || c[i]->pos + c[i]->size > fb->bpp)
			return false;
		mask = ((1ull << c[i]->size) - 1) << c[i]->pos;
		if ((used & mask) != 0)
			return false;
		used |= mask;
	}
	return true;
}

/* RAM, or tables and firmware in RAM. Not reserved memory: a framebuffer may be there. */
static bool covers_memory(const struct e820_map *m, u64 pa, u64 bytes)
{
	for (u32 i = 0; i < m->count; i++) {
		const struct e820_entry *e = &m->e[i];

		if (e->type != E820_RESERVED && e->type != E820_EFI_MMIO && pa < e->base + e->len &&
		    e->base < pa + bytes)
			return true;
	}
	return false;
}

const char *framebuffer_refusal(const struct boot_framebuffer *fb, const struct e820_map *memory,
				u32 phys_bits)
{
	u64 bytes;

	if (fb->kind == FRAMEBUFFER_INDEXED)
		return "its colours are a palette; ask for another mode, such as 1024x768x32";
	if (fb->kind != FRAMEBUFFER_PIXEL)
		return "it is in a text mode other than 80x25";
	if (fb->bpp != 15 && fb->bpp != 16 && fb->bpp != 24 && fb->bpp != 32)
		return "only 15, 16, 24 and 32 bits per pixel can be drawn";
	if (fb->width < SIDE_MIN || fb->height < SIDE_MIN)
		return "it is smaller than a character";
	if (fb->width > SIDE_MAX || fb->height > SIDE_MAX)
		return "it has more than 16384 pixels on a side";
	if (fb->pitch < fb->width * ((fb->bpp + 7u) / 8))
		return "its lines overlap: the pitch is less than a line needs";
	if (!channels_are_valid(fb))
		return "its colour channels do not fit into a pixel";
	bytes = framebuffer_bytes(fb);
	if (bytes > FRAMEBUFFER_BYTES_MAX)
		return "it has more than 256 MiB";
	if (fb->pa == 0 || fb->pa > (1ull << phys_bits) - bytes)
		return "it is not at an address that this CPU has";
	if (covers_memory(memory, fb->pa, bytes))
		return "it lies in RAM of the memory map";
	return NULL;
}

bool screen_is_text(const struct boot_framebuffer *fb, bool is_efi)
{
	if (fb->kind == FRAMEBUFFER_NONE)
		return !is_efi;
	return fb->kind == FRAMEBUFFER_TEXT && fb->pa == VGA_TEXT_PA && fb->width == 80 &&
	       fb->height == 25;
}
